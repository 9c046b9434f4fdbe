# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a report: gather, compare, remember, render everything, and only then write."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import DECISIVE_FROM
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.storage import HistoryError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import Rules
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import compare, files, from_results, model
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.assess import Assessment, assess
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.csv_report import to_csv, to_findings_csv
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.junit_report import to_junit
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.metrics import to_openmetrics
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.render import to_html
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.summary import summarize
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.waivers import Waivers, read_waivers

AUDIT = "audit"


@dataclass(frozen=True)
class ReportRequest:
    """What is asked for. ``previous`` and ``merge`` name reports in JSON; ``fail_on`` is a severity or None.

    ``merged`` are servers that other runs have checked and whose histories are in this one, and those that they could
    not check, with the time of their reports. ``left`` are the names of those that interrupted runs have not checked.

    ``waivers`` count for the hosts of the run, and for others where ``same_waivers`` says so.

    ``openmetrics`` is the file for node_exporter, None for no such file. ``fleet`` are the inventory hosts whose
    servers are reported from the history where this run does not check them.
    """

    dest: Path
    title: str
    run: model.Run
    history: History
    fleet: t.Collection[str] = ()
    junit: bool = False
    openmetrics: Path | None = None
    merge: tuple[Path, ...] = ()
    merged: tuple[model.Server, ...] = ()
    left: t.Collection[str] = ()
    previous: Path | None = None
    fail_on: str | None = None
    waivers: t.Any = None
    same_waivers: t.Callable[[str], bool] = lambda _host: True
    rules: Rules = field(default_factory=Rules)

    @property
    def observations(self) -> Path:
        """Where the playbook ``watch`` keeps what it sees: beside the history."""
        return self.history.directory.parent / store.DIRECTORY


@dataclass(frozen=True)
class WrittenReport:
    """The report, where its files are, by kind, and whether they say something else than before."""

    report: model.Report
    paths: dict[str, str]
    changed: bool
    warnings: tuple[str, ...] = ()


def write_report(request: ReportRequest, own: t.Sequence[model.Server]) -> WrittenReport:
    """Record these checks and those of the reports to merge in the history, and make the report of them.

    :raises RdsMysqlError: when a report that was asked for cannot be read, or a file not written.
    """
    waivers = read_waivers(request.waivers, utc_now().date())
    gone = _gone(request)
    servers, baselines = _servers(request, own, waivers)
    found = _assessment(request, servers)
    report = model.Report(
        title=request.title,
        run=_run(request, servers),
        summary=replace(summarize(servers), readiness=found.counts()),
        servers=servers,
        changes=_changes(request, servers, baselines, gone),
        readiness=found.readiness,
        refused_logins=found.refused_logins,
    )
    contents = _contents(request, report)
    paths = {kind: request.dest / name for kind, (name, _content) in contents.items()}
    complete = all(path.is_file() for path in paths.values())
    unchanged = complete and files.says_the_same(paths["json"], contents["json"][1])
    files.make_directory(request.dest)
    # The JSON last: whoever finds it finds the others too.
    for kind in sorted(contents, key=lambda kind: kind == "json"):
        files.write(paths[kind], contents[kind][1])
    if request.openmetrics is not None:
        paths["openmetrics"] = request.openmetrics
        files.write(request.openmetrics, to_openmetrics(report).encode("utf-8"), files.METRICS_MODE, "openmetrics")
    return WrittenReport(
        report=report,
        paths={kind: str(path) for kind, path in paths.items()},
        changed=not unchanged,
        warnings=(*request.history.warnings, *waivers.warnings()),
    )


def _servers(
    request: ReportRequest, own: t.Sequence[model.Server], waivers: Waivers
) -> tuple[tuple[model.Server, ...], dict[str, model.Server]]:
    """All servers of the report, and what was known of those that were checked before that.

    What can be read of the history counts, and what can not is a warning: a report of today without a memory is worth
    more than none.
    """
    history = request.history
    merged = [
        *request.merged,
        *(server for path in request.merge for server in files.read_part(path, "merge").servers),
    ]
    this_run: dict[str, model.Server] = {}
    baselines: dict[str, model.Server] = {}
    known: dict[str, model.Server] = {}
    try:
        this_run = history.of_run(request.run.id, AUDIT)
        nothing = not any(map(from_results.was_to_check, own))
        # Nobody asks for the last check of a server that has a newer one.
        known = history.of_hosts(request.fleet, () if nothing else {server.inventory_hostname for server in own})
        merged = [server for server in merged if not _newer(known.get(server.name), server)]
        some = any(map(from_results.was_to_check, [*merged, *own]))
        hosts = {server.inventory_hostname for server in merged} if some else set()
        known = {name: server for name, server in known.items() if server.inventory_hostname not in hosts}
        baselines = {
            **history.last_good(merged, request.run.id, AUDIT, same_time=False),
            **history.last_good([*known.values(), *own], request.run.id, AUDIT, same_time=True),
        }
    except HistoryError as e:
        history.warn(e.message)
    if any(server.name not in baselines for server in own):
        baselines = {**_reported(request.dest / files.JSON, request.run.id), **baselines}
    if request.previous is not None:
        baselines = {server.name: server for server in files.read_report(request.previous, "previous").servers}
    dated = from_results.keep_times(compare.with_first_seen(own, this_run, baselines), this_run)
    checked = from_results.combine(
        [*waivers.apply(compare.with_first_seen(merged, baselines), keep=True), *waivers.apply(dated)]
    )
    try:
        # With what an earlier report of this run has recorded, as of other hosts.
        history.record(request.run, AUDIT, {**this_run, **{server.name: server for server in checked}}.values())
    except HistoryError as e:
        history.warn(e.message)
    others = _waived(list(known.values()), waivers, request.same_waivers)
    return from_results.with_known(checked, others, baselines), baselines


def _waived(known: list[model.Server], waivers: Waivers, same_waivers: t.Callable[[str], bool]) -> list[model.Server]:
    """Last checks with the waivers of this run, or of the run that made them, where their hosts have others."""
    if not waivers.rules and not any(finding.waiver for server in known for finding in server.findings):
        return known
    same = {host: same_waivers(host) for host in {server.inventory_hostname for server in known}}
    these, others = (
        [server for server in known if same[server.inventory_hostname] is wanted] for wanted in (True, False)
    )
    return [*waivers.apply(these), *Waivers((), waivers.today).apply(others, keep=True)]


def _run(request: ReportRequest, servers: t.Iterable[model.Server]) -> model.Run:
    left = any(server.state == model.NOT_CHECKED and server.name in request.left for server in servers)
    return replace(request.run, interrupted=request.run.interrupted or left)


def _newer(known: model.Server | None, server: model.Server) -> bool:
    """Whether there is a newer check of a server than the one to merge, or than the report that could not check it."""
    return known is not None and (known.checked_at or "") > (server.checked_at or "")


def _assessment(request: ReportRequest, servers: t.Iterable[model.Server]) -> Assessment:
    merged = [each for path in request.merge for each in files.read_report(path, "merge").readiness or ()]
    history = request.history
    return assess(servers, request.observations, request.rules, utc_now(), history.warn, merged, access=history.access)


def _changes(
    request: ReportRequest,
    servers: t.Sequence[model.Server],
    baselines: t.Mapping[str, model.Server],
    gone: t.Collection[str],
) -> model.Changes | None:
    if not baselines and not gone:
        return None
    before = baselines if request.previous is not None else gone
    return compare.compare(baselines, servers, set(before).difference(server.name for server in servers))


def _gone(request: ReportRequest) -> set[str]:
    """Servers that the inventory had; nothing for a report that is about some hosts alone."""
    if not request.fleet or request.previous is not None:
        return set()
    try:
        return request.history.gone(request.fleet, request.run.inventory, request.run.id, AUDIT)
    except HistoryError:
        return set()  # which is a warning where its servers are read


def _contents(request: ReportRequest, report: model.Report) -> dict[str, tuple[str, bytes]]:
    """The files by kind: names, and contents as bytes: a text with one wide character takes four times as many."""
    json_content = files.to_json(report).encode("utf-8")
    contents = {
        "html": (files.HTML, to_html(report, hashlib.sha256(json_content).hexdigest()).encode("utf-8")),
        "json": (files.JSON, json_content),
        "csv": (files.CSV, to_csv(report).encode("utf-8")),
        "findings_csv": (files.FINDINGS_CSV, to_findings_csv(report).encode("utf-8")),
    }
    if request.junit:
        junit = to_junit(report, request.fail_on or DECISIVE_FROM)
        contents["junit"] = (files.JUNIT, junit.encode("utf-8"))
    contents["checksums"] = (files.CHECKSUMS, files.to_checksums(dict(contents.values())).encode("ascii"))
    return contents


def _reported(path: Path, run_id: str) -> dict[str, model.Server]:
    """What this user's report of another run, to be replaced, says of servers: version 0.1 had no history."""
    try:
        report = files.read_report(path, "dest", anyones=False) if path.is_file() else None
    except RdsMysqlError:
        return {}
    if report is None or report.run.id == run_id:
        return {}
    return {server.name: server for server in report.servers if server.state == model.CHECKED}
