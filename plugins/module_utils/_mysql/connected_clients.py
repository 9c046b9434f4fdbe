# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which clients are connected and with which program, and what the server has counted of logins since its start.

What each counter counts was measured, see docs/server_differences.md.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, is_on
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    ER_ACCESS_DENIED_ERROR,
    ER_SECURE_TRANSPORT_REQUIRED,
    QueryFailed,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import (
    listed_sessions,
    live_sessions,
    not_in_performance_schema,
)

THREADS = "performance_schema.threads"
PROCESS_LIST = "information_schema.processlist"

# What a client says about itself is cut: it may be anything.
_ATTRIBUTE = "LEFT(MAX(CASE WHEN ATTR_NAME = '{}' THEN ATTR_VALUE END), 64)"
# The derived table takes 2 ms for 300 sessions on MySQL 9.7 and 14 ms on MariaDB 10.11. Without an index, as MariaDB
# has none, joining the tables themselves would compare every session with every attribute.
_CLIENTS = (
    "SELECT t.PROCESSLIST_ID, t.PROCESSLIST_USER, t.PROCESSLIST_HOST, t.CONNECTION_TYPE, a.driver, a.version, "
    "a.program FROM performance_schema.threads t LEFT JOIN (SELECT PROCESSLIST_ID AS id, "
    + _ATTRIBUTE.format("_client_name")
    + " AS driver, "
    + _ATTRIBUTE.format("_client_version")
    + " AS version, "
    + _ATTRIBUTE.format("program_name")
    + " AS program FROM performance_schema.session_connect_attrs GROUP BY PROCESSLIST_ID) a ON a.id = t.PROCESSLIST_ID "
    "WHERE t.TYPE = 'FOREGROUND' AND t.PROCESSLIST_ID IS NOT NULL AND t.PROCESSLIST_USER IS NOT NULL "
    "AND t.CONNECTION_TYPE IS NOT NULL AND t.PROCESSLIST_ID <> CONNECTION_ID()"
)
_USERS = "SELECT USER, TOTAL_CONNECTIONS, TOTAL_SSL_CONNECTIONS, ACCESS_DENIED FROM information_schema.USER_STATISTICS"
_HOSTS = (
    "SELECT CLIENT, TOTAL_CONNECTIONS, TOTAL_SSL_CONNECTIONS, ACCESS_DENIED FROM information_schema.CLIENT_STATISTICS"
)
_USERSTAT_ORIGIN = (
    "SELECT GLOBAL_VALUE_ORIGIN FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME = 'USERSTAT'"
)
_ACCOUNTS_LOST = "SHOW GLOBAL STATUS LIKE 'Performance\\_schema\\_accounts\\_lost'"
_ACCOUNTS = "SELECT USER, HOST, TOTAL_CONNECTIONS FROM performance_schema.accounts WHERE USER IS NOT NULL"
# One row of the index for each account and error: 2 ms for 100 accounts. In any other form, such as with IN, the server
# goes through every error of every account, which takes 400 ms.
_REFUSED = (
    "SELECT STRAIGHT_JOIN a.USER, a.HOST, a.TOTAL_CONNECTIONS, "
    "COALESCE(d.SUM_ERROR_RAISED, 0) + COALESCE(s.SUM_ERROR_RAISED, 0) FROM performance_schema.accounts a "
    + "".join(
        f"LEFT JOIN performance_schema.events_errors_summary_by_account_by_error {name} ON {name}.USER = a.USER "
        f"AND {name}.HOST = a.HOST AND {name}.ERROR_NUMBER = {error} "
        for name, error in (("d", ER_ACCESS_DENIED_ERROR), ("s", ER_SECURE_TRANSPORT_REQUIRED))
    )
    + "WHERE a.USER IS NOT NULL"
)


class Client(t.NamedTuple):
    """What sessions have in common.

    ``transport`` is as performance_schema names it, None where it is not exposed; ``driver`` and ``program`` are
    what the client says about itself, empty where it says nothing.
    """

    user: str
    host: str
    transport: str | None
    driver: str = ""
    program: str = ""


class Counter(t.NamedTuple):
    """Logins since the server's start, or since somebody has set the counters to zero.

    ``user`` and ``host`` (the client's) are None where they are not told apart; so are ``tls`` and ``refused``.
    """

    user: str | None
    host: str | None
    logins: int
    tls: int | None
    refused: int | None


@dataclass(frozen=True)
class Connected:
    """What one check of a server shows. ``source`` is None where this login sees nobody else's sessions.

    ``login`` and ``client`` are user and host of this session as the server counts it. ``since_start``: whether it is
    sure that no login since the server's start is missing in ``users``.
    """

    connection_id: int
    login: str
    client: str
    source: str | None
    clients: t.Mapping[Client, t.Sequence[int]]
    users: tuple[Counter, ...] | None
    hosts: tuple[Counter, ...] | None
    accounts: tuple[Counter, ...] | None
    since_start: bool = False


def connected_clients(session: Session, dialect: Dialect) -> Connected:
    """Ask a server who is connected, and what it has counted.

    :raises QueryFailed: when the session is lost.
    """
    ((number, name),) = session.query("SELECT CONNECTION_ID(), USER()")
    login, _at, client = str(name).rpartition("@")
    source, clients = _clients(session, dialect)
    users = hosts = None
    since_start = False
    if is_on(dialect.variables.get("userstat")):
        users = _counters(session, _USERS, lambda row: Counter(str(row[0]), None, *_numbers(row[1:])))
        hosts = _counters(session, _HOSTS, lambda row: Counter(None, str(row[0]), *_numbers(row[1:])))
        # By a statement, it may have been switched on long after the start.
        since_start = _readable(session, _USERSTAT_ORIGIN) in ([("CONFIG",)], [("COMMAND-LINE",)])
    accounts = _accounts(session, dialect)
    return Connected(int(number), login, client, source, clients, users, hosts, accounts, since_start)


def _clients(session: Session, dialect: Dialect) -> tuple[str | None, dict[Client, list[int]]]:
    """Where it is read from, and the numbers of each client's sessions."""
    found: dict[Client, list[int]] = {}
    if dialect.sees_session_transport:
        rows = _readable(session, _CLIENTS)
        if rows is not None:
            for number, user, host, transport, driver, version, program in rows:
                about = " ".join(_text(part) for part in (driver, version) if part)
                client = Client(str(user), str(host or ""), str(transport), about, _text(program))
                found.setdefault(client, []).append(int(number))
            seen = {number for numbers in found.values() for number in numbers}
            for one in not_in_performance_schema(session, seen) or ():
                found.setdefault(Client(one.user, one.host, None), []).append(one.connection_id)
            return THREADS, found
    # Not what clients say about themselves, or not even how they are connected.
    sessions = live_sessions(session, dialect)
    source = THREADS if sessions is not None else PROCESS_LIST
    if sessions is None:
        sessions = listed_sessions(session)
    for one in sessions or ():
        transport = "Socket" if one.local else one.transport
        found.setdefault(Client(one.user, one.host, transport), []).append(one.connection_id)
    return (None if sessions is None else source), found


def _accounts(session: Session, dialect: Dialect) -> tuple[Counter, ...] | None:
    """Per user and client host. MySQL counts a refused login as a connection too, MariaDB does not.

    None also where it has counted some nowhere, as ``performance_schema_accounts_size`` is too small for them.
    """
    if not is_on(dialect.variables.get("performance_schema")):
        return None
    if any(str(lost) != "0" for _name, lost in _readable(session, _ACCOUNTS_LOST) or ()):
        return None
    if dialect.has_error_summaries:
        refused = _counters(
            session, _REFUSED, lambda row: Counter(str(row[0]), str(row[1]), int(row[2]), None, int(row[3]))
        )
        if refused is not None:
            return refused
    return _counters(session, _ACCOUNTS, lambda row: Counter(str(row[0]), str(row[1]), int(row[2]), None, None))


def _counters(
    session: Session, statement: str, make: t.Callable[[tuple[t.Any, ...]], Counter]
) -> tuple[Counter, ...] | None:
    rows = _readable(session, statement)
    return None if rows is None else tuple(make(row) for row in rows)


def _readable(session: Session, statement: str) -> list[tuple[t.Any, ...]] | None:
    """The rows, or None where this login may not read them or this server has no such table."""
    try:
        return session.query(statement)
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return None


def _numbers(row: t.Sequence[t.Any]) -> tuple[int, int, int]:
    logins, tls, refused = (int(value) for value in row)
    return logins, tls, refused


def _text(value: t.Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
