# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a report: gather, compare, render everything, and only then write."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import compare, files, from_results, model, summary
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.csv_report import to_csv
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.junit_report import to_junit
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.page import to_html

# What makes a server not compliant fails a test case where nothing else is said.
_JUNIT_FAILS_FROM = "medium"


@dataclass(frozen=True)
class ReportRequest:
    """What is asked for. ``previous`` and ``merge`` name reports in JSON; ``fail_on`` is a severity or None."""

    dest: Path
    title: str
    run: model.Run
    junit: bool = False
    merge: tuple[Path, ...] = ()
    previous: Path | None = None
    fail_on: str | None = None


@dataclass(frozen=True)
class WrittenReport:
    """The report, where its files are, by kind, and whether they say something else than before."""

    report: model.Report
    paths: dict[str, str]
    changed: bool


def write_report(request: ReportRequest, own: t.Sequence[model.Server]) -> WrittenReport:
    """Make the report of these servers, and of those of the reports to merge.

    :raises RdsMysqlError: when a report cannot be read, or a file not written.
    """
    there = request.dest / files.JSON
    existing = files.read_report(there, "dest") if there.exists() else None
    same_run = existing is not None and existing.run.id == request.run.id
    merged = [files.read_report(path, "merge") for path in request.merge]
    servers = from_results.combine(
        [
            *(server for report in merged for server in report.servers),
            *from_results.keep_times(own, existing.servers if existing and same_run else ()),
        ]
    )
    previous = _previous(request, None if same_run else existing)
    report = model.Report(
        title=request.title,
        run=request.run,
        summary=summary.summarize(servers),
        servers=servers,
        changes=compare.compare(previous, servers) if previous else None,
    )
    texts = {"html": to_html(report), "json": files.to_json(report), "csv": to_csv(report)}
    if request.junit:
        texts["junit"] = to_junit(report, request.fail_on or _JUNIT_FAILS_FROM)
    names = {"html": files.HTML, "json": files.JSON, "csv": files.CSV, "junit": files.JUNIT}
    paths = {kind: request.dest / names[kind] for kind in texts}
    complete = all(path.exists() for path in paths.values())
    files.make_directory(request.dest)
    if existing is not None and not same_run:
        files.write(request.dest / files.PREVIOUS, files.to_json(existing))
    # The JSON last: whoever finds it finds the others too.
    for kind in sorted(texts, key=lambda kind: kind == "json"):
        files.write(paths[kind], texts[kind])
    return WrittenReport(
        report=report,
        paths={kind: str(path) for kind, path in paths.items()},
        changed=not complete or existing is None or not files.same_content(existing, report),
    )


def _previous(request: ReportRequest, existing: model.Report | None) -> model.Report | None:
    """The report to compare with.

    :arg existing: That of an earlier run in the directory.
    """
    default = request.dest / files.PREVIOUS
    # The file in the directory is about to be replaced by this very report.
    if request.previous is not None and request.previous.resolve() != (request.dest / files.JSON).resolve():
        return files.read_report(request.previous, "previous")
    if existing is not None:
        return existing
    return files.read_report(default, "dest") if default.exists() else None
