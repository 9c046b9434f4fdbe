# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``report.html``: one file that needs nothing else, no network and no JavaScript either.

Its content security policy lets nothing in but its own style and its own script, by their digests.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import labels, sections
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.markup import Markup, element, source
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Report


def to_html(report: Report) -> str:
    """The text of the file."""
    style, script = _asset("page.css"), _asset("page.js")
    parts = [part for part in _sections(report) if part is not None]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", report.title),
        source("style", style),
    )
    body = element(
        "body",
        element("a", "Skip to the content", href="#content", class_="skip"),
        _header(report),
        element("nav", element("ul", [_entry(part) for part in parts]), aria_label="Contents"),
        element("main", [part.markup for part in parts], id="content", tabindex=-1),
        _footer(report),
        source("script", script),
    )
    return "<!doctype html>\n" + element("html", head, "\n", body, lang="en").text + "\n"


def _sections(report: Report) -> list[sections.Section | None]:
    servers = report.servers
    return [
        sections.overview(report),
        sections.changes(report.changes),
        sections.unseen(servers),
        sections.table_of_servers(servers),
        sections.findings(servers),
        sections.accounts(servers),
        sections.sessions(servers),
        sections.certificates(servers, report.run.made_at),
        sections.authorities(servers),
        sections.reading_guide(),
    ]


def _header(report: Report) -> Markup:
    return element(
        "header",
        element("h1", report.title),
        element(
            "p",
            "As of ",
            element("time", labels.moment(report.run.made_at), datetime=report.run.made_at),
            class_="meta",
        ),
    )


def _entry(part: sections.Section) -> Markup:
    return element("li", element("a", part.title, href=f"#{part.id}"))


def _footer(report: Report) -> Markup:
    run = report.run
    merged = (
        f", with {run.merged} other {'report' if run.merged == 1 else 'reports'} merged into it" if run.merged else ""
    )
    return element(
        "footer",
        element(
            "p",
            f"Made by dbtls.rds_mysql {run.collection_version} with ansible-core {run.ansible_core_version}, "
            f"run {run.id}{merged}. The same data for programs: report.json; for spreadsheets: report.csv.",
        ),
    )


@functools.cache
def _asset(name: str) -> str:
    """A file beside this one, without the comment about its licence."""
    text = Path(__file__).with_name(name).read_text("utf-8")
    return text.partition("*/")[2].strip() + "\n"


def _policy(style: str, script: str) -> str:
    """Content Security Policy Level 3, with "'sha256-...'" for the text of each element."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")

    return (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; script-src 'sha256-{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
