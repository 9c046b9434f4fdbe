# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``junit.xml``: the report as a test run, for systems that show those.

Each server has a test case for each kind of finding. It fails with the findings of that severity or more, is skipped
where the check did not go far enough to tell, and a server that could not be checked is one error.
"""

from __future__ import annotations

import re
import typing as t
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, at_least
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.compare import could_show
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    NOT_CHECKED,
    UNREACHABLE,
    Finding,
    Report,
    Server,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import visible

# "Characters", Extensible Markup Language (XML) 1.0, 2.2: what may not be in a document, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class _Counts:
    """The numbers of a test suite."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0

    def attributes(self) -> dict[str, str]:
        return {name: str(value) for name, value in vars(self).items()}


def to_junit(report: Report, fail_from: str) -> str:
    """The text of the file, valid against the schema of Jenkins' xUnit plugin (``junit-10.xsd``).

    :arg fail_from: The least severity of a finding that is a failure.
    """
    root = ET.Element("testsuites", name=_text(report.title))
    for number, server in enumerate(report.servers):
        counts = _Counts()
        suite = ET.SubElement(root, "testsuite", name=_text(server.name), id=str(number))
        suite.set("timestamp", (server.checked_at or report.run.made_at).rstrip("Z"))
        suite.set("time", "0")
        for case in _cases(server, fail_from, counts):
            suite.append(case)
        for name, value in counts.attributes().items():
            suite.set(name, value)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _cases(server: Server, fail_from: str, counts: _Counts) -> t.Iterator[ET.Element]:
    if server.state in (UNREACHABLE, NOT_CHECKED):
        case = _case(server, "check", counts)
        counts.errors += 1
        ET.SubElement(case, "error", type=server.state, message=_text(server.message or ""))
        yield case
        return
    for check in (*BY_ID, *sorted({finding.id for finding in server.findings} - set(BY_ID))):
        case = _case(server, check, counts)
        found = [finding for finding in server.findings if finding.id == check]
        bad = [finding for finding in found if finding.waiver is None and at_least(finding.severity, fail_from)]
        if bad:
            counts.failures += 1
            message = bad[0].message if len(bad) == 1 else f"{len(bad)} findings: {bad[0].message}"
            failure = ET.SubElement(case, "failure", type=bad[0].severity, message=_text(message))
            failure.text = _lines(bad)
        elif not found and not could_show(server, check):
            counts.skipped += 1
            ET.SubElement(case, "skipped", message="The check did not go far enough to tell.")
        elif found:
            ET.SubElement(case, "system-out").text = _lines(found)
        yield case


def _case(server: Server, name: str, counts: _Counts) -> ET.Element:
    counts.tests += 1
    return ET.Element("testcase", classname=_text(server.name), name=_text(name), time="0")


def _lines(findings: t.Sequence[Finding]) -> str:
    return "\n".join(_text(_line(finding)) for finding in findings)


def _line(finding: Finding) -> str:
    waiver = finding.waiver
    waived = f" Waived by {waiver.owner} until {waiver.expires}: {waiver.reason}" if waiver else ""
    return f"{finding.severity}: {finding.message} {finding.remediation}{waived}"


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", visible(text))
