# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory server of the unit tests answers as the real ones do: the same statements to both, answers compared.

What tests/unit/simulation finds is worth as much as these answers are true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.memory_server import core, model
from tests.unit.memory_server.clock import Clock
from tests.unit.memory_server.model import Entry
from tests.unit.memory_server.network import Network
from tests.unit.memory_server.server import MemoryServer

from .database import Database

# How much of an answer is compared.
SAME = "every value"
OURS = "every value, in the rows about the accounts of this test"
SHAPE = "the number of columns, and which values are numbers"
COUNT = "the number of rows"
ERROR = "the number of the error, if it is one"

ONE, TWO, WEAK, NONE = "memory_one", "memory_two", "memory_weak", "memory_none"
_IDENTIFIED = re.compile(r" IDENTIFIED .*?(?= REQUIRE| PASSWORD EXPIRE|$)", re.DOTALL)
_NAMED = "/CN=it''s \"q\" back\\\\slash"


def _statements(db: Database, dialect: Any) -> Iterator[tuple[str, str, tuple[Any, ...], str]]:
    """Who sends it, the statement, its arguments, and what is compared of the answer."""

    def both(statement: str, how: str = SAME, *arguments: Any) -> Iterator[tuple[str, str, tuple[Any, ...], str]]:
        yield "admin", statement, arguments, how
        yield "weak", statement, arguments, how

    def admin(statement: str, how: str = SAME, *arguments: Any) -> tuple[str, str, tuple[Any, ...], str]:
        return "admin", statement, arguments, how

    def shown() -> Iterator[tuple[str, str, tuple[Any, ...], str]]:
        """What the table says of the accounts, and what the memory does."""
        yield admin(dialect.accounts_query, OURS)
        for user in (ONE, TWO):
            yield admin(f"SHOW CREATE USER '{user}'@'%'")
            yield admin(f"SHOW GRANTS FOR '{user}'@'%'")

    yield from shown()
    where, names = core.accounts.where_accounts([core.accounts.Account(ONE, "%")], "u.")
    yield from both(f"{dialect.accounts_query} WHERE {where}", OURS, *names)
    # Who may read what.
    yield from both("SELECT CURRENT_USER()")
    yield from both("SELECT CONNECTION_ID()", SHAPE)
    yield from both("SELECT USER, HOST FROM information_schema.processlist WHERE ID = CONNECTION_ID()", SHAPE)
    yield "weak", "SELECT ID, USER, HOST, COMMAND, INFO FROM information_schema.processlist", (), COUNT
    yield from both("SELECT 1 FROM information_schema.processlist WHERE ID = %s AND USER = %s", SAME, 999999, "x")
    yield from both(
        "SELECT ID, USER, HOST, COMMAND FROM information_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%'"
    )
    yield from both(dialect.sessions_query, SHAPE)
    # Other sessions may have transactions on the real one; who may look is what matters.
    yield from both("SELECT 1 FROM information_schema.INNODB_TRX LIMIT 1", ERROR)
    yield from both(
        "SELECT ID, USER, HOST, COMMAND FROM information_schema.processlist WHERE ID <> CONNECTION_ID()", ERROR
    )
    yield from both("SELECT User, Host, Proxied_user, Proxied_host FROM mysql.proxies_priv WHERE Proxied_user <> ''")
    yield from both(dialect.replica_status_statement)
    yield from both("SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime'", SHAPE)
    yield from both("SHOW GLOBAL VARIABLES WHERE Variable_name = 'require_secure_transport'")
    yield from both(
        "SELECT VARIABLE_VALUE FROM performance_schema.persisted_variables "
        "WHERE VARIABLE_NAME = 'require_secure_transport'"
    )
    yield from both(
        "SELECT 1 FROM information_schema.routines WHERE ROUTINE_SCHEMA = 'mysql' AND ROUTINE_NAME = 'rds_kill'"
    )
    yield from both("SELECT @@hostname, @@port, @@datadir", SHAPE)
    yield from both("SELECT @@pid_file", SHAPE)
    yield from both("SELECT @@server_uuid", SHAPE)
    yield from both("SELECT @@server_uid", SHAPE)
    yield from both("SELECT GET_LOCK('dbtls.memory', 1), IS_USED_LOCK('dbtls.memory') = CONNECTION_ID()", SHAPE)
    yield from both("EXPLAIN UPDATE mysql.user SET ssl_type = ssl_type WHERE User = '' AND Host = ''", COUNT)
    yield from both("KILL 999999")
    yield "weak", f"SHOW CREATE USER '{ONE}'@'%'", (), SAME
    yield "weak", "SHOW CREATE USER CURRENT_USER()", (), SAME
    yield admin(f"SHOW CREATE USER '{NONE}'@'%'")
    yield admin(f"SHOW GRANTS FOR '{NONE}'@'%'")
    # What writes: refused, for an account that is not there, and done.
    for requirement in ("SSL", f"SUBJECT '{_NAMED}' AND ISSUER '/O=x' AND CIPHER 'AES'", "X509", "NONE", "SSL"):
        statement = f"ALTER USER '{ONE}'@'%', '{TWO}'@'%' REQUIRE {requirement}"
        if db.legacy:  # It takes no list, and stumbles over the comma.
            statement = f"ALTER USER '{ONE}'@'%' REQUIRE {requirement}"
        yield "weak", statement, (), SAME
        yield admin(f"{statement} /* dbtls:0123 */")
        yield from shown()
    yield admin(f"ALTER USER '{ONE}'@'%', '{NONE}'@'%', '{TWO}'@'%' REQUIRE X509")
    yield from shown()
    if db.legacy:
        yield admin("SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_CREATE_USER')")
        yield admin(f"GRANT USAGE ON *.* TO '{ONE}'@'%', '{NONE}'@'%', '{TWO}'@'%' REQUIRE X509")
        yield from shown()
        yield admin(f"GRANT USAGE ON *.* TO '{ONE}'@'%' REQUIRE SUBJECT '{_NAMED}' AND CIPHER 'AES'")
        yield from shown()
    where, names = core.accounts.where_accounts([core.accounts.Account(user, "%") for user in (ONE, NONE)])
    update = "UPDATE mysql.user SET ssl_type = %s, ssl_cipher = %s, x509_issuer = %s, x509_subject = %s WHERE " + where
    yield from both(update, SAME, "SPECIFIED", "", "", '/CN="q" it\'s back\\slash', *names)
    yield from shown()
    if not db.legacy:
        # What only the table has, counts not for what is written beside it.
        yield admin(f"ALTER USER '{TWO}'@'%' REQUIRE NONE")
        yield from shown()
    yield from both("FLUSH PRIVILEGES")
    yield from shown()
    yield from both(update, SAME, "", "", "", "", *names)
    yield admin("FLUSH PRIVILEGES")
    yield from shown()
    # The server-wide switch.
    for statement in (
        "SET GLOBAL require_secure_transport = ON",
        "SET PERSIST require_secure_transport = ON",
        "SET GLOBAL require_secure_transport = OFF",
    ):
        yield from both(statement)
        yield admin("SHOW GLOBAL VARIABLES WHERE Variable_name = 'require_secure_transport'")
    yield "weak", "RESET PERSIST IF EXISTS require_secure_transport", (), SAME
    for statement in (
        "RESET PERSIST IF EXISTS require_secure_transport",
        "RESET PERSIST IF EXISTS require_secure_transport",
    ):
        yield from both(statement)
        yield admin("SHOW GLOBAL VARIABLES WHERE Variable_name = 'require_secure_transport'")
        yield admin(
            "SELECT VARIABLE_VALUE FROM performance_schema.persisted_variables "
            "WHERE VARIABLE_NAME = 'require_secure_transport'"
        )


def _answer(session: Any, statement: str, arguments: tuple[Any, ...], how: str) -> Any:
    """What is compared of an answer."""
    try:
        rows = session.query(statement, arguments)
    except core.mysql_errors.QueryFailed as e:
        return ("the connection is lost" if e.connection_lost else "") or e.code
    if how == ERROR:
        return None
    if how == COUNT:
        return len(rows)
    if how == SHAPE:
        return len(rows[0]) if rows else 0, [isinstance(value, int) for value in rows[0]] if rows else []
    rows = [tuple(_masked(value) for value in row) for row in rows]
    if how == OURS:
        rows = sorted(row for row in rows if str(row[0]).startswith("memory_"))
        assert rows or "WHERE" in statement
    return rows


def _masked(value: Any) -> Any:
    return _IDENTIFIED.sub(" IDENTIFIED", value) if isinstance(value, str) else value


@pytest.fixture(name="sessions")
def _sessions(db: Database) -> Iterator[tuple[dict[str, Any], dict[str, Any], Any]]:
    """Sessions of an administrator and of somebody without any privilege, with the real server and the other one."""
    server = MemoryServer(Clock(), db.server.name)
    real, memory = {}, {}
    network = Network(server.clock, server)
    network.client_host = "127.0.0.1"
    plugin = "mysql_native_password" if db.mariadb or db.legacy else "caching_sha2_password"
    admin = db.administrator()
    with ExitStack() as stack:
        for user in (ONE, TWO, WEAK):
            db.create(user)
        passwords = {admin.user: admin.password}
        for user in (ONE, TWO, WEAK):
            passwords[user] = f"pw!{db.server.admin_password[:8]}-{len(user)}"
            server.somebody("create", (user, "%"), Entry(plugin=plugin, password=passwords[user]))
        server.somebody(
            "create", (admin.user, admin.host), Entry(plugin=plugin, password=admin.password, grants=model.ALL)
        )
        for name, user in (("admin", admin.user), ("weak", WEAK)):
            options = core.options.ConnectionOptions.from_params(
                {
                    **core.defaults(),
                    **db.options(replace(admin, user=user, password=passwords[user])),
                    "login_user": user,
                    "login_password": passwords[user],
                }
            )
            real[name] = stack.enter_context(core.login.open_session(options))
            memory[name] = stack.enter_context(network.connect(options))
        yield real, memory, core.dialect.discover(real["admin"])
    if not db.legacy and not db.mariadb:
        db.query("RESET PERSIST IF EXISTS require_secure_transport")


def test_the_same_answers(db: Database, sessions: tuple[dict[str, Any], dict[str, Any], Any]) -> None:
    real, memory, dialect = sessions
    different = []
    number = 0
    for who, statement, arguments, how in _statements(db, dialect):
        number += 1
        expected = _answer(real[who], statement, arguments, how)
        answered = _answer(memory[who], statement, arguments, how)
        if answered != expected:
            different.append(f"{who}: {statement} {arguments}\n  real:   {expected}\n  memory: {answered}")
    assert number > 100
    assert not different, f"{len(different)} of {number} answers:\n" + "\n".join(different)


def test_the_same_dialect(db: Database, sessions: tuple[dict[str, Any], dict[str, Any], Any]) -> None:
    """What is found out about the server at first, apart from values that are of its package or its machine."""
    _real, memory, dialect = sessions
    found = core.dialect.discover(memory["admin"])
    assert found.family == dialect.family
    assert found.version_tuple[:2] == dialect.version_tuple[:2]
    assert set(found.variables) == set(dialect.variables)
    differ = {"basedir", "server_uid", "sql_mode", "version", "version_comment", "tls_version"}
    for name in set(found.variables) - differ:
        assert found.variables[name] == dialect.variables[name], name


@pytest.mark.parametrize("requirement", ["NONE", "SSL", "X509"])
@pytest.mark.parametrize("mode", ["required", "disabled"])
def test_the_same_logins(
    db: Database, sessions: tuple[dict[str, Any], dict[str, Any], Any], requirement: str, mode: str
) -> None:
    real, memory, _dialect = sessions
    server = memory["admin"].server
    db.require(ONE, "%", requirement)
    server.somebody("require", (ONE, "%"), ({"SSL": "ANY"}.get(requirement, requirement), "", "", ""))
    for password in (f"pw!{db.server.admin_password[:8]}-{len(ONE)}", "wrong"):
        for user in (ONE, NONE):
            options = replace(
                real["admin"].options, user=user, password=password, ssl_mode=mode, ca_cert=None, client_cert=None
            )
            told = []
            for connect in (core.login.open_session, memory["admin"].network.connect):
                try:
                    connect(options).close()
                except core.errors.RdsMysqlError as e:
                    told.append((type(e).__name__, getattr(e, "code", None)))
                else:
                    told.append(("in", None))
            # A server asks for the full authentication of caching_sha2_password, or not, by what it remembers.
            if "PasswordWithheld" in (told[0][0], told[1][0]):
                assert mode == "disabled"
                assert {told[0][0], told[1][0]} <= {"PasswordWithheld", "LoginRefused", "in"}
                continue
            assert told[0] == told[1], (user, password == "wrong", told)


def test_ending_sessions(sessions: tuple[dict[str, Any], dict[str, Any], Any]) -> None:
    real, memory, _dialect = sessions
    codes = []
    for session in (real, memory):
        of_admin = session["admin"].query("SELECT CONNECTION_ID()")[0][0]
        of_weak = session["weak"].query("SELECT CONNECTION_ID()")[0][0]
        with pytest.raises(core.mysql_errors.QueryFailed) as caught:
            session["weak"].query(f"KILL {of_admin}")
        codes.append(caught.value.code)
        session["admin"].query(f"KILL {of_weak}")
        with pytest.raises(core.mysql_errors.QueryFailed) as caught:
            session["weak"].query("SELECT 1")
        assert caught.value.connection_lost or session is real
    assert codes[0] == codes[1]
