# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages as a browser opens them, and what must be true of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page


@dataclass
class Opened:
    """A page, and what it did."""

    page: Page
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        """The names in the table of servers that are to be seen, from top to bottom, without their common ending."""
        names: list[str] = self.page.evaluate(
            """() => [...document.querySelectorAll('#servers-table tbody:not(.group) tr:first-child')]
            .filter((row) => row.offsetParent !== null && getComputedStyle(row).display !== 'none')
            .map((row) => row.cells[0].querySelector('bdi').textContent)"""
        )
        return names


@contextmanager
def open_file(browser: Browser, path: str, **options: Any) -> Iterator[Opened]:
    """The page from its file, with no network; it must have asked for nothing and complained of nothing."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "offline": True, **options})
    opened = Opened(context.new_page())
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.on("console", lambda message: opened.messages.append(message.text))
    opened.page.on("pageerror", lambda error: opened.messages.append(str(error)))
    url = Path(path).as_uri()
    opened.page.goto(url)
    yield opened
    assert opened.requests == [url]
    assert opened.messages == []
    context.close()


Open = Callable[..., Any]


def unfold(opened: Opened) -> None:
    """Open everything that can be opened."""
    opened.page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")


def assert_nothing_for_axe(opened: Opened, axe_source: str) -> None:
    """No violation of any of its rules, best practices included."""
    opened.page.evaluate(axe_source)
    unfold(opened)
    found = opened.page.evaluate("axe.run(document, {resultTypes: ['violations', 'passes']})")
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found["violations"]] == []
    assert len(found["passes"]) > 15


def assert_no_sideways_scroll(opened: Opened, width: int) -> None:
    """Neither of the page nor of anything in it (WCAG 2.2, 1.4.10)."""
    unfold(opened)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = opened.page.evaluate(
        """() => [...document.querySelectorAll('main *')]
        .filter((each) => !each.closest('figure, .hidden, caption, thead'))
        .filter((each) => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== 'inline')
        .map((each) => each.outerHTML.slice(0, 100))"""
    )
    assert wide == []
