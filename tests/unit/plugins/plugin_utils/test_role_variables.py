# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables there are, what is wrong with what is set, and what each host needs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import role_variables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import (
    HostVariables,
    bundle_of,
    own_ca_cert,
)

ROLE = Path(__file__).parents[4] / "roles" / "mysql_tls"
KNOWN = frozenset({"mysql_tls_accounts", "mysql_tls_hosts"})
BUNDLE = {
    "mysql_tls_region": "eu-central-1",
    "mysql_tls_ca_set": "current",
    "mysql_tls_base_url": None,
    "mysql_tls_ca_path": "",
    "mysql_tls_bundle_checksum": "",
    "mysql_tls_bundle_allow_weaker": False,
    "mysql_tls_bundle_unknown_roots": "auto",
    "mysql_tls_bundle_dir": "/cache",
    "mysql_tls_ca_cert": "",
}


def values(**given: t.Any) -> HostVariables:
    """Of one host, templates as they are in an inventory."""
    return HostVariables(
        {name: trust_as_template(value) if isinstance(value, str) else value for name, value in given.items()}
    )


@pytest.mark.parametrize("nothing", ["", None, [], "{{ none }}", "{{ omit }}", "{{ '' }}"])
def test_what_is_not_set(nothing: t.Any) -> None:
    assert values(mysql_tls_x=nothing).value("mysql_tls_x") is None


def test_values_are_evaluated() -> None:
    seen = values(mysql_tls_x="{{ y }}-1", y="{{ z | upper }}", z="a", other=1)
    assert seen.value("mysql_tls_x") == "A-1"
    assert seen.value("mysql_tls_x").__class__ is str
    assert seen.value("mysql_tls_nothing") is None
    assert seen.names() == ["mysql_tls_x"]
    with pytest.raises(AnsibleError, match="'z' is undefined"):
        values(mysql_tls_x="{{ z }}").value("mysql_tls_x")


@pytest.mark.parametrize(
    ("given", "path"), [("some/where", "{cwd}/some/where"), ("~/x", "{home}/x"), ("$PLACE/x", "/place/x"), ("/x", "/x")]
)
def test_paths_start_where_ansible_was_started(
    given: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them, as modules start elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("PLACE", "/place")
    expected = path.format(cwd=tmp_path, home="/home/me")
    paths = dict.fromkeys(("mysql_tls_ca_path", "mysql_tls_bundle_dir"), given)
    bundle = bundle_of(values(**{**BUNDLE, **paths}))
    assert bundle["dest"] == f"{expected}/current-eu-central-1.pem"
    assert bundle["ca_path"] == expected
    assert own_ca_cert(values(mysql_tls_ca_cert=given)) == expected


def test_a_bundle() -> None:
    expected = {
        "dest": "/cache/current-eu-central-1.pem",
        "region": "eu-central-1",
        "ca_set": "current",
        "base_url": "",
        "url_username": "",
        "url_password": "",
        "ca_path": "",
        "checksum": "",
        "allow_weaker": "",
        "unknown_roots": "",
    }
    assert bundle_of(values(**BUNDLE)) == expected
    assert own_ca_cert(values(**BUNDLE)) is None
    # Each mirror has a file of its own; where it is served from is no part of its name.
    mirrors = [bundle_of(values(**{**BUNDLE, "mysql_tls_base_url": f"https://{name}/rds"})) for name in ("one", "two")]
    assert [bundle["base_url"] for bundle in mirrors] == ["https://one/rds", "https://two/rds"]
    assert len({bundle["dest"] for bundle in mirrors} | {expected["dest"]}) == 3
    assert all(bundle["dest"].startswith("/cache/current-eu-central-1-") for bundle in mirrors)


def test_own_ca_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/dba")
    assert own_ca_cert(values(mysql_tls_ca_cert="~/ca.pem")) == "/home/dba/ca.pem"


def test_every_default_of_the_role_is_known() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text("utf-8"))
    assert set(defaults) <= role_variables.known()
    assert "mysql_tls_max_fail_percentage" in role_variables.known()


def unknown_variables(fleet: dict[str, HostVariables], known: t.Collection[str]) -> list[str]:
    return role_variables.checked(fleet.items(), role_variables.UnknownVariables(known))


def test_unknown_variables() -> None:
    fleet = {
        "one": values(mysql_tls_acounts=1, mysql_tls_hosts="all", other=1),
        "two": values(mysql_tls_acounts=1, mysql_tls_zzz=2),
    }
    assert unknown_variables(fleet, KNOWN) == [
        "mysql_tls_acounts is not a variable of dbtls.rds_mysql (set for one, two). Did you mean mysql_tls_accounts?",
        "mysql_tls_zzz is not a variable of dbtls.rds_mysql (set for two).",
        "Custom variables can be listed in mysql_tls_own_variables.",
    ]
    assert unknown_variables({"one": values(mysql_tls_hosts=1)}, KNOWN) == []


@pytest.mark.parametrize(
    "own", [["mysql_tls_mine", "mysql_tls_yours"], "mysql_tls_mine, mysql_tls_yours", "{{ list }}"]
)
def test_variables_of_ones_own(own: t.Any) -> None:
    """By host, as they are set by host."""
    known = KNOWN | {role_variables.OWN}
    mine = values(
        mysql_tls_mine=1, mysql_tls_yours=2, mysql_tls_own_variables=own, list=["mysql_tls_mine", "mysql_tls_yours"]
    )
    assert unknown_variables({"one": mine}, known) == []
    found = unknown_variables({"one": mine, "two": values(mysql_tls_mine=1)}, known)
    assert found[0] == "mysql_tls_mine is not a variable of dbtls.rds_mysql (set for two)."
    # What cannot be evaluated allows nothing.
    undefined = values(mysql_tls_mine=1, mysql_tls_own_variables="{{ nothing }}")
    assert len(unknown_variables({"one": undefined}, known)) == 2


def test_many_hosts_are_not_all_named() -> None:
    fleet = {f"db{number}": values(mysql_tls_x=1) for number in range(1000)}
    assert "(set for db0, db1, db2, db3, db4 and 995 more)" in unknown_variables(fleet, KNOWN)[0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "No accounts are named for db."),
        ({"mysql_tls_accounts": ""}, "No accounts are named for db."),
        ({"mysql_tls_accounts": []}, "No accounts are named for db."),
        ({"mysql_tls_all_accounts": "no"}, "No accounts are named for db."),
        ({"mysql_tls_accounts": ["app@*"]}, None),
        ({"mysql_tls_accounts": "app@*"}, None),
        ({"mysql_tls_all_accounts": True}, None),
        ({"mysql_tls_all_accounts": "yes"}, None),
        ({"mysql_tls_require_secure_transport": False}, None),
        ({"mysql_tls_accounts": ["app@*"], "mysql_tls_all_accounts": True}, "Both mysql_tls_accounts and"),
        # The host's own task says that.
        ({"mysql_tls_accounts": "{{ nothing }}"}, None),
    ],
)
def test_scope(given: dict[str, t.Any], sentence: str | None) -> None:
    found = role_variables.checked([("db", values(**given))], role_variables.MissingScope())
    assert [text[: len(sentence or "")] for text in found] == ([sentence] if sentence else [])


@pytest.mark.parametrize("good", [0, 1, "1", "25%", 30, "100%"])
def test_batches(good: t.Any) -> None:
    assert role_variables.wrong_batches(values(mysql_tls_canary=good, mysql_tls_serial=good)) == []


@pytest.mark.parametrize("wrong", ["", "one", "-1", -1, 1.5, "2.5%", "%", True, None, [1, 2]])
def test_no_batches(wrong: t.Any) -> None:
    (sentence,) = role_variables.wrong_batches(values(mysql_tls_canary=wrong))
    assert sentence.startswith(f"mysql_tls_canary is {wrong or ''!r} and has to be a number of servers")


def test_a_limit_is_a_number() -> None:
    """Ansible would say so in a traceback, after the order of the roll-out was determined."""
    for good in (0, 2.5, "10", "33.3"):
        assert role_variables.wrong_batches(values(mysql_tls_max_fail_percentage=good)) == []
    for wrong in ("abc", "", "10%", -1):
        (sentence,) = role_variables.wrong_batches(values(mysql_tls_max_fail_percentage=wrong))
        assert sentence == f"mysql_tls_max_fail_percentage is {wrong!r} and has to be a number, such as 10."


def test_the_marker_of_storage_that_lasts(tmp_path: Path) -> None:
    """It is the one that the setup has left there, or this is another directory."""
    given = {"mysql_tls_state_dir": str(tmp_path), "mysql_tls_state_marker": "dbtls-1"}
    hosts = {"db1": values(**given), "db2": values(**given), "db3": values(mysql_tls_state_dir="/nowhere")}
    (found,) = role_variables.checked(hosts.items(), role_variables.OtherStorage())
    assert found.startswith(f"mysql_tls_state_dir: {tmp_path} does not have the file marker")
    assert "(for db1, db2)" in found
    (tmp_path / "marker").write_text("dbtls-2\n")
    assert role_variables.checked(hosts.items(), role_variables.OtherStorage())
    (tmp_path / "marker").write_text("dbtls-1\n")
    assert role_variables.checked(hosts.items(), role_variables.OtherStorage()) == []


def test_waivers_that_cannot_be_read(tmp_path: Path) -> None:
    """Said once, however many hosts have them."""
    (tmp_path / "waivers.yml").write_text("{}")
    fleet = [(str(number), values(mysql_tls_waivers=str(tmp_path / "waivers.yml"))) for number in range(3)]
    fleet += [("a", values(mysql_tls_waivers=[{"finding": "*"}])), ("b", values(mysql_tls_waivers=[])), ("c", values())]
    assert role_variables.checked(fleet, role_variables.WrongWaivers()) == [
        f"mysql_tls_waivers: {tmp_path}/waivers.yml has to be a list of waivers.",
        "mysql_tls_waivers, number 1: the waiver has no owner and no reason and no expires.",
    ]


def test_one_report_goes_by_one_value() -> None:
    """That of one host, as a group's variables give it, would count for all others, or not at all."""
    waiver = {"finding": "weak-protocol", "owner": "o", "reason": "r", "expires": "2027-01-01"}
    waived = values(mysql_tls_waivers=[waiver], mysql_tls_fail_on_new="none")
    fleet = [("a", waived), ("b", values()), ("c", values(mysql_tls_waivers="", mysql_tls_fail_on_new=""))]
    told = "is not the same for a and for b, c, and there is one report of all. Set it once for all hosts."
    assert role_variables.checked(fleet, role_variables.OneReport()) == [f"mysql_tls_waivers {told}"]
    assert role_variables.checked(fleet[1:], role_variables.OneReport()) == []
    fleet = [("a", values()), ("b", values(mysql_tls_fail_on_new="low")), ("c", values(mysql_tls_fail_on_new="low"))]
    assert role_variables.checked(fleet, role_variables.OneReport()) == [f"mysql_tls_fail_on_new {told}"]
    seen = role_variables.OneReport()
    seen.look("a", waived)
    assert [seen.same_waivers(variables) for variables in (waived, values())] == [True, False]


def test_where_a_bundle_goes() -> None:
    fleet = [("a", values()), ("b", values(mysql_tls_bundle_dest="/b.pem")), ("c", values(mysql_tls_bundle_dest=""))]
    told = "mysql_tls_bundle_dest is not set for a, c. Set it to the path of the CA bundle on these hosts."
    assert role_variables.checked(fleet, role_variables.MissingDestination()) == [told]
    assert role_variables.checked(fleet[1:2], role_variables.MissingDestination()) == []


@pytest.mark.parametrize("name", ["free", "ansible.builtin.free", "host_pinned", "mitogen_free"])
def test_hosts_have_to_wait_for_each_other(name: str) -> None:
    (sentence,) = role_variables.wrong_strategy(name)
    assert sentence.startswith(f"The strategy of the play is {name}, with which a failed server does not stop")
    for other in ("linear", "ansible.builtin.linear", "debug", "mitogen_linear"):
        assert role_variables.wrong_strategy(other) == []


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("role", "wirter", "one of writer, reader, proxy"),
        ("role", "Writer", "one of writer, reader, proxy"),
        ("role", None, "one of writer, reader, proxy"),
        ("role", "", "one of writer, reader, proxy"),
        ("fail_on", "High", "one of none, low, medium, high"),
        ("observe_for", "60s", "a whole number"),
        ("observe_for", -1, "a whole number"),
        ("observe_for", True, "a whole number"),
        ("artifact_bytes", "256 KB", "a whole number"),
        ("stop_on_refusals", "maybe", "true or false"),
        ("rds_api", ["yes"], "true or false"),
    ],
)
def test_values_that_the_role_would_take_for_others(name: str, value: t.Any, wanted: str) -> None:
    check = role_variables.WrongValues()
    assert role_variables.checked([("db", values(**{f"mysql_tls_{name}": value}))] * 2, check) == [
        f"mysql_tls_{name} is {value or ''!r} and has to be {wanted} (for db, db)."
    ]


def test_values_that_the_role_takes() -> None:
    good = {
        "mysql_tls_role": "reader",
        "mysql_tls_fail_on": "none",
        "mysql_tls_observe_for": "60",
        "mysql_tls_artifact_bytes": 0,
        "mysql_tls_stop_on_refusals": "yes",
        "mysql_tls_rds_api": "",
    }
    hosts = [("db", values(**good)), ("other", values(mysql_tls_observe_for=60)), ("none", values())]
    assert role_variables.checked(hosts, role_variables.WrongValues()) == []


def test_names_that_are_shown_as_others() -> None:
    hosts = [(name, values()) for name in ("db", "a b", "\u00fc", "tab\tx")]
    assert role_variables.checked(hosts, role_variables.WrongNames()) == [
        r"Names of hosts have control characters: tab\tx. Rename them in the inventory."
    ]
