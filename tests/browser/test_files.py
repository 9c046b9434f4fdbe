# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other files of a report against their schemas, made from looks at real and at hostile servers."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from jsonschema import Draft202012Validator
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from tests.unit.plugins.plugin_utils.test_change_plan import made as plan

from .looks import SCRIPT, Look, MakeReport, multiplied

ROOT = Path(__file__).resolve().parents[2]
Looks = dict[str, Look | None]

# Control and bidirectional characters.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# What the readers of CI systems agree on: a strict part of what the schema of Jenkins' xUnit plugin allows.
JUNIT = """\
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:complexType name="outcome" mixed="true">
    <xs:attribute name="type" type="xs:string" use="required"/>
    <xs:attribute name="message" type="xs:string" use="required"/>
  </xs:complexType>
  <xs:complexType name="skipped"><xs:attribute name="message" type="xs:string" use="required"/></xs:complexType>
  <xs:complexType name="case">
    <xs:choice minOccurs="0">
      <xs:element name="failure" type="outcome"/>
      <xs:element name="error" type="outcome"/>
      <xs:element name="skipped" type="skipped"/>
      <xs:element name="system-out" type="xs:string"/>
    </xs:choice>
    <xs:attribute name="name" type="xs:string" use="required"/>
    <xs:attribute name="classname" type="xs:string" use="required"/>
    <xs:attribute name="time" type="xs:decimal" use="required"/>
  </xs:complexType>
  <xs:complexType name="suite">
    <xs:sequence><xs:element name="testcase" type="case" maxOccurs="unbounded"/></xs:sequence>
    <xs:attribute name="name" type="xs:string" use="required"/>
    <xs:attribute name="id" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="timestamp" type="xs:dateTime" use="required"/>
    <xs:attribute name="time" type="xs:decimal" use="required"/>
    <xs:attribute name="tests" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="failures" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="errors" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="skipped" type="xs:nonNegativeInteger" use="required"/>
  </xs:complexType>
  <xs:element name="testsuites">
    <xs:complexType>
      <xs:sequence><xs:element name="testsuite" type="suite" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>
      <xs:attribute name="name" type="xs:string" use="required"/>
    </xs:complexType>
  </xs:element>
</xs:schema>
"""


@pytest.fixture(params=["real", "hostile", "empty", "changed"])
def paths(
    request: pytest.FixtureRequest, looks: Looks, hostile_looks: Looks, make_report: MakeReport
) -> dict[str, str]:
    """Reports of several kinds."""
    if request.param == "changed":
        before = multiplied(looks, 40)
        for look in before.values():
            status = (look or {}).get("mysql_ssl", {})
            status["findings"] = []
            for account in status.get("accounts") or ():
                account["ssl_type"] = "ANY"
        make_report(dict(list(before.items())[5:]), run="0")
    chosen = {"real": looks, "hostile": hostile_looks, "empty": {}, "changed": multiplied(looks, 35)}[request.param]
    return make_report(chosen).paths


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    return schema


def test_json(paths: dict[str, str], request: pytest.FixtureRequest) -> None:
    """Each field is in the schema, and of its type."""
    Draft202012Validator.check_schema(_schema())
    data = json.loads(Path(paths["json"]).read_text("utf-8"))
    Draft202012Validator(_schema()).validate(data)
    if "changed" in request.node.name:
        assert all(data["changes"][name] for name in ("worse", "regressions", "servers_added", "servers_gone"))


def test_plan() -> None:
    """Each field is in the schema, and of its type."""
    schema = json.loads((ROOT / "docs" / "plan.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    described = plan().described()
    Draft202012Validator(schema).validate(described)
    assert not Draft202012Validator(schema).is_valid({**described, "more": 1})


@pytest.mark.parametrize(
    ("place", "spoilt"),
    [
        ("summary", {"servers": 5}),
        ("run", {"id": "1", "made_at": "yesterday"}),
        ("servers", [{"name": "x"}]),
        ("title", 1),
    ],
)
def test_the_schema_is_strict(looks: Looks, make_report: MakeReport, place: str, spoilt: Any) -> None:
    """What is missing or of another type is noticed."""
    data = json.loads(Path(make_report(looks).paths["json"]).read_text("utf-8"))
    assert Draft202012Validator(_schema()).is_valid(data)
    assert not Draft202012Validator(_schema()).is_valid({**data, place: spoilt})
    data["servers"][0]["more"] = 1
    assert not Draft202012Validator(_schema()).is_valid(data)


def test_junit(paths: dict[str, str]) -> None:
    """Valid, and its counts are those of its elements."""
    xmlschema.XMLSchema(JUNIT).validate(paths["junit"])
    for suite in ET.parse(paths["junit"]).getroot():  # noqa: S314  we have just written it
        for attribute, name in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{name}"))
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))


@pytest.mark.parametrize("kind", ["csv", "findings_csv"])
def test_csv(paths: dict[str, str], kind: str) -> None:
    """As many cells in each line as in the first, and none that a spreadsheet would compute or that hides something."""
    text = Path(paths[kind]).read_bytes().decode("utf-8")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    servers = json.loads(Path(paths["json"]).read_text("utf-8"))["servers"]
    if kind == "csv":
        assert len(rows) == len(servers)
    else:
        assert len(rows) == sum(len(server["findings"]) for server in servers)
    numbers = {"certificate_days_left"}
    for row in rows:
        assert len(row) == len(header)
        for name, cell in zip(header, row, strict=True):
            assert name in numbers or not cell.startswith(("=", "+", "-", "@"))
            assert cell.isprintable() or not UNSEEN.search(cell)


def test_metrics(
    request: pytest.FixtureRequest, looks: Looks, hostile_looks: Looks, make_report: MakeReport, tmp_path: Path
) -> None:
    """OpenMetrics, and the older format that node_exporter reads, for the same."""
    for name, chosen in (("real", looks), ("hostile", hostile_looks), ("empty", {})):
        path = tmp_path / "metrics" / f"{name}.prom"
        path.parent.mkdir(exist_ok=True)
        made = make_report(chosen, title=f'{name} "quoted" \\ {SCRIPT}\n', openmetrics=path)
        text = path.read_text("utf-8")
        new, old = (list(parse(text)) for parse in (openmetrics, prometheus))
        values = {(s.name, *sorted(s.labels.items())): s.value for family in new for s in family.samples}
        assert values == {(s.name, *sorted(s.labels.items())): s.value for family in old for s in family.samples}
        assert all(family.type == "gauge" and family.documentation for family in new)
        by_verdict = {s.labels["verdict"]: s.value for s in new[0].samples}
        summary = made.report.summary
        assert {name: getattr(summary, name) for name in by_verdict} == by_verdict
        found: dict[str, float] = {}
        for sample in next(family for family in new if family.name == "dbtls_findings").samples:
            found[sample.labels["severity"]] = found.get(sample.labels["severity"], 0) + sample.value
        assert {name: getattr(summary.findings, name) for name in ("high", "medium", "low")} == {
            name: found[name] for name in ("high", "medium", "low")
        }
        assert stat.S_IMODE(path.stat().st_mode) == 0o644 & ~_umask()
        if summary.certificates:
            days = min(s.certificate.days_left for s in made.report.servers if s.certificate)
            assert abs(values["dbtls_certificate_next_expiry_days", ("report", made_title(new))] - days) <= 1


def made_title(families: list[Any]) -> str:
    """The label of the report."""
    title: str = families[0].samples[0].labels["report"]
    return title


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_checksums(paths: dict[str, str]) -> None:
    """``sha256sum --check`` agrees, and the page names the digest of the JSON."""
    directory = Path(paths["checksums"]).parent
    done = subprocess.run(
        ["sha256sum", "--check", "report.sha256"], check=False, cwd=directory, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert set(re.findall(r"^(.*): OK$", done.stdout, re.MULTILINE)) == {
        Path(path).name for kind, path in paths.items() if kind != "checksums"
    }
    digest = hashlib.sha256(Path(paths["json"]).read_bytes()).hexdigest()
    assert digest in Path(paths["html"]).read_text("utf-8")


def test_hostile_text_is_kept(hostile_looks: Looks, make_report: MakeReport) -> None:
    """Nothing is lost of what hostile servers say, and a formula is a text."""
    made = make_report({"=HYPERLINK(1)": hostile_looks["hostile-1"]})
    names = {account.user for account in made.report.servers[0].accounts or ()}
    assert {SCRIPT, "=cmd|' /C calc'!A0", "evil\u202e\u2066txt", "bell\a\x1b[31m"} <= names
    assert "\n'=HYPERLINK(1),'=HYPERLINK(1),checked" in Path(made.paths["csv"]).read_text("utf-8")
    assert json.loads(Path(made.paths["json"]).read_text("utf-8"))["servers"][0]["server"]["version"].endswith(SCRIPT)
