# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that a bundle is written to: what is there, what becomes of it, and its attributes."""

from __future__ import annotations

import glob
import hashlib
import os
import tempfile
import typing as t
from contextlib import contextmanager, suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import compose, source_cache
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError, pem_to_ders

# A file that is larger is none that this module has written.
MAX_OLD_BYTES = 32 * 1024 * 1024


class Format(t.NamedTuple):
    """How certificates become a file's content, and the other way round."""

    read: t.Callable[[bytes], tuple[x509.Certificate, ...]]
    write: t.Callable[[compose.Bundle], bytes]
    # Whether the same certificates always make the same file.
    deterministic: bool
    # The certificates of a file as DER, for a format that shows them without a library.
    ders: t.Callable[[bytes], tuple[bytes, ...]] | None = None


def format_from_params(params: t.Mapping[str, t.Any]) -> Format:
    """The format that is asked for; raises OptionError where it cannot be had."""
    if params["format"] == "pem":
        return Format(
            read=lambda content: x509.parse_pem(content, "dest"),
            write=lambda bundle: bundle.content,
            deterministic=True,
            ders=lambda content: pem_to_ders(content, "dest"),
        )
    passphrase = params["passphrase"]
    if not passphrase:
        raise OptionError("passphrase: format=pkcs12 needs one that is not empty.")

    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import pkcs12

    pkcs12.check_support()
    return Format(
        read=lambda content: pkcs12.load(content, passphrase, "dest"),
        write=lambda bundle: pkcs12.dump(bundle.certificates, passphrase),
        deterministic=False,
    )


@contextmanager
def failures_raised(module: AnsibleModule) -> t.Iterator[None]:
    """What Ansible's own functions for files cannot do, as OSError or RdsMysqlError."""
    vars(module)["raising"] = True
    try:
        yield
    except (OSError, RdsMysqlError):
        raise
    except Exception as e:  # noqa: BLE001 (raised again, for the reason below)
        # From ansible-core 2.19 on they raise Exception itself, and nothing narrower can be caught. Before, they leave.
        raise RdsMysqlError(str(e)) from e.__cause__
    finally:
        vars(module)["raising"] = False


def check_destination(dest: str) -> None:
    """Fail early, and in words, where the file cannot be written."""
    directory = os.path.dirname(os.path.abspath(dest))
    if os.path.isdir(dest):
        raise OptionError(f"dest: {dest} is a directory; name the file to write.")
    if os.path.exists(dest) and not os.path.isfile(dest):
        raise OptionError(f"dest: {dest} is not a regular file.")
    if not os.path.isdir(directory):
        raise OptionError(f"dest: the directory {directory} does not exist.")
    if not os.access(directory, os.W_OK):
        raise OptionError(f"dest: the directory {directory} is not writable.")


class OldFile:
    """The file that is there now; what it holds is looked at when it is asked for.

    ``record`` is the record of its sources, if there is one.
    """

    def __init__(self, content: bytes, form: Format, record: source_cache.Record | None) -> None:
        self.content = content
        self.record = record
        self._form = form
        self._read = False
        self._certificates: tuple[x509.Certificate, ...] | None = None
        # Whether they are known from the record, so that they have been checked.
        self._checked = False

    @property
    def certificates(self) -> tuple[x509.Certificate, ...] | None:
        """What the file holds; None where it is not a bundle."""
        if not self._read:
            self._certificates = self._look()
            self._read = True
        return self._certificates

    def _look(self) -> tuple[x509.Certificate, ...] | None:
        try:
            if self.record and self._form.ders:
                described = self.record.described(self._form.ders(self.content))
                if described:
                    self._checked = True
                    return described
            return self._form.read(self.content)
        except CertificateError:
            return None

    def earlier(self, urls: t.Sequence[str]) -> compose.Earlier | None:
        """What the run that wrote it has left, None where that is not known."""
        record = self.record
        if record is None:
            return None

        def known() -> tuple[source_cache.Known, tuple[x509.Certificate, ...]]:
            found = self.certificates or ()
            return record.known(urls, found), found if self._checked else ()

        return compose.Earlier(record.validators(urls), known)


def read_old(dest: str, form: Format, *, force: bool) -> OldFile | None:
    """What is there now, None without a file. With ``force``, any record is passed over."""
    try:
        with open(dest, "rb") as f:
            content = f.read(MAX_OLD_BYTES)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise OptionError(f"dest: {dest} cannot be read: {e.strerror}.") from e
    written = None if force else source_cache.read(source_cache.path_of(dest))
    record = source_cache.load(written, hashlib.sha256(content).hexdigest()) if written else None
    return OldFile(content, form, record)


def list_certificates(found: tuple[x509.Certificate, ...] | None) -> str:
    """One line a certificate, for the diff; by name, not as PEM."""
    if found is None:
        return "(not a CA bundle)\n"
    return "".join(
        f"{certificate.common_name} (expires {iso8601(certificate.not_after)}, {certificate.key}, sha256 "
        f"{certificate.fingerprint_sha256[:23]})\n"
        for certificate in found
    )


def write(module: AnsibleModule, dest: str, content: bytes, file_args: dict[str, t.Any] | None = None) -> None:
    """Replace a file atomically: whatever happens, it is the old one or the new one.

    What ``file_args`` ask for is tried on the new one before, so that an owner that there is not changes nothing.
    """
    # Beside it: on the same file system, and a directory that takes no files says so here, in the system's own words.
    descriptor, path = tempfile.mkstemp(prefix=".ansible-", dir=os.path.dirname(dest))
    module.add_cleanup_file(path)
    with os.fdopen(descriptor, "wb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())  # or a machine that loses power may come back with the new name and nothing in it
    if file_args:
        module.set_fs_attributes_if_different({**file_args, "path": path}, False)
    try:
        with failures_raised(module):
            module.atomic_move(path, dest, unsafe_writes=module.params["unsafe_writes"])
    except RdsMysqlError as e:
        raise RdsMysqlError(f"dest: {dest} cannot be written: {e}") from e


def back_up(module: AnsibleModule, dest: str) -> str:
    """Copy the old file, and leave no half of a copy behind."""
    made = None
    try:
        with failures_raised(module):
            made = module.backup_local(dest)
    except (OSError, RdsMysqlError) as e:
        reason = e.strerror if isinstance(e, OSError) else e.__cause__ or e
        raise RdsMysqlError(f"backup: {dest} cannot be copied: {reason}.") from e
    finally:
        if not made:
            for half in glob.glob(f"{glob.escape(dest)}.{os.getpid()}.*~"):
                os.unlink(half)
    return str(made)


def replace(
    module: AnsibleModule, dest: str, content: bytes, old: OldFile | None, file_args: dict[str, t.Any]
) -> str | None:
    """Write the bundle; returns the name of the backup, if one was made."""
    backup = back_up(module, dest) if module.params["backup"] and old is not None else None
    written = False
    try:
        write(module, dest, content, file_args)
        written = True
    except OSError as e:
        raise RdsMysqlError(f"dest: {dest} cannot be written: {e.strerror}.") from e
    finally:
        if backup and not written:  # of a file that is still there
            os.unlink(backup)
    return backup


def update_record(module: AnsibleModule, dest: str, bundle: compose.Bundle, file_checksum: str) -> str | None:
    """Bring the record of the sources up to date; returns a warning when that fails, which costs only a download."""
    path = source_cache.path_of(dest)
    content = source_cache.dump(bundle.known, file_checksum, bundle.certificates, bundle.dropped)
    try:
        if content is None:
            with suppress(FileNotFoundError):
                os.unlink(path)
        elif content != source_cache.read(path):
            write(module, path, content)
            os.chmod(path, source_cache.MODE)
    except (OSError, RdsMysqlError) as e:
        return f"{path} cannot be written, so that the next run downloads again: {e}"
    return None


def compare(form: Format, bundle: compose.Bundle, old: OldFile | None) -> tuple[bool, bytes]:
    """Whether the file has to be replaced, and the content that it has afterwards."""
    if not form.deterministic and old is not None and old.certificates == bundle.certificates:
        return False, old.content
    content = form.write(bundle)
    return old is None or old.content != content, content
