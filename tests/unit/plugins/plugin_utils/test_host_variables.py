# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of hosts: what is found without the templating engine is what the engine finds."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain

OTHERS = {
    "port": 3307,
    "address": "10.0.0.1",
    "blank": "",
    "nothing": None,
    "same_port": "{{ port }}",
    "names": ["a", "{{ port }}"],
    "circle": "{{ circle }}",
    "lost": "{{ unknown }}",
    "text_number": "0123",
}
VALUES: list[t.Any] = [
    *(None, True, False, 0, 3306, 1.5, "", [], "text", "yes", "0123", "{", "} {", "a { b", ["a", "b"], {"a": "b"}),
    *("{{ port }}", "{{port}}", "{{ same_port }}", "{{ names }}", "{{ text_number }}", "{{ nothing }}", "{{ blank }}"),
    *("{{ address | default(port) }}", "{{ unknown | default(address) }}", "{{ blank | default(port) }}"),
    *("{{ nothing | default(port) }}", "{{ lost | default(port) }}", "{{ unknown | default(same_port) }}"),
    *("{{ unknown | default('x') }}", "a{{ port }}", "{{ port }} ", " {{ port }}", "{{ port }}{{ port }}"),
    *("{% if true %}a{% endif %}", "{# none #}", "{{ omit }}", "{{ true }}", "{{ none }}", "{{ 'a' }}", "{{ [1] }}"),
    *(
        ["{{ port }}", "b"],
        {"a": "{{ port }}"},
        "#jinja2: variable_start_string:'[[', variable_end_string:']]'\n[[ port ]]",
    ),
    "{{ lookup('env', 'SOMETHING') | default('~', true) }}/bundles",
]


def trusted(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return {name: trusted(item) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_as_the_engine_has_it(value: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING", "/somewhere")
    seen = trusted({**OTHERS, "mysql_tls_x": value})
    expected = plain(Templar(loader=DataLoader(), variables=seen).template({"x": seen["mysql_tls_x"]})).get("x")
    variables = HostVariables(seen, DataLoader())
    given = variables.given("mysql_tls_x")
    assert given == expected
    assert type(given) is type(expected)
    assert variables.value("mysql_tls_x") == (None if expected in ("", []) else expected)


def test_what_is_not_trusted_is_no_template() -> None:
    variables = HostVariables(
        {"port": 1, "mysql_tls_x": "{{ port }}", "mysql_tls_y": trust_as_template("{{ mysql_tls_x }}")}
    )
    assert variables.given("mysql_tls_x") == "{{ port }}"
    assert variables.given("mysql_tls_y") == "{{ port }}"


@pytest.mark.parametrize("value", ["{{ unknown }}", "{{ lost }}", "{{ circle }}"])
def test_what_cannot_be_evaluated_is_an_error(value: str) -> None:
    variables = HostVariables(trusted({**OTHERS, "mysql_tls_x": value}), DataLoader())
    with pytest.raises(AnsibleError):
        variables.value("mysql_tls_x")


def test_what_is_the_same_everywhere_is_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shared: dict[t.Any, t.Any] = {}
    same = trust_as_template("{{ lookup('env', 'SOMETHING') | default('z', true) }}/x")
    other = trust_as_template("{{ lookup('env', 'NOTHING') | default(name, true) }}")
    for here in ("/one", "/two"):
        monkeypatch.setenv("SOMETHING", here)
        seen = {"name": here, "mysql_tls_x": same, "mysql_tls_y": other}
        variables = HostVariables(seen, DataLoader(), shared)
        assert variables.value("mysql_tls_x") == "/one/x"
        assert variables.value("mysql_tls_y") == here


SECRET = "{{ __mysql_tls_secret.username if mysql_tls_secret else lookup('env', 'SOMETHING') | default(none, true) }}"


@pytest.mark.parametrize("secret", ["", None, "name", "{{ name }}"])
@pytest.mark.parametrize("something", ["", "me"])
def test_a_login_of_a_secret_or_the_environment(
    secret: str | None, something: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMETHING", something)
    seen = trusted({"mysql_tls_x": SECRET, "mysql_tls_secret": secret, "name": "of-aws"})
    variables = HostVariables(seen, DataLoader())
    variables.set("__mysql_tls_secret", {"username": "secret-user"})
    assert variables.value("mysql_tls_x") == ("secret-user" if secret else something or None)
    assert variables.may_be_set("mysql_tls_x") == bool(secret or something)


@pytest.mark.parametrize(
    ("value", "may"),
    [
        *(("a", True), ("", False), (None, False), ("{{ nothing }}", False), ("{{ 1 + 1 }}", True)),
        ("{{ lookup('env', 'NOTHING') | default(none, true) }}", False),
    ],
)
def test_whether_it_may_be_set_asks_nobody(value: t.Any, may: bool) -> None:
    variables = HostVariables(trusted({**OTHERS, "mysql_tls_x": value}), DataLoader())
    assert variables.may_be_set("mysql_tls_x") is may
    assert not variables.may_be_set("mysql_tls_other")
