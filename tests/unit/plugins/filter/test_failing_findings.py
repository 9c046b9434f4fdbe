# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dbtls.rds_mysql.plugins.filter.failing_findings import FilterModule
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rollout_summary

from ..plugin_utils.test_report import finding, status

WHO = {"owner": "dba", "reason": "Until spring.", "expires": "2099-03-31"}
HIGH = "one has 1 finding of severity high or more: [account-without-tls] "


def failing(waivers: t.Any = (), host: str = "one", fail_on: str = "high", result: t.Any = None) -> t.Any:
    result = status(finding()) if result is None else result
    return FilterModule().filters()["failing_findings"](result, host, fail_on, waivers)


def test_findings_of_the_severity() -> None:
    assert failing().startswith(HIGH)
    assert failing(fail_on="none") == failing(result=status()) == ""
    # Its own task has failed.
    assert failing(result={"failed": True, "msg": "Cannot reach it."}) == failing(result={"skipped": True}) == ""


@pytest.mark.parametrize(
    ("waiver", "holds"),
    [
        ({}, True),
        ({"server": "o*"}, True),
        ({"server": "two"}, False),
        ({"account": "nobody@*"}, False),
        ({"expires": "2020-01-01"}, False),
    ],
)
def test_what_is_waived(waiver: dict[str, str], *, holds: bool) -> None:
    found = failing([{"finding": "account-*", **WHO, **waiver}])
    assert (found == "") is holds


def test_what_is_wrong_with_waivers(tmp_path: Path) -> None:
    (tmp_path / "waivers.yml").write_text("- finding: account-without-tls\n")
    with pytest.raises(AnsibleFilterError, match=r"waivers\.yml, number 1: the waiver has no owner and no reason"):
        failing(str(tmp_path / "waivers.yml"))


def test_a_host_that_fails_for_findings_counts_in_the_roll_out() -> None:
    hosts = {"one": {"mysql_tls_look": status(), "__mysql_tls_found": {"failed": True, "msg": "It has findings."}}}
    hosts["two"] = {"mysql_tls_look": status(), "__mysql_tls_found": {"skipped": True, "changed": False}}
    checks = rollout_summary.checked(hosts, hosts)
    changes: dict[str, t.Any] = {"one": {"changed": True, "verification": {}}, "two": {"changed": False}}
    assert rollout_summary.stop(changes, checks, 0) == "Roll-out stopped: 1 of 2 servers failed (limit 0 %): one"
    assert rollout_summary.lines(changes, checks)["one"].endswith("; It has findings.")
