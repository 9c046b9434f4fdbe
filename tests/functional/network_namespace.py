# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second host, for servers that treat clients of their own host in another way: a network namespace.

The two ends of a pair of virtual network interfaces have an address each; nothing leaves this machine.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers import Pki
from tests.servers.catalogue import entry_for
from tests.servers.packages import find_program
from tests.servers.server import Server

_SECONDS = 180


class NoNeighbour(Exception):
    """This machine does not let us have one; the message says why."""


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """``prefix`` runs a command over there; ``address`` is its address, and ``here`` the one it reaches us at.

    ``hosts`` is a file of names for both, in the form of /etc/hosts.
    """

    prefix: tuple[str, ...]
    address: str
    here: str
    hosts: Path

    @contextmanager
    def server(
        self, name: str, pki: Pki, *, tls: bool, options: Sequence[str], init_sql: Sequence[str]
    ) -> Iterator[Server]:
        """A server for the neighbour to reach, which resolves the names of its clients.

        Servers count failed connections of hosts only whose names they have resolved, and back again.
        """
        program = find_program(entry_for(name))
        alone = ("unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh")
        server = _Resolving(
            entry_for(name),
            dataclasses.replace(program, command=(*alone, str(self.hosts), *program.command)),
            tls=pki.server_for(name) if tls else None,
            options=options,
            init_sql=init_sql,
            environment={},
            bind_address=self.here,
        )
        try:
            server.start()
            yield server
        finally:
            server.close()


class _Resolving(Server):
    def _command(self) -> list[str]:
        return [option for option in super()._command() if option != "--skip-name-resolve"]


@contextmanager
def neighbour(directory: Path) -> Iterator[Neighbour]:
    """A neighbour for the length of a ``with`` block; NoNeighbour where this machine cannot have one."""
    missing = [program for program in ("ip", "nsenter", "unshare") if not shutil.which(program)]
    if missing:
        raise NoNeighbour("this machine lacks the command {} (iproute2, util-linux)".format(", ".join(missing)))
    number = secrets.token_hex(3)
    namespace, near, far = f"dbtls-{number}", f"dbtls-{number}a", f"dbtls-{number}b"
    network = f"10.213.{secrets.randbelow(256)}"
    first = 4 * secrets.randbelow(64)
    here, there = f"{network}.{first + 1}", f"{network}.{first + 2}"
    hosts = directory / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{here} here.dbtls.test\n{there} neighbour.dbtls.test\n", encoding="utf-8")
    prefix = ("nsenter", f"--net=/run/netns/{namespace}")
    try:
        _run("ip", "netns", "add", namespace)
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", namespace)
        _run("ip", "address", "add", f"{here}/30", "dev", near)
        _run("ip", "link", "set", near, "up")
        _run(*prefix, "ip", "address", "add", f"{there}/30", "dev", far)
        _run(*prefix, "ip", "link", "set", far, "up")
        _run("unshare", "--mount", "mount", "--bind", str(hosts), "/etc/hosts")
        yield Neighbour(prefix, there, here, hosts)
    finally:
        # The pair goes with the namespace.
        for command in (("ip", "link", "delete", near), ("ip", "netns", "delete", namespace)):
            subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False, env=dict(os.environ))
    if done.returncode:
        raise NoNeighbour("{}: {}".format(" ".join(command), done.stderr.strip()))
