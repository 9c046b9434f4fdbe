# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a report: gather, compare, render everything, and only then write."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import DECISIVE_FROM
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import compare, files, from_results, model
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.csv_report import to_csv, to_findings_csv
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.junit_report import to_junit
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.metrics import to_openmetrics
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.render import to_html
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.summary import summarize


@dataclass(frozen=True)
class ReportRequest:
    """What is asked for. ``previous`` and ``merge`` name reports in JSON; ``fail_on`` is a severity or None.

    ``openmetrics`` is the file for node_exporter, None for no such file.
    """

    dest: Path
    title: str
    run: model.Run
    junit: bool = False
    openmetrics: Path | None = None
    merge: tuple[Path, ...] = ()
    previous: Path | None = None
    fail_on: str | None = None


@dataclass(frozen=True)
class WrittenReport:
    """The report, where its files are, by kind, and whether they say something else than before."""

    report: model.Report
    paths: dict[str, str]
    changed: bool
    warnings: tuple[str, ...] = ()


def write_report(request: ReportRequest, own: t.Sequence[model.Server]) -> WrittenReport:
    """Make the report of these servers, and of those of the reports to merge.

    :raises RdsMysqlError: when a report that was asked for cannot be read, or a file not written.
    """
    warnings: list[str] = []
    existing = _read_own(request.dest / files.JSON, warnings)
    same_run = existing is not None and existing.run.id == request.run.id
    merged = [files.read_report(path, "merge") for path in request.merge]
    previous = _previous(request, None if same_run else existing, warnings)
    earlier = [report for report in (existing if same_run else None, previous) if report]
    servers = from_results.combine(
        [
            *(server for report in merged for server in report.servers),
            *from_results.keep_times(
                compare.with_first_seen(own, *earlier), existing.servers if existing and same_run else ()
            ),
        ]
    )
    report = model.Report(
        title=request.title,
        run=request.run,
        summary=summarize(servers),
        servers=servers,
        changes=compare.compare(previous, servers) if previous else None,
    )
    texts = _texts(request, report)
    paths = {kind: request.dest / name for kind, (name, _text) in texts.items()}
    complete = all(path.exists() for path in paths.values())
    files.make_directory(request.dest)
    if existing is not None and not same_run:
        files.write(request.dest / files.PREVIOUS, files.to_json(existing))
    # The JSON last: whoever finds it finds the others too.
    for kind in sorted(texts, key=lambda kind: kind == "json"):
        files.write(paths[kind], texts[kind][1])
    if request.openmetrics is not None:
        paths["openmetrics"] = request.openmetrics
        files.write(request.openmetrics, to_openmetrics(report), files.METRICS_MODE, "openmetrics")
    return WrittenReport(
        report=report,
        paths={kind: str(path) for kind, path in paths.items()},
        changed=not complete or existing is None or not files.same_content(existing, report),
        warnings=tuple(warnings),
    )


def _texts(request: ReportRequest, report: model.Report) -> dict[str, tuple[str, str]]:
    """The files by kind: their names and texts."""
    json_text = files.to_json(report)
    texts = {
        "html": (files.HTML, to_html(report, files.sha256(json_text))),
        "json": (files.JSON, json_text),
        "csv": (files.CSV, to_csv(report)),
        "findings_csv": (files.FINDINGS_CSV, to_findings_csv(report)),
    }
    if request.junit:
        texts["junit"] = (files.JUNIT, to_junit(report, request.fail_on or DECISIVE_FROM))
    texts["checksums"] = (files.CHECKSUMS, files.to_checksums(dict(texts.values())))
    return texts


def _read_own(path: Path, warnings: list[str]) -> model.Report | None:
    """A report that this module has left in the directory. A damaged one is no reason not to write a good one."""
    if not path.exists():
        return None
    try:
        return files.read_report(path, "dest")
    except RdsMysqlError as e:
        warnings.append(f"{e.message} It is ignored, and this report is not compared with it.")
        return None


def _previous(request: ReportRequest, existing: model.Report | None, warnings: list[str]) -> model.Report | None:
    """The report to compare with.

    :arg existing: That of an earlier run in the directory.
    """
    # The file in the directory is about to be replaced by this very report.
    if request.previous is not None and request.previous.resolve() != (request.dest / files.JSON).resolve():
        return files.read_report(request.previous, "previous")
    return existing or _read_own(request.dest / files.PREVIOUS, warnings)
