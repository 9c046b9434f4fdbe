# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_ssl_status with endpoints: many servers in one task."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.servers import MATRIX, Pki
from tests.servers.answering import silent_server, wait_for_client

from .launcher import COLLECTION
from .plays import Ansible
from .runner import Modules, client_options, module_environment
from .servers import Servers


def endpoint(servers: Servers, name: str, **more: Any) -> dict[str, Any]:
    """A server of the matrix; MySQL 5.6 needs old TLS to be met at all."""
    server = servers.get(name).server
    old = {"tls_min_version": "TLSv1"} if name == "mysql-5.6" else {}
    return {"host": server.host, "port": server.port, **old, **more}


def test_every_server_from_outside(servers: Servers, modules: Modules, pki: Pki) -> None:
    endpoints = [endpoint(servers, name) for name in MATRIX]
    result = modules.status(endpoints=endpoints, ca_cert=str(pki.bundle)).ok()
    assert result["changed"] is False
    assert "mysql_ssl" not in result.values
    assert "ansible_facts" not in result.values
    entries = result["endpoints"]
    assert [(entry["host"], entry["port"]) for entry in entries] == [(e["host"], e["port"]) for e in endpoints]
    for name, entry in zip(MATRIX, entries, strict=True):
        assert entry["failed"] is False, entry
        assert entry["msg"] is None
        assert entry["mysql_ssl"]["server"]["family"] == name.split("-")[0]
        assert entry["mysql_ssl"]["session"] is None
        alone = modules.status(
            login_host=entry["host"],
            login_port=entry["port"],
            ca_cert=str(pki.bundle),
            **({"tls_min_version": "TLSv1"} if name == "mysql-5.6" else {}),
        ).ok()
        assert alone["mysql_ssl"] == entry["mysql_ssl"]


def test_each_with_options_of_its_own(servers: Servers, modules: Modules, pki: Pki, stranger: Pki) -> None:
    """What one endpoint has been given is not seen by the next, and the failure of one is its own."""
    first, second = servers.get("mariadb-10.11"), servers.get("mysql-9.7")
    reader = first.create("reader-of-first", grants="SELECT ON mysql.*")
    other = second.create("reader-of-second", require="X509", grants="SELECT ON mysql.*")
    login = {"login_user": reader.user, "login_password": reader.password}
    endpoints = [
        endpoint(servers, "mariadb-10.11", **login),
        endpoint(servers, "mariadb-10.11"),
        endpoint(servers, "mariadb-10.11", **login, ssl_ca=str(stranger.bundle)),
        endpoint(servers, "mariadb-10.11", login_user=reader.user, login_password="not-the-password"),
        {"host": "127.0.0.1", "port": 1},
        {"host": "name.invalid"},
        endpoint(
            servers,
            "mysql-9.7",
            login_user=other.user,
            login_password=other.password,
            **client_options(pki.client()),
        ),
        endpoint(servers, "mysql-9.7", ca_cert="/nowhere.pem"),
    ]
    result = modules.status(endpoints=endpoints, ca_cert=str(pki.bundle)).ok()
    entries = result["endpoints"]
    assert [entry["failed"] for entry in entries] == [False, False, True, True, True, True, False, True]
    sessions: list[Any] = [(entry["mysql_ssl"] or {}).get("session") for entry in entries]
    assert sessions[0]["user"].startswith(f"{reader.user}@")
    assert sessions[0]["verified"] is True
    assert sessions[1] is None
    assert entries[2]["mysql_ssl"]["certificate"]["trusted"] is False
    assert entries[0]["mysql_ssl"]["certificate"]["trusted"] is True
    assert sessions[6]["user"].startswith(f"{other.user}@")
    for entry, said in ((entries[4], "refused"), (entries[5], "name.invalid"), (entries[7], "/nowhere.pem")):
        assert said in entry["msg"]
    for secret in (reader.password, other.password, "not-the-password"):
        assert secret not in result.output


def test_fail_on(servers: Servers, modules: Modules, pki: Pki) -> None:
    endpoints = [endpoint(servers, "mariadb-11.8"), {"host": "127.0.0.1", "port": 1}]
    result = modules.status(endpoints=endpoints, ca_cert=str(pki.bundle), fail_on="high")
    assert result.failed
    assert result.msg.startswith("1 of 2 endpoints could not be checked or have findings of severity high or more: ")
    assert "127.0.0.1:1." in result.msg
    assert [entry["failed"] for entry in result["endpoints"]] == [False, True]
    plain = servers.get("mariadb-11.8", tls=False).server
    low = modules.status(endpoints=[{"host": plain.host, "port": plain.port}], fail_on="high")
    assert low.failed
    assert "tls-unavailable" in low["endpoints"][0]["msg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"endpoints": [{"port": 1}]}, "host"),
        ({"endpoints": [{"host": "a", "nonsense": 1}]}, "nonsense"),
        ({"endpoints": [{"host": "a", "port": "b"}]}, "port"),
        ({"endpoints": [{"host": "a"}], "concurrency": 0}, "concurrency: 0"),
        ({"endpoints": [{"host": "a"}], "login_unix_socket": "/x"}, "login_unix_socket"),
        ({"endpoints": [{"host": "a", "client_cert": "/x"}]}, "client_key"),
    ],
)
def test_options_that_cannot_be(modules: Modules, options: dict[str, Any], said: str) -> None:
    refused = modules.status(**options)
    assert refused.failed
    assert said in refused.msg
    assert "endpoints" not in refused.values


def test_no_endpoints(modules: Modules) -> None:
    assert modules.status(endpoints=[]).ok()["endpoints"] == []


def test_one_that_hangs_holds_up_nobody(servers: Servers, modules: Modules, pki: Pki) -> None:
    good = endpoint(servers, "mariadb-11.8")
    with silent_server() as port:
        hung = {"host": "127.0.0.1", "port": port, "connect_timeout": 2}
        started = time.monotonic()
        result = modules.status(endpoints=[hung, hung, hung, *[good] * 40], ca_cert=str(pki.bundle), concurrency=8).ok()
    # Twice: in process, and as a module to compare with.
    assert time.monotonic() - started < 120
    assert [entry["failed"] for entry in result["endpoints"]] == [True] * 3 + [False] * 40
    assert "sent no handshake within 2 seconds" in result["endpoints"][0]["msg"]


def test_progress_is_shown(ansible: Ansible, servers: Servers, pki: Pki) -> None:
    ansible.secrets.append("no-password-here")
    with silent_server() as port:
        hung = {"host": "127.0.0.1", "port": port, "connect_timeout": 3}
        endpoints = [hung, endpoint(servers, "mariadb-11.8"), hung, hung]
        task = {
            "dbtls.rds_mysql.mysql_ssl_status": {"endpoints": endpoints, "ca_cert": str(pki.bundle), "concurrency": 1}
        }
        shown = ansible.play([task], {"dbtls_in_process": "always"}, "-v").ok()
    assert "of 4 endpoints, " in shown.output


def test_an_interrupt_does_not_wait(tmp_path: Path) -> None:
    with silent_server() as port:
        hung = [{"host": "127.0.0.1", "port": port, "connect_timeout": 600}] * 50
        arguments = {"endpoints": hung, "_ansible_check_mode": False, "_ansible_remote_tmp": str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, "-m", f"{COLLECTION}.plugins.modules.mysql_ssl_status"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **module_environment(tmp_path)},
        )
        assert process.stdin
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        process.stdin.close()
        wait_for_client(port)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(120) != 0
        assert time.monotonic() - started < 60
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stderr.close()
