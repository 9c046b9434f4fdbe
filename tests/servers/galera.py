# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Galera cluster of two MariaDB servers on loopback, with Debian's wsrep provider."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql

from . import debian
from .cache import build_once, say
from .catalogue import DebianPackage, entry_for
from .datadir import template
from .packages import find_program
from .pki import TlsFiles
from .process import free_port
from .server import Server

NAME = "mariadb-10.11"
"""The server of the catalogue whose libraries the provider of the same Debian release needs."""

_PROVIDER = DebianPackage("bookworm", "galera-4")


@contextmanager
def galera_cluster(tls: TlsFiles, options: Sequence[str] = ()) -> Iterator[tuple[Server, Server]]:
    """Two nodes that are in step.

    The second one starts with the same data as the first and says so in its saved state, so that nothing has to be
    transferred, for which other programs would be needed.
    """
    entry = entry_for(NAME)
    program = find_program(entry)
    ports = (free_port("127.0.0.1"), free_port("127.0.0.1"))

    def node(number: int, *more: str) -> Server:
        port, incremental = ports[number - 1], free_port("127.0.0.1")
        provider_options = (
            f"base_port={port};gmcast.listen_addr=tcp://127.0.0.1:{port};ist.recv_addr=127.0.0.1:{incremental};"
            "gcache.size=16M;pc.recovery=false"
        )
        return Server(
            entry,
            program,
            tls=tls,
            options=(
                "--wsrep-on=ON",
                f"--wsrep-provider={_provider()}",
                f"--wsrep-provider-options={provider_options}",
                "--wsrep-node-address=127.0.0.1",
                f"--wsrep-node-name=node{number}",
                "--binlog-format=ROW",
                "--innodb-autoinc-lock-mode=2",
                *more,
                *options,
            ),
            init_sql=(),
            environment={},
            bind_address="127.0.0.1",
        )

    with (
        closing(node(1, "--wsrep-cluster-address=gcomm://", "--wsrep-new-cluster")) as first,
        closing(node(2, f"--wsrep-cluster-address=gcomm://127.0.0.1:{ports[0]}")) as second,
    ):
        first.start()
        shutil.copytree(template(entry, program), second.datadir, symlinks=True)
        second.datadir.chmod(0o700)
        (second.datadir / "grastate.dat").write_text(_state_of(first), encoding="utf-8")
        second.start()
        yield first, second


def _provider() -> Path:
    def fetch(destination: Path) -> None:
        say("fetching the Galera provider (about 1 MB, once)")
        debian.unpack(_PROVIDER, destination, alone=True)

    return build_once("packages", f"galera-{_PROVIDER.suite}", fetch) / "usr/lib/galera/libgalera_smm.so"


def _state_of(node: Server) -> str:
    connected = pymysql.connect(
        unix_socket=node.socket, user=node.admin_user, password=node.admin_password, ssl_disabled=True
    )
    with connected as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'wsrep_%'")
        status = dict(cursor.fetchall())
    return (
        "# GALERA saved state\nversion: 2.1\n"
        f"uuid:    {status['wsrep_cluster_state_uuid']}\nseqno:   {status['wsrep_last_committed']}\n"
        "safe_to_bootstrap: 0\n"
    )
