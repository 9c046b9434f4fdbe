# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``mysql_ssl_status`` with ``sessions_only``: who is connected to one server and how, and nothing else."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.connected_clients import (
    Connected,
    Counter,
    connected_clients,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import read_identity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import NO_SUCH_ROWS


def run(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """From validated parameters to return values.

    :raises RdsMysqlError: or one of its kinds.
    """
    options = ConnectionOptions.from_params(params)
    try:
        with open_session(options) as session:
            dialect = discover(session)
            warnings = list(session.warnings)
            connected = connected_clients(session, dialect)
            identity = read_identity(session, dialect)
            encrypted = session.encrypted
    except QueryFailed as e:
        raise RdsMysqlError(f"{options.endpoint} does not say what it was asked: {e.message}") from e
    except NO_SUCH_ROWS as e:
        raise RdsMysqlError(f"{options.endpoint} does not answer as a MySQL server does ({type(e).__name__}).") from e
    by_socket = options.unix_socket is not None
    return {
        "changed": False,
        "mysql_ssl_sessions": {
            "endpoint": {
                "host": None if by_socket else options.host,
                "port": None if by_socket else options.port,
                "socket": options.unix_socket,
            },
            "server": {
                "version": dialect.version,
                "family": dialect.family,
                "managed_by": dialect.managed_by,
                "id": identity.data,
            },
            "checked_at": iso8601(utc_now()),
            "transport": "SSL/TLS" if encrypted else "Socket" if by_socket else "TCP/IP",
            **_describe(connected),
        },
        "warnings": warnings,
    }


def _describe(connected: Connected) -> dict[str, t.Any]:
    return {
        "connection_id": connected.connection_id,
        "login": connected.login,
        "client": connected.client,
        "source": connected.source,
        "clients": [
            {**client._asdict(), "connection_ids": sorted(numbers)}
            for client, numbers in sorted(connected.clients.items(), key=lambda item: tuple(map(str, item[0])))
        ],
        "counted_since_start": connected.since_start,
        "counters": {
            "users": _counters(connected.users),
            "hosts": _counters(connected.hosts),
            "accounts": _counters(connected.accounts),
        },
    }


def _counters(counters: t.Iterable[Counter] | None) -> list[dict[str, t.Any]] | None:
    return None if counters is None else [counter._asdict() for counter in counters]
