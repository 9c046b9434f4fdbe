# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook awx_setup with the real modules of awx.awx."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functional.plays import Ansible, Run

from .api import TOKEN, Awx
from .rules import answers

SETTINGS: dict[str, Any] = {
    "awx_setup_inventory": "Databases",
    "awx_setup_report_dir": "/var/lib/mysql-tls",
    "awx_setup_login_user": "db_root",
    "awx_setup_login_password": "pw!{{ 7*7 }}'\"#",
    "awx_setup_image": "registry.example.org/dbtls:1",
}


@pytest.fixture(autouse=True)
def login(awx: Awx, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the modules take from the environment."""
    monkeypatch.setenv("CONTROLLER_HOST", awx.url)
    monkeypatch.setenv("CONTROLLER_OAUTH_TOKEN", TOKEN)


def set_up(ansible: Ansible, *arguments: str, **settings: Any) -> Run:
    """Run the playbook by its full name."""
    ansible.secrets = ["pw!{{", TOKEN]
    # As !unsafe in YAML, which is what a password with braces in it has to be.
    tagged = {
        name: {"__ansible_unsafe": value} if isinstance(value, str) and "{{" in value else value
        for name, value in {**SETTINGS, **settings}.items()
    }
    path = ansible.directory / "settings.json"
    path.write_text(json.dumps(tagged))
    return ansible.run(
        "ansible-playbook", "-i", "localhost,", "dbtls.rds_mysql.awx_setup", "-e", f"@{path}", *arguments
    )


def test_everything_is_made_and_stays(ansible: Ansible, awx: Awx) -> None:
    set_up(ansible, "-vvv").ok()
    store = awx.store
    kind = store.named("credential_types", "MySQL TLS login")
    assert kind["injectors"]["extra_vars"]["mysql_tls_login_user"] == "{{ login_user }}"
    assert [entry["id"] for entry in kind["inputs"]["fields"] if entry.get("secret")] == [
        "login_password",
        "client_cert",
        "client_key",
    ]
    login = store.named("credentials", "MySQL TLS login")
    assert store.passwords == [SETTINGS["awx_setup_login_password"]]
    assert login["inputs"] == {"login_user": "db_root", "login_password": "$encrypted$"}

    templates = {name: store.named("job_templates", f"MySQL TLS {name}") for name in ("Audit", "Enforce", "Rollback")}
    assert {name: item["job_type"] for name, item in templates.items()} == {
        "Audit": "check",
        "Enforce": "run",
        "Rollback": "run",
    }
    for item in templates.values():
        assert store.associated(item, "credentials") == [login]
        assert item["survey_enabled"] is True
        assert item["ask_limit_on_launch"] is True
        assert json.loads(item["extra_vars"])["mysql_tls_report_dir"] == "/var/lib/mysql-tls"
        assert store.find(item["execution_environment"])["image"] == SETTINGS["awx_setup_image"]
    surveys = {name: store.surveys[item["id"]] for name, item in templates.items()}
    assert answers(surveys["Audit"], {}) == {"mysql_tls_fail_on": "none"}
    assert answers(surveys["Enforce"], {"mysql_tls_accounts": "app@*,web@*"})["mysql_tls_accounts"] == "app@*,web@*"
    assert answers(surveys["Rollback"], {}) == {"mysql_tls_rollback_dir": "/var/lib/mysql-tls/rollback"}

    schedule = store.named("schedules", "MySQL TLS Audit, every night")
    assert schedule["unified_job_template"] == templates["Audit"]["id"]
    assert schedule["extra_data"] == {"mysql_tls_fail_on": "high"}
    assert workflow(awx) == {
        ("audit", "success_nodes"): ["approval"],
        ("approval", "success_nodes"): ["enforce"],
        ("enforce", "always_nodes"): ["audit_again"],
    }
    approval = store.named("workflow_approval_templates", "MySQL TLS Approve the change")
    assert approval["timeout"] == 86400

    before = json.dumps([store.items, store.surveys, list(store.associations.items())], default=str)
    store.writes.clear()
    again = set_up(ansible).ok()
    assert json.dumps([store.items, store.surveys, list(store.associations.items())], default=str) == before
    # awx.awx compares an approval with the fields of its node, which it does not have, and writes it anew every time.
    assert store.writes == [f"PATCH {approval['url']}"]
    assert again.recap()["localhost"]["changed"] <= 1


def workflow(awx: Awx) -> dict[tuple[str, str], list[str]]:
    """Which node comes after which, in what case."""
    return {
        (node["identifier"], name): [after["identifier"] for after in found]
        for node in awx.store.items["workflow_job_template_nodes"]
        for name in ("success_nodes", "failure_nodes", "always_nodes")
        if (found := awx.store.associated(node, name))
    }


def test_another_prefix_and_credentials_that_are_there(ansible: Ansible, awx: Awx) -> None:
    aws = awx.store.add("credentials", {"name": "AWS of the databases", "inputs": {}})
    settings = {
        "awx_setup_prefix": "Team 7 databases",
        "awx_setup_login_user": "",
        "awx_setup_login_password": "",
        "awx_setup_credentials": ["AWS of the databases"],
        "awx_setup_image": "",
        "awx_setup_slices": 2,
        # For AWX to make of it what it is, in each job.
        "awx_setup_report_dir": "/srv/slices/{{ awx_job_id }}",
        "awx_setup_rollback_dir": "/srv/rollback",
    }
    set_up(ansible, **settings).ok()
    made = [item["name"] for kind in awx.store.items for item in awx.store.items[kind] if "name" in item]
    assert len(made) == 11
    assert [name for name in made if not name.startswith("Team 7 databases")] == [
        "Default",
        "Databases",
        "AWS of the databases",
    ]
    audit = awx.store.named("job_templates", "Team 7 databases Audit")
    assert awx.store.associated(audit, "credentials") == [aws]
    assert audit["job_slice_count"] == 2
    assert json.loads(audit["extra_vars"])["mysql_tls_report_dir"] == "/srv/slices/{{ awx_job_id }}"
    assert "execution_environment" not in audit


def test_check_mode_makes_nothing(ansible: Ansible, awx: Awx) -> None:
    """It ends where what would have been made is looked for."""
    run = set_up(ansible, "--check")
    assert awx.store.writes == []
    assert run.recap()["localhost"]["changed"] >= 1


def test_what_has_no_default(ansible: Ansible, awx: Awx) -> None:
    run = set_up(ansible, awx_setup_report_dir="")
    assert run.status != 0
    assert "awx_setup_report_dir to a directory that lasts" in run.output
    assert awx.store.writes == []
