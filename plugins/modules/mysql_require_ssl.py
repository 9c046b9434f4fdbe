#!/usr/bin/python
# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_require_ssl
short_description: Require TLS for MySQL and MariaDB accounts without locking anybody out
version_added: 0.1.0
description:
  - Gives accounts the requirement to use TLS (the C(REQUIRE) clause), on Amazon RDS for MySQL and MariaDB, Aurora
    MySQL, and self-managed MySQL and MariaDB servers, old and new.
  - The session that changes things stays open to the end. After the change a second, fresh session proves that the
    login account can still log in with TLS, and reads from the server's memory that every changed account has its new
    requirement. No login without TLS is tried, because an attacker on the network could use it. If anything
    unexpected happens, exactly the previous requirements are restored, and the task fails.
  - Needs the privilege C(CREATE USER), and C(SELECT) on C(mysql.*) to read the accounts and to prove the change. With
    C(SELECT) on C(mysql.user) alone the change is made, and RV(verified) is V(false).
  - Stops before anything is written, in check mode too, when the server does not offer TLS, when the login account
    would change and cannot log in with TLS now, when clients of an account that would change are connected without
    TLS (see O(plaintext_sessions)), and when no account matches.
  - Passwords, privileges and everything else of the accounts stay as they are.
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
    support: full
options:
  user:
    description:
      - Name of the user, exactly.
      - Exactly one of O(user), O(accounts), O(all_accounts), O(plan) and O(restore_file) is needed, or none with
        O(require_secure_transport).
    type: str
  host:
    description: Host part of the account, exactly. Without it, every host of O(user).
    type: str
  accounts:
    description:
      - Accounts as V(user@host), where V(*) in either part stands for any characters. V(%) is the character that the
        server has in its host names.
      - Without C(@), every host of the user, as with O(user). Accounts as C(SHOW GRANTS) prints them, such as
        V('app'@'%'), are understood.
      - Where V(*) stands for the host, accounts of the server's own machine do not match without O(include_local), and
        where it stands for the user or the host, accounts with C(auth_socket) or C(unix_socket) never match.
    type: list
    elements: str
  all_accounts:
    description:
      - Every account. Roles are never among them, system accounts only with O(include_system=true), accounts of the
        server's own machine only with O(include_local=true).
      - Accounts with the plugin C(auth_socket) or C(unix_socket) are never among them. RV(left_out) names these.
    type: bool
    default: false
  exclude:
    description:
      - Accounts to leave out, in the form of O(accounts). An entry that matches no account is named in a warning.
    type: list
    elements: str
  include_system:
    description:
      - Whether accounts that belong to the server or to AWS, such as C(rdsadmin) or C(mysql.sys), may be among the
        accounts. AWS does not let anybody change its own.
    type: bool
    default: false
  include_local:
    description:
      - Whether accounts that can be used on the server's own machine only (C(localhost), C(127.0.0.0/8), C(::1)) may be
        among those of O(all_accounts), or of an entry of O(accounts) with V(*) in its host. They are mostly used over a
        Unix socket, where a requirement refuses the login as well.
      - Accounts with C(auth_socket) or C(unix_socket) are not among them for all that. O(user), and an entry of
        O(accounts) without V(*), name any account of that user.
    type: bool
    default: false
    version_added: 0.2.0
  ssl_type:
    description:
      - What to require.
      - V(any) requires TLS, V(x509) also a client certificate that the server can verify, V(specified) one with the
        O(subject), O(issuer) or O(cipher) given.
      - V(none) removes the requirement.
    type: str
    choices: [any, x509, specified, none]
    default: any
  subject:
    description: Subject of the client certificate, as V(/C=DE/O=Example/CN=app). Only with O(ssl_type=specified).
    type: str
  issuer:
    description: Issuer of the client certificate, in the same form. Only with O(ssl_type=specified).
    type: str
  cipher:
    description: Cipher that the connection has to use. Only with O(ssl_type=specified).
    type: str
  exact:
    description:
      - A stronger requirement than O(ssl_type) that an account already has is left alone. With V(true) it is replaced.
    type: bool
    default: false
  method:
    description:
      - How to write the requirement.
      - V(alter_user) uses C(ALTER USER ... REQUIRE ...), which MySQL has since 5.7.6 and MariaDB since 10.2.
      - V(grant_tables) updates C(mysql.user), which is possible on older servers and on MySQL servers that leave the
        table open. It fails before writing where that table is a view (MariaDB from 10.4) or closed (RDS for MySQL from
        8.0.36).
      - V(auto) uses V(alter_user) where the server has it, else V(grant_tables), and C(GRANT USAGE ... REQUIRE ...)
        where the server is too old for the first and refuses the second, or where C(FLUSH PRIVILEGES) would put in
        force what others have written to the table.
      - With a quote or a backslash in a requirement, before or after the change, V(auto) uses V(grant_tables) on MySQL
        servers with a binary log, as MySQL writes C(ALTER USER) there without escaping them. Where that is not
        possible, nothing is changed.
    type: str
    choices: [auto, alter_user, grant_tables]
    default: auto
  flush:
    description:
      - Whether to run C(FLUSH PRIVILEGES). V(auto) does when the method needs it; V(never) is an error with a method
        that needs it.
      - C(FLUSH PRIVILEGES) is for all accounts. Where others have written to C(mysql.user) and not flushed privileges,
        O(method=grant_tables) fails before anything is written, unless this is V(always).
    type: str
    choices: [auto, always, never]
    default: auto
  plaintext_sessions:
    description:
      - What to do when clients of an account that will be changed are connected without TLS now. They stay connected,
        but would be unable to reconnect. Clients over a Unix socket count, as a requirement counts there too, and so do
        users who act as one of these accounts by C(GRANT PROXY) on MySQL. On MariaDB the requirement of the account
        that logs in counts, so they do not.
      - V(fail) fails before anything is written, V(warn) names them and continues, V(allow) continues.
      - Where accounts will need a client certificate, their clients that are connected with TLS are named in a warning,
        except with V(allow), because no server shows which of them have one.
      - V(kill) ends these connections (C(KILL), or C(CALL mysql.rds_kill) where the server has that procedure), and
        checks again a second later. Where a client is still connected, or connected again, it fails before any account
        is changed, as that client would be locked out. In check mode nothing is ended. It fails where a proxy numbers
        connections in its own way, as C(KILL) could end another client's there.
      - A replica that reads the binary log without TLS is never ended by V(kill), which fails instead; with V(allow) it
        is still warned of.
      - With O(require_secure_transport=true) it is about every connection over TCP without TLS, whatever the account.
      - Which connections use TLS is known where the server has C(performance_schema.threads) (MySQL from 5.7.2 on,
        MariaDB from 10.5 on with C(performance_schema=ON)) and the login has C(SELECT) on it. Elsewhere V(fail) and
        V(kill) fail when any client of these accounts is connected, and when the login lacks the privilege C(PROCESS)
        to see that. V(warn) continues with a warning. Without C(SELECT) on C(mysql.proxies_priv) on MySQL,
        any client without TLS may be one who acts as these accounts, and counts.
      - V(fail) and V(kill) also fail, and V(warn) warns, where members could not join their cluster again. Members of a
        replication group log in to each other then, without TLS where C(group_replication_recovery_use_ssl) is
        V(OFF). On a Galera node with C(wsrep_sst_auth), it is about accounts of its own machine that have C(RELOAD).
    type: str
    choices: [fail, warn, allow, kill]
    default: fail
  members:
    description:
      - Other servers that have the same accounts (replicas, Aurora readers, nodes of a Galera cluster, members of a
        replication group), as V(host) or V(host:port). Accounts replicate and sessions do not, so that clients of these
        could be locked out as well.
      - This login connects to each, with the options for this server, and checks clients as O(plaintext_sessions)
        says. V(kill) ends none of them, and fails. This server itself may be among them, so that one list serves a
        whole cluster.
      - With V(fail) and V(kill) in O(plaintext_sessions), the task fails before anything is written where a member
        cannot be checked, or the server knows one that is not listed here. V(warn) warns.
      - A source knows the replicas that are connected to it (C(SHOW REPLICAS), which needs C(REPLICATION SLAVE), or
        C(REPLICATION MASTER ADMIN) on MariaDB). Without the privilege the task fails only when somebody reads the
        binary log.
    type: list
    elements: str
    version_added: 0.2.0
  unchangeable:
    description:
      - What to do with accounts that this login or this server cannot change. The plugin of the account is not loaded
        (error 1524, as C(mysql_native_password) on MySQL 9), or the account has the privilege C(SYSTEM_USER) and this
        login does not (error 1227).
      - V(fail) names them and fails before anything is written, V(skip) names them in a warning and in RV(left_out),
        and changes the others.
    type: str
    choices: [fail, skip]
    default: fail
    version_added: 0.2.0
  only_ready:
    description:
      - Require TLS only for the accounts that are ready by O(readiness). The others stay as they are, and are in
        RV(left_out) and in a warning.
      - With O(plan), an account of the plan that is not ready any more counts as changed since the plan.
      - With O(require_secure_transport=true), the task fails unless every account that may log in without TLS is ready.
      - It is about requirements that are added. It does not count for O(ssl_type=none) and O(restore_file).
    type: bool
    default: false
    version_added: 0.2.0
  readiness:
    description:
      - What was observed of the clients of accounts over weeks, as M(dbtls.rds_mysql.mysql_tls_readiness) returns it
        for each host. An account that is not in it is not ready.
      - Required with O(only_ready=true).
    type: list
    elements: dict
    version_added: 0.2.0
    suboptions:
      account:
        description: The account, as V(user@host).
        type: str
        required: true
      state:
        description: Whether TLS can be required for it.
        type: str
        choices: [ready, not_ready, unknown]
        required: true
      reason:
        description: Why, for people.
        type: str
      counted:
        description:
          - What a server with C(userstat) had counted of the user's logins when it was observed last. Where the server
            does not expose session TLS status, and has counted no login without TLS since, O(plaintext_sessions)
            takes the user's sessions for ones with TLS.
          - One entry for the server itself, and one for each of O(members) that counts.
        type: list
        elements: dict
        suboptions:
          at:
            description: When that was.
            type: str
          server:
            description: Tells the server from others.
            type: str
            required: true
          since:
            description: Connection number of the newest session that may be one without TLS.
            type: int
            required: true
          logins:
            description: The user's logins.
            type: int
            required: true
          plaintext:
            description: Those of them without TLS.
            type: int
            required: true
  require_secure_transport:
    description:
      - Set the server variable of this name, by which the server refuses every login over TCP without TLS. Without
        this option it stays as it is.
      - Uses C(SET PERSIST) on MySQL 8.0 and newer, which outlasts a restart, and C(SET GLOBAL) elsewhere, which does
        not.
      - Alone, or together with accounts. On Amazon RDS and Aurora it is a parameter of the parameter group and no
        client can set it; the task then fails before anything is written, unless it has the wanted value already.
      - V(true) is refused where the connection of this task itself uses TCP without TLS.
    type: bool
  plan:
    description:
      - Exactly the changes of a plan, instead of O(user), O(accounts) or O(all_accounts). It has the form of RV(plan),
        which this module returns in check mode.
      - An account that has the planned requirement already is left as it is. Where the server is another one, or an
        account or the server-wide switch is neither what the plan saw nor what it was to become, nothing is changed,
        and the task fails with V(changed_since_plan) as RV(reason).
    type: dict
    version_added: 0.2.0
    suboptions:
      identity:
        description: The server that the plan is about.
        type: dict
        required: true
        suboptions:
          hostname:
            description: The server's C(@@hostname).
            type: str
            required: true
          port:
            description: The server's C(@@port).
            type: str
            required: true
          datadir:
            description: The server's C(@@datadir).
            type: str
            required: true
          server_id:
            description: The server's C(@@server_uuid) (MySQL), or C(@@pid_file) and C(@@server_uid) (MariaDB).
            type: str
            required: true
      read_only:
        description: Whether the accounts come from another server, which is the one where they are changed.
        type: bool
        default: false
      accounts:
        description: The accounts to change.
        type: list
        elements: dict
        required: true
        suboptions:
          user:
            description: User part of the account, exactly.
            type: str
            required: true
          host:
            description: Host part of the account, exactly.
            type: str
            required: true
          before:
            description: The requirement that the plan saw.
            type: dict
            required: true
            suboptions:
              ssl_type:
                description: The kind of requirement.
                type: str
                choices: [NONE, ANY, X509, SPECIFIED]
                required: true
              cipher:
                description: Cipher, with V(SPECIFIED).
                type: str
              issuer:
                description: Issuer of the client certificate, with V(SPECIFIED).
                type: str
              subject:
                description: Subject of the client certificate, with V(SPECIFIED).
                type: str
          after:
            description: The requirement that the account will have.
            type: dict
            required: true
            suboptions:
              ssl_type:
                description: The kind of requirement.
                type: str
                choices: [NONE, ANY, X509, SPECIFIED]
                required: true
              cipher:
                description: Cipher, with V(SPECIFIED).
                type: str
              issuer:
                description: Issuer of the client certificate, with V(SPECIFIED).
                type: str
              subject:
                description: Subject of the client certificate, with V(SPECIFIED).
                type: str
      require_secure_transport:
        description: The server-wide switch, where it will change.
        type: dict
        suboptions:
          before:
            description: The value that the plan saw.
            type: dict
            required: true
            suboptions:
              value:
                description: What the server goes by.
                type: bool
                required: true
              persisted:
                description: What C(SET PERSIST) has left for the next start; not set where it has left nothing.
                type: bool
          after:
            description: The value that it will have.
            type: dict
            required: true
            suboptions:
              value:
                description: What the server goes by.
                type: bool
                required: true
              persisted:
                description: What C(SET PERSIST) has left for the next start; not set where it has left nothing.
                type: bool
  change_replicas:
    description:
      - What a source changes in its accounts comes to its replicas by replication. By default, accounts of a server
        that replicates them from another one are not changed, and RV(skipped_reason) is V(read_only).
      - V(true) changes them on a replica that can be written to. It is for servers that replicate from each other.
      - Accounts of a server that is read-only are never changed.
    type: bool
    default: false
    version_added: 0.2.0
  rollback_file:
    description:
      - Absolute path of a file to record the change in, on the machine where this module runs, as JSON.
      - Right before the first statement it says what each account requires, what the server-wide switch is, and which
        statements restore that; at the end what has become of the change. O(restore_file) reads it.
      - A file that is there is added to, the newest change last; the changes of each server need a separate file.
        Missing directories are made. The file can be read by its owner only, or by O(rollback_group), and is replaced
        atomically.
      - Where it cannot be written, or is another kind of file, nothing is changed. In check mode, and where nothing
        changes, nothing is written.
    type: path
  restore_file:
    description:
      - File that O(rollback_file) has written for this server. Restores exactly what was recorded there, with all
        guards and proofs of this module, instead of O(user), O(accounts) or O(all_accounts).
      - Only what the file says of accounts and requirements counts, not its statements. O(login_host) and
        O(login_port), or O(login_unix_socket), have to be those of that time.
      - Accounts whose requirement is no longer what the recorded change had made of it are left alone, and a warning
        names them.
      - A change that was rolled back is marked in the file, so that running this again changes nothing.
    type: path
  restore:
    description:
      - Which changes of O(restore_file) are rolled back.
      - V(last) is the newest one, and nothing if that was rolled back already. One that its own run rolled back, or
        that was never made as its run was killed before the first statement, does not count.
      - V(all) are all that were not rolled back yet.
      - The id of a change is that one alone. What a newer change has made of the same accounts since is left alone.
    type: str
    default: last
  rollback_group:
    description:
      - Group whose members share O(rollback_file) and O(restore_file). Files of this group that its members can write
        are trusted then; without it only files that nobody else can write. New files have the permissions C(0660).
    type: str
    version_added: 0.2.0
  rollback_note:
    description:
      - What the change belongs to, such as a job or a ticket, up to 1,000 characters. O(rollback_file) keeps it, with
        who made the change and where.
    type: str
    version_added: 0.2.0
  verify:
    description:
      - More accounts to prove a login with TLS for, besides the one of O(login_user), with the same connection options.
      - Each has to be able to log in with TLS before anything is written, and after. Otherwise the previous
        requirements are restored.
    type: list
    elements: dict
    suboptions:
      user:
        description: Name of the user.
        type: str
        required: true
      password:
        description: Its password.
        type: str
notes:
  - The login needs C(SELECT) on C(mysql.user) and C(mysql.proxies_priv) (on MariaDB also on C(mysql.global_priv)) and
    C(CREATE USER); for
    O(method=grant_tables) C(UPDATE) on C(mysql.user) and C(RELOAD) instead. To see how clients are connected it needs
    C(SELECT) on C(performance_schema.threads); to end their connections C(CONNECTION_ADMIN) (C(SUPER) on old servers),
    or C(EXECUTE) on C(mysql.rds_kill).
  - Up to three connections of the login account are open at once.
  - An interrupt (Ctrl-C, C(SIGTERM), C(SIGHUP)) in the middle rolls everything back first. After C(SIGKILL) each
    account has its old or its new requirement; run the task again.
seealso:
  - module: dbtls.rds_mysql.mysql_ssl_status
  - module: dbtls.rds_mysql.rds_ca_bundle
"""

EXAMPLES = r"""
- name: Require TLS for db_root, from every host
  dbtls.rds_mysql.mysql_require_ssl:
    login_host: db.example.com
    login_user: db_root
    login_password: "{{ db_root_password }}"
    ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
    user: db_root

- name: Require TLS for every account, although some clients are connected without it
  dbtls.rds_mysql.mysql_require_ssl:
    login_host: db.example.com
    login_user: db_root
    login_password: "{{ db_root_password }}"
    ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
    all_accounts: true
    exclude:
      - legacy@10.1.*
    plaintext_sessions: warn

- name: Require TLS for every account that can be changed, including those of the server's own machine
  dbtls.rds_mysql.mysql_require_ssl:
    config_file: ~/.my.cnf
    all_accounts: true
    include_local: true
    unchangeable: skip

- name: Require TLS for the application on a source, and check the clients of its replicas
  dbtls.rds_mysql.mysql_require_ssl:
    login_host: db.example.com
    login_user: db_root
    login_password: "{{ db_root_password }}"
    ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
    user: app
    members:
      - db-replica-1.example.com
      - db-replica-2.example.com:3307

- name: Require a client certificate for two groups of accounts
  dbtls.rds_mysql.mysql_require_ssl:
    config_file: ~/.my.cnf
    accounts:
      - app_*@%
      - batch@*
    ssl_type: x509

- name: Require one certificate, even where another one is required now
  dbtls.rds_mysql.mysql_require_ssl:
    config_file: ~/.my.cnf
    user: replica
    host: 192.0.2.%
    ssl_type: specified
    subject: /O=Example/CN=replica
    issuer: /O=Example/CN=Example Database CA
    exact: true

- name: Require TLS on MySQL 5.6, with the statements of that version
  dbtls.rds_mysql.mysql_require_ssl:
    login_host: old.example.com
    login_user: db_root
    login_password: "{{ db_root_password }}"
    ca_cert: /etc/ssl/rds/rds-ca-2019-eu-central-1.pem
    tls_min_version: TLSv1
    user: db_root
    method: grant_tables
    flush: auto

- name: End connections without TLS, require TLS for the application, and verify its login
  dbtls.rds_mysql.mysql_require_ssl:
    login_host: db.example.com
    login_user: db_root
    login_password: "{{ db_root_password }}"
    ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
    user: app
    plaintext_sessions: kill
    verify:
      - user: app
        password: "{{ app_password }}"

- name: Require TLS for every connection to a self-managed server
  dbtls.rds_mysql.mysql_require_ssl:
    config_file: ~/.my.cnf
    require_secure_transport: true

- name: Require TLS for every account, and write a rollback record
  dbtls.rds_mysql.mysql_require_ssl:
    login_host: db.example.com
    login_user: db_root
    login_password: "{{ db_root_password }}"
    ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
    all_accounts: true
    rollback_file: /var/lib/dbtls/db.example.com.json
    rollback_group: dba
    rollback_note: OPS-1234

- name: Roll back the last change
  dbtls.rds_mysql.mysql_require_ssl:
    login_host: db.example.com
    login_user: db_root
    login_password: "{{ db_root_password }}"
    ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
    restore_file: /var/lib/dbtls/db.example.com.json
    rollback_group: dba

- name: Roll back all changes
  dbtls.rds_mysql.mysql_require_ssl:
    config_file: ~/.my.cnf
    restore_file: /var/lib/dbtls/db.example.com.json
    rollback_group: dba
    restore: all

- name: Plan what would change
  dbtls.rds_mysql.mysql_require_ssl:
    config_file: ~/.my.cnf
    all_accounts: true
  check_mode: true
  register: planned

- name: Apply exactly that plan
  dbtls.rds_mysql.mysql_require_ssl:
    config_file: ~/.my.cnf
    plan: "{{ planned.plan }}"

- name: Remove the requirement
  dbtls.rds_mysql.mysql_require_ssl:
    config_file: ~/.my.cnf
    user: app
    ssl_type: none
"""

RETURN = r"""
accounts:
  description: The accounts that match, with their requirement before and after.
  returned: once the accounts are known
  type: list
  elements: dict
  contains:
    user:
      description: User part of the account.
      type: str
      sample: app
    host:
      description: Host part of the account.
      type: str
      sample: "%"
    before:
      description: V(NONE), V(ANY), V(X509) or V(SPECIFIED).
      type: str
      sample: NONE
    after:
      description:
        - The same, after the change. Where everything was rolled back, where a guard stopped the task before anything
          was written, and where RV(skipped_reason) is set, what it was before.
        - In check mode, what it would become.
      type: str
      sample: ANY
exclude_matches:
  description:
    - By each entry of O(exclude), how many accounts of the server it matches. Where that is V(0), a warning names the
      entry.
  returned: once the accounts are known
  type: dict
  version_added: 0.2.0
  sample: {"reporting@10.0.%": 1}
left_out:
  description: Accounts that are not changed although an entry of O(accounts), or O(all_accounts), is about them.
  returned: once the accounts are known
  type: list
  elements: dict
  version_added: 0.2.0
  contains:
    user:
      description: User part of the account.
      type: str
      sample: root
    host:
      description: Host part of the account.
      type: str
      sample: localhost
    reason:
      description:
        - V(socket_plugin), its plugin is C(auth_socket) or C(unix_socket).
        - V(local), it is an account of the server's own machine, and O(include_local) is V(false).
        - V(plugin_not_loaded) or V(system_user), it cannot be changed. See O(unchangeable).
        - V(not_ready), see O(only_ready).
      type: str
      sample: local
server:
  description: Where the accounts come from.
  returned: once the accounts are known
  type: dict
  version_added: 0.2.0
  contains:
    read_only:
      description: Whether C(read_only), C(super_read_only) or C(innodb_read_only) is on.
      type: bool
      sample: false
    replica_of:
      description:
        - Host and port of the server that this one replicates accounts from. V(null) for none, or where the login lacks
          the privilege C(REPLICATION CLIENT) (C(SLAVE MONITOR) on MariaDB) to see it.
      type: str
      sample: null
cluster:
  description: The other servers that have the same accounts, as far as this one knows them.
  returned: once the accounts are known
  type: dict
  version_added: 0.2.0
  contains:
    identifiers:
      description: The identifiers by which other servers know this one.
      type: list
      elements: str
      sample: ["server_uuid 3e11fa47-71ca-11e1-9e33-c80aa9429562"]
    members:
      description:
        - Readable names, by the identifiers that the other servers have in RV(cluster.identifiers). Empty with V(allow)
          in O(plaintext_sessions), and where no account would have to use TLS.
      type: dict
      sample: {"server_uuid 6d1f2b52-71ca-11e1-9e33-c80aa9429562": "the replica db-2.example.com:3306"}
skipped_reason:
  description:
    - V(read_only) where accounts should change, and the server is read-only or replicates them from another one.
      Nothing is changed there; C(msg) and a warning say so. Once the change has arrived from its source, this is not
      returned any more.
  returned: only in that case
  type: str
  version_added: 0.2.0
  sample: read_only
plan:
  description:
    - What was to change, in the form that O(plan) takes; also where a guard stopped the task, and where
      RV(skipped_reason) is set. It holds no secrets.
  returned: once the accounts are known
  type: dict
  version_added: 0.2.0
  sample:
    identity: {hostname: db1, port: "3306", datadir: /var/lib/mysql/, server_id: 8a94f357-aab4-11df-86ab-c80aa9429562}
    read_only: false
    accounts:
      - user: app
        host: "%"
        before: {ssl_type: NONE, cipher: "", issuer: "", subject: ""}
        after: {ssl_type: ANY, cipher: "", issuer: "", subject: ""}
    require_secure_transport: null
reason:
  description:
    - V(changed_since_plan) where the server, an account or the server-wide switch is neither what O(plan) says of
      before nor what it says of after.
    - V(refused) where the server was checked, and a guard stopped the task or what is asked for cannot be had.
    - In both cases nothing was changed.
  returned: only in these cases
  type: str
  version_added: 0.2.0
  sample: changed_since_plan
statements:
  description:
    - The statements as they were executed, or as they would be in check mode. They hold no secrets.
    - Where the task fails, those that were sent, including those of the rollback.
  returned: once the accounts are known and no guard stopped the task
  type: list
  elements: str
  sample: ["ALTER USER 'app'@'%' REQUIRE SSL"]
rollback_statements:
  description: The statements that restore the previous requirements.
  returned: once the accounts are known and no guard stopped the task
  type: list
  elements: str
  sample: ["ALTER USER 'app'@'%' REQUIRE NONE"]
method:
  description: The method used; V(alter_user), V(grant_tables), or V(grant_usage). V(null) where no accounts are meant.
  returned: once the accounts are known
  type: str
  sample: alter_user
flushed:
  description: Whether C(FLUSH PRIVILEGES) was run, or would be in check mode.
  returned: once the accounts are known
  type: bool
  sample: false
verified:
  description:
    - Whether the result is proven, that is, all of RV(verification). Always V(false) in check mode; where something
      could not be proven, a warning says what.
  returned: once the accounts are known and no guard stopped the task
  type: bool
  sample: true
verification:
  description:
    - What had to be proven on fresh sessions, and the result. Empty in check mode.
    - Without a verified server certificate (see O(ca_cert)) RV(verification[].server_verified) is V(false) and a
      warning says so, as anybody on the network could have answered in the server's place.
  returned: once the accounts are known and no guard stopped the task
  type: list
  elements: dict
  contains:
    user:
      description:
        - User part of the account, or the name of the login where it did not succeed; V(null) for the server-wide
          switch.
      type: str
      sample: app
    host:
      description:
        - Host part of the account, for a login of the one that the server has chosen; V(null) where no login has told,
          and for the server-wide switch.
      type: str
      sample: "%"
    method:
      description:
        - V(tls_login) for a login with TLS, V(plain_login) for one on a server without TLS.
        - V(requirement_in_memory) for the requirement of a changed account as the server goes by it, which
          C(SHOW CREATE USER) shows (C(SHOW GRANTS) before MySQL 5.7.6 and MariaDB 10.2).
        - V(variable_in_memory) for O(require_secure_transport).
      type: str
      sample: tls_login
    verified:
      description: Whether it is proven.
      type: bool
      sample: true
    server_verified:
      description:
        - Whether the session that showed it was one with the right server. Either its certificate was verified, or it
          was reached over its Unix socket.
      type: bool
      sample: true
      version_added: 0.1.1
    reason:
      description: Why it is not; V(null) where it is.
      type: str
      sample: null
require_secure_transport:
  description: The server-wide switch.
  returned: when O(require_secure_transport) is set
  type: dict
  contains:
    before:
      description: What it was.
      type: bool
      sample: false
    after:
      description: What it is, or would be in check mode.
      type: bool
      sample: true
    lasting:
      description: Whether the value outlasts a restart of the server as far as this module has set it.
      type: bool
      sample: true
rollback_file:
  description: The file in which the change was recorded, with symbolic links resolved.
  returned: when O(rollback_file) is set and statements were about to be sent
  type: str
  sample: /var/lib/dbtls/db.example.com.json
rollback_record:
  description: The change as it is in the file. It holds no secrets.
  returned: with RV(rollback_file)
  type: dict
  contains:
    id:
      description: Tells the changes in the file apart.
      type: str
      sample: 1c0cf5e9a0a74c3b8f1c1ac52e0d9a7f
    state:
      description:
        - V(made), or V(undone) where this run has rolled everything back. V(begun) where it could not find out, or
          could not write it down.
        - In the file also V(restored).
      type: str
      sample: made
    begun_at:
      description: When it was recorded, in UTC.
      type: str
      sample: "2026-11-24T21:03:17Z"
    ended_at:
      description: When RV(rollback_record.state) was last written to the file; V(null) here.
      type: str
      sample: null
    server:
      description: C(host) and C(port), or C(socket), with C(family) and C(version).
      type: dict
      sample: {host: db.example.com, port: 3306, socket: null, family: mysql, version: 8.4.6}
    accounts:
      description:
        - C(user) and C(host) of each account that changes, with C(before) and C(after), each of C(ssl_type),
          C(subject), C(issuer) and C(cipher).
      type: list
      elements: dict
    require_secure_transport:
      description: V(null), or C(before) and C(after), each of C(value) and C(persisted).
      type: dict
      sample: null
    rollback_statements:
      description: As RV(rollback_statements).
      type: list
      elements: str
    made_by:
      description: Who ran it, and on which machine; V(null) for a change that version 0.1.0 has recorded.
      type: str
      sample: deploy on ansible-1
    note:
      description: O(rollback_note) of that run.
      type: str
      sample: OPS-1234
restored:
  description: The changes that were rolled back, or would be in check mode, the newest first.
  returned: with O(restore_file), once the accounts are known and no guard stopped the task
  type: list
  elements: dict
  contains:
    id:
      description: As in the file.
      type: str
      sample: 1c0cf5e9a0a74c3b8f1c1ac52e0d9a7f
    begun_at:
      description: When the change was recorded, in UTC.
      type: str
      sample: "2026-11-24T21:03:17Z"
    made_by:
      description: Who ran it, and on which machine; V(null) for a change that version 0.1.0 has recorded.
      type: str
      sample: deploy on ansible-1
    note:
      description: O(rollback_note) of that run.
      type: str
      sample: OPS-1234
left_alone:
  description: What is not as the recorded change had made it, and so was left alone.
  returned: with RV(restored)
  type: list
  elements: dict
  contains:
    user:
      description: User part of the account; V(null) for the server-wide switch.
      type: str
      sample: app
    host:
      description: Host part of the account; V(null) for the server-wide switch.
      type: str
      sample: "%"
    expected:
      description: What the change had made of it.
      type: str
      sample: ANY
    found:
      description: The present requirement; V(null) where the account is gone.
      type: str
      sample: X509
rolled_back:
  description: Whether everything was rolled back, and that was checked.
  returned: once the accounts are known and no guard stopped the task
  type: bool
  sample: false
state_unknown:
  description:
    - Something went wrong, and the present state could not be read, because no connection could be opened any more.
      RV(check_statements) show it, and RV(rollback_statements) are what to run by hand.
  returned: only in that case
  type: bool
  sample: true
check_statements:
  description: Statements that show the requirement of each account that was to change.
  returned: with RV(state_unknown)
  type: list
  elements: str
  sample: ["SHOW CREATE USER 'app'@'%'"]
plaintext_sessions:
  description: Clients that are connected without TLS and would be unable to reconnect.
  returned: once the accounts are known
  type: list
  elements: dict
  contains:
    user:
      description: User name of the client.
      type: str
      sample: app
    host:
      description: Where the client connected from.
      type: str
      sample: 192.0.2.7
    connection_id:
      description: The connection's number in the process list.
      type: int
      sample: 4711
    command:
      description: What the connection is doing.
      type: str
      sample: Sleep
    transport:
      description:
        - How it is connected, as the server names it, such as V(TCP/IP) and V(Socket); V(null) where the server does
          not expose it.
      type: str
      sample: TCP/IP
      version_added: 0.2.0
    replication:
      description: Whether it is a replica that reads the binary log.
      type: bool
      sample: false
    killed:
      description: Whether this task has ended it.
      type: bool
      sample: false
diff:
  description: What the accounts require before and after, one a line, and the server-wide switch where it changes.
  returned: once the accounts are known
  type: dict
  sample:
    before_header: TLS requirements on db.example.com:3306
    before: |
      app@%: NONE
    after_header: TLS requirements on db.example.com:3306
    after: |
      app@%: ANY
"""

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core import start_up

if __name__ == "__main__":
    start_up.pause_garbage_collection()

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import Module, run_module
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import enforce
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE


def main() -> t.NoReturn:
    """Require, prove, and leave."""
    module = Module(**REQUIRE.for_module(), supports_check_mode=True)
    run_module(module, lambda: enforce.run(module.params, module.check_mode))


if __name__ == "__main__":
    main()
