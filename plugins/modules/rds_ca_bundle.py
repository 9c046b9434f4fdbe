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
  - The file is replaced atomically, and only when its content changes. A bundle that is weaker than the one that is
    there is refused; see O(allow_weaker).
  - Beside the file, the module keeps a hidden one, C(.<name>.sources.json), with the region and set of the bundle and
    the entity tags and dates that the sources had. With it, a source that has not changed costs a conditional request
    and no download. It holds no URL and no password, and can be deleted at any time; then the next run downloads.
  - Runs that write in the same directory take turns.
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
      - Path of the file to write. Its directory has to exist, unless O(create_directory=true).
      - In check mode the directory may be missing, as an earlier task may be the one that creates it. A warning says
        so.
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
      - It cannot hold a user name or a password; set O(url_username) and O(url_password).
      - V(current) is read from C(<base_url>/<region>/<region>-bundle.pem), the other sets from
        C(<base_url>/<ca_set>-<region>.pem) and C(<base_url>/<ca_set>-root.pem).
    type: str
  urls:
    description:
      - The http, https or file URLs to make the bundle of, instead of O(region), O(ca_set) and O(base_url).
      - They cannot hold a user name or a password; set O(url_username) and O(url_password). An C(@) in a path is
        C(%40).
      - Their queries, which may be signatures, are left out of messages and return values.
      - What a file URL names has to be a regular file. The certificates have to be in PEM form.
      - Over plain http anybody on the network path can choose the CAs that clients trust. Without O(checksum) that is a
        warning, and such a source is downloaded each time.
    type: list
    elements: str
  checksum:
    description:
      - Checksum of the finished file, as V(sha256:) and 64 hexadecimal digits.
      - A PKCS#12 file is another one each time it is written. With O(format=pkcs12) it is the checksum of the file that
        O(format=pem) would write.
      - It is needed where the sources are read over plain http, or with O(validate_certs=false).
    type: str
  allow_weaker:
    description:
      - Whether to replace a bundle by one that is weaker, with a warning instead of a failure.
      - Weaker is one without a root that is valid today, where the old one has one; one with a new certificate whose
        RSA key has fewer than 2048 bits, whose key usage does not permit a CA to sign certificates, or which the path
        length of its issuer forbids; and one that lacks a CA that the old one has and that has not expired.
      - A CA is missed only in a bundle of the same O(region) and O(ca_set), or of the same O(urls). Where nothing is
        known of the file that is there, because this module has not written it, it is taken for one of the same.
      - Where there is no bundle yet, any that verifies is written, with warnings.
    type: bool
    default: false
    version_added: 0.2.0
  unknown_roots:
    description:
      - What to do about roots that are not in this collection's table of the roots that AWS has published. V(warn)
        names them in a warning, V(fail) writes nothing, and V(ignore) does not check.
      - The default is V(warn) for AWS's own addresses, and V(ignore) with O(base_url) or O(urls), whose CAs may well
        be your own.
      - The table was made on 2026-11-28, of the bundles of the commercial regions. The roots of the China regions, of
        AWS GovCloud (US) since 2022, and of regions opened later are not in it.
    type: str
    choices: [warn, fail, ignore]
    version_added: 0.2.0
  max_certificates:
    description:
      - How many certificates the sources may have. All that AWS publishes for its commercial regions are about 120.
      - Apart from that, a source can have 2 MB, and all of them 4 MB.
    type: int
    default: 500
    version_added: 0.2.0
  create_directory:
    description:
      - Whether to create the directory of O(dest), and those above it, where they are missing.
      - Directories that are created get O(owner), O(group) and O(mode) of the file, with the permission to enter
        where the file can be read. With O(mode=0640) that is 0750. Those that are there are left as they are.
    type: bool
    default: false
    version_added: 0.2.0
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
      - How often to try again when a source does not answer, closes the connection, or answers that it cannot do so at
        the moment (HTTP status 408, 425, 429, 500, 502, 503 or 504).
      - The pause before the first is one second or what the server asks for, doubles each time, and is never longer
        than 30 seconds.
    type: int
    default: 2
  use_proxy:
    description:
      - Whether to go through the proxy that environment variables such as E(https_proxy) name.
      - Its URL cannot hold a user name or a password.
    type: bool
    default: true
  http_agent:
    description: Value of the User-Agent header.
    type: str
    default: ansible-httpget
  url_username:
    description: User name for HTTP basic authentication at the servers of O(base_url) or O(urls), and at no other.
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
    description:
      - Whether the certificate of an https source has to verify.
      - With V(false) the source is treated as one over plain http.
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

- name: Fetch it into a directory that may be missing, and trust only roots that AWS is known to have
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-west-1/bundle.pem
    region: eu-west-1
    create_directory: true
    unknown_roots: fail
    mode: "0644"

- name: Fetch it from a mirror with a private CA, and keep a backup of the old file
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1-bundle.pem
    region: eu-central-1
    base_url: https://mirror.example.com/rds
    ca_path: /etc/ssl/mirror-ca.pem
    timeout: 10
    backup: true

- name: Create a bundle for a client that has only the CAs of 2019
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/rds-ca-2019-eu-central-1.pem
    region: eu-central-1
    ca_set: rds-ca-2019
    expired: keep

- name: Replace a bundle with one that has fewer CAs
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1-bundle.pem
    region: eu-central-1
    expired: drop
    allow_weaker: true

- name: Create a bundle from files, and require its checksum
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/databases.pem
    urls:
      - file:///srv/ca/intermediate.pem
      - file:///srv/ca/root.pem
    checksum: sha256:{{ ca_bundle_sha256 }}
    expired: fail
    expiry_warn_days: 180
    max_certificates: 10

- name: Create a trust store for Java
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1.p12
    region: eu-central-1
    format: pkcs12
    passphrase: "{{ trust_store_passphrase }}"

- name: Fetch from a mirror that asks for a password, without the proxy, with retries
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

- name: Download even if nothing has changed
  dbtls.rds_mysql.rds_ca_bundle:
    dest: /etc/ssl/rds/eu-central-1-bundle.pem
    region: eu-central-1
    force: true

- name: Fetch from a test mirror without verifying its certificate
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
    - C(bytes) is the size of the source, downloaded or not. C(url) ends in C(?...) in place of a query.
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
      description: Start of the validity, ISO 8601 in UTC.
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

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core import start_up

if __name__ == "__main__":
    start_up.pause_garbage_collection()

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import compose, run
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import run_module


def main() -> t.NoReturn:
    """Fetch, check, write, and leave."""
    module = run.BundleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "format": {"type": "str", "default": "pem", "choices": ["pem", "pkcs12"]},
            "passphrase": {"type": "str", "no_log": True},
            "region": {"type": "str", "default": _rds.GLOBAL},
            "ca_set": {"type": "str", "default": "current", "choices": list(_rds.CA_SETS)},
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
            "allow_weaker": {"type": "bool", "default": False},
            "unknown_roots": {"type": "str", "choices": ["warn", "fail", "ignore"]},
            "max_certificates": {"type": "int", "default": compose.MAX_CERTIFICATES},
            "create_directory": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("urls", "base_url")],
        required_if=[("format", "pkcs12", ["passphrase"])],
        required_by={"url_password": "url_username"},
        add_file_common_args=True,
        supports_check_mode=True,
    )
    run_module(module, lambda: run.work(module))


if __name__ == "__main__":
    main()
