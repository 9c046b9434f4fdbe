# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of finding is registered, emitted, documented in the guide, and reachable on a server."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import (
    account_findings,
    certificate_findings,
    finding,
    finding_kinds,
    findings,
    rds_findings,
    session_findings,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, KINDS, SEVERITIES

from .recorded_server import ACCOUNTS, AS_RECORDED, RECORDED, Played, check

if t.TYPE_CHECKING:
    from tests.servers import Pki

ROOT = Path(__file__).resolve().parents[5]
GUIDE = ROOT / "docs" / "docsite" / "rst" / "reading_the_status.rst"
# "certificate-expired (high), certificate-expiring (medium)" begins an entry about two.
ENTRY = re.compile(r"^[a-z-]+ \([a-z, ]+\)(?:, [a-z-]+ \([a-z, ]+\))*$", re.MULTILINE)
KIND_IN_ENTRY = re.compile(r"([a-z-]+) \(([a-z, ]+)\)")

MYSQL = RECORDED["own"]
RULES = (findings, account_findings, certificate_findings, session_findings, rds_findings)
# What the audit says besides, from the RDS API; test_rds_findings.py has a case for each.
OF_RDS_API = {kind.id for kind in KINDS if kind.requires == "rds_api"} | {"rds-api-not-visible"}


def syntax_of(module: t.Any) -> ast.Module:
    return ast.parse(Path(module.__file__).read_text("utf-8"))


def emitted() -> dict[str, int]:
    """How often the rules name each id."""
    ids: dict[str, int] = {}
    for rules in RULES:
        for node in ast.walk(syntax_of(rules)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "finding":
                (kind, *_others) = node.args
                assert isinstance(kind, ast.Constant)
                ids[str(kind.value)] = ids.get(str(kind.value), 0) + 1
    return ids


def test_the_rules_emit_exactly_what_is_registered() -> None:
    assert set(emitted()) == set(BY_ID)
    assert len(BY_ID) == len(KINDS)
    # Nothing else makes a finding, which would then not be looked up in the registry.
    calls = [
        node
        for rules in (*RULES, finding)
        for node in ast.walk(syntax_of(rules))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
    ]
    assert len(calls) == 1


def test_the_registry_is_sound() -> None:
    for kind in KINDS:
        assert kind.severity in SEVERITIES
        assert kind.requires in t.get_args(finding_kinds.Evidence)
        assert kind.same_matter_as is None or BY_ID[kind.same_matter_as].same_matter_as is None
        assert kind.decides is (kind.severity in ("high", "medium"))
    assert len({kind.title for kind in KINDS}) == len(KINDS)
    assert BY_ID["certificate-expired"].matter == BY_ID["certificate-expiring"].matter == "certificate-expiring"


def test_the_registry_needs_the_standard_library_only() -> None:
    imported = {
        name
        for node in ast.walk(syntax_of(finding_kinds))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported == {"__future__", "typing", "dataclasses"}


def test_the_guide_has_an_entry_for_each_kind_with_its_severities() -> None:
    documented: dict[str, list[str]] = {}
    for entry in ENTRY.finditer(GUIDE.read_text("utf-8")):
        for kind, severities in KIND_IN_ENTRY.findall(entry.group()):
            assert kind not in documented
            documented[kind] = severities.split(", ")
    assert {kind: severities[0] for kind, severities in documented.items()} == {
        kind.id: kind.severity for kind in KINDS
    }
    for severities in documented.values():
        assert sorted(severities, key=SEVERITIES.index) == severities


@dataclass(frozen=True)
class Case:
    """A server that has findings of these kinds."""

    kinds: set[str]
    variables: dict[str, str] = field(default_factory=lambda: MYSQL)
    certificate: str | None = "good"
    rows: Played = AS_RECORDED
    options: dict[str, t.Any] = field(default_factory=dict)
    ciphers: str | None = None


UNAUTHENTICATED = {"login_user": None, "login_password": None}
WEAK = "DEFAULT:@SECLEVEL=0"
SEEING = {**MYSQL, "performance_schema": "ON"}
CASES = {
    "as it comes": Case({"account-without-tls", "transport-not-required", "sessions-not-visible"}),
    "without TLS": Case({"tls-unavailable"}, certificate=None, options=UNAUTHENTICATED),
    "old TLS": Case({"weak-protocol"}, {**MYSQL, "tls_version": "TLSv1,TLSv1.2"}),
    "anonymous": Case(
        {"anonymous-account"}, rows=Played([("", "%", "mysql_native_password", "ANY", "", "", "", 0, 0)])
    ),
    "plaintext": Case(
        {"plaintext-session"}, SEEING, rows=Played(ACCOUNTS, [(9, "app", "10.0.0.7", "TCP/IP", "Sleep")])
    ),
    "proxied clients": Case(
        {"plaintext-session", "tls-ends-before-server"},
        SEEING,
        rows=Played(
            ACCOUNTS,
            [(9, "app", "10.0.0.7", "SSL/TLS", "Sleep"), (10, "app", "10.0.0.7", "SSL/TLS", "Sleep")],
            [(9, "_client_ip", "10.1.1.1"), (10, "_client_ip", "10.1.1.2"), (10, "_client_ssl_cipher", "X")],
        ),
    ),
    "a proxy": Case({"tls-ends-before-server"}, rows=Played(number=8)),
    "no access control": Case({"access-control-off"}, rows=Played(me="skip-grants user@skip-grants host")),
    "not flushed": Case({"privileges-not-flushed"}, rows=Played(required="REQUIRE NONE")),
    "accounts not visible": Case({"accounts-not-visible"}, rows=Played(None)),
    "proxies not visible": Case(
        {"proxies-not-visible"}, SEEING, rows=Played(ACCOUNTS, [(9, "app", "10.0.0.7", "SSL/TLS", "Sleep")])
    ),
    "replication not visible": Case({"replication-not-visible"}, rows=Played(replication=None)),
    "proxy grants not visible": Case({"proxy-grants-not-visible"}, rows=Played(proxies=None)),
    "memory not visible": Case({"memory-not-visible"}, rows=Played(required=None)),
    "weak key": Case({"weak-certificate"}, certificate="weak-key", options=UNAUTHENTICATED, ciphers=WEAK),
    "no forward secrecy": Case({"no-forward-secrecy"}, options=UNAUTHENTICATED, ciphers="AES256-GCM-SHA384"),
    "another name": Case({"certificate-hostname-mismatch"}, certificate="wrong-name", options=UNAUTHENTICATED),
    "expired": Case({"certificate-expired", "certificate-untrusted"}, certificate="expired", options=UNAUTHENTICATED),
    "expiring": Case({"certificate-expiring"}, options={"expiry_warn_days": 400, **UNAUTHENTICATED}),
    "old CA": Case({"rds-ca-retired"}, certificate="2019", options=UNAUTHENTICATED),
}
SAW: dict[finding_kinds.Evidence, t.Callable[[dict[str, t.Any]], bool]] = {
    "tls": lambda _status: True,
    "certificate": lambda status: status["certificate"] is not None,
    "certificate_trust": lambda status: status["certificate"]["trusted"] is not None,
    "accounts": lambda status: status["accounts"] is not None,
    "sessions": lambda status: status["sessions"] is not None,
    "secure_transport": lambda status: status["tls"]["require_secure_transport"] is not None,
    "login": lambda status: status["session"] is not None,
    "rds_api": lambda status: False,
}


@pytest.mark.parametrize("name", CASES)
def test_a_kind_is_reachable(name: str, pki: Pki, old_pki: Pki) -> None:
    case = CASES[name]
    issuer = old_pki if case.certificate == "2019" else pki
    files = None
    if case.certificate is not None:
        files = issuer.server() if case.certificate == "2019" else issuer.server(case.certificate)
    seen = check(case.variables, files, case.rows, ca_cert=str(issuer.bundle), ciphers=case.ciphers, **case.options)
    found = {one["id"]: one for one in seen["findings"]}
    assert case.kinds <= set(found)
    for one in found.values():
        kind = BY_ID[one["id"]]
        assert SAW[kind.requires](seen)
        assert finding_kinds.at_least(kind.severity, one["severity"])
        assert one["remediation"]


def test_every_kind_has_such_a_case() -> None:
    assert set().union(*(case.kinds for case in CASES.values())) == set(BY_ID) - OF_RDS_API


@pytest.fixture(scope="module", name="old_pki")
def _old_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    from tests.servers import Pki

    name = "Amazon RDS eu-central-1 2019 CA"
    return Pki(tmp_path_factory.mktemp("old-pki"), intermediate_name=name, key_type="ec")
