# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between server families and versions: what to ask, what to say.

Every decision that depends on a version stands here, once. :func:`discover` asks a server what it is; everything else
is a property of the answer.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

_VARIABLES = (
    "admin_port",
    "admin_tls_version",
    "aurora_version",
    "basedir",
    "caching_sha2_password_proxy_users",
    "check_proxy_users",
    "group_replication_group_name",
    "have_openssl",
    "have_ssl",
    "innodb_read_only",
    "log_bin",
    "max_allowed_packet",
    "mysql_native_password_proxy_users",
    "performance_schema",
    "read_only",
    "require_secure_transport",
    "server_uid",
    "sha256_password_proxy_users",
    "sql_mode",
    "super_read_only",
    "tls_version",
    "transaction_read_only",
    "tx_read_only",
    "userstat",
    "version",
    "version_comment",
    "wsrep_on",
)
_LEADING_NUMBERS = re.compile(r"\d+(?:\.\d+)*")

# "CREATE USER ... ACCOUNT LOCK" and the column account_locked came with MySQL 5.7.6, as did ALTER USER ... REQUIRE.
_MYSQL_ALTER_USER_REQUIRE = (5, 7, 6)
_MARIADB_ALTER_USER_REQUIRE = (10, 2)
# From 10.4 on, mysql.user is a view over mysql.global_priv.
_MARIADB_GLOBAL_PRIV = (10, 4)
_MARIADB_ROLES = (10, 0, 5)
_MARIADB_MONITOR = (10, 5, 2)
_MYSQL_ROLES = (8, 0)
_MYSQL_PERSIST = (8, 0)
_MYSQL_REPLICA = (8, 0, 22)
# The weakest last. Some administrators may write in spite of read_only; it is set on replicas for their sake as well.
_OF_SERVERS = ("innodb_read_only", "super_read_only", "read_only")
_READ_ONLY = (*_OF_SERVERS, "transaction_read_only", "tx_read_only")
# The last two are of MariaDB 12.
_READ_ONLY_VALUES = ("OFF", "0", "ON", "1", "NO_LOCK", "NO_LOCK_NO_ADMIN")
_MYSQL_CONNECTION_TYPE = (5, 7, 2)
_MARIADB_CONNECTION_TYPE = (10, 5)
_MYSQL_TLS_1_3 = (8, 0, 16)
_MYSQL_RELOAD_TLS = (8, 0, 16)
_MARIADB_FLUSH_SSL = (10, 4)
_MYSQL_SYSTEM_USER = (8, 0, 16)
_MYSQL_SHOW_CREATE_USER = (5, 7, 6)
_MYSQL_ERROR_SUMMARIES = (8, 0)
_MARIADB_SHOW_CREATE_USER = (10, 2)


@dataclass(frozen=True)
class Dialect:
    """One server: family, version, and the variables that say what it can do.

    ``variables`` holds, by name, those of the variables asked for that the server has.
    """

    family: str
    version: str
    variables: t.Mapping[str, str]

    @property
    def version_tuple(self) -> tuple[int, ...]:
        """``(10, 11, 14)``, for comparisons."""
        match = _LEADING_NUMBERS.match(self.version)
        return tuple(int(part) for part in match.group().split(".")) if match else ()

    @property
    def is_mariadb(self) -> bool:
        """Whether it is MariaDB."""
        return self.family == "mariadb"

    @property
    def managed_by(self) -> str | None:
        """``aurora``, ``rds``, or None for a self-managed server.

        RDS and Aurora run from ``/rdsdbbin``; Aurora alone has the variable ``aurora_version``.
        """
        if "aurora_version" in self.variables:
            return "aurora"
        return "rds" if self.variables.get("basedir", "").startswith("/rdsdbbin") else None

    @property
    def has_alter_user_require(self) -> bool:
        """Whether ``ALTER USER ... REQUIRE ...`` is understood."""
        since = _MARIADB_ALTER_USER_REQUIRE if self.is_mariadb else _MYSQL_ALTER_USER_REQUIRE
        return self.version_tuple >= since

    @property
    def escapes_alter_user(self) -> bool:
        """Whether ALTER USER reaches replicas as it was sent, whatever characters are in a subject or an issuer.

        MySQL writes them to the binary log without escaping: replicas stop, or take another name (measured on 9.7).
        """
        return self.is_mariadb or not is_on(self.variables.get("log_bin"))

    @property
    def checks_proxied_requirement(self) -> bool:
        """Whether under GRANT PROXY the requirement of the proxied account counts, and not that of who logs in."""
        return not self.is_mariadb

    def proxies_logins_by(self, plugin: str) -> bool:
        """Whether who logs in by an authentication plugin may act as another account by GRANT PROXY.

        Those that keep passwords leave it to the server, which does so only where two variables say so. Others, such as
        LDAP's and PAM's, name another account by themselves; those of the operating system's users do not.
        """
        if plugin in ("auth_socket", "unix_socket", "mysql_no_login"):
            return False
        if plugin in ("", "mysql_native_password", "mysql_old_password", "sha256_password", "caching_sha2_password"):
            switches = ("check_proxy_users", f"{plugin}_proxy_users")
            return all(is_on(self.variables.get(name)) for name in switches)
        return True

    @property
    def has_system_user(self) -> bool:
        """Whether there is a privilege SYSTEM_USER, without which accounts that have it cannot be changed."""
        return not self.is_mariadb and self.version_tuple >= _MYSQL_SYSTEM_USER

    @property
    def user_table_is_view(self) -> bool:
        """Whether mysql.user cannot be updated because it is a view (error 1356)."""
        return self.is_mariadb and self.version_tuple >= _MARIADB_GLOBAL_PRIV

    @property
    def max_allowed_packet(self) -> int:
        """The length of the longest statement that the server takes, in bytes."""
        value = self.variables.get("max_allowed_packet", "")
        # The default of the oldest servers, where one does not say.
        return int(value) if value.isdigit() else 1024 * 1024

    @property
    def no_backslash_escapes(self) -> bool:
        """Whether a backslash is an ordinary character in string literals."""
        return "NO_BACKSLASH_ESCAPES" in self.variables.get("sql_mode", "").upper()

    @property
    def tls_versions(self) -> tuple[str, ...] | None:
        """The TLS versions that the server says it accepts, None where it does not say."""
        value = self.variables.get("tls_version")
        if value is None:
            return None
        known = _tls_versions(value)
        # No MySQL 5.7 does TLSv1.3, whatever the setting says.
        has_1_3 = self.is_mariadb or self.version_tuple >= _MYSQL_TLS_1_3
        return known if has_1_3 else tuple(version for version in known if version != "TLSv1.3")

    def tls_versions_at(self, port: int | None, current: str | None) -> tuple[str, ...] | None:
        """The TLS versions that the server says it accepts on a port, None where it does not say.

        :arg port: None for a Unix socket.
        :arg current: The status variable Current_tls_version, None where the server has none: a changed tls_version
            counts only after ALTER INSTANCE RELOAD TLS.
        """
        if self.is_admin_port(port) and self.variables.get("admin_tls_version"):
            return _tls_versions(self.variables["admin_tls_version"])
        return self.tls_versions if current is None else _tls_versions(current)

    def is_admin_port(self, port: int | None) -> bool:
        """Whether it is that of administrative connections, which have a certificate and settings of their own."""
        return port is not None and self.variables.get("admin_port") == str(port)

    @property
    def require_secure_transport(self) -> bool | None:
        """The server-wide switch, None where the server has none."""
        value = self.variables.get("require_secure_transport")
        return None if value is None else is_on(value)

    @property
    def has_persist(self) -> bool:
        """Whether SET PERSIST makes a variable's value outlast a restart."""
        return not self.is_mariadb and self.version_tuple >= _MYSQL_PERSIST

    @property
    def read_only_variable(self) -> str | None:
        """The variable that makes the server read-only, if one does."""
        return next((name for name in _READ_ONLY if self.variables.get(name, "OFF").upper() not in ("OFF", "0")), None)

    @property
    def unclear_read_only(self) -> str | None:
        """The name and the value of such a variable that is neither off nor on in any way that servers have."""
        found = ((name, self.variables.get(name, "OFF")) for name in _READ_ONLY)
        return next((f"{name} = {value!r}" for name, value in found if value.upper() not in _READ_ONLY_VALUES), None)

    @property
    def read_only(self) -> bool:
        """Whether it is for reading only, as replicas and Aurora readers are."""
        return self.read_only_variable in _OF_SERVERS

    @property
    def replica_status_offset(self) -> int:
        """How many columns of the answer to :attr:`replica_status_statement` come before Slave_IO_State."""
        return 2 if self.is_mariadb else 0

    @property
    def replica_status_statement(self) -> str:
        """Has a row for each source that the server replicates from."""
        if self.is_mariadb:
            return "SHOW ALL SLAVES STATUS"
        return "SHOW REPLICA STATUS" if self.version_tuple >= _MYSQL_REPLICA else "SHOW SLAVE STATUS"

    @property
    def replica_status_privilege(self) -> str:
        """What a login needs to see which source the server follows."""
        return "SLAVE MONITOR" if self.is_mariadb and self.version_tuple >= _MARIADB_MONITOR else "REPLICATION CLIENT"

    @property
    def replicas_statement(self) -> str:
        """Has a row for each replica that is connected: first its server_id, then its host and port, as it says."""
        if self.is_mariadb or self.version_tuple < _MYSQL_REPLICA:
            return "SHOW SLAVE HOSTS"
        return "SHOW REPLICAS"

    @property
    def sees_session_transport(self) -> bool:
        """Whether SQL can tell for every session whether it uses TLS (performance_schema.threads)."""
        return self.has_session_transport and is_on(self.variables.get("performance_schema"))

    @property
    def has_session_transport(self) -> bool:
        """Whether performance_schema, where it is on, records how each session is connected."""
        since = _MARIADB_CONNECTION_TYPE if self.is_mariadb else _MYSQL_CONNECTION_TYPE
        return self.version_tuple >= since

    @property
    def has_user_statistics(self) -> bool:
        """Whether it can count each user's logins, with and without TLS (MariaDB and Percona Server)."""
        return "userstat" in self.variables

    @property
    def has_error_summaries(self) -> bool:
        """Whether performance_schema, where it is on, counts the errors that each client got."""
        return not self.is_mariadb and self.version_tuple >= _MYSQL_ERROR_SUMMARIES

    @property
    def has_reload_tls(self) -> bool:
        """Whether ``ALTER INSTANCE RELOAD TLS`` is understood."""
        return not self.is_mariadb and self.version_tuple >= _MYSQL_RELOAD_TLS

    @property
    def has_flush_ssl(self) -> bool:
        """Whether ``FLUSH SSL`` is understood, which reads the certificate again."""
        return self.is_mariadb and self.version_tuple >= _MARIADB_FLUSH_SSL

    @property
    def has_show_create_user(self) -> bool:
        """Whether ``SHOW CREATE USER`` is understood; before, ``SHOW GRANTS`` has the REQUIRE clause.

        Both answer from the server's memory, by which it decides about logins.
        """
        since = _MARIADB_SHOW_CREATE_USER if self.is_mariadb else _MYSQL_SHOW_CREATE_USER
        return self.version_tuple >= since

    @property
    def own_requirement_query(self) -> str:
        """Shows an account its own REQUIRE clause, without any privilege."""
        return "SHOW CREATE USER CURRENT_USER()" if self.has_show_create_user else "SHOW GRANTS"

    @property
    def accounts_query(self) -> str:
        """Reads every account and role.

        Columns: user, host, plugin, ssl_type, cipher, issuer, subject, locked (0 or 1), is_role (0 or 1).
        """
        columns = "u.User, u.Host, u.plugin, u.ssl_type, u.ssl_cipher, u.x509_issuer, u.x509_subject"
        if self.user_table_is_view:
            # MariaDB's own root may log in in several ways: "mysql_native_password or unix_socket".
            also = "IF(u.plugin <> 'unix_socket' AND LOCATE('\"unix_socket\"', g.Priv) > 0, ' or unix_socket', '')"
            columns = columns.replace("u.plugin", f"CONCAT(u.plugin, {also})")
            return (
                f"SELECT {columns}, "
                "COALESCE(JSON_VALUE(g.Priv, '$.account_locked'), 0) IN (1, 'true'), u.is_role = 'Y' "
                "FROM mysql.user u JOIN mysql.global_priv g ON g.User = u.User AND g.Host = u.Host"
            )
        if self.is_mariadb:
            is_role = "u.is_role = 'Y'" if self.version_tuple >= _MARIADB_ROLES else "0"
            return f"SELECT {columns}, 0, {is_role} FROM mysql.user u"
        locked = "u.account_locked = 'Y'" if self.has_alter_user_require else "0"
        # CREATE ROLE makes a locked account with an expired, empty password; nothing else in its row marks a role.
        is_role = (
            "u.account_locked = 'Y' AND u.password_expired = 'Y' AND u.authentication_string = ''"
            if self.version_tuple >= _MYSQL_ROLES
            else "0"
        )
        return f"SELECT {columns}, {locked}, {is_role} FROM mysql.user u"

    @property
    def has_roles(self) -> bool:
        """Whether accounts can be granted roles."""
        return self.version_tuple >= (_MARIADB_ROLES if self.is_mariadb else _MYSQL_ROLES)

    @property
    def roles_query(self) -> str | None:
        """Reads user and host of what is granted to others as a role; None where the accounts tell roles."""
        if self.is_mariadb or not self.has_roles:
            return None
        return (
            "SELECT FROM_USER, FROM_HOST FROM mysql.role_edges "
            "UNION SELECT DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST FROM mysql.default_roles"
        )

    @property
    def sessions_query(self) -> str:
        """Reads every other client session that is not internal.

        Columns: connection id, user, host, transport (``TCP/IP``, ``SSL/TLS``, ``Socket`` or another), command.
        """
        return (
            "SELECT PROCESSLIST_ID, PROCESSLIST_USER, PROCESSLIST_HOST, CONNECTION_TYPE, PROCESSLIST_COMMAND "
            "FROM performance_schema.threads "
            "WHERE TYPE = 'FOREGROUND' AND PROCESSLIST_ID IS NOT NULL AND PROCESSLIST_USER IS NOT NULL "
            "AND CONNECTION_TYPE IS NOT NULL AND PROCESSLIST_ID <> CONNECTION_ID()"
        )


def discover(session: Session) -> Dialect:
    """Ask the server what it is.

    :raises QueryFailed: when it does not answer.
    """
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    rows = session.query(f"SHOW VARIABLES WHERE Variable_name IN ({names})")
    variables = {str(name).lower(): _text(value) for name, value in rows}
    version = variables.get("version", session.greeting.raw_version)
    # Not the greeting, which may be a proxy's.
    told = f"{version} {variables.get('version_comment', '')}".lower()
    return Dialect(
        family="mariadb" if "mariadb" in told else "mysql",
        version=version if "version" in variables else session.greeting.version,
        variables=variables,
    )


def _tls_versions(setting: str) -> tuple[str, ...]:
    # MariaDB calls it TLSv1.0, OpenSSL and MySQL TLSv1.
    versions = ("TLSv1" if version.strip() == "TLSv1.0" else version.strip() for version in setting.split(","))
    return tuple(sorted(version for version in versions if version))


def is_on(value: t.Any) -> bool:
    """Whether a server variable has one of the values that switch it on."""
    return _text(value).upper() in ("1", "ON", "TRUE", "YES")


def _text(value: t.Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
