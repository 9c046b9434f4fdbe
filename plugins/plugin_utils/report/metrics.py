# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics for the textfile collector of Prometheus' node_exporter.

The text is OpenMetrics that the older text format, which the collector reads, takes for the same: gauges only, no
timestamps, labels escaped alike.
"""

from __future__ import annotations

import collections
import datetime as dt
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import KINDS, SEVERITIES
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.labels import OUTCOMES, outcome
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Report
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import visible

_Samples: t.TypeAlias = "t.Iterable[tuple[dict[str, str], int]]"


def to_openmetrics(report: Report) -> str:
    """The text of the file. Every metric has the label ``report``, the title, which tells several reports apart."""
    lines: list[str] = []
    for name, description, samples in _metrics(report):
        lines += (f"# TYPE {name} gauge", f"# HELP {name} {description}")
        for labels, value in samples:
            pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in {"report": report.title, **labels}.items())
            lines.append(f"{name}{{{pairs}}} {value}")
    return "\n".join([*lines, "# EOF", ""])


def _metrics(report: Report) -> t.Iterator[tuple[str, str, _Samples]]:
    verdicts = collections.Counter(map(outcome, report.servers))
    yield (
        "dbtls_servers",
        "Servers by verdict; those without a verdict by their state.",
        [({"verdict": name}, verdicts[name]) for name in OUTCOMES],
    )
    found = collections.Counter(
        (finding.id, finding.severity)
        for server in report.servers
        for finding in server.findings
        if finding.waiver is None
    )
    # Of kinds that were not found a zero, as an alert cannot tell a metric that is gone from one that was never there.
    pairs = {(kind.id, kind.severity) for kind in KINDS} | set(found)
    order = sorted(pairs, key=lambda pair: (SEVERITIES.index(pair[1]), pair[0]))
    yield (
        "dbtls_findings",
        "Findings by kind and severity that are not waived.",
        [({"kind": kind, "severity": severity}, found[kind, severity]) for kind, severity in order],
    )
    yield (
        "dbtls_findings_waived",
        "Findings of severity medium and high that are waived.",
        [({}, report.summary.waived)],
    )
    days = [_days(server.certificate.not_after, report.run.made_at) for server in report.servers if server.certificate]
    yield (
        "dbtls_certificate_next_expiry_days",
        "Days until the next server certificate expires, negative after it has.",
        [({}, min(days))] if days else [],
    )
    yield (
        "dbtls_plaintext_clients",
        "Clients that were connected without TLS.",
        [({}, report.summary.plaintext_clients)],
    )
    times = [_seconds(server.checked_at) for server in report.servers if server.checked_at]
    yield (
        "dbtls_oldest_check_timestamp_seconds",
        "Time of the check that is the longest ago, of all servers' last checks. Its age is time() minus this.",
        [({}, min(times))] if times else [],
    )
    yield (
        "dbtls_report_timestamp_seconds",
        "Time of the report. Its age is time() minus this.",
        [({}, _seconds(report.run.made_at))],
    )


def _parsed(moment: str) -> dt.datetime:
    return dt.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)


def _days(moment: str, now: str) -> int:
    return (_parsed(moment) - _parsed(now)).days


def _seconds(moment: str) -> int:
    return int(_parsed(moment).timestamp())


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"')
