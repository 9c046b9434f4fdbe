# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of many checks to history, comparison, waivers and report, for every task that reports."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import clean, encode
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import SEVERITIES, at_least
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history import storage
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.bundles import Use, clients_without
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import (
    DAYS,
    History,
    default_state_directory,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.slices import Merge
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import without_templates
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.places import Places
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import Rules
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.observed import MINUTES_OF_DAY
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build, from_results, labels, model
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.console import problem_lines, servers_named
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import all_visible, clip, counted, visible
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.waivers import failing
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.run_identity import run_of

_FAIL_ON: dict[str, t.Any] = {"type": "str", "default": "none", "choices": ["none", "low", "medium", "high"]}

STATE_OPTIONS: dict[str, dict[str, t.Any]] = {
    "state_dir": {"type": "path"},
    "state_group": {"type": "str"},
    "history_days": {"type": "int", "default": DAYS},
}
READINESS_OPTIONS: dict[str, dict[str, t.Any]] = {
    "quiet_days": {"type": "int", "default": Rules.quiet_days},
    "min_coverage": {"type": "float", "default": Rules.min_coverage},
    "watch_every": {"type": "int", "default": Rules.watch_every},
    "min_seen": {"type": "float", "default": Rules.min_seen},
}
REPORT_OPTIONS: dict[str, dict[str, t.Any]] = {
    **STATE_OPTIONS,
    **READINESS_OPTIONS,
    "dest": {"type": "path", "required": True},
    "title": {"type": "str", "default": "MySQL TLS report"},
    "merge": {"type": "list", "elements": "path", "default": []},
    "previous": {"type": "path"},
    "junit": {"type": "bool", "default": False},
    "openmetrics": {"type": "path"},
    "ca_certs": {"type": "list", "elements": "path", "default": []},
    "tls_min_version": {"type": "str"},
    "fail_on": _FAIL_ON,
    "fail_on_new": _FAIL_ON,
    "waivers": {"type": "raw"},
}

_MOST_LINES = 20
_MOST_DAYS = 36500


def history_of(options: t.Mapping[str, t.Any]) -> History:
    """The history in the state directory, by ``STATE_OPTIONS``.

    :raises OptionError: for days that make no sense; with 0, all that was ever recorded would be removed.
    """
    _check_range(options, "history_days", _MOST_DAYS)
    directory = Path(options["state_dir"]).absolute() if options["state_dir"] else default_state_directory()
    access = storage.Access(options["state_group"] or None)
    return History(directory / "history", access=access, days=options["history_days"])


def _check_range(options: t.Mapping[str, t.Any], name: str, most: int) -> None:
    if not 1 <= options[name] <= most:
        raise OptionError(f"{name}: {options[name]} is not a number from 1 to {most}.")


def rules_of(options: t.Mapping[str, t.Any]) -> Rules:
    """When an account counts as observed, by ``READINESS_OPTIONS``.

    :raises OptionError: for a number that makes no sense.
    """
    _check_range(options, "quiet_days", _MOST_DAYS)
    _check_range(options, "watch_every", MINUTES_OF_DAY)
    for name in ("min_coverage", "min_seen"):
        if not 0 <= options[name] <= 1:
            raise OptionError(f"{name}: {options[name]:g} is not a share between 0 and 1.")
    return Rules(**{name: options[name] for name in READINESS_OPTIONS})


def report_of(
    options: t.Mapping[str, t.Any],
    variables: t.Mapping[str, t.Any],
    results: t.Iterable[tuple[str, t.Any]],
    places: Places,
    *,
    whole_fleet: bool,
    limits: t.Mapping[str, str],
    interrupted: t.Callable[[], bool] = lambda: False,
    same_waivers: t.Callable[[str], bool] = lambda _host: True,
    merge: Merge | None = None,
) -> dict[str, t.Any]:
    """Record the checks, compare each server with its own last good check, write the report; what a task returns.

    :arg options: Validated options, ``REPORT_OPTIONS`` at least.
    :arg variables: The task's.
    :arg results: Inventory hosts, each with what mysql_ssl_status has returned for it, in plain types; None where the
        play ended for it before that.
    :arg places: What the inventory says about their servers.
    :arg limits: By host from which severity on a finding fails it. Waived ones do not.
    :arg interrupted: Asked once there are no more results.
    :arg same_waivers: Whether a host that the run does not check has the waivers of those that it does.
    :arg whole_fleet: Whether servers of other inventory hosts are reported as their last check has found them.
    :arg merge: Slices whose servers are reported, with all others of the history, also those of no inventory host.
    """
    now = iso8601(utc_now())
    hostvars = variables["hostvars"]
    result: dict[str, t.Any] = {}
    merged = len(options["merge"]) + (len(merge.slices) if merge else 0)
    try:
        run = run_of(variables, now, merged, options["ca_certs"], options["tls_min_version"])
        request = build.ReportRequest(
            dest=Path(options["dest"]).absolute(),
            title=clean(options["title"]),
            run=merge.run(run) if merge else run,
            history=merge.history if merge else history_of(options),
            fleet=merge.history.hosts() if merge else frozenset(map(str, hostvars)) if whole_fleet else (),
            junit=options["junit"],
            openmetrics=Path(options["openmetrics"]).absolute() if options["openmetrics"] else None,
            merge=tuple(Path(path).absolute() for path in options["merge"]),
            merged=merge.servers if merge else (),
            left=merge.left if merge else (),
            previous=Path(options["previous"]).absolute() if options["previous"] else None,
            fail_on=None if options["fail_on"] == "none" else options["fail_on"],
            waivers=options["waivers"],
            same_waivers=same_waivers,
            rules=rules_of(options),
        )
        own: list[model.Server] = []
        # One at a time: the results of thousands of servers may not be there at once.
        for host, found in results:
            own += from_results.servers_of(host, found, now, places.of(host))
        request = replace(request, run=replace(request.run, interrupted=interrupted()))
        written = build.write_report(request, own)
    except RdsMysqlError as e:
        return {**result, "failed": True, "msg": visible(e.message)}
    clients = _clients(request.history, written.report.servers, places)
    result.update(_outcome(written, clients))
    result["failing"] = failing(written.report.servers, limits)
    result["warnings"] += not_decided(written.report.servers, limits, request.fail_on)
    failures = [
        *_failures(written.report, request.fail_on),
        *_new_failures(written.report, None if options["fail_on_new"] == "none" else options["fail_on_new"]),
    ]
    if failures:
        verb = "is" if failures[0].startswith("1 ") else "are"
        result.update(failed=True, msg=f"There {verb} {' and '.join(failures)}. {result['msg']}")
        # What is published with it is published all the same, where the task itself does not fail.
        result["failure"] = result["msg"]
    return result


def not_decided(servers: t.Iterable[model.Server], limits: t.Mapping[str, str], fail_on: str | None) -> list[str]:
    """The warning for servers that could be checked, and whose accounts can fail nothing, as they are not known.

    They do not fail the run: a check without a login may be meant, and fails for certificates.
    """
    names = [
        server.name
        for server in servers
        if (fail_on or limits.get(server.inventory_hostname, "none") != "none")
        and (server.in_run, server.state, server.message, server.accounts) == (True, model.CHECKED, None, None)
        and not (server.tls and server.tls.require_secure_transport)
    ]
    said = (
        f"fail_on: the accounts of {servers_named(names)} are not known, so accounts without TLS there fail nothing. "
        "Log in with a user that may read them (SELECT on mysql.*)."
    )
    return [visible(said)] if names else []


def _clients(history: History, servers: t.Iterable[model.Server], places: Places) -> list[str]:
    """The application hosts that lack a CA which a server uses, or will use after its next rotation."""

    def uses() -> t.Iterator[Use]:
        for server in servers:
            if server.certificate and server.certificate.rds_ca:
                yield Use(server.certificate.rds_ca, server.region, server.name)
            following = places.next_ca(server.inventory_hostname)
            if following:
                yield Use(following, server.region, server.name, will=True)

    try:
        return [visible(line) for line in _some(list(clients_without(history, uses())))]
    except RdsMysqlError:
        return []  # which was a warning before


def _outcome(written: build.WrittenReport, clients: list[str]) -> dict[str, t.Any]:
    report = written.report
    summary = all_visible(encode(report.summary))
    changes = change_lines(report)
    said = (sentence(report.summary), coverage(report), changes_in_short(report), readiness_in_short(report))
    words = " ".join(filter(None, said))
    return {
        "changed": written.changed,
        "report": written.paths,
        "summary": summary,
        "changes": changes,
        "clients": clients,
        "notice": notice(report, written.paths["html"]),
        "lines": problem_lines(report),
        "refused_logins": all_visible(_some([f"{each.server}: {each}" for each in report.refused_logins])),
        "msg": visible(f"{words} {written.paths['html']}"),
        "warnings": [*(visible(warning) for warning in written.warnings), *clients],
        "ansible_stats": {
            "data": {"mysql_tls": {**summary, "changes": changes, "clients": clients, "report": written.paths}},
            "per_host": False,
            "aggregate": True,
        },
    }


def notice(report: model.Report, path: str) -> dict[str, t.Any]:
    """What a message to people says: a subject, five lines, where the report is, and whether there is something new."""
    changes = change_lines(report)
    expiring = [server.name for server in report.servers if server.expires_soon()]
    unchecked = [server.name for server in report.servers if server.state != model.CHECKED]
    found = report.changes
    counts = (len(found.worse), len(found.regressions), len(found.resolved)) if found else (0, 0, 0)
    told = zip(
        ("New or worse", "No longer requiring TLS", "Resolved", "Certificates expired or expiring", "Not checked"),
        (*counts, len(expiring), len(unchecked)),
        (changes["new"], changes["drifted"], changes["resolved"], expiring, unchecked),
        strict=True,
    )
    # It may be published with set_stats, by tasks of the user's own.
    published: dict[str, t.Any] = without_templates(
        all_visible(
            {
                "subject": f"{report.title}: {sentence(report.summary)}",
                "lines": [
                    f"{what}: {count}" + (f" ({clip(first[0])})" if first else "") for what, count, first in told
                ],
                "report": path,
                "changed": any(counts) or found is None or bool(found.servers_added),
            }
        )
    )
    return published


def sentence(summary: model.Summary) -> str:
    """The report in a sentence: ``4 servers: 1 compliant, 2 non-compliant, 1 unreachable.``"""
    counts = (
        (summary.compliant, "compliant"),
        (summary.non_compliant, "non-compliant"),
        (summary.undecided, "partially checked"),
        (summary.unreachable, "unreachable"),
        (summary.not_checked, "not checked"),
    )
    parts = [f"{count} {what}" for count, what in counts if count or what == "compliant"]
    if summary.compliant_with_waivers:
        parts[0] += f" ({summary.compliant_with_waivers} with waivers)"
    return f"{counted(summary.servers, 'server')}: {', '.join(parts)}."


def coverage(report: model.Report) -> str:
    """What the run covered, where that is not every server of the report; else empty."""
    summary = report.summary
    if not summary.earlier:
        return ""
    times = [server.checked_at for server in report.servers if not server.in_run and server.checked_at]
    return (
        f"This run covered {summary.servers - summary.earlier:,} of {counted(summary.servers, 'server')}; the others "
        f"are as last checked, the oldest on {labels.moment(min(times))}."
    )


def changes_in_short(report: model.Report) -> str:
    """How much is new, resolved and drifted, where there is something to compare with; else empty."""
    found = report.changes
    if found is None:
        return ""
    return (
        f"Since each server's last good check: {len(found.worse)} new or worse, {len(found.resolved)} resolved, "
        f"{counted(len(found.regressions), 'account')} no longer requiring TLS."
    )


def readiness_in_short(report: model.Report) -> str:
    """How many accounts TLS can be required for, and whether changed ones are refused; empty where nobody watches."""
    found = report.summary.readiness
    if found is None:
        return ""
    said = (
        f"Readiness: {counted(found.ready, 'account')} ready for TLS, {found.not_ready:,} not ready, "
        f"{found.unknown:,} unknown."
    )
    if report.refused_logins:
        said += f" Logins of {counted(len(report.refused_logins), 'changed account')} are being refused."
    return said


def change_lines(report: model.Report) -> dict[str, list[str]]:
    """What is new, resolved and drifted, a line each, the most severe first and not more than a terminal shows."""
    found = report.changes
    if found is None:
        return {"new": [], "resolved": [], "drifted": []}

    def lines(changes: t.Iterable[model.Change]) -> list[str]:
        return [f"{change.severity}: {change.server}: {change.message}" for change in changes]

    drifted = [
        f"{each.severity}: {each.server}: {each.user}@{each.host} required {each.before} on {each.since} and requires "
        f"{each.after} now."
        for each in sorted(found.regressions, key=lambda each: SEVERITIES.index(each.severity))
    ]
    every = {"new": lines(found.worse), "resolved": lines(found.resolved), "drifted": drifted}
    return {name: all_visible(_some(each)) for name, each in every.items()}


def _some(lines: list[str]) -> list[str]:
    rest = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"and {rest:,} more"] if rest > 0 else [])]


def _failures(report: model.Report, fail_on: str | None) -> t.Iterator[str]:
    """Why the task fails for what there is."""
    if fail_on is None:
        return
    counts = encode(report.summary.findings)
    bad = sum(counts[severity] for severity in SEVERITIES if at_least(severity, fail_on))
    unchecked = report.summary.unreachable + report.summary.not_checked
    if bad:
        yield f"{counted(bad, 'finding')} of severity {fail_on} or more"
    if unchecked:
        yield f"{counted(unchecked, 'server')} that could not be checked"


def _new_failures(report: model.Report, fail_on: str | None) -> t.Iterator[str]:
    """Why the task fails for what there was not at each server's last good check. Of a new server everything is new."""
    if fail_on is None:
        return
    found = report.changes
    worse = [*found.worse, *found.first_seen] if found else []
    added = set(found.servers_added) if found else {server.name for server in report.servers if server.in_run}
    new = sum(at_least(change.severity, fail_on) for change in worse)
    for server in report.servers:
        if server.name in added:
            new += server.state != model.CHECKED
            new += sum(each.waiver is None and at_least(each.severity, fail_on) for each in server.findings)
    known = {(change.server, change.subject) for change in worse if at_least(change.severity, fail_on)}
    drifted = [
        each
        for each in (found.regressions if found else ())
        if at_least(each.severity, fail_on) and (each.server, f"{each.user}@{each.host}") not in known
    ]
    if new:
        yield f"{counted(new, 'new finding')} of severity {fail_on} or more"
    if drifted:
        yield f"{counted(len(drifted), 'account')} that no longer require TLS"
