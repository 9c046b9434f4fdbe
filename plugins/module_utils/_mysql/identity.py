# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which server a session is with.

A name may lead to one server now and to another one a moment later: a load balancer, DNS with two addresses, a
failover. A cloned disk has the identifier of the one it was cloned from, so names and paths belong to it as well.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

_MYSQL = ("hostname", "port", "datadir", "server_uuid")
_MARIADB = ("hostname", "port", "datadir", "pid_file")
# Since MariaDB 10.11; absent before.
_MARIADB_UID = "server_uid"
# A server_uuid, or a server_uid, which is a SHA-1 in base64.
_IDENTIFIER = re.compile(r"(?:\A[0-9a-fA-F-]{36}| [0-9A-Za-z+/]{27}=)\Z")


class AnotherServer(RdsMysqlError):
    """The session is with another server than the one that the work is about."""


@dataclass(frozen=True)
class ServerIdentity:
    """What tells a server from every other: ``server_id`` is its server_uuid, or pid_file and server_uid."""

    hostname: str
    port: str
    datadir: str
    server_id: str

    def has_data_of(self, other: ServerIdentity) -> bool:
        """Whether it may be that server on another machine, as after a failover of RDS or from a copy of its disk."""
        return (self.server_id, self.datadir, self.port) == (other.server_id, other.datadir, other.port)

    @property
    def unique(self) -> bool:
        """Whether it has more than paths, which are the same on every RDS instance of MariaDB before 10.11."""
        return bool(_IDENTIFIER.search(self.server_id))

    @property
    def data(self) -> str:
        """The same for a server on another machine with the same data."""
        return f"{self.server_id} {self.datadir} {self.port}"

    def __str__(self) -> str:
        return f"{self.hostname}:{self.port} with the data directory {self.datadir}"

    def describe(self) -> dict[str, str]:
        """The form in a rollback record."""
        return asdict(self)


def read_identity(session: Session, dialect: Dialect) -> ServerIdentity:
    """Ask the server of this session.

    :raises QueryFailed: when it does not answer.
    """
    names = _names(dialect)
    rows = session.query("SELECT " + ", ".join(f"@@{name}" for name in names))
    return _identity(dict(zip(names, rows[0])))


def read_only_identity(session: Session, dialect: Dialect) -> ServerIdentity:
    """The same, asked in three ways, as a proxy may send what reads to one server, and what writes to another.

    Some take SELECT for what reads, some SHOW as well; in a transaction, which may write, neither is.

    :raises AnotherServer: when two servers answer.
    """
    found = read_identity(session, dialect)
    listed = ", ".join(f"'{name}'" for name in _names(dialect))
    rows = session.query(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({listed})")
    shown = _identity({str(name).lower(): value for name, value in rows})
    session.query("START TRANSACTION")
    writing = read_identity(session, dialect)
    session.query("ROLLBACK")
    for other in (shown, writing):
        if other != found:
            raise AnotherServer(
                f"{session.options.endpoint} sends statements to several servers ({found}, and {other}), as a proxy "
                "does that separates reads from writes. Connect to the server itself."
            )
    return found


def require_server(session: Session, dialect: Dialect, expected: ServerIdentity) -> None:
    """Beside a read that decides something: the session is with this server.

    :raises AnotherServer: when it is not.
    """
    found = read_identity(session, dialect)
    if found != expected:
        raise AnotherServer(
            f"{session.options.endpoint} led to another server ({found}) than before ({expected}). Connect to the "
            "server itself, not to a name that stands for several."
        )


def _names(dialect: Dialect) -> tuple[str, ...]:
    if not dialect.is_mariadb:
        return _MYSQL
    return (*_MARIADB, _MARIADB_UID) if _MARIADB_UID in dialect.variables else _MARIADB


def _identity(values: t.Mapping[str, t.Any]) -> ServerIdentity:
    ids = [values.get(name) for name in ("server_uuid", "pid_file", _MARIADB_UID) if name in values]
    return ServerIdentity(
        hostname=_text(values.get("hostname")),
        port=_text(values.get("port")),
        datadir=_text(values.get("datadir")),
        server_id=" ".join(_text(value) for value in ids),
    )


def _text(value: t.Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
