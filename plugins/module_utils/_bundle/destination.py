# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that a bundle is written to: what it holds, what becomes of it, and its attributes."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import stat
import typing as t
from contextlib import ExitStack, contextmanager, suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import check, compose, source_cache
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    NotSynced,
    locked_directory,
    write_atomically,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError, pem_to_ders

# A file that is larger is none that this module has written.
MAX_OLD_BYTES = 32 * 1024 * 1024
# Another run writes two small files meanwhile.
LOCK_SECONDS = 30
# Where a file can be written to and not be replaced: a mount point, as in a container, or in a read-only directory.
_CANNOT_RENAME = (errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES, errno.ETXTBSY, errno.EROFS)


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


def check_destination(dest: str, *, may_be_missing: bool) -> None:
    """Fail early, with a message, where the file cannot be written.

    :arg may_be_missing: Whether its directory may be missing: it is created, or nothing is written in check mode.
    """
    directory = os.path.dirname(os.path.abspath(dest))
    if os.path.isdir(dest):
        raise OptionError(f"dest: {dest} is a directory; name the file to write.")
    if os.path.exists(dest) and not os.path.isfile(dest):
        raise OptionError(f"dest: {dest} is not a regular file.")
    if may_be_missing:
        while not os.path.lexists(directory):
            directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        if os.path.lexists(directory):
            raise OptionError(f"dest: {directory} is not a directory.")
        raise OptionError(
            f"dest: the directory {directory} does not exist. Create it, or set create_directory to true."
        )
    if not os.access(directory, os.W_OK):
        raise OptionError(f"dest: the directory {directory} is not writable.")


class OldFile:
    """The file that is there now; what it holds is read when it is asked for.

    ``record`` is the record of its sources, if there is one.
    """

    def __init__(self, content: bytes, form: Format, record: source_cache.Record | None, *, force: bool) -> None:
        self.content = content
        self.record = record
        self._force = force
        self._form = form
        self._read = False
        self._certificates: tuple[x509.Certificate, ...] | None = None
        # Whether they are known from the record, so that they have been checked.
        self._checked = False

    @property
    def held(self) -> tuple[x509.Certificate, ...]:
        """What it holds, as far as that is known, also without the passphrase that it was written with."""
        return self.certificates or (self.record.remembered() if self.record else ())

    def may_be_of(self, scope: str) -> bool:
        """Whether it is of this region and set, or of these URLs, as far as is known."""
        return self.record is None or self.record.scope == scope

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

    def knows(self, known: source_cache.Known, certificates: t.Sequence[x509.Certificate], scope: str) -> bool:
        """Whether its record says this."""
        record = self.record
        return record is not None and record.scope == scope and record.known(known, certificates) == known

    def earlier(self, urls: t.Sequence[str]) -> compose.Earlier | None:
        """What the run that wrote it has left, None where that is not known."""
        record = self.record
        if record is None or self._force:
            return None

        def known() -> tuple[source_cache.Known, tuple[x509.Certificate, ...], check.Weaknesses]:
            found = self.certificates or ()
            return record.known(urls, found), found if self._checked else (), record.weaknesses()

        return compose.Earlier(record.validators(urls), known)


def read_old(dest: str, form: Format, *, force: bool) -> OldFile | None:
    """What is there now, None without a file. With ``force``, nothing counts for unchanged."""
    try:
        with open(dest, "rb") as f:
            content = f.read(MAX_OLD_BYTES)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise OptionError(f"dest: {dest} cannot be read: {e.strerror}.") from e
    written = source_cache.read(source_cache.path_of(dest))
    record = source_cache.load(written, hashlib.sha256(content).hexdigest()) if written else None
    return OldFile(content, form, record, force=force)


def list_certificates(found: tuple[x509.Certificate, ...] | None) -> str:
    """One line a certificate, for the diff; by name, not as PEM."""
    if found is None:
        return "(not a CA bundle)\n"
    return "".join(
        f"{certificate.common_name} (expires {iso8601(certificate.not_after)}, {certificate.key}, sha256 "
        f"{certificate.fingerprint_sha256[:23]})\n"
        for certificate in found
    )


@contextmanager
def turn(dest: str) -> t.Iterator[None]:
    """Nobody else who runs this module writes in the directory meanwhile.

    :raises RdsMysqlError: when another run does not end.
    """
    directory = os.path.dirname(dest)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked_directory(directory, LOCK_SECONDS))
        except BlockingIOError as e:
            raise RdsMysqlError(
                f"dest: {dest} cannot be written: another process has held the lock of its directory for "
                f"{LOCK_SECONDS} seconds."
            ) from e
        except OSError:  # a file system without locks; each file is whole all the same
            pass
        yield


@contextmanager
def directories(dest: str) -> t.Iterator[list[str]]:
    """Create the directories that are missing, which are given, and remove them again where what follows fails."""
    made: list[str] = []
    missing = []
    directory = os.path.dirname(dest)
    while not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    try:
        for path in reversed(missing):
            os.mkdir(path, 0o700)
            made.append(path)
        yield made
    except BaseException as e:
        for path in reversed(made):
            with suppress(OSError):
                os.rmdir(path)
        if isinstance(e, OSError):
            raise RdsMysqlError(f"dest: {dest} cannot be written: {e.strerror}.") from e
        raise


def _set_directory_attributes(module: AnsibleModule, path: str, file: str) -> None:
    """Those of the file: its owner and group, and its permissions, with that to enter where it can be read."""
    params = {**module.params, "mode": None, "attributes": None}
    module.set_fs_attributes_if_different(module.load_file_common_arguments(params, path=path), False)
    mode = stat.S_IMODE(os.stat(file).st_mode) & 0o777
    os.chmod(path, mode | (mode & 0o444) >> 2 | 0o700)


def write(
    module: AnsibleModule, dest: str, content: bytes, file_args: dict[str, t.Any], made: t.Sequence[str] = ()
) -> None:
    """Replace the file: whatever happens, it is the old one or the new one.

    What ``file_args`` ask for is tried on the new one before, so that an owner that there is not changes nothing.

    :arg made: Directories that were created for it.
    """

    def set_attributes(new: str) -> None:
        module.set_fs_attributes_if_different({**file_args, "path": new}, False)
        for path in made:
            _set_directory_attributes(module, path, new)

    try:
        write_atomically(dest, content, before_replacing=set_attributes)
    except OSError as e:
        if e.errno not in _CANNOT_RENAME or not module.params["unsafe_writes"]:
            raise
        with open(dest, "wb") as f:
            f.write(content)


def back_up(module: AnsibleModule, dest: str) -> str:
    """Copy the old file, and leave no half of a copy behind."""
    made = None
    try:
        made = module.backup_local(dest)
    except Exception as e:  # Ansible's own file functions raise more kinds than they document
        cause = e.__cause__ or e
        raise RdsMysqlError(f"backup: {dest} cannot be copied: {getattr(cause, 'strerror', None) or cause}.") from e
    finally:
        if not made:
            for half in glob.glob(f"{glob.escape(dest)}.{os.getpid()}.*~"):
                os.unlink(half)
    return str(made)


def replace(
    module: AnsibleModule,
    dest: str,
    content: bytes,
    old: OldFile | None,
    file_args: dict[str, t.Any],
    made: t.Sequence[str],
) -> tuple[str | None, list[str]]:
    """Write the bundle; returns the name of the backup, if one was made, and warnings."""
    backup = back_up(module, dest) if module.params["backup"] and old is not None else None
    warnings = []
    written = False
    try:
        write(module, dest, content, file_args, made)
        written = True
    except NotSynced as e:
        written = True
        warnings = [f"{dest} was written, but a loss of power may bring the old file back: {e.strerror}."]
    except OSError as e:
        raise RdsMysqlError(f"dest: {dest} cannot be written: {e.strerror}.") from e
    finally:
        if backup and not written:  # of a file that is still there
            os.unlink(backup)
    return backup, warnings


def update_record(
    dest: str, bundle: compose.Bundle, known: source_cache.Known, scope: str, file_checksum: str
) -> str | None:
    """Bring the record of the sources up to date; returns a warning when that fails, which costs only a download."""
    path = source_cache.path_of(dest)
    content = source_cache.dump(
        known, file_checksum, bundle.certificates, bundle.dropped, scope=scope, weaknesses=bundle.weaknesses
    )
    try:
        if content != source_cache.read(path):
            write_atomically(path, content, mode=source_cache.MODE)
    except OSError as e:
        return f"{path} cannot be written, so that the next run downloads again: {e.strerror}."
    return None


def compare(form: Format, bundle: compose.Bundle, old: OldFile | None) -> tuple[bool, bytes]:
    """Whether the file has to be replaced, and the content that it has afterwards."""
    if not form.deterministic and old is not None and old.certificates == bundle.certificates:
        return False, old.content
    content = form.write(bundle)
    return old is None or old.content != content, content
