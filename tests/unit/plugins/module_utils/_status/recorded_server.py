# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RDS and Aurora, which cannot run here, played from what they are known to answer.

The recordings rest on these facts. RDS and Aurora run from a basedir under /rdsdbbin: ``/rdsdbbin/mysql/`` or one with
the version, ``/rdsdbbin/oscar-...`` for Aurora. Aurora alone has the variable aurora_version ("Checking Aurora MySQL
version numbers", Amazon Aurora User Guide). Predefined users: "Common DBA tasks for MySQL DB instances", Amazon RDS
User Guide. The version, and that have_ssl is there: MySQL 8.0 and MariaDB 10.11 themselves.
"""

from __future__ import annotations

import ssl
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.run import run

from ..scripted_server import Conversation, greeting, scripted

if t.TYPE_CHECKING:
    from tests.servers import TlsFiles

OK = b"\0\0\0\x02\0\0\0"
REFUSED = b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied"
MAY_NOT = b"\xff" + (1142).to_bytes(2, "little") + b"#42000SELECT command denied"
EOF = b"\xfe\0\0\x02\0"
Rows = list[tuple[t.Any, ...]]

COMMON = {
    "have_openssl": "YES",
    "have_ssl": "YES",
    "performance_schema": "OFF",
    "require_secure_transport": "OFF",
    "sql_mode": "STRICT_TRANS_TABLES",
    "tls_version": "TLSv1.2,TLSv1.3",
}

RECORDED: dict[str, dict[str, str]] = {
    "rds-mysql": {**COMMON, "version": "8.0.39", "basedir": "/rdsdbbin/mysql-8.0.39.R1/"},
    "rds-mysql-unversioned": {**COMMON, "version": "5.7.44", "basedir": "/rdsdbbin/mysql/"},
    "rds-mariadb": {**COMMON, "version": "10.11.8-MariaDB-log", "basedir": "/rdsdbbin/mariadb-10.11.8.R1"},
    "aurora": {
        **COMMON,
        "version": "8.0.39",
        "basedir": "/rdsdbbin/oscar-8.0.mysql_aurora.3.08.0.0.20664.0/",
        "aurora_version": "3.08.0",
    },
    "own": {**COMMON, "version": "8.0.39", "basedir": "/usr/"},
}

ACCOUNTS = [
    # user, host, plugin, ssl_type, cipher, issuer, subject, locked, is_role
    ("admin", "%", "mysql_native_password", "ANY", "", "", "", 0, 0),
    ("rdsadmin", "localhost", "mysql_native_password", "", "", "", "", 0, 0),
    ("rdsrepladmin", "%", "mysql_native_password", "", "", "", "", 0, 0),
    ("rdsproxyadmin", "%", "mysql_native_password", "", "", "", "", 0, 0),
    ("rds_superuser_role", "%", "caching_sha2_password", "", "", "", "", 1, 1),
    ("AWS_LOAD_S3_ACCESS", "%", "caching_sha2_password", "", "", "", "", 1, 1),
    ("mysql.sys", "localhost", "caching_sha2_password", "", "", "", "", 1, 0),
    ("app", "10.%", "mysql_native_password", "", "", "", "", 0, 0),
]


CLAUSES = {"": "REQUIRE NONE", "ANY": "REQUIRE SSL", "X509": "REQUIRE X509"}


class Played(t.NamedTuple):
    """What a server has in its tables; None where the login may not read them.

    ``required`` is how SHOW CREATE USER ends for every account, empty for what its row says, None where it may not be
    seen. ``number`` is what
    CONNECTION_ID() says; in the greeting it is 7. ``status`` is added to the session's status. ``greets`` is the
    version in the greeting, where it is another.
    """

    accounts: Rows | None = ACCOUNTS
    sessions: Rows | None = None
    attributes: Rows | None = None
    proxies: Rows | None = []  # noqa: RUF012  never changed
    replication: Rows | None = []  # noqa: RUF012
    required: str | None = ""
    in_memory: Rows = []  # noqa: RUF012  never changed
    number: int = 7
    me: str = "admin@%"
    greets: str | None = None
    status: Rows = []  # noqa: RUF012


AS_RECORDED = Played()


def length_encoded(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 251
    return bytes([len(data)]) + data


def send_rows(conversation: Conversation, rows: Rows) -> None:
    """A text result set (Protocol::ColumnDefinition41, MySQL Source Code Documentation)."""
    width = len(rows[0]) if rows else 1
    conversation.send(bytes([width]))
    for number in range(width):
        texts = b"".join(length_encoded(text) for text in ("def", "", "", "", f"c{number}", ""))
        # Length of the rest, character set (utf8mb4), length, type (LONG or VAR_STRING), flags, decimals, filler.
        kind = b"\x03" if rows and isinstance(rows[0][number], int) else b"\xfd"
        conversation.send(texts + b"\x0c\x2d\0\0\x04\0\0" + kind + b"\0\0\0\0\0")
    conversation.send(EOF)
    for row in rows:
        conversation.send(b"".join(length_encoded(str(value)) for value in row))
    conversation.send(EOF)


def cipher_of(conversation: Conversation) -> str:
    cipher = conversation.connection.cipher() if isinstance(conversation.connection, ssl.SSLSocket) else None
    return cipher[0] if cipher else ""


def plays(
    variables: dict[str, str],
    context: ssl.SSLContext | None,
    rows: Played,
) -> t.Callable[[Conversation], None]:
    """A script for a server with these variables."""
    prefix = b"5.5.5-" if "MariaDB" in variables["version"] else b""

    def answer(conversation: Conversation, statement: str) -> None:
        if statement.startswith("SHOW VARIABLES"):
            send_rows(conversation, sorted(variables.items()))
        elif statement.startswith("SHOW SESSION STATUS"):
            send_rows(conversation, [("Ssl_cipher", cipher_of(conversation)), *rows.status])
        elif statement == "SELECT CONNECTION_ID()":
            send_rows(conversation, [(rows.number,)])
        elif "session_connect_attrs" in statement:
            if rows.attributes is None:
                conversation.send(MAY_NOT)
            else:
                send_rows(conversation, rows.attributes)
        elif "mysql.proxies_priv" in statement:
            if rows.proxies is None:
                conversation.send(MAY_NOT)
            else:
                send_rows(conversation, rows.proxies)
        elif "mysql.role_edges" in statement:
            conversation.send(MAY_NOT)
        elif "USER_PRIVILEGES" in statement:
            send_rows(conversation, rows.in_memory)
        elif statement == "SHOW GRANTS":
            conversation.send(MAY_NOT)
        elif statement.startswith(("SHOW CREATE USER", "SHOW GRANTS FOR")):
            if rows.required is None:
                conversation.send(MAY_NOT)
                return
            quoted = statement.removeprefix("SHOW CREATE USER ").removeprefix("SHOW GRANTS FOR ")
            user, host = (rows.me if quoted == "CURRENT_USER()" else quoted.replace("'", "")).split("@")
            name = f"`{user}`@`{host}`"
            table = {row[:2]: row[3] for row in rows.accounts or ()}
            required = rows.required or CLAUSES[table.get((user, host), "ANY")]
            send_rows(conversation, [(f"CREATE USER {name} IDENTIFIED WITH 'mysql_native_password' {required}",)])
        elif "CURRENT_USER()" in statement:
            send_rows(conversation, [(rows.me,)])
        elif "mysql.user" in statement and "WHERE" in statement:  # some of them once more
            send_rows(conversation, [row for row in rows.accounts or () if f"'{row[0]}'" in statement])
        elif "mysql.user" in statement:
            if rows.accounts is None:
                conversation.send(MAY_NOT)
            else:
                send_rows(conversation, rows.accounts)
        elif "performance_schema.threads" in statement and rows.sessions is not None:
            send_rows(conversation, rows.sessions)
        elif "STATUS" in statement and rows.replication is None:
            conversation.send(MAY_NOT)
        elif "STATUS" in statement:
            send_rows(conversation, [])
        else:
            conversation.send(OK)

    def script(conversation: Conversation) -> None:
        conversation.send(
            greeting(
                tls=context is not None,
                version=rows.greets.encode() if rows.greets else prefix + variables["version"].encode(),
            )
        )
        if context is not None:
            conversation.receive()
            conversation.start_tls(context)
        login = conversation.receive()
        if b"admin" not in login:
            conversation.send(REFUSED)
            return
        conversation.send(OK)
        while True:
            conversation.restart_numbers()
            command = conversation.receive()
            if command[:1] != b"\x03":
                return
            answer(conversation, command[1:].decode())

    return script


def check(
    variables: dict[str, str],
    tls: TlsFiles | None,
    rows: Played = AS_RECORDED,
    *,
    ciphers: str | None = None,
    **options: t.Any,
) -> dict[str, t.Any]:
    """What mysql_ssl_status returns of such a server as ``mysql_ssl``.

    :arg ciphers: Those of TLSv1.2, which is then the newest version that it has.
    """
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if ciphers is not None:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(ciphers)
        context.load_cert_chain(tls.cert, tls.key)
    script = plays(variables, context, rows)
    with scripted(script, script) as server:
        result = run(
            {
                "login_host": "localhost",
                "login_port": server.port,
                "login_user": "admin",
                "login_password": "s3cret-pa55",
                "connect_timeout": 5,
                "tls_min_version": "TLSv1.2",
                "expiry_warn_days": 30,
                "probe_protocols": False,
                "fail_on": "none",
                **options,
            }
        )
    described: dict[str, t.Any] = result["mysql_ssl"]
    return described
