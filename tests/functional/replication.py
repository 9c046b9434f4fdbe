# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source, and a replica of it that can be written to."""

from __future__ import annotations

from .database import Database
from .servers import Servers


def pair_of(servers: Servers, name: str) -> tuple[Database, Database]:
    """Two servers of a name, the second one a replica of the first."""
    source, replica = (servers.get(name, options=("--log-bin=bin", f"--server-id={number}")) for number in (41, 42))
    if not replica.query("SHOW ALL SLAVES STATUS" if replica.mariadb else "SHOW REPLICA STATUS"):
        source.query("CREATE USER repl_of_pair IDENTIFIED BY 'pw!of-a-test'")
        source.query("GRANT REPLICATION SLAVE ON *.* TO repl_of_pair")
        file, position = source.query("SHOW MASTER STATUS" if source.mariadb else "SHOW BINARY LOG STATUS")[0][:2]
        old = {"SOURCE": "MASTER", "REPLICA": "SLAVE"} if source.mariadb else {}
        word, name = (old.get(term, term) for term in ("SOURCE", "REPLICA"))
        replica.query(
            f"CHANGE {'MASTER' if source.mariadb else 'REPLICATION SOURCE'} TO {word}_HOST='127.0.0.1', "
            f"{word}_PORT={source.server.port}, {word}_USER='repl_of_pair', {word}_PASSWORD='pw!of-a-test', "
            f"{word}_SSL=1, {word}_SSL_CA='{source.pki.bundle}', {word}_LOG_FILE='{file}', {word}_LOG_POS={position}"
        )
        replica.query(f"START {name}")
    return source, replica


def caught_up(source: Database, replica: Database) -> None:
    """Wait until the replica has everything."""
    status = "SHOW MASTER STATUS" if source.mariadb else "SHOW BINARY LOG STATUS"
    file, position = source.query(status)[0][:2]
    function = "MASTER_POS_WAIT" if source.mariadb else "SOURCE_POS_WAIT"
    assert int(replica.value(f"SELECT {function}('{file}', {position}, 60)")) >= 0
