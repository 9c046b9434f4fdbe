# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's files say the same: argument_specs, defaults, README, and what the tasks use."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rds_api

from docs.tools.role_readme import entry_points, readme

ROLE = Path(__file__).parents[3] / "roles" / "mysql_tls"
# What the role itself makes, and what it hands to its own task files.
_OWN = {"mysql_tls_look", "mysql_tls_audit", "mysql_tls_notice", "mysql_tls_change", "mysql_tls_rollback_records"}
_ACTIONS = {
    "mysql_tls_bundles",
    "mysql_tls_fleet",
    "mysql_tls_history",
    "mysql_tls_rds",
    "mysql_tls_records",
    "mysql_tls_report",
    "mysql_tls_variables",
    "mysql_tls_readiness",
    "mysql_tls_watch",
}
# Differs between entry points, or is worked out.
_WORKED_OUT = {
    "mysql_tls_notify",
    "mysql_tls_base_url",
    "mysql_tls_bundle_checksum",
    "mysql_tls_bundle_dir",
    "mysql_tls_ca_cert",
    "mysql_tls_ca_path",
    "mysql_tls_client_cert",
    "mysql_tls_client_key",
    "mysql_tls_login_host",
    "mysql_tls_login_password",
    "mysql_tls_login_user",
    "mysql_tls_rollback_dir",
    "mysql_tls_rollback_file",
    "mysql_tls_slices_dir",
    "mysql_tls_state_dir",
    "mysql_tls_state_group",
}
_IN_TASKS = {"mysql_tls_max_fail_percentage", "mysql_tls_any_errors_fatal"}


def test_readme_is_what_the_specs_say() -> None:
    assert (ROLE / "README.md").read_text("utf-8") == readme(ROLE)


def test_readme_has_no_markup_of_ansible_and_no_empty_code() -> None:
    text = (ROLE / "README.md").read_text("utf-8")
    assert not re.search(r"\b[A-Z]\(\w|\| `` \|", text)


def test_every_variable_is_in_the_specs() -> None:
    specified = {name for entry in entry_points(ROLE).values() for name in entry["options"]}
    used = set()
    for path in ROLE.glob("*/*.yml"):
        if path.parent.name != "meta":
            used |= set(re.findall(r"(?<!\w)mysql_tls_\w+", path.read_text("utf-8")))
    # Names of the collection's module and of the role itself are none of variables.
    assert used - _OWN - _ACTIONS == specified


def test_defaults_are_what_the_specs_say() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text("utf-8"))
    specified = {}
    for entry in entry_points(ROLE).values():
        for name, option in entry["options"].items():
            if "default" in option and name not in _IN_TASKS:
                specified[name] = option["default"]
    # Null is what is not set.
    given = {name: value for name, value in defaults.items() if name not in _WORKED_OUT and value is not None}
    assert given == specified


def test_secrets_are_not_logged() -> None:
    for entry in entry_points(ROLE).values():
        for name, option in entry["options"].items():
            assert bool(option.get("no_log")) == name.endswith(("_password", "_passphrase")), name


def test_each_entry_point_has_its_tasks() -> None:
    for entry in entry_points(ROLE):
        assert (ROLE / "tasks" / f"{entry}.yml").is_file()


def test_both_forms_of_the_audit_report_with_the_same_options() -> None:
    def options(task_file: str, module: str) -> dict[str, str]:
        tasks = yaml.safe_load((ROLE / "tasks" / f"{task_file}.yml").read_text("utf-8"))
        (block,) = (task["block"] for task in tasks if "block" in task)
        return dict(block[0][f"dbtls.rds_mysql.{module}"])

    fleet, report = options("fleet", "mysql_tls_fleet"), options("report", "mysql_tls_report")
    # What only merge_reports has.
    for name in ("fail_on", "hosts", "slices"):
        assert "__mysql_tls_slices" in report.pop(name)
    # The task for all hosts has fetched the bundles itself.
    assert "__mysql_tls_bundles" in report.pop("ca_certs")
    assert {name: fleet.get(name) for name in report} == report
    assert set(fleet) - set(report) == {"fetch", "check", "report"}


def test_no_configured_strategy_counts_for_a_playbook() -> None:
    """With the strategy free, a roll-out says that it stops, and goes on with the next batch."""
    for path in (ROLE.parents[1] / "playbooks").glob("*.yml"):
        plays = yaml.safe_load(path.read_text("utf-8"))
        assert {play["strategy"] for play in plays if "hosts" in play} == {"linear"}, path


def test_states_of_instances() -> None:
    """The role waits for those that the action takes."""
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text("utf-8"))
    assert tuple(variables["__mysql_tls_rds_usable"]) == rds_api.USABLE
