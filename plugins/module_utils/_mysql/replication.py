# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a server's accounts come from another server, so that they are changed there."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# Columns of SHOW REPLICA STATUS, after those that MariaDB puts in front. Their names have changed, their order has not.
_HOST, _PORT, _IO_RUNNING, _SQL_RUNNING = 1, 3, 10, 11
_SOURCE_ID = 39
# Replicate_Do_DB, _Ignore_DB, _Do_Table, _Ignore_Table, _Wild_Do_Table, _Wild_Ignore_Table
_FILTERS = slice(12, 18)


@dataclass(frozen=True)
class ServerRole:
    """``read_only``: the server refuses to be written to, as replicas and Aurora readers do.

    ``replica_of`` is the source whose accounts it replicates, None where there is none or the login may not see it;
    ``stopped``: at present it does not. ``unseen``: the login may not see whether there is one. ``source_ids`` are the
    values of server_id of all its sources.
    """

    read_only: bool = False
    replica_of: str | None = None
    stopped: bool = False
    unseen: bool = False
    source_ids: tuple[str, ...] = ()

    @property
    def follows(self) -> bool:
        """Whether its accounts come from elsewhere."""
        return self.read_only or (self.replica_of is not None and not self.stopped)

    def describe(self) -> dict[str, t.Any]:
        """Return values."""
        return {"read_only": self.read_only, "replica_of": self.replica_of}


def read_role(session: Session, dialect: Dialect) -> ServerRole:
    """Ask the server.

    :raises QueryFailed: when it does not answer.
    """
    try:
        rows = session.query(dialect.replica_status_statement)
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return ServerRole(dialect.read_only, unseen=True)
    offset = dialect.replica_status_offset
    sources = [source for source in (_source(row, offset) for row in rows) if source]
    # Of several sources one that is running.
    name, stopped = min(sources, key=lambda source: source[1]) if sources else (None, False)
    ids = tuple(_text(row[offset + _SOURCE_ID]) for row in rows if len(row) > offset + _SOURCE_ID)
    return ServerRole(dialect.read_only, name, stopped, source_ids=ids)


def _source(row: t.Sequence[t.Any], offset: int) -> tuple[str, bool] | None:
    """The source and whether replication has stopped; None where the accounts are not replicated."""
    texts = [_text(value) for value in row[offset:]]
    if len(texts) < _FILTERS.stop:
        return "a source that the server does not name", False
    if not _replicates_accounts(*texts[_FILTERS]):
        return None
    return f"{texts[_HOST]}:{texts[_PORT]}", {texts[_IO_RUNNING], texts[_SQL_RUNNING]} == {"No"}


def _replicates_accounts(
    do_db: str, ignore_db: str, do_table: str, ignore_table: str, wild_do: str, wild_ignore: str
) -> bool:
    """Whether the replication filters let statements about accounts through, which belong to the database mysql."""

    def databases(*filters: str) -> list[str]:
        return [name.strip().partition(".")[0] for text in filters for name in text.split(",") if name.strip()]

    only, never = databases(do_db, do_table, wild_do), databases(ignore_db, wild_ignore)
    if "mysql" in never or "mysql.user" in ignore_table.split(","):
        return False
    return not only or "mysql" in only or "%" in only


def _text(value: t.Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
