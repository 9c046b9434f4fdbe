# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other files of a report against their schemas, made from looks at real and at hostile servers."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from jsonschema import Draft202012Validator

from .conftest import SCRIPT, Look, MakeReport, multiplied

ROOT = Path(__file__).resolve().parents[2]
Looks = dict[str, Look | None]

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
        assert all(data["changes"][name] for name in ("worse", "drift", "servers_added", "servers_gone"))


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


def test_csv(paths: dict[str, str]) -> None:
    """As many cells in each line as in the first, and none that a spreadsheet would compute."""
    text = Path(paths["csv"]).read_bytes().decode("utf-8")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    servers = json.loads(Path(paths["json"]).read_text("utf-8"))["servers"]
    assert [row[0] for row in rows] == [server["name"] for server in servers]
    numbers = {"certificate_days_left"}
    for row in rows:
        assert len(row) == len(header)
        for name, cell in zip(header, row, strict=True):
            assert name in numbers or not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_hostile_text_is_kept(hostile_looks: Looks, make_report: MakeReport) -> None:
    """Nothing is lost of what hostile servers say, and a formula is a text."""
    made = make_report({"=HYPERLINK(1)": hostile_looks["hostile-1"]})
    names = {account.user for account in made.report.servers[0].accounts or ()}
    assert {SCRIPT, "=cmd|' /C calc'!A0", "evil\u202e\u2066txt", "bell\a\x1b[31m"} <= names
    assert "\n'=HYPERLINK(1),'=HYPERLINK(1),looked_at" in Path(made.paths["csv"]).read_text("utf-8")
    assert json.loads(Path(made.paths["json"]).read_text("utf-8"))["servers"][0]["server"]["version"].endswith(SCRIPT)
