# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``report.html``: one file that needs nothing else."""

from __future__ import annotations

import html

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Report


def to_html(report: Report) -> str:
    """The text of the file."""
    summary = report.summary
    return (
        "<!doctype html>\n<html lang=en><meta charset=utf-8>"
        f"<title>{html.escape(report.title)}</title><h1>{html.escape(report.title)}</h1>"
        f"<p>{summary.compliant} of {summary.servers} servers are compliant.\n"
    )
