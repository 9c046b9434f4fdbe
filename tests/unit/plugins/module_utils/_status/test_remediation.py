# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remediations are safe to follow: what is connected now is named, and names are data."""

from __future__ import annotations

import json
import shlex
import typing as t

import pytest

from .recorded_server import RECORDED, Played, check

if t.TYPE_CHECKING:
    from tests.servers import Pki

SEEING = {**RECORDED["own"], "performance_schema": "ON"}


def todo(kind: str, variables: dict[str, str], rows: Played, pki: Pki, **options: t.Any) -> str:
    seen = check(variables, pki.server(), rows, **options)
    (one,) = [finding for finding in seen["findings"] if finding["id"] == kind]
    return str(one["remediation"])


def account(user: str, plugin: str = "caching_sha2_password", ssl_type: str = "") -> t.Any:
    return (user, "%", plugin, ssl_type, "", "", "", 0, 0)


def test_clients_without_tls_come_first(pki: Pki) -> None:
    sessions = [(9, "app", "10.0.0.7", "TCP/IP", "Sleep"), (10, "app", "localhost", "Socket", "Sleep")]
    said = todo("account-without-tls", SEEING, Played([account("app")], sessions), pki)
    assert said.startswith("First let its clients use TLS: 2 sessions are connected without")
    assert said.endswith("By hand: ALTER USER 'app'@'%' REQUIRE SSL;")
    quiet = Played([account("app")], [(9, "app", "10.0.0.7", "SSL/TLS", "Sleep")])
    assert todo("account-without-tls", SEEING, quiet, pki).startswith("ansible-playbook ")
    switch = todo("transport-not-required", SEEING, Played([account("app")], sessions), pki)
    assert switch.startswith("First let its clients use TLS: 1 session is connected without")


def test_what_is_run_stands_apart(pki: Pki) -> None:
    """Whatever names have in them: the two commands are what is copied, and each is part of the text."""
    name = "x By hand: ansible-playbook; rm -rf ~"
    seen = check(SEEING, pki.server(), Played([account(name)], []))
    (one,) = [finding for finding in seen["findings"] if finding["id"] == "account-without-tls"]
    playbook, statement = one["commands"]
    assert json.loads(shlex.split(playbook)[-1]) == {"mysql_tls_accounts": [f"{name}@%"]}
    assert statement == f"ALTER USER '{name}'@'%' REQUIRE SSL;"
    assert one["remediation"] == f"{playbook} By hand: {statement}"
    switch = next(finding for finding in seen["findings"] if finding["id"] == "transport-not-required")
    assert switch["commands"][1] == "SET PERSIST require_secure_transport = ON;"


@pytest.mark.parametrize("kind", ["account-without-tls", "anonymous-account"])
def test_a_read_only_server_is_left_alone(kind: str, pki: Pki) -> None:
    said = todo(kind, {**SEEING, "read_only": "ON"}, Played([account("")], []), pki)
    assert "replicates from" in said
    assert "USER" not in said


def test_names_are_data(pki: Pki) -> None:
    """In a shell, and in Ansible, which renders a variable of the command line."""
    said = todo("account-without-tls", SEEING, Played([account("it's $(id)")], []), pki)
    command, _by_hand, statement = said.partition(" By hand: ")
    assert json.loads(shlex.split(command)[-1]) == {"mysql_tls_accounts": ["it's $(id)@%"]}
    assert statement == "ALTER USER 'it''s $(id)'@'%' REQUIRE SSL;"
    for user in ("{{ lookup('pipe', 'id') }}", "{% x %}", "{# x #}", "all*"):
        said = todo("account-without-tls", SEEING, Played([account(user)], []), pki)
        assert said.startswith("By hand: ALTER USER ")


@pytest.mark.parametrize(
    ("version", "tls_version", "value"),
    [
        ("5.7.36", "TLSv1,TLSv1.1,TLSv1.2", "tls_version=TLSv1.2 under"),
        # No server of that series does TLSv1.3.
        ("5.7.44", "TLSv1.1,TLSv1.2,TLSv1.3", "tls_version=TLSv1.2 under"),
        ("8.0.15", "TLSv1,TLSv1.2", "tls_version=TLSv1.2 under"),
        ("8.0.26", "TLSv1.1,TLSv1.2,TLSv1.3", "tls_version = 'TLSv1.2,TLSv1.3'; ALTER INSTANCE RELOAD TLS;"),
        ("8.0.26", "TLSv1", "tls_version = 'TLSv1.2'; ALTER INSTANCE RELOAD TLS;"),
    ],
)
def test_no_server_is_given_a_version_that_it_does_not_have(
    version: str, tls_version: str, value: str, pki: Pki
) -> None:
    variables = {**SEEING, "version": version, "tls_version": tls_version}
    assert value in todo("weak-protocol", variables, Played([account("app", ssl_type="ANY")], []), pki)


def test_the_versions_that_count_are_those_that_were_loaded(pki: Pki) -> None:
    variables = {**SEEING, "tls_version": "TLSv1.2,TLSv1.3", "admin_port": "33062", "admin_tls_version": "TLSv1.3"}
    status = [("Current_tls_version", "TLSv1.1,TLSv1.2")]
    seen = check(variables, pki.server(), Played(sessions=[], status=status))
    assert seen["tls"]["versions"] == ["TLSv1.1", "TLSv1.2"]
    assert "weak-protocol" in {finding["id"] for finding in seen["findings"]}


def test_the_servers_switch(pki: Pki) -> None:
    seen = check({**SEEING, "require_secure_transport": "ON"}, pki.server(), Played([account("app")], []))
    (one,) = [finding for finding in seen["findings"] if finding["id"] == "account-without-tls"]
    assert one["severity"] == "info"
    assert "may log in without TLS" not in one["message"]
    assert "as long as require_secure_transport is ON" in one["message"]


def test_an_anonymous_account_of_an_external_plugin(pki: Pki) -> None:
    for plugin in ("authentication_ldap_sasl", "pam"):
        rows = Played([account("", plugin, "ANY")], [])
        seen = check(SEEING, pki.server(), rows)
        (one,) = [finding for finding in seen["findings"] if finding["id"] == "anonymous-account"]
        assert one["severity"] == "info"
        assert "DROP" not in one["remediation"]
        assert plugin in one["message"]
    assert "By hand: DROP USER ''@'%';" in todo("anonymous-account", SEEING, Played([account("")], []), pki)
