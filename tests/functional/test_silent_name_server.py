# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A name server that does not answer, in a network and with a resolv.conf of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

# Port 53 of a network that nobody else is in; nothing is ever read there.
_CHECK = """
import json, os, signal, socket, subprocess, sys, threading, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sweep
if sys.argv[2] == "interrupted":
    threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT]).start()
started = time.monotonic()
try:
    told = sweep.run(json.loads(sys.argv[1]))
except BaseException as e:
    told = f"{type(e).__name__}: {e}"
print(json.dumps([time.monotonic() - started, told]), flush=True)
"""

# Where the name servers' answers come from, whatever nsswitch.conf says.
_PREPARE = 'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@"'


def check(directory: Path, how: str, **options: t.Any) -> tuple[float, t.Any]:
    """How long the check took, and its result or its error."""
    files = {"resolv.conf": "nameserver 127.0.0.1\n", "nsswitch.conf": "hosts: files dns\n"}
    for name, content in files.items():
        (directory / name).write_text(content, "utf-8")
    params = {
        "login_host": "db.dbtls.test",
        "login_port": 3306,
        "config_file": "/dev/null",
        "connect_timeout": 2,
        "tls_min_version": "TLSv1.2",
        "expiry_warn_days": 30,
        "probe_protocols": False,
        "fail_on": "none",
        **options,
    }
    alone = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    prepared = ["sh", "-c", _PREPARE, "sh", *(str(directory / name) for name in files)]
    try:
        done = subprocess.run(
            [*alone, *prepared, sys.executable, "-c", _CHECK, json.dumps(params), how],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("this machine lacks the command unshare (util-linux)")
    if not done.stdout and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip(f"cannot be had here: {done.stderr.strip()}")
    assert done.stdout, done.stderr
    seconds, told = json.loads(done.stdout)
    return seconds, told


@pytest.fixture(autouse=True)
def _ip() -> None:
    if not shutil.which("ip"):
        pytest.skip("this machine lacks the command ip (iproute2)")


def test_a_check_ends_in_time(tmp_path: Path) -> None:
    seconds, told = check(tmp_path, "alone")
    assert seconds < 2 + 2
    assert told.endswith("Cannot reach db.dbtls.test:3306: its name was not resolved within 2 seconds.")


def test_in_a_sweep_it_fails_alone(tmp_path: Path) -> None:
    """An address needs no name server; nobody listens there."""
    seconds, told = check(
        tmp_path, "alone", endpoints=[{"host": "db.dbtls.test"}, {"host": "127.0.0.1"}], concurrency=4
    )
    assert seconds < 2 + 2
    messages = [entry["msg"] for entry in told["endpoints"]]
    assert "its name was not resolved within 2 seconds" in messages[0]
    assert "Connection refused" in messages[1]


def test_an_interrupt_ends_the_wait(tmp_path: Path) -> None:
    seconds, told = check(tmp_path, "interrupted", connect_timeout=30)
    assert seconds < 1 + 2
    assert told.startswith("KeyboardInterrupt")
