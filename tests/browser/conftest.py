# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at real servers, reports made of them, and a browser to read those in."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build, from_results, model
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.servers import Pki, Server, ServerUnavailable, provide
from tests.servers.answering import answering

from .chromium import axe, chromium
from .looks import BREAKOUT, IMAGE, SCRIPT, TEMPLATE, Look, MakeReport, connect, create, look_at, look_inside, populate
from .pages import Open, open_file


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authority of the servers."""
    return Pki(tmp_path_factory.mktemp("pki"), root_name="Amazon RDS Root 2019 CA")


@pytest.fixture(scope="session")
def hostile_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority with a name like no other."""
    return Pki(
        tmp_path_factory.mktemp("hostile"), root_name=f"Root {SCRIPT}"[:64], intermediate_name=f"CA {IMAGE}"[:64]
    )


@pytest.fixture(scope="session")
def started(pki: Pki, hostile_pki: Pki) -> Iterator[dict[str, Server]]:
    """Three real servers: in order but for some accounts, with a certificate that expires, and hostile."""
    with ExitStack() as stack:
        try:
            yield {
                "good": stack.enter_context(provide("mysql-9.7", tls=pki.server())),
                "expiring": stack.enter_context(provide("mariadb-10.11", tls=pki.server("expiring"))),
                "hostile": stack.enter_context(
                    provide("mariadb-11.8", tls=hostile_pki.server(), options=(f"--version=11.8.0-MariaDB-{SCRIPT}",))
                ),
            }
        except ServerUnavailable as e:
            pytest.skip(f"the servers cannot be had here: {e}")


def _refusal(message: bytes) -> bytes:
    """An error packet."""
    return b"\xff" + (1040).to_bytes(2, "little") + b"#08004" + message


@pytest.fixture(scope="session")
def looks(started: dict[str, Server], pki: Pki) -> dict[str, Look | None]:
    """What was found of three servers, and of two hosts that were not seen."""
    for name in ("good", "expiring"):
        populate(started[name])
    plain = connect(started["good"], unix_socket=None, host="127.0.0.1", port=started["good"].port)
    with closing(plain):
        return {
            "orders-1": look_inside(started["good"], pki),
            "stock-1": look_inside(started["expiring"], pki),
            "billing-1": look_at(login_host="127.0.0.1", login_port=started["good"].port, ca_cert=str(pki.bundle)),
            "archive-1": look_at(login_host="127.0.0.1", login_port=1),
            "spare-1": None,
        }


@pytest.fixture(scope="session")
def hostile_looks(started: dict[str, Server], hostile_pki: Pki) -> dict[str, Look | None]:
    """A server whose version, accounts and certificate are markup, and one whose refusal is."""
    server = started["hostile"]
    create(server, "auditor", "%", require="SSL", grants="ALL PRIVILEGES ON *.*")
    for user in (SCRIPT, IMAGE, BREAKOUT, TEMPLATE, "=cmd|' /C calc'!A0", "evil\u202e\u2066txt", "bell\a\x1b[31m"):
        create(server, user, "%")
    with answering(_refusal(f"Too many {SCRIPT} {IMAGE}".encode())) as port:
        return {
            "hostile-1": look_inside(server, hostile_pki),
            f"named {IMAGE}": look_at(login_host="127.0.0.1", login_port=port),
        }


@pytest.fixture
def make_report(tmp_path: Path) -> MakeReport:
    """Makes a report of looks."""

    def make(
        looks: dict[str, Look | None] | list[model.Server], run: str = "1", now: str | None = None, **more: Any
    ) -> build.WrittenReport:
        moment = now or iso8601(dt.datetime.now(dt.UTC))
        servers = (
            looks
            if isinstance(looks, list)
            else [server for host, look in looks.items() for server in from_results.servers_of(host, look, moment)]
        )
        request = build.ReportRequest(
            **{
                "dest": tmp_path / "report",
                "title": "Databases of the shop",
                "run": model.Run(run, moment, "0.1.0", "2.21.5"),
                "junit": True,
                "history": History(tmp_path / "state", tmp_path / "cache"),
                **more,
            }
        )
        return build.write_report(request, servers)

    return make


# The browser


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Drives the browser."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium; skips where it cannot be had."""
    try:
        found = chromium()
    except ServerUnavailable as e:
        pytest.skip(f"Chromium cannot be had here: {e}")
    running = playwright.chromium.launch(
        executable_path=found.executable,
        env={**os.environ, **found.environment},
        # Its sandbox needs privileges of its own; the pages are ours, and the network is not there for them.
        args=["--no-sandbox"],
    )
    yield running
    running.close()


@pytest.fixture(scope="session")
def axe_source() -> str:
    """axe-core; skips where it cannot be had."""
    try:
        return axe()
    except ServerUnavailable as e:
        pytest.skip(f"axe-core cannot be had here: {e}")


@pytest.fixture
def open_page(browser: Browser) -> Open:
    """Opens pages."""
    return lambda path, **options: open_file(browser, path, **options)
