# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make bench``: a fleet of inventory hosts on a few real servers, through whole ``ansible-playbook`` runs.

Ways, in alternation: a playbook that does nothing (the floor), ``ansible.mysql.mysql_info`` (the peer), our module as a
module and in process, the playbook audit in one task and with a task for each host, and the playbooks plan and enforce
with nothing to change, and with changes on ten servers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pymysql

from tests.servers import Pki, Server, provide

_SERVERS = ("mariadb-11.8", "mysql-9.7")
_USER, _PASSWORD = "bench_reader", "pw-of-the-bench"
_GRANTS = ("SELECT ON *.*", "PROCESS ON *.*", "CREATE USER ON *.*")
_STATUS = {
    "login_host": "127.0.0.1",
    "login_port": "{{ port }}",
    "login_user": _USER,
    "login_password": "{{ password }}",
    "ca_cert": "{{ bundle }}",
}
NOTHING = "nothing (assert)"
NAMES = (
    *(NOTHING, "ansible.mysql.mysql_info", "mysql_ssl_status, module", "mysql_ssl_status, in process"),
    *("audit", "audit, a task for each host", "plan", "enforce --check", "enforce", "enforce, changes on 10"),
)
CHANGING = 10
# At most so many times what a playbook takes that does nothing, by number of hosts.
TARGETS: dict[str, dict[int, float]] = {
    "audit": {200: 0.8, 1000: 0.7},
    "plan": {200: 1.5, 1000: 1.0},
    "enforce --check": {200: 1.5, 1000: 1.0},
    "enforce": {200: 1.5, 1000: 1.0},
    "enforce, changes on 10": {1000: 1.5},
}
_PEER = {"filter": ["version", "settings", "users_info"], "check_hostname": False, **_STATUS}


@dataclass(frozen=True)
class Way:
    """A playbook, by path or by name, with more arguments.

    ``changes``: whether the first hosts are servers of their own, on each of which TLS is required for an account.
    """

    name: str
    playbook: str
    arguments: tuple[str, ...] = ()
    changes: bool = False


@dataclass(frozen=True)
class Sample:
    """One run: wall clock and CPU in seconds, the largest process in MiB."""

    wall: float
    cpu: float
    memory: float


def _playbook(path: Path, task: dict[str, Any]) -> str:
    head = {"hosts": "all", "gather_facts": False, "connection": "local"}
    own = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    path.write_text(json.dumps([{**head, "vars": own, "tasks": [task]}]), encoding="utf-8")
    return str(path)


def _ways(work: Path) -> list[Way]:
    status = {"dbtls.rds_mysql.mysql_ssl_status": _STATUS}
    looking = _playbook(work / "status.yml", status)
    ways = [
        Way(NOTHING, _playbook(work / "noop.yml", {"ansible.builtin.assert": {"that": "port > 0"}})),
        Way("ansible.mysql.mysql_info", _playbook(work / "peer.yml", {"ansible.mysql.mysql_info": _PEER})),
        Way("mysql_ssl_status, module", looking, ("-e", "dbtls_in_process=never")),
        Way("mysql_ssl_status, in process", looking, ("-e", "dbtls_in_process=always")),
        Way("audit", "dbtls.rds_mysql.audit"),
        Way("audit, a task for each host", "dbtls.rds_mysql.audit", ("-e", "mysql_tls_per_host=true")),
        Way("plan", "dbtls.rds_mysql.plan"),
        Way("enforce --check", "dbtls.rds_mysql.enforce", ("--check",)),
        Way("enforce", "dbtls.rds_mysql.enforce"),
        Way("enforce, changes on 10", "dbtls.rds_mysql.enforce", changes=True),
    ]
    assert tuple(way.name for way in ways) == NAMES
    return ways


def _inventory(path: Path, servers: Sequence[Server], count: int, bundle: Path, changing: Sequence[Server] = ()) -> str:
    hosts: dict[str, dict[str, Any]] = {
        f"db{number:05}": {"port": servers[number % len(servers)].port} for number in range(count)
    }
    for host, server in zip(hosts.values(), changing, strict=False):
        host["port"] = server.port
    variables = {
        "password": _PASSWORD,
        "bundle": str(bundle),
        "ansible_host": "127.0.0.1",
        "mysql_tls_login_port": "{{ port }}",
        "mysql_tls_login_user": _USER,
        "mysql_tls_login_password": _PASSWORD,
        "mysql_tls_ca_cert": str(bundle),
        "mysql_tls_all_accounts": True,
        "mysql_tls_plaintext_sessions": "allow",
    }
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}), encoding="utf-8")
    return str(path)


def _run(way: Way, inventory: str, forks: int, work: Path) -> Sample:
    log = work / "run.log"
    command = ["ansible-playbook", "-i", inventory, "-f", str(forks), *way.arguments, way.playbook]
    started = time.perf_counter()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=work,
            env={**os.environ, "HOME": str(work), "ANSIBLE_HOME": str(work / ".ansible"), "ANSIBLE_NOCOLOR": "1"},
        )
        _pid, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{way.name} failed:\n{log.read_text('utf-8')[-2000:]}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _prepare(server: Server) -> None:
    connection = pymysql.connect(
        unix_socket=server.socket, user=server.admin_user, password=server.admin_password, ssl_disabled=True
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (_USER, _PASSWORD))
        for grant in _GRANTS:
            cursor.execute(f"GRANT {grant} TO %s@'%%'", (_USER,))
        cursor.execute("ALTER USER %s@'%%' REQUIRE SSL", (_USER,))
        cursor.execute("SET GLOBAL max_connections = 1000")


def _open(server: Server) -> None:
    """An account that may log in without TLS."""
    connection = pymysql.connect(
        unix_socket=server.socket, user=server.admin_user, password=server.admin_password, ssl_disabled=True
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER IF NOT EXISTS app@'%'")
        cursor.execute("ALTER USER app@'%' REQUIRE NONE")


def measure(hosts: Sequence[int], forks: Sequence[int], rounds: int, leave_out: Sequence[str]) -> list[dict[str, Any]]:
    """Every way with every number of hosts and forks; medians of so many rounds."""
    rows = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        work = Path(name)
        pki = Pki(work / "pki")
        servers = [stack.enter_context(provide(server, tls=pki.server_for(server))) for server in _SERVERS]
        ways = [way for way in _ways(work) if way.name not in leave_out]
        names = ["mariadb-11.8"] * CHANGING if any(way.changes for way in ways) else []
        changing = [stack.enter_context(provide(server, tls=pki.server_for(server))) for server in names]
        for server in (*servers, *changing):
            _prepare(server)
        for count in hosts:
            inventory = _inventory(work / f"inventory-{count}.json", servers, count, pki.bundle)
            with_changes = _inventory(work / f"changing-{count}.json", servers, count, pki.bundle, changing)
            for fork in forks:
                samples: dict[str, list[Sample]] = {way.name: [] for way in ways}
                for number in range(1, rounds + 1):
                    print(f"{count} hosts, {fork} forks: round {number} of {rounds}", file=sys.stderr, flush=True)
                    for way in ways:
                        for server in changing if way.changes else ():
                            _open(server)
                        samples[way.name].append(_run(way, with_changes if way.changes else inventory, fork, work))
                rows += [_row(count, fork, way, found, samples) for way, found in samples.items()]
    return rows


def _row(count: int, forks: int, way: str, found: list[Sample], samples: dict[str, list[Sample]]) -> dict[str, Any]:
    wall = statistics.median(sample.wall for sample in found)
    floor = statistics.median(sample.wall for sample in samples[NOTHING])
    return {
        "hosts": count,
        "forks": forks,
        "way": way,
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(statistics.median(sample.cpu for sample in found), 2),
        "memory_mib": round(max(sample.memory for sample in found), 1),
        "hosts_per_second": round(count / wall, 1),
        "times_the_floor": round(wall / floor, 2),
        "target": TARGETS.get(way, {}).get(count),
    }


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> None:
    """Print a table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=_numbers, default=[50, 200, 1000])
    parser.add_argument("--forks", type=_numbers, default=[5, 10, 50])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", action="append", default=[], help="leave a way out, by the name in the table")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    rows = measure(arguments.hosts, arguments.forks, arguments.rounds, arguments.without)
    machine = {
        "python": platform.python_version(),
        "ansible_core": version("ansible-core"),
        "cryptography": version("cryptography"),
        "PyMySQL": version("PyMySQL"),
        "servers": ", ".join(_SERVERS),
        "cores": os.cpu_count(),
        "rounds": arguments.rounds,
    }
    print(" ".join(f"{name}={value}" for name, value in machine.items()))
    titles = f"{'hosts':>5} {'forks':>5}  {'way':30} {'wall s':>8} {'cpu s':>8} {'MiB':>6}"
    print(f"{titles} {'hosts/s':>8} {'x floor':>8} {'target':>6}")
    for row in rows:
        times = f"{row['wall_seconds']:8.2f} {row['cpu_seconds']:8.2f} {row['memory_mib']:6.1f}"
        rates = f"{row['hosts_per_second']:8.1f} {row['times_the_floor']:8.2f} {row['target'] or '':>6}"
        print(f"{row['hosts']:5d} {row['forks']:5d}  {row['way']:30} {times} {rates}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
