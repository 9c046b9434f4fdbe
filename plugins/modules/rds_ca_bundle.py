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
    description: Checksum of the finished file, as V(sha256:) and 64 hexadecimal digits.
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
  timeout:
    description: Seconds that each wait for the network may take.
    type: int
    default: 30
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
  description: SHA-256 of the content, in hexadecimal.
  returned: success
  type: str
  sample: 3f1b6b2c6f0c1d1fd1ba0d2b5f7f9d1f1b6b2c6f0c1d1fd1ba0d2b5f7f9d1f00
size:
  description: Size of the content in bytes.
  returned: success
  type: int
  sample: 4521
sources:
  description: What was read. C(status) is V(fetched), C(bytes) the size of the source.
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
backup_file:
  description: Name of the copy of the old file.
  returned: when O(backup=true) and the file was replaced
  type: str
  sample: /etc/ssl/rds/eu-central-1-bundle.pem.4711.2026-11-24@12:00:00~
"""

import hashlib
import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import certificates, trust_store
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.module_runner import run_module


def sources_from_params(params: t.Mapping[str, t.Any]) -> trust_store.Sources:
    """Where to read from; raises OptionError naming the option that is wrong."""
    timeout = int(params["timeout"])
    if timeout < 1:
        raise OptionError(f"timeout: {timeout} is not a positive number of seconds.")
    urls = tuple(str(url) for url in params["urls"] or ())
    if not urls:
        urls = trust_store.source_urls(params["region"], params["ca_set"], params["base_url"])
    ca_path = params["ca_path"]
    if ca_path is not None and not os.path.isfile(ca_path):
        raise OptionError(f"ca_path: {ca_path} is not a file.")
    return trust_store.Sources(urls=urls, timeout=timeout, validate_certs=params["validate_certs"], ca_path=ca_path)


def check_destination(dest: str) -> None:
    """Fail early, and in words, where the file cannot be written."""
    directory = os.path.dirname(os.path.abspath(dest))
    if os.path.isdir(dest):
        raise OptionError(f"dest: {dest} is a directory; name the file to write.")
    if not os.path.isdir(directory):
        raise OptionError(f"dest: the directory {directory} does not exist.")
    if not os.access(directory, os.W_OK):
        raise OptionError(f"dest: the directory {directory} is not writable.")


def read_old(dest: str) -> bytes | None:
    """The content that is there now, None without a file."""
    try:
        with open(dest, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise OptionError(f"dest: {dest} cannot be read: {e.strerror}.") from e


def list_certificates(content: bytes | None) -> str:
    """One line a certificate, for the diff; by name, not as PEM."""
    if content is None:
        return ""
    try:
        found = certificates.parse_pem(content, "dest")
    except certificates.CertificateError:
        return "(not a CA bundle)\n"
    return "".join(
        f"{certificate.common_name} (expires {certificates.iso8601(certificate.not_after)}, {certificate.key}, sha256 "
        f"{certificate.fingerprint_sha256[:23]})\n"
        for certificate in found
    )


def write(module: AnsibleModule, dest: str, content: bytes) -> None:
    """Replace the file atomically."""
    # Beside it: on the same file system, and a directory that takes no files says so here, in the system's own words.
    descriptor, path = tempfile.mkstemp(prefix=".ansible-", dir=os.path.dirname(dest))
    module.add_cleanup_file(path)
    with os.fdopen(descriptor, "wb") as f:
        f.write(content)
    try:
        module.atomic_move(path, dest, unsafe_writes=module.params["unsafe_writes"])
    except OSError:
        raise
    except Exception as e:  # ansible-core from 2.19 on raises nothing narrower
        raise RdsMysqlError(f"dest: {dest} cannot be written: {e}") from e


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Compose, compare, write if needed, and describe."""
    params = module.params
    dest = os.path.realpath(params["dest"])
    sources = sources_from_params(params)
    check_destination(params["dest"])
    check_destination(dest)
    old = read_old(dest)
    bundle = trust_store.compose(sources, params["expired"], params["checksum"])
    changed = old is None or hashlib.sha256(old).hexdigest() != bundle.checksum

    now = certificates.utc_now()
    result: dict[str, t.Any] = {
        "dest": params["dest"],
        "checksum": bundle.checksum,
        "size": len(bundle.content),
        "sources": [source.describe() for source in bundle.sources],
        "certificates": [certificate.describe(now) for certificate in bundle.certificates],
        "earliest_expiry": certificates.iso8601(min(c.not_after for c in bundle.certificates)),
        "diff": {
            "before_header": params["dest"],
            "after_header": params["dest"],
            "before": list_certificates(old),
            "after": list_certificates(bundle.content),
        },
        "warnings": trust_store.expiry_warnings(bundle, int(params["expiry_warn_days"])),
    }
    if changed and not module.check_mode:
        if params["backup"] and old is not None:
            result["backup_file"] = module.backup_local(dest)
        try:
            write(module, dest, bundle.content)
        except OSError as e:
            raise RdsMysqlError(f"dest: {dest} cannot be written: {e.strerror}.") from e
    file_args = module.load_file_common_arguments(params, path=dest)
    result["changed"] = module.set_fs_attributes_if_different(file_args, changed)
    return result


def main() -> t.NoReturn:
    """Fetch, check, write, and leave."""
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "region": {"type": "str", "default": trust_store.GLOBAL},
            "ca_set": {"type": "str", "default": "current", "choices": list(trust_store.CA_SETS)},
            "base_url": {"type": "str"},
            "urls": {"type": "list", "elements": "str"},
            "checksum": {"type": "str"},
            "expired": {"type": "str", "default": "keep", "choices": ["keep", "drop", "fail"]},
            "expiry_warn_days": {"type": "int", "default": 90},
            "timeout": {"type": "int", "default": 30},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "backup": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("urls", "base_url")],
        add_file_common_args=True,
        supports_check_mode=True,
    )
    run_module(module, lambda: work(module))


if __name__ == "__main__":
    main()
