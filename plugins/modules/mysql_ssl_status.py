#!/usr/bin/python
# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_ssl_status
short_description: Audit the TLS configuration of a MySQL or MariaDB server
version_added: 0.1.0
description:
  - Checks one server and returns what TLS it offers, what this session uses, the certificate of the server, the
    accounts that may log in without TLS, the sessions that are in plain text right now, and how to fix each issue.
  - Works with Amazon RDS for MySQL and MariaDB, Aurora MySQL, and self-managed MySQL and MariaDB servers.
  - Without a user the check is unauthenticated. It ends after the TLS handshake, and no credentials are sent.
  - With a user it logs in only if that can succeed as O(ssl_mode) demands.
  - Never changes anything.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.connection
  - dbtls.rds_mysql.attributes
  - dbtls.rds_mysql.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  endpoints:
    description:
      - Check all these servers in one task, instead of the one that O(login_host) and O(login_port) name.
      - For fleets of thousands where an inventory host for each is not wanted. The results are in RV(endpoints), and
        not among the facts.
      - Options that an endpoint does not set are taken from the task.
    type: list
    elements: dict
    suboptions:
      host:
        description: Host name or address of the server.
        type: str
        required: true
      port:
        description: Port of the server. The default is that of the task.
        type: int
      login_user:
        description: User to log in as.
        type: str
      login_password:
        description: Password to log in with.
        type: str
      login_unix_socket:
        description: Path of a Unix socket to connect to. Host and port then only name the endpoint.
        type: path
      config_file:
        description: MySQL option file with a C([client]) section.
        type: path
      connect_timeout:
        description: Seconds for connecting and logging in, and for each statement with the whole of its answer.
        type: int
      timeout:
        description: Seconds for all work on this server. The default is four times its O(endpoints[].connect_timeout).
        type: int
        version_added: 0.2.0
      ca_cert:
        description: Path of the CA bundle that the certificate of the server has to chain to.
        type: path
        aliases: [ssl_ca]
      client_cert:
        description: Path of a client certificate.
        type: path
        aliases: [ssl_cert]
      client_key:
        description: Path of its key.
        type: path
        aliases: [ssl_key]
      check_hostname:
        description: Whether the certificate has to be valid for the host.
        type: bool
      ssl_mode:
        description: How the connection has to be protected.
        type: str
        choices: [disabled, preferred, required, verify_ca, verify_identity]
      tls_min_version:
        description: The oldest TLS version to accept.
        type: str
        choices: [TLSv1, TLSv1.1, TLSv1.2, TLSv1.3]
  concurrency:
    description: How many of O(endpoints) to check at the same time.
    type: int
    default: 32
  expiry_warn_days:
    description: Days before its expiry from which the certificate of the server is reported.
    type: int
    default: 30
  probe_protocols:
    description:
      - Try each of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3, and return in RV(mysql_ssl) those that the server accepts.
      - Takes up to O(connect_timeout) for each version, and with everything else O(timeout) at most.
      - Each version that the server refuses is a failed connection for it, see the notes.
    type: bool
    default: false
  sessions_only:
    description:
      - Return only who is connected and how, and the logins that the server has counted, in RV(mysql_ssl_sessions).
      - Needs a user. Asks the server for at most six small results, which takes a few milliseconds, so that it can run
        every few minutes.
      - RV(mysql_ssl), the facts and findings are not returned. O(expiry_warn_days), O(fail_on) and O(probe_protocols)
        have no effect on a server that could be checked.
    type: bool
    default: false
    version_added: 0.2.0
  fail_on:
    description:
      - Fail, after everything has been gathered, when there is a finding of at least this severity. Without a login, or
        with one that may not read accounts, there are no findings about accounts.
      - The failed task still returns RV(mysql_ssl).
      - With O(endpoints), an endpoint that could not be checked fails the task as well, unless this is V(none).
    type: str
    choices: [none, low, medium, high]
    default: none
notes:
  - An unauthenticated check ends with an empty login, without a user and without a password, which the server refuses.
    It adds one to C(Aborted_connects) and may be logged as a refused login of V(''), but does not count towards
    C(max_connect_errors). Closing the connection would, and after 100 checks without a login in between the server
    would block the host.
  - With O(probe_protocols=true) each version that the server refuses is a failed connection that does count, which
    makes two on most servers. With a user, the login that follows sets the count to zero again. Without, 50 such checks
    without a login in between from the same host make a server with the default settings block it; the module warns.
seealso:
  - module: dbtls.rds_mysql.mysql_require_ssl
  - module: dbtls.rds_mysql.rds_ca_bundle
"""

EXAMPLES = r"""
- name: Check a server, with a verified certificate and a login
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: db.example.com
    login_user: db_root
    login_password: "{{ db_root_password }}"
    ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem

- name: Check a server without credentials
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: db.example.com
    config_file: /dev/null # and not ~/.my.cnf

- name: Fail when somebody may log in without TLS, or the certificate expires within 60 days
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: db.example.com
    config_file: ~/.my.cnf
    ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
    expiry_warn_days: 60
    fail_on: medium

- name: Find out which versions of TLS the server accepts
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: db.example.com
    config_file: ~/.my.cnf
    probe_protocols: true

- name: Show which accounts may log in without TLS
  ansible.builtin.debug:
    msg: >-
      {{ ansible_facts.mysql_ssl.findings | selectattr('id', 'eq', 'account-without-tls') | map(attribute='subject')
      | list }}

- name: See who is connected right now, with which driver and program
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: db.example.com
    config_file: ~/.my.cnf
    sessions_only: true
  register: connected

- name: Show the clients that would be unable to reconnect if TLS were required
  ansible.builtin.debug:
    msg: "{{ connected.mysql_ssl_sessions.clients | selectattr('transport', 'ne', 'SSL/TLS') | list }}"

- name: Check a whole fleet in one task, without credentials
  dbtls.rds_mysql.mysql_ssl_status:
    endpoints:
      - host: orders.example.com
      - host: stock.example.com
        port: 3307
    config_file: /dev/null
    ca_cert: /etc/ssl/rds/global-bundle.pem
    connect_timeout: 5
    concurrency: 64
  register: checked

- name: Show which servers could not be checked, and which are not known to be compliant
  ansible.builtin.debug:
    msg:
      not_checked: "{{ checked.endpoints | selectattr('failed') | map(attribute='host') }}"
      not_compliant: >-
        {{ checked.endpoints | rejectattr('mysql_ssl', 'none') | rejectattr('mysql_ssl.compliant')
        | map(attribute='host') }}

- name: Check an old server through its socket, its TLSv1 included
  dbtls.rds_mysql.mysql_ssl_status:
    login_unix_socket: /run/mysqld/mysqld.sock
    login_user: db_root
    login_password: "{{ db_root_password }}"
    connect_timeout: 5
    ssl_mode: required
    tls_min_version: TLSv1

- name: Check with a client certificate a server whose certificate has another name
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: 192.0.2.10
    login_port: 3307
    login_user: audit
    ca_cert: /etc/ssl/private-ca.pem
    check_hostname: false
    client_cert: /etc/ssl/audit.pem
    client_key: /etc/ssl/audit.key
"""

RETURN = r"""
endpoints:
  description: The result of each of O(endpoints), in their order.
  returned: when O(endpoints) is given
  type: list
  elements: dict
  contains:
    host:
      description: The endpoint's host.
      type: str
      sample: orders.example.com
    port:
      description: Its port.
      type: int
      sample: 3306
    failed:
      description: Whether it could not be checked, or has findings of the severity that O(fail_on) names.
      type: bool
      sample: false
    msg:
      description: Why, or V(null).
      type: str
      sample: null
    mysql_ssl:
      description: As RV(mysql_ssl); V(null) if the server could not be reached.
      type: dict
    mysql_ssl_sessions:
      description: As RV(mysql_ssl_sessions), with O(sessions_only=true).
      type: dict
      version_added: 0.2.0
    warnings:
      description: Warnings about it.
      type: list
      elements: str
mysql_ssl:
  description: The status. The same is available as the fact C(mysql_ssl).
  returned: success, and on failure if the server could be checked
  type: dict
  contains:
    endpoint:
      description: Where the server was checked.
      type: dict
      sample: {host: db.example.com, port: 3306, socket: null}
    server:
      description:
        - The version of the server, its family (V(mysql) or V(mariadb)), and whether it is V(rds) or V(aurora) that
          manages it (null otherwise, or without a login).
        - C(read_only) is whether C(read_only), C(super_read_only) or C(innodb_read_only) is on (null without a login).
          C(replica_of) is host and port of the server that it replicates accounts from (null for none, without a login,
          or where the login lacks C(REPLICATION CLIENT)).
      type: dict
      sample: {version: 8.4.6, family: mysql, managed_by: rds, read_only: false, replica_of: null}
    tls:
      description:
        - What the server offers. C(have_ssl) and C(have_openssl) are V(YES), V(DISABLED) or V(NO), from the server's
          variables where it has them, else from the handshake, as C(have_ssl_source) says.
        - C(versions) are those that the server accepts when they are tried, else those that it says it accepts, else
          the one that was negotiated.
        - C(probes) has, with O(probe_protocols=true), each version and whether it was C(accepted), null where that
          cannot be said from here; C(detail) says why not.
      type: dict
      sample:
        available: true
        have_ssl: "YES"
        have_openssl: "YES"
        have_ssl_source: variable
        versions: [TLSv1.2, TLSv1.3]
        probes: null
        require_secure_transport: false
        server_certificate_not_after: "2027-05-14T00:00:00Z"
    session:
      description:
        - This very session; null without a login. C(user) is the account that the server chose for it, C(via) V(tcp) or
          V(socket). C(verified) is true only if the certificate of this session was checked.
        - C(ssl_type) is what that account requires, V(NONE), V(ANY), V(X509) or V(SPECIFIED); the server tells it also
          to a login that may not read the accounts.
      type: dict
      sample:
        user: db_root@%
        encrypted: true
        protocol: TLSv1.3
        cipher: TLS_AES_256_GCM_SHA384
        verified: true
        via: tcp
        ssl_type: ANY
    certificate:
      description:
        - The certificate that the server showed, in this session if it uses TLS, else from the
          unauthenticated check; null without TLS.
        - The fields of RV(dbtls.rds_mysql.rds_ca_bundle#module:certificates), and C(san) (the names it is valid for),
          C(trusted) (whether it verifies with O(ca_cert), null without one), C(trust_error), C(hostname_matches) and
          C(rds_ca) (the RDS CA that issued it).
        - C(chain) are the certificates that the server presented, its own first, with the fields of
          RV(dbtls.rds_mysql.rds_ca_bundle#module:certificates).
      type: dict
      sample:
        common_name: db.example.com
        issuer: CN=Amazon RDS eu-central-1 Root CA RSA2048 G1
        not_after: "2027-05-14T00:00:00Z"
        days_left: 170
        san: ["DNS:db.example.com"]
        trusted: true
        trust_error: null
        hostname_matches: true
        rds_ca: rds-ca-rsa2048-g1
        chain:
          - common_name: db.example.com
          - common_name: Amazon RDS eu-central-1 Subordinate CA RSA2048 G1.A.1
    accounts:
      description:
        - Every account and role, null where the login may not read them. C(ssl_type) is V(NONE), V(ANY), V(X509) or
          V(SPECIFIED), by what the server has in memory where the login may see that; C(local) accounts can be used on
          the server's own machine only, C(system) ones belong to the server or to AWS.
      type: list
      elements: dict
      sample:
        - {user: app, host: "%", ssl_type: NONE, locked: false, is_role: false, system: false, local: false,
           plugin: caching_sha2_password}
    proxied:
      description:
        - Accounts that others act as by C(GRANT PROXY), and who these are. On MySQL the requirement of the account that
          they act as counts. Null where the login may not see that; empty on MariaDB, where their own counts.
      type: list
      elements: dict
      sample:
        - {account: owner@%, by: [human@%]}
    sessions:
      description: The other clients' sessions, with and without TLS; null where the server does not expose them.
      type: dict
      sample:
        source: performance_schema.threads
        total: 2
        encrypted: 1
        plaintext: 1
        by_account:
          - {user: app, host: 192.0.2.7, encrypted: 1, plaintext: 1}
    findings:
      description:
        - The issues found, the most severe first. C(severity) is V(high), V(medium), V(low) or V(info).
        - C(remediation) is what to do, first a playbook, a task or a command, then statements after C(By hand:).
          C(commands) are the parts of it that are run as they are, one by one.
      type: list
      elements: dict
      sample:
        - id: account-without-tls
          severity: high
          subject: app@%
          message: app@% may log in without TLS.
          remediation: >-
            ansible-playbook -i INVENTORY dbtls.rds_mysql.enforce --limit HOST -e '{"mysql_tls_accounts": ["app@%"]}'
            By hand: ALTER USER 'app'@'%' REQUIRE SSL;
          commands:
            - >-
              ansible-playbook -i INVENTORY dbtls.rds_mysql.enforce --limit HOST -e '{"mysql_tls_accounts": ["app@%"]}'
            - ALTER USER 'app'@'%' REQUIRE SSL;
    summary:
      description: The result as text, a line for the server and one for each finding.
      type: list
      elements: str
      sample:
        - mariadb 11.8.6-MariaDB, TLSv1.3 TLS_AES_256_GCM_SHA384, non-compliant
        - "high: account-without-tls: app@% may log in without TLS."
    verdict:
      description:
        - V(non_compliant) if there is a finding of severity V(medium) or V(high).
        - V(compliant) if there is none, and the accounts could be read or the server requires secure transport of all
          of them.
        - V(undecided) if there is none, but the accounts are not known, because the check was unauthenticated or the
          login may not read them.
      type: str
      version_added: 0.2.0
      sample: non_compliant
    compliant:
      description:
        - Whether RV(mysql_ssl.verdict) is V(compliant).
        - Until 0.1 this was V(true) also for a server whose accounts were not known.
      type: bool
      sample: false
mysql_ssl_sessions:
  description:
    - Who is connected to the server and how, with O(sessions_only=true). This very session is left out.
    - With O(endpoints) each of RV(endpoints) has it.
  returned: success, with O(sessions_only=true)
  type: dict
  version_added: 0.2.0
  contains:
    endpoint:
      description: Where the server was checked.
      type: dict
      sample: {host: db.example.com, port: 3306, socket: null}
    server:
      description: As in RV(mysql_ssl), and C(id), which tells the server from others.
      type: dict
      sample: {version: 11.8.6-MariaDB, family: mariadb, managed_by: null, id: /run/m.pid cTvF /var/lib/mysql/ 3306}
    checked_at:
      description: When the server was checked.
      type: str
      sample: "2026-11-24T15:40:00Z"
    connection_id:
      description: The number of this session. Later sessions have higher ones, until the server restarts.
      type: int
      sample: 4711
    login:
      description: The user of this session, and in C(client) the client host, as the server counts them.
      type: str
      sample: audit
    client:
      description: The client host of this session.
      type: str
      sample: 192.0.2.99
    transport:
      description: How this session is connected, as in C(clients).
      type: str
      sample: SSL/TLS
    source:
      description:
        - V(performance_schema.threads), or V(information_schema.processlist) where the server does not expose how
          sessions are connected, or null where the login may not see the sessions of others.
      type: str
      sample: performance_schema.threads
    clients:
      description:
        - The sessions, grouped by user, client host, transport, driver and program.
        - C(transport) is V(SSL/TLS), V(TCP/IP), V(Socket), or null where it is not known. C(driver) and C(program) are
          what the client says about itself, and empty where it says nothing.
      type: list
      elements: dict
      sample:
        - user: app
          host: 192.0.2.7
          transport: TCP/IP
          driver: Connector/Python 9.1.0
          program: billing
          connection_ids: [4702, 4708]
    counted_since_start:
      description:
        - Whether it is certain that C(users) of C(counters) has every login since the server's start. It is not where
          C(userstat) was set by a statement.
      type: bool
      sample: true
    counters:
      description:
        - What the server has counted since its start. C(users) and C(hosts) come from C(USER_STATISTICS) and
          C(CLIENT_STATISTICS) of MariaDB and Percona Server with C(userstat=ON), C(accounts) from
          C(performance_schema.accounts). Each is null where the server or the login has none, and C(accounts) also
          where C(performance_schema_accounts_size) is too small for all of them.
        - C(logins) without C(tls) used no TLS; those over a Unix socket are among them. On MySQL C(logins) includes the
          C(refused) ones, on MariaDB it does not. What is not told apart is null.
      type: dict
      sample:
        users:
          - {user: app, host: null, logins: 1200, tls: 1180, refused: 3}
        hosts:
          - {user: null, host: 192.0.2.7, logins: 1200, tls: 1180, refused: 3}
        accounts: null
error_code:
  description: The error number of the server that refused, such as 1045, or 1129 for a host that it blocks.
  returned: on failure, if the server answered with an error
  type: int
  sample: 1045
contacted:
  description: Always V(false). An option of the connection cannot be used, so the server was not contacted.
  returned: on failure, where that is so
  type: bool
  sample: false
ansible_facts:
  description: The fact that is set.
  returned: success
  type: dict
  contains:
    mysql_ssl:
      description: The same as RV(mysql_ssl).
      type: dict
      sample: {compliant: true}
"""

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core import start_up

if __name__ == "__main__":
    start_up.pause_garbage_collection()

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import Module, run_module
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sweep


def main() -> t.NoReturn:
    """Check, and exit."""
    module = Module(**STATUS.for_module(), supports_check_mode=True)
    run_module(module, lambda: sweep.run(module.params))


if __name__ == "__main__":
    main()
