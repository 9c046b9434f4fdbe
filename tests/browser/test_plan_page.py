# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``plan.html`` in a browser: what people read before they approve the changes of a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan import page, servers

from tests.unit.plugins.plugin_utils.test_change_plan import ANY, NONE, RESULTS, exact, made

from .looks import BREAKOUT, IMAGE, SCRIPT
from .pages import Open, assert_no_sideways_scroll, assert_nothing_for_axe

DOMAIN = "c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com"


def _account(user: str) -> dict[str, Any]:
    return {"user": user, "host": "%", "before": NONE, "after": ANY}


def results() -> dict[str, dict[str, Any]]:
    """Servers of every outcome, with names as long as those of RDS, and some that are markup."""
    found = dict(RESULTS)
    for number in range(10, 40):
        users = [f"application_{each}" for each in range(number % 4 + 1)]
        plan = exact(number, accounts=[_account(user) for user in users])
        found[f"customers-production-{number}.{DOMAIN}"] = {"plan": plan}
    for number, text in enumerate((SCRIPT, IMAGE, BREAKOUT), start=40):
        found[f"named {text}"] = {"plan": exact(number, user=text), "warnings": [text]}
    found["x" * 200] = {"plan": exact(50, user="y" * 80), "warnings": ["z" * 300]}
    switch = {"before": {"value": False, "persisted": None}, "after": {"value": True, "persisted": True}}
    found["switched"] = {"plan": exact(51, require_secure_transport=switch)}
    return found


@pytest.fixture
def plan_page(tmp_path: Path) -> Path:
    """A plan with everything that one can have."""
    known = servers.servers_of(results())
    names = [server.name for server in known if server.outcome == servers.CHANGE]
    document = made(servers=known, limit="databases:!archive", batches=(tuple(names[:1]), tuple(names[1:])))
    file = tmp_path / "plan.html"
    file.write_text(page.to_html(document, "ab" * 32), "utf-8")
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_for_axe_to_find(plan_page: Path, open_page: Open, axe_source: str, scheme: str) -> None:
    with open_page(plan_page, color_scheme=scheme) as opened:
        assert_nothing_for_axe(opened, axe_source)


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_narrow(plan_page: Path, open_page: Open, width: int) -> None:
    with open_page(plan_page, viewport={"width": width, "height": 800}) as opened:
        assert_no_sideways_scroll(opened, width)


def test_names_are_text(plan_page: Path, open_page: Open) -> None:
    """Nothing of them runs, and all of them are there to be read."""
    with open_page(plan_page) as opened:
        assert opened.page.evaluate("document.pwned") is None
        assert opened.page.locator("script").count() == 1
        assert opened.page.locator("img, iframe, object, embed, link, base, form").count() == 0
        shown = opened.page.locator("main").inner_text()
        assert all(text in shown for text in (SCRIPT, IMAGE, BREAKOUT, "require_secure_transport: OFF -> ON"))


def test_printing(plan_page: Path, open_page: Open) -> None:
    """Black on white even from a dark screen, and with nothing left out."""
    with open_page(plan_page, color_scheme="dark") as opened:
        assert opened.page.pdf(prefer_css_page_size=True).startswith(b"%PDF-")
        opened.page.emulate_media(media="print", color_scheme="dark")
        assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert opened.page.locator("tbody tr:visible").count() == opened.page.locator("tbody tr").count() > 30
