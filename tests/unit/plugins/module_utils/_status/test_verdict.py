# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one verdict, and where it shows."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import (
    COMPLIANT,
    NON_COMPLIANT,
    UNDECIDED,
    verdict,
)

from .recorded_server import RECORDED, Played, check

if t.TYPE_CHECKING:
    from tests.servers import Pki

REQUIRING = [("app", "%", "mysql_native_password", "ANY", "", "", "", 0, 0)]
SWITCHED_ON = {**RECORDED["own"], "require_secure_transport": "ON"}


@pytest.mark.parametrize(
    ("severities", "accounts_known", "switch", "expected"),
    [
        ([], True, False, COMPLIANT),
        (["low", "info"], True, None, COMPLIANT),
        (["low", "info"], False, True, COMPLIANT),
        ([], False, None, UNDECIDED),
        (["low"], False, False, UNDECIDED),
        (["info", "medium"], True, True, NON_COMPLIANT),
        (["high"], False, None, NON_COMPLIANT),
    ],
)
def test_verdict(severities: list[str], accounts_known: bool, switch: bool | None, expected: str) -> None:
    assert verdict(severities, accounts_known=accounts_known, require_secure_transport=switch) == expected


@pytest.mark.parametrize(
    ("variables", "accounts", "login", "expected", "words"),
    [
        (RECORDED["own"], REQUIRING, True, COMPLIANT, "compliant"),
        (RECORDED["own"], None, True, UNDECIDED, "undecided: accounts could not be read"),
        (SWITCHED_ON, None, True, COMPLIANT, "compliant"),
        (RECORDED["own"], [("app", "%", "x", "", "", "", "", 0, 0)], True, NON_COMPLIANT, "non-compliant"),
        (RECORDED["own"], None, False, UNDECIDED, "undecided: no issues found, accounts not checked"),
    ],
)
def test_verdict_of_a_server(
    variables: dict[str, str], accounts: t.Any, login: bool, expected: str, words: str, pki: Pki
) -> None:
    credentials = {} if login else {"login_user": None, "login_password": None}
    seen = check(variables, pki.server(), Played(accounts), ca_cert=str(pki.bundle), **credentials)
    assert seen["verdict"] == expected
    assert seen["compliant"] is (expected == COMPLIANT)
    server, how, said = seen["summary"][0].split(", ", 2)
    assert server == "mysql 8.0.39"
    assert how == f"{seen['session']['protocol']} {seen['session']['cipher']}" if login else "unauthenticated check"
    assert said == words
