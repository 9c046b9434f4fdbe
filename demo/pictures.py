# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The README's pictures, of what ``make demo`` has left: its report and its audit in a terminal, light and dark."""

from __future__ import annotations

import html
import os
import re
import sys
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from demo.__main__ import CHECKOUT, WORK
from tests.browser.chromium import chromium

IMAGES = CHECKOUT / "docs" / "images"
_SIZE: ViewportSize = {"width": 1100, "height": 760}
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 20px; font: 14px/1.35 "DejaVu Sans Mono", monospace; color: {text}; background: {page}; }}
pre {{ margin: 0; font: inherit; white-space: pre-wrap; }} b {{ color: {strong}; }}
.ok {{ color: {ok}; }} .bad {{ color: {bad}; }}
</style><pre>{content}</pre>"""
_COLORS = {
    "light": {"text": "#24292f", "page": "#ffffff", "strong": "#0550ae", "ok": "#116329", "bad": "#a40e26"},
    "dark": {"text": "#c9d1d9", "page": "#0d1117", "strong": "#79c0ff", "ok": "#7ee787", "bad": "#ff7b72"},
}
# What Ansible shows in color.
_KINDS = (
    (re.compile(r"^(PLAY|TASK)\b"), "<b>{}</b>"),
    (re.compile(r"^(ok|\S+ +: ok=)"), '<span class="ok">{}</span>'),
    (re.compile(r"^(fatal|failed|\[ERROR\])"), '<span class="bad">{}</span>'),
)


def terminal(text: str, scheme: str) -> str:
    """A page that looks like a terminal with this output."""
    lines = ["$ ansible-playbook -i databases.yml dbtls.rds_mysql.audit", *text.splitlines()]
    content = []
    for line in lines:
        form = next((form for pattern, form in _KINDS if pattern.match(line)), "{}")
        content.append(form.format(html.escape(re.sub(r"\*{10,}", "*" * 10, line))))
    return _TERMINAL.format(content="\n".join(content), **_COLORS[scheme])


def take(browser: Browser, scheme: Literal["light", "dark"]) -> None:
    """Both pictures in one color scheme."""
    context = browser.new_context(offline=True, viewport=_SIZE, color_scheme=scheme)
    page = context.new_page()
    page.goto((WORK / "mysql-tls-report" / "report.html").as_uri())
    page.screenshot(path=IMAGES / f"report-{scheme}.png")
    # Of another page, as the report does not let anything add styles to it.
    page = context.new_page()
    page.set_content(terminal((WORK / "audit.txt").read_text("utf-8").replace(f"{WORK}/", ""), scheme))
    page.screenshot(path=IMAGES / f"terminal-{scheme}.png")
    context.close()


def main() -> int:
    """Exit code."""
    if not (WORK / "audit.txt").is_file():
        print("Run make demo first: the pictures are of what it leaves.", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    found = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.executable, env={**os.environ, **found.environment}, args=["--no-sandbox"]
        )
        for scheme in _SCHEMES:
            take(browser, scheme)
        browser.close()
    print(f"The pictures are in {IMAGES.relative_to(CHECKOUT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
