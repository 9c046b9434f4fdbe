# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to connect to a server, and how the connection has to be protected."""

    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Host name or address of the server.
      - An IPv6 address may be written in brackets. User information (C(user:password@host)) is an error.
    type: str
    default: localhost
  login_port:
    description: Port of the server.
    type: int
    default: 3306
  login_user:
    description:
      - User to log in as.
      - Without it, the one in the C([client]) section of O(config_file) is used.
    type: str
  login_password:
    description:
      - Password to log in with.
      - Without it, the one in the C([client]) section of O(config_file) is used.
      - It is never sent in clear text. A server that asks for the password itself (C(mysql_clear_password), C(dialog))
        gets it only inside TLS with a verified certificate, one that asks for full authentication
        (C(caching_sha2_password), C(sha256_password)) only inside TLS or over a Unix socket, with a warning where the
        certificate was not verified.
    type: str
  login_unix_socket:
    description: Path of a Unix socket to connect to, instead of O(login_host) and O(login_port).
    type: path
  config_file:
    description:
      - MySQL option file. C(user) and C(password) in its C([client]) section are used, and nothing else in it.
      - Without it, C(~/.my.cnf) is used if there is one. A file that is named here has to be there.
    type: path
  connect_timeout:
    description:
      - Seconds for connecting and logging in, name lookup and TLS handshake included, and for each statement and the
        whole of its answer.
    type: int
    default: 30
  timeout:
    description:
      - Seconds for all work on one server, over however many connections. In a task for many servers each has as many.
      - A rollback is never cut short. From the first change on, the time begins again, and once more for the rollback.
      - The default is four times O(connect_timeout).
    type: int
    version_added: 0.2.0
  ca_cert:
    description:
      - Path of the CA bundle, in PEM form, that the certificate of the server has to chain to.
      - A relative path, of this and the other files, starts from the directory of the playbook, or from the home
        directory where the module runs on another machine. In the variables of the role
        P(dbtls.rds_mysql.mysql_tls#role) it starts from the directory that Ansible was started in.
      - M(dbtls.rds_mysql.rds_ca_bundle) fetches the one of RDS and Aurora. For a certificate of a public CA, as
        RDS Proxy has, name the bundle of the operating system.
    type: path
    aliases: [ssl_ca]
  client_cert:
    description: Path of a client certificate, in PEM form, for accounts that need one.
    type: path
    aliases: [ssl_cert]
  client_key:
    description: Path of the key of O(client_cert), in PEM form and without a passphrase.
    type: path
    aliases: [ssl_key]
  check_hostname:
    description:
      - Set to V(false) to verify that the certificate chains to O(ca_cert), but not that it is valid for
        O(login_host).
      - The default depends on O(ssl_mode).
    type: bool
  ssl_mode:
    description:
      - How the connection has to be protected, in the words of MySQL's own clients.
      - V(disabled) uses no TLS.
      - V(preferred) uses TLS if the server offers it, without verification.
      - V(required) uses TLS or fails, without verification.
      - V(verify_ca) also verifies that the certificate chains to O(ca_cert).
      - V(verify_identity) also verifies that the certificate is valid for O(login_host).
      - The default is V(verify_identity) when O(ca_cert) is set (V(verify_ca) if O(check_hostname=false)), else
        V(preferred).
    type: str
    choices: [disabled, preferred, required, verify_ca, verify_identity]
  tls_min_version:
    description:
      - The oldest TLS version to accept.
      - V(TLSv1) and V(TLSv1.1) also lower the OpenSSL security level and admit the RSA key exchange that old servers,
        such as MySQL 5.6, need. Both are obsolete.
    type: str
    choices: [TLSv1, TLSv1.1, TLSv1.2, TLSv1.3]
    default: TLSv1.2
requirements:
  - PyMySQL >= 1.0
  - cryptography >= 3.4
"""
