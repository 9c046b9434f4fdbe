# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One job on the servers of many hosts: each host has its result, whatever becomes of the others."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_check, role_options
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables

ROLE = Path(__file__).resolve().parents[4] / "roles" / "mysql_tls"


class Fleet:
    def __init__(self, **hosts: dict[str, t.Any]) -> None:
        self.hosts = hosts

    def of(self, host: str) -> HostVariables:
        return HostVariables({"mysql_tls_login_host": host, "mysql_tls_min_version": "TLSv1.2", **self.hosts[host]})


def ca_cert(variables: HostVariables) -> str:
    found = str(variables.value("mysql_tls_ca_cert") or "bundle.pem")
    if found == "none":
        raise RdsMysqlError("There is no CA bundle.", state="x")
    if found == "undefined":
        raise AnsibleError("'unknown' is undefined")
    return found


def job(work: t.Callable[[dict[str, t.Any]], dict[str, t.Any]]) -> fleet_check.Job:
    return fleet_check.Job("mysql_ssl_status", STATUS, role_options.status, work)


def results(fleet: Fleet, work: t.Callable[[dict[str, t.Any]], dict[str, t.Any]], **more: t.Any) -> dict[str, t.Any]:
    prepared = fleet_check.prepare(t.cast("t.Any", fleet), fleet.hosts, job(work), ca_cert)
    return dict(fleet_check.run(prepared, job(work), **more))


def test_each_host_has_its_result() -> None:
    def work(options: dict[str, t.Any]) -> dict[str, t.Any]:
        if options["login_host"] == "db3":
            raise RdsMysqlError("db3 is down.", error_code=1)
        if options["login_host"] == "db4":
            raise ZeroDivisionError("by zero")
        return {"changed": False, "host": options["login_host"], "ca_cert": options["ca_cert"], "ansible_facts": {}}

    fleet = Fleet(
        db1={},
        db2={"mysql_tls_ca_cert": "own.pem"},
        db3={},
        db4={},
        db5={"mysql_tls_ca_cert": "none"},
        db6={"mysql_tls_ca_cert": "undefined"},
        db7={"mysql_tls_login_port": "many"},
    )
    found = results(fleet, work)
    assert found["db1"] == {"changed": False, "host": "db1", "ca_cert": "bundle.pem"}
    assert found["db2"]["ca_cert"] == "own.pem"
    assert found["db3"] == {"failed": True, "msg": "db3 is down.", "error_code": 1}
    assert found["db4"]["msg"] == "Internal error; please report it: ZeroDivisionError: by zero"
    assert found["db5"] == {"failed": True, "contacted": False, "msg": "There is no CA bundle.", "state": "x"}
    assert found["db6"] == {"failed": True, "contacted": False, "msg": "'unknown' is undefined"}
    assert "argument 'mysql_tls_login_port' is of type" in found["db7"]["msg"]
    assert found["db7"]["failed"]
    assert found["db7"]["contacted"] is False


def test_nobody_is_contacted_while_it_is_prepared() -> None:
    def work(_options: dict[str, t.Any]) -> dict[str, t.Any]:
        raise AssertionError

    class Look:
        def __init__(self) -> None:
            self.seen: dict[str, list[str]] = {}

        def look(self, host: str, variables: HostVariables) -> None:
            self.seen[host] = variables.names()

    look, fleet = Look(), Fleet(db1={}, db2={})
    fleet_check.prepare(t.cast("t.Any", fleet), fleet.hosts, job(work), ca_cert, [t.cast("t.Any", look)])
    assert list(look.seen) == ["db1", "db2"]
    assert "mysql_tls_login_host" in look.seen["db1"]


def test_hosts_without_their_bundle_are_not_contacted() -> None:
    fleet = Fleet(db1={}, db2={"mysql_tls_ca_cert": "own.pem"})
    prepared = fleet_check.prepare(t.cast("t.Any", fleet), fleet.hosts, job(lambda _options: {}), ca_cert)
    prepared.refuse({"bundle.pem": "No CA bundle: gone."})
    assert dict(fleet_check.run(prepared, job(lambda _options: {"changed": False}))) == {
        "db1": {"failed": True, "contacted": False, "msg": "No CA bundle: gone."},
        "db2": {"changed": False},
    }


def test_secrets_are_masked() -> None:
    fleet = Fleet(db1={"mysql_tls_login_user": "root", "mysql_tls_login_password": "very-secret"})
    found = results(fleet, lambda options: {"said": f"with {options['login_password']} in it"})
    assert "very-secret" not in str(found)
    prepared = fleet_check.prepare(t.cast("t.Any", fleet), fleet.hosts, fleet_check.STATUS_JOB, ca_cert)
    assert "very-secret" not in repr(prepared)


def test_it_can_be_stopped() -> None:
    fleet = Fleet(**{f"db{number}": {} for number in range(500)})
    found: list[str] = []

    def stop() -> bool:
        return len(found) >= 7

    prepared = fleet_check.prepare(t.cast("t.Any", fleet), fleet.hosts, job(lambda _options: {}), ca_cert)
    for host, _result in fleet_check.run(prepared, job(lambda _options: {}), stopped=stop):
        found.append(host)
    assert len(found) == 7


def test_hosts_that_are_one_server_do_not_take_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do they hold up others."""
    monkeypatch.setattr(fleet_check, "_FEW", fleet_check._AT_ONCE)
    lock, running, most, alone = threading.Lock(), [0], [0], threading.Semaphore(0)

    def work(options: dict[str, t.Any]) -> dict[str, t.Any]:
        if options["login_host"] != "Proxy":
            alone.release()
            return {}
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        assert alone.acquire(timeout=60)  # there are as many of the others
        with lock:
            running[0] -= 1
        return {}

    proxy = {"mysql_tls_login_host": "Proxy"}
    found = results(Fleet(**{f"a{number}": proxy for number in range(20)}, **{f"b{n}": {} for n in range(20)}), work)
    assert len(found) == 40
    assert not any(result.get("failed") for result in found.values())
    assert 1 < most[0] <= fleet_check._AT_ONE_SERVER


def test_it_says_how_far_it_is_and_who_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_check, "_PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(fleet_check, "_LONG_SECONDS", 0.0)
    told: list[str] = []
    said = threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        if " and 2 more" in line:
            said.set()

    def work(_options: dict[str, t.Any]) -> dict[str, t.Any]:
        said.wait()
        return {"mysql_ssl": {"verdict": "non_compliant"}}

    hosts = {**{f"slow{number}": {} for number in range(5)}, "db": {"mysql_tls_ca_cert": "none"}}
    results(Fleet(**hosts), work, progress=tell)
    begin = "1 of 6 servers checked, 1 failed or non-compliant"
    assert f"{begin}; waiting for slow0, slow1, slow2 and 2 more" in told
    assert told[-1].startswith("6 of 6 servers checked, 6 failed or non-compliant")


@pytest.mark.parametrize(
    ("task", "options", "elsewhere"),
    [
        ("status", role_options.status, set()),
        # What the record needs belongs to a change, and so does a plan that was made before. What was observed is read
        # for all hosts at once.
        ("require", role_options.require, {"rollback_file", "rollback_group", "rollback_note", "plan", "readiness"}),
    ],
)
def test_options_are_those_of_the_role(task: str, options: t.Any, elsewhere: set[str]) -> None:
    """Each option that the role's task sets from a variable is set here too."""
    told, *_rest = yaml_load((ROLE / "tasks" / f"{task}.yml").read_text("utf-8"))
    module = next(value for name, value in told.items() if name.startswith("dbtls.rds_mysql."))
    login = yaml_load((ROLE / "vars" / "main.yml").read_text("utf-8"))["__mysql_tls_login"]
    named = {part.split("'")[1] for part in login.split(",") if "'" in part and ": omit" not in part}
    named |= {name for name, value in module.items() if value != "{{ omit }}"}
    variables = {f"mysql_tls_{name.removeprefix('tls_')}": "1" for name in named}
    found = options(HostVariables(variables), "ca.pem")
    assert set(found) == named - elsewhere
