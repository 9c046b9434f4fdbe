#!/usr/bin/python
# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_ca_bundle
short_description: Fetch and verify the CA bundle of Amazon RDS for a region
version_added: 0.1.0
description:
  - Writes the bundle of CA certificates that clients need to verify the servers of Amazon RDS and Aurora in a region.
  - Nothing is written unless every source could be read, every certificate parses, every one is a CA certificate, and
    the issuer of every certificate that is not a root is in the bundle and has signed it.
  - The file is replaced atomically, and only when its content changes.
  - Beside the file, the module keeps a hidden one, C(.<name>.sources.json), with the entity tags and dates that the
    sources had. With it, a source that has not changed costs a conditional request and no download. It holds no URL and
    no password, and can be deleted at any time; then the next run downloads.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - ansible.builtin.files
  - dbtls.rds_mysql.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  dest:
    description:
      - Path of the file to write. Its directory has to exist.
      - A symbolic link is followed.
    type: path
    required: true
  format:
    description:
      - V(pem) is what OpenSSL, the clients of MySQL and MariaDB and most libraries read.
      - V(pkcs12) is a trust store for Java, such as C(trustCertificateKeyStoreUrl) of MySQL Connector/J names, with the
        type PKCS12. It is rewritten when the certificates in it are others, or O(passphrase) does not open it. It needs
        cryptography 45.0.0 or newer.
    type: str
    choices: [pem, pkcs12]
    default: pem
  passphrase:
    description:
      - Passphrase of the file with O(format=pkcs12), which needs one. It protects against changes only, as there is
        nothing secret in a trust store. Ignored with V(pem).
      - Java's own C(keytool) wants at least six characters.
    type: str
  region:
    description: AWS region, such as V(eu-central-1), or V(global) for the bundle of all commercial regions.
    type: str
    default: global
  ca_set:
    description:
      - V(current) is the bundle that AWS publishes for the region, one file.
      - V(rds-ca-2015) and V(rds-ca-2019) are the region's intermediate and the root certificate of that year, for old
        clients and servers, concatenated in that order. All of V(rds-ca-2015) has expired.
    type: str
    choices: [current, rds-ca-2015, rds-ca-2019]
    default: current
  base_url:
    description:
      - URL of a mirror, instead of the places where AWS publishes the certificates.
      - V(current) is read from C(<base_url>/<region>/<region>-bundle.pem), the other sets from
        C(<base_url>/<ca_set>-<region>.pem) and C(<base_url>/<ca_set>-root.pem).
    type: str
  urls:
    description: The http, https or file URLs to make the bundle of, instead of O(region), O(ca_set) and O(base_url).
    type: list
    elements: str
  checksum:
    description:
      - Checksum of the finished file, as V(sha256:) and 64 hexadecimal digits.
      - A PKCS#12 file is another one each time it is written. With O(format=pkcs12) it is the checksum of the file that
        O(format=pem) would write.
    type: str
  expired:
    description:
      - What to do about certificates that have expired. V(keep) keeps them and V(drop) leaves them out, each with
        a warning that names them; V(fail) fails.
    type: str
    choices: [keep, drop, fail]
    default: keep
  expiry_warn_days:
    description: Days before the expiry of a certificate from which a warning names it.
    type: int
    default: 90
  force:
    description:
      - Whether to download the sources although they may not have changed.
      - The file is replaced only if its content changes, all the same.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that each wait for the network may take.
      - A whole attempt to read a source may take five times as long.
    type: int
    default: 30
  retries:
    description:
      - How often to try again when a source does not answer, breaks off, or answers that it cannot do so at the moment
        (HTTP status 408, 425, 429, 500, 502, 503 or 504).
      - The pause before the first is one second or what the server asks for, doubles each time, and is never longer
        than 30 seconds.
    type: int
    default: 2
  use_proxy:
    description: Whether to go through the proxy that environment variables such as E(https_proxy) name.
    type: bool
    default: true
  http_agent:
    description: What to call oneself in the User-Agent header.
    type: str
    default: ansible-httpget
  url_username:
    description: User name for HTTP basic authentication at the sources.
    type: str
  url_password:
    description:
      - Password for O(url_username). It is sent over https only, and not to another server that a source redirects to.
    type: str
  force_basic_auth:
    description:
      - Whether to send user name and password with the first request. Otherwise they are sent when the server asks.
    type: bool
    default: false
  validate_certs:
    description: Whether the certificate of an https source has to verify.
    type: bool
    default: true
  ca_path:
    description: Path of the CA certificates, in PEM form, that sign the https certificate of a mirror.
    type: path
  backup:
    description: Whether to keep the old file under another name, which RV(backup_file) returns.
    type: bool
    default: false
requirements:
  - cryptography >= 3.4
seealso:
  - module: dbtls.rds_mysql.mysql_ssl_status
"""

EXAMPLES = r"""
- name: Fetch the bundle of a region
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1-bundle.pem
    region: eu-central-1
    mode: "0644"

- name: Fetch it from a mirror with a certificate of its own authority, and keep the old file
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1-bundle.pem
    region: eu-central-1
    base_url: https://mirror.example.com/rds
    ca_path: /etc/ssl/mirror-ca.pem
    timeout: 10
    backup: true

- name: Make a bundle for a client that still knows only the authorities of 2019
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/rds-ca-2019-eu-central-1.pem
    region: eu-central-1
    ca_set: rds-ca-2019
    expired: keep

- name: Make a bundle of files of one's own, and insist on its content
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/databases.pem
    urls:
      - file:///srv/ca/intermediate.pem
      - file:///srv/ca/root.pem
    checksum: sha256:{{ ca_bundle_sha256 }}
    expired: fail
    expiry_warn_days: 180

- name: Make a trust store for Java
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1.p12
    region: eu-central-1
    format: pkcs12
    passphrase: "{{ trust_store_passphrase }}"

- name: Fetch from a mirror that asks for a password, past the proxy, and patiently
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1-bundle.pem
    region: eu-central-1
    base_url: https://mirror.example.com/rds
    url_username: reader
    url_password: "{{ mirror_password }}"
    force_basic_auth: true
    use_proxy: false
    http_agent: baseline/7
    retries: 5

- name: Download although nothing may have changed
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1-bundle.pem
    region: eu-central-1
    force: true

- name: Fetch from a mirror in a laboratory whose certificate nobody can verify
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1-bundle.pem
    region: eu-central-1
    base_url: https://127.0.0.1:8443
    validate_certs: false
    checksum: sha256:{{ ca_bundle_sha256 }}
"""

RETURN = r"""
dest:
  description: Path of the file.
  returned: success
  type: str
  sample: /etc/ssl/rds/eu-central-1-bundle.pem
checksum:
  description:
    - SHA-256 of the file, in hexadecimal; with O(format=pkcs12), of the file that O(format=pem) would write.
    - It is what the option O(checksum) takes.
  returned: success
  type: str
  sample: 3f1b6b2c6f0c1d1fd1ba0d2b5f7f9d1f1b6b2c6f0c1d1fd1ba0d2b5f7f9d1f00
size:
  description: Size of the file in bytes.
  returned: success
  type: int
  sample: 4521
sources:
  description:
    - What was read. C(status) is V(fetched), or V(not_modified) when the source was still the same and not downloaded.
    - C(bytes) is the size of the source, downloaded or not.
  returned: success
  type: list
  elements: dict
  sample:
    - url: https://truststore.pki.rds.amazonaws.com/eu-central-1/eu-central-1-bundle.pem
      status: fetched
      bytes: 4521
certificates:
  description: The certificates of the bundle, in order.
  returned: success
  type: list
  elements: dict
  contains:
    common_name:
      description: Common name of the subject.
      type: str
      sample: Amazon RDS eu-central-1 Root CA RSA2048 G1
    subject:
      description: Subject as in RFC 4514.
      type: str
      sample: CN=Amazon RDS eu-central-1 Root CA RSA2048 G1,O=Amazon Web Services\, Inc.
    issuer:
      description: Issuer as in RFC 4514.
      type: str
      sample: CN=Amazon RDS eu-central-1 Root CA RSA2048 G1,O=Amazon Web Services\, Inc.
    serial_number:
      description: Serial number in hexadecimal.
      type: str
      sample: 1D1F
    not_before:
      description: Begin of the validity, ISO 8601 in UTC.
      type: str
      sample: "2021-05-21T22:23:47Z"
    not_after:
      description: End of the validity, ISO 8601 in UTC.
      type: str
      sample: "2061-05-21T23:23:47Z"
    days_left:
      description: Whole days until then; negative when it has passed.
      type: int
      sample: 12596
    fingerprint_sha256:
      description: SHA-256 fingerprint, as openssl prints it.
      type: str
      sample: "AB:CD:EF"
    key:
      description: Kind and size of the public key.
      type: str
      sample: RSA 2048
    self_signed:
      description: Whether it is a root.
      type: bool
      sample: true
    expired:
      description: Whether the end of its validity has passed.
      type: bool
      sample: false
earliest_expiry:
  description: The earliest end of validity in the bundle, ISO 8601 in UTC.
  returned: success
  type: str
  sample: "2061-05-21T23:23:47Z"
diff:
  description: The certificates before and after, one a line.
  returned: in diff mode
  type: dict
  sample:
    before_header: /etc/ssl/rds/eu-central-1-bundle.pem
    before: ""
    after_header: /etc/ssl/rds/eu-central-1-bundle.pem
    after: |
      Amazon RDS eu-central-1 Root CA RSA2048 G1 (expires 2061-05-21T23:23:47Z, RSA 2048, sha256 AB:CD:EF)
backup_file:
  description: Name of the copy of the old file.
  returned: when O(backup=true) and the file was replaced
  type: str
  sample: /etc/ssl/rds/eu-central-1-bundle.pem.4711.2026-11-24@12:00:00~
"""

import gc

if __name__ == "__main__":
    # What this process loads is no garbage until its end, and looking for some takes up to a sixth of its time.
    gc.disable()

import glob
import hashlib
import os
import tempfile
import typing as t
from contextlib import contextmanager, suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import (
    downloads,
    source_record,
    trust_store,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.module_runner import Module, run_module

# A day. The system's clocks have an end as well.
MAX_TIMEOUT = 86400
# A file that is larger is none that this module has written.
MAX_OLD_BYTES = 32 * 1024 * 1024


class Format(t.NamedTuple):
    """How certificates become a file's content, and the other way round."""

    read: t.Callable[[bytes], tuple[x509.Certificate, ...]]
    write: t.Callable[[trust_store.Bundle], bytes]
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
            ders=lambda content: x509.pem_to_ders(content, "dest"),
        )
    passphrase = params["passphrase"]
    if not passphrase:
        raise OptionError("passphrase: format=pkcs12 needs one that is not empty.")
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils import java_trust_store

    java_trust_store.check_support()
    return Format(
        read=lambda content: java_trust_store.load(content, passphrase, "dest"),
        write=lambda bundle: java_trust_store.dump(bundle.certificates, passphrase),
        deterministic=False,
    )


def urls_from_params(params: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """What to read; raises OptionError naming the option that is wrong."""
    if params["urls"] is None:
        return trust_store.source_urls(params["region"], params["ca_set"], params["base_url"])
    urls = tuple(str(url) for url in params["urls"])
    if not urls:
        raise OptionError("urls: the list is empty.")
    return urls


def access_from_params(params: t.Mapping[str, t.Any]) -> downloads.Access:
    """How to read it; raises OptionError naming the option that is wrong."""
    timeout, retries, ca_path = int(params["timeout"]), int(params["retries"]), params["ca_path"]
    if not 1 <= timeout <= MAX_TIMEOUT:
        raise OptionError(f"timeout: {timeout} is not a number of seconds between 1 and {MAX_TIMEOUT}.")
    if retries < 0:
        raise OptionError(f"retries: {retries} is a negative number.")
    if ca_path is not None and not os.path.isfile(ca_path):
        raise OptionError(f"ca_path: {ca_path} is not a file.")
    return downloads.Access(
        timeout=timeout,
        retries=retries,
        validate_certs=params["validate_certs"],
        ca_path=ca_path,
        use_proxy=params["use_proxy"],
        http_agent=params["http_agent"],
        username=params["url_username"],
        password=params["url_password"],
        force_basic_auth=params["force_basic_auth"],
        no_cache=params["force"],
    )


class BundleModule(Module):
    """A module whose passwords in URLs are masked, also where Ansible refuses the options, before the work begins."""

    # Whether what cannot be done raises RdsMysqlError.
    raising = False

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """Leave with a message."""
        if self.raising:
            raise RdsMysqlError(msg)
        # An option that is refused may have another name, so all are looked at.
        self.no_log_values.update(downloads.passwords_in(self.params))
        super().fail_json(msg, **kwargs)
        raise AssertionError("fail_json does not return")

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        """Leave with a result."""
        self.no_log_values.update(downloads.passwords_in([self.params["base_url"], self.params["urls"]]))
        super().exit_json(**kwargs)
        raise AssertionError("exit_json does not return")


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


def check_characters(params: t.Mapping[str, t.Any]) -> None:
    """Fail in words where a text is none that a file system or a server takes."""
    for name, value in params.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and "\0" in text:
                raise OptionError(f"{name}: there is a null byte in it.")


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

    def __init__(self, content: bytes, form: Format, record: source_record.Record | None) -> None:
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
        except x509.CertificateError:
            return None

    def earlier(self, urls: t.Sequence[str]) -> trust_store.Earlier | None:
        """What the run that wrote it has left, None where that is not known."""
        record = self.record
        if record is None:
            return None

        def known() -> tuple[source_record.Known, tuple[x509.Certificate, ...]]:
            found = self.certificates or ()
            return record.known(urls, found), found if self._checked else ()

        return trust_store.Earlier(record.validators(urls), known)


def read_old(dest: str, form: Format, *, force: bool) -> OldFile | None:
    """What is there now, None without a file. With ``force``, any record is passed over."""
    try:
        with open(dest, "rb") as f:
            content = f.read(MAX_OLD_BYTES)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise OptionError(f"dest: {dest} cannot be read: {e.strerror}.") from e
    written = None if force else source_record.read(source_record.path_of(dest))
    record = source_record.load(written, hashlib.sha256(content).hexdigest()) if written else None
    return OldFile(content, form, record)


def list_certificates(found: tuple[x509.Certificate, ...] | None) -> str:
    """One line a certificate, for the diff; by name, not as PEM."""
    if found is None:
        return "(not a CA bundle)\n"
    return "".join(
        f"{certificate.common_name} (expires {x509.iso8601(certificate.not_after)}, {certificate.key}, sha256 "
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


def update_record(module: AnsibleModule, dest: str, bundle: trust_store.Bundle, file_checksum: str) -> str | None:
    """Bring the record of the sources up to date; returns a warning when that fails, which costs only a download."""
    path = source_record.path_of(dest)
    content = source_record.dump(bundle.known, file_checksum, bundle.certificates, bundle.dropped)
    try:
        if content is None:
            with suppress(FileNotFoundError):
                os.unlink(path)
        elif content != source_record.read(path):
            write(module, path, content)
            os.chmod(path, source_record.MODE)
    except (OSError, RdsMysqlError) as e:
        return f"{path} cannot be written, so that the next run downloads again: {e}"
    return None


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Compose, compare, write if needed, and describe."""
    params = module.params
    check_characters(params)
    dest = os.path.realpath(params["dest"])
    urls, access, form = urls_from_params(params), access_from_params(params), format_from_params(params)
    for url in urls:
        downloads.check_url(url, "urls" if params["urls"] else "base_url", access)
    check_destination(params["dest"])
    check_destination(dest)
    old = read_old(dest, form, force=params["force"])
    bundle = trust_store.compose(
        urls,
        access,
        expired=params["expired"],
        checksum=params["checksum"],
        earlier=old.earlier(urls) if old else None,
    )
    changed, content = compare(form, bundle, old)

    now = x509.utc_now()
    result: dict[str, t.Any] = {
        "dest": params["dest"],
        "checksum": bundle.checksum,
        "size": len(content),
        "sources": [source.describe() for source in bundle.sources],
        "certificates": [certificate.describe(now) for certificate in bundle.certificates],
        "earliest_expiry": x509.iso8601(min(c.not_after for c in bundle.certificates)),
        "warnings": trust_store.expiry_warnings(bundle, int(params["expiry_warn_days"])),
    }
    if module._diff:
        result["diff"] = {
            "before_header": params["dest"],
            "after_header": params["dest"],
            "before": "" if old is None else list_certificates(old.certificates),
            "after": list_certificates(bundle.certificates),
        }
    file_args = module.load_file_common_arguments(params, path=dest)
    if not module.check_mode:
        backup = replace(module, dest, content, old, file_args) if changed else None
        if backup:
            result["backup_file"] = backup
        warning = None
        if changed or not (old and old.record and old.record.known(urls, bundle.certificates) == bundle.known):
            warning = update_record(module, dest, bundle, hashlib.sha256(content).hexdigest())
        if warning:
            result["warnings"].append(warning)
    result["changed"] = module.set_fs_attributes_if_different(file_args, changed)
    return result


def compare(form: Format, bundle: trust_store.Bundle, old: OldFile | None) -> tuple[bool, bytes]:
    """Whether the file has to be replaced, and the content that it has afterwards."""
    if not form.deterministic and old is not None and old.certificates == bundle.certificates:
        return False, old.content
    content = form.write(bundle)
    return old is None or old.content != content, content


def main() -> t.NoReturn:
    """Fetch, check, write, and leave."""
    module = BundleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "format": {"type": "str", "default": "pem", "choices": ["pem", "pkcs12"]},
            "passphrase": {"type": "str", "no_log": True},
            "region": {"type": "str", "default": trust_store.GLOBAL},
            "ca_set": {"type": "str", "default": "current", "choices": list(trust_store.CA_SETS)},
            "base_url": {"type": "str"},
            "urls": {"type": "list", "elements": "str"},
            "checksum": {"type": "str"},
            "expired": {"type": "str", "default": "keep", "choices": ["keep", "drop", "fail"]},
            "expiry_warn_days": {"type": "int", "default": 90},
            "force": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 30},
            "retries": {"type": "int", "default": 2},
            "use_proxy": {"type": "bool", "default": True},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "http_agent": {"type": "str", "default": "ansible-httpget"},
            "url_username": {"type": "str"},
            "url_password": {"type": "str", "no_log": True},
            "force_basic_auth": {"type": "bool", "default": False},
            "backup": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("urls", "base_url")],
        required_if=[("format", "pkcs12", ["passphrase"])],
        required_by={"url_password": "url_username"},
        add_file_common_args=True,
        supports_check_mode=True,
    )
    run_module(module, lambda: work(module))


if __name__ == "__main__":
    main()
