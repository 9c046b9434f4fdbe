# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time and memory that mysql_require_ssl takes for thousands of accounts, by server: ``make bench-require``."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from tests.servers import MATRIX, Pki, Server, ServerUnavailable, provide

STEM = "bench"
_AT_ONCE = 500
_SECONDS = 600


@dataclass(frozen=True)
class Measured:
    """Seconds of each step with its login, and the peak memory of the process that made them, in MiB."""

    plan: float
    apply: float
    again: float
    back: float
    statements: int
    memory: float


@contextmanager
def many_accounts(server: Server, number: int) -> Iterator[None]:
    """So many accounts, without passwords, called ``bench_00000`` and so on; gone after the block."""
    connection = pymysql.connect(
        unix_socket=server.socket, user=server.admin_user, password=server.admin_password, ssl_disabled=True
    )
    names = [f"'{STEM}_{place:05}'@'10.%'" for place in range(number)]
    groups = [", ".join(names[place : place + _AT_ONCE]) for place in range(0, number, _AT_ONCE)]
    with connection, connection.cursor() as cursor:
        for group in groups:
            cursor.execute(f"CREATE USER {group}")
        try:
            yield
        finally:
            for group in groups:
                cursor.execute(f"DROP USER {group}")


def measure(options: Mapping[str, Any]) -> Measured:
    """Plan, apply, apply again and take back, in a new process.

    :arg options: Parameters of mysql_require_ssl, all of them.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.require_ssl", "--child"],
        input=json.dumps(dict(options)),
        stdout=subprocess.PIPE,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    return Measured(**json.loads(done.stdout))


def _child() -> None:
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import enforce

    options = json.load(sys.stdin)

    def timed(check: bool, **more: Any) -> tuple[float, dict[str, Any]]:
        started = time.perf_counter()
        values = enforce.run({**options, **more}, check)
        return time.perf_counter() - started, values

    plan, promised = timed(True)
    apply, done = timed(False)
    again, nothing = timed(False)
    back, _undone = timed(False, ssl_type="none")
    assert done["changed"]
    assert done["verified"]
    assert done["statements"] == promised["statements"]
    assert not nothing["changed"]
    # Kilobytes on Linux.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(vars(Measured(plan, apply, again, back, len(done["statements"]), memory)), sys.stdout)


def parameters(server: Server, **more: Any) -> dict[str, Any]:
    """Parameters of mysql_require_ssl, with its defaults, for the accounts of :func:`many_accounts`."""
    options: dict[str, Any] = {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.admin_user,
        "login_password": server.admin_password,
        "connect_timeout": 30,
        "ca_cert": str(server.tls.ca) if server.tls else None,
        "tls_min_version": "TLSv1" if server.name == "mysql-5.6" else "TLSv1.2",
        "accounts": [f"{STEM}_*"],
        "ssl_type": "any",
        "include_system": False,
        "include_local": False,
        "unchangeable": "fail",
        "exact": False,
        "method": "auto",
        "flush": "auto",
        "plaintext_sessions": "fail",
    }
    return {**options, **more}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="make bench-require", description=__doc__)
    parser.add_argument("--accounts", type=int, default=5000)
    parser.add_argument("--server", action="append", choices=MATRIX, help="only this one; may be repeated")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.child:
        _child()
        return 0
    print(f"{chosen.accounts} accounts; seconds of each run with its logins")
    print(f"{'server':<15}{'plan':>8}{'apply':>8}{'again':>8}{'back':>8}{'accounts/s':>12}{'statements':>12}{'MiB':>7}")
    for name in chosen.server or MATRIX:
        with tempfile.TemporaryDirectory() as directory:
            pki = Pki(Path(directory))
            try:
                with provide(name, tls=pki.server_for(name)) as server, many_accounts(server, chosen.accounts):
                    found = measure(parameters(server, ca_cert=str(pki.bundle)))
            except ServerUnavailable as e:
                print(f"{name:<15}cannot be had here: {e}")
                continue
        speed = chosen.accounts / found.apply
        print(
            f"{name:<15}{found.plan:8.2f}{found.apply:8.2f}{found.again:8.2f}{found.back:8.2f}{speed:12.0f}"
            f"{found.statements:12}{found.memory:7.0f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
