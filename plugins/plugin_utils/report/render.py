# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``report.html`` from Jinja2 templates: one file that needs nothing else, no network and no JavaScript either.

Text stays text: everything that a template prints is escaped, and control and bidirectional characters in it become
visible. Nothing but the style and the script, which are ours, is put in as it is. A content security policy allows
nothing else, by their digests.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import typing as t
from pathlib import Path

import jinja2
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import views
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Report
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import visible
from markupsafe import Markup, escape

TEMPLATES = Path(__file__).with_name("templates")


def to_html(report: Report, json_sha256: str) -> str:
    """The text of the file.

    :arg json_sha256: The SHA-256 of the ``report.json`` that goes with it, for its evidence.
    """
    return render("report.html.j2", page=views.page(report, json_sha256))


def render(template: str, **given: t.Any) -> str:
    """A page from its template, with the style and the script that all pages share."""
    style, script = _asset("page.css"), _asset("page.js")
    own = {"style": Markup(style), "script": Markup(script)}  # noqa: S704  files of the collection
    return environment().get_template(template).render(**given, **own, policy=_policy(style, script))


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, and how they print."""
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["number"] = lambda count: f"{count:,}"
    made.filters["in_order"] = _in_order
    return made


# Words of Hebrew, Arabic and their like.
_LETTERS = r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]+"
_RIGHT_TO_LEFT = re.compile(rf"{_LETTERS}(?:[ _-]{_LETTERS})*")


def _in_order(text: str) -> str | Markup:
    """A text in which each part stands where it is: digits after a name from right to left would go before it.

    So the 10 of the host in such an account, or in a statement about it, would be read as its user.
    """
    if text.isascii():
        return text
    return Markup(_RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", str(escape(visible(text)))))  # noqa: S704  it is escaped


def _finalize(value: t.Any) -> t.Any:
    """What is printed: texts with everything in them visible, whole numbers, and what a macro has made.

    :raises TypeError: for anything else, such as None, which a template has to ask for before it prints.
    """
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, jinja2.StrictUndefined):
        return str(value)  # which raises
    raise TypeError(f"a template prints {value!r}")


@functools.cache
def _asset(name: str) -> str:
    """A file beside the templates, without the comment about its licence.

    :raises ValueError: when its text would end the element that it is put into.
    """
    text = (TEMPLATES / name).read_text("utf-8").partition("*/")[2].strip() + "\n"
    if "</" in text or "<!--" in text:
        raise ValueError(f"{name}: its text would end its element")
    return text


def _policy(style: str, script: str) -> str:
    """Content Security Policy Level 3, with "'sha256-...'" for the text of each element."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")

    return (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; script-src 'sha256-{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
