# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook awx_setup with the real modules of awx.awx."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.functional.plays import Ansible, Run

from .api import PASSWORD, TOKEN, USER, Awx, Store
from .rules import Rejected, answers

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


WORKFLOW = "MySQL TLS Plan, approve, enforce, audit"


def set_up(ansible: Ansible, *arguments: str, **settings: Any) -> Run:
    """Run the playbook by its full name."""
    ansible.secrets = ["pw!{{", TOKEN, PASSWORD]
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


_MADE: list[Store] = []


def set_up_before(ansible: Ansible, awx: Awx) -> None:
    """What the playbook makes of a new AWX with these settings, for tests of what comes after: made once for all."""
    if not _MADE:
        set_up(ansible).ok()
        _MADE.append(deepcopy(awx.store))
    vars(awx.store).update(vars(deepcopy(_MADE[0])))


def test_everything_is_made_and_stays(ansible: Ansible, awx: Awx) -> None:
    set_up(ansible, "-vvv").ok()
    store = awx.store
    kind = store.named("credential_types", "MySQL TLS login")
    assert kind["injectors"]["env"]["MYSQL_TLS_LOGIN_USER"] == "{{ login_user }}"
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

    watch = store.named("schedules", "MySQL TLS Watch, every five minutes")
    assert watch["rrule"].endswith("FREQ=MINUTELY;INTERVAL=5")
    assert watch["unified_job_template"] == store.named("job_templates", "MySQL TLS Watch")["id"]
    schedule = store.named("schedules", "MySQL TLS Audit, every night")
    assert schedule["unified_job_template"] == templates["Audit"]["id"]
    assert schedule["extra_data"] == {"mysql_tls_fail_on": "high"}
    assert workflow(awx) == {
        ("plan", "success_nodes"): ["approval"],
        ("approval", "success_nodes"): ["enforce"],
        ("enforce", "failure_nodes"): ["failed"],
        ("enforce", "always_nodes"): ["audit"],
    }
    approval = store.named("workflow_approval_templates", "MySQL TLS Approve the plan")
    assert approval["timeout"] == 86400
    flow = store.named("workflow_job_templates", WORKFLOW)
    assert flow["ask_limit_on_launch"] is flow["survey_enabled"] is True
    asked = [question["variable"] for question in store.surveys[flow["id"]]["spec"]]
    assert asked[:4] == [f"mysql_tls_{name}" for name in ("accounts", "exclude", "ssl_type", "only_ready")]
    # Nothing that a node passes on is refused, although no accounts are named yet.
    assert store.rejected_nodes(flow) == []
    # Only this template applies a plan, and it cannot do anything else.
    applies = json.loads(store.named("job_templates", "MySQL TLS Enforce plan")["extra_vars"])
    assert applies["mysql_tls_plan"].startswith("{{ mysql_tls_plan_document | mandatory(")
    assert "mysql_tls_accounts" not in applies
    marker = json.loads(templates["Enforce"]["extra_vars"])["mysql_tls_state_marker"]
    assert marker.startswith("dbtls-")
    assert [json.loads(job["extra_vars"])["awx_setup_step"] for job in store.items.pop("jobs")] == ["write", "check"]

    before = json.dumps([store.items, store.surveys, list(store.associations.items())], default=str)
    store.writes.clear()
    again = set_up(ansible, "--diff", "-v").ok()
    store.items.pop("jobs")
    assert json.dumps([store.items, store.surveys, list(store.associations.items())], default=str) == before
    # awx.awx compares an approval with the fields of its node, which it does not have, and writes it anew every time.
    launch = f"POST {store.named('job_templates', 'MySQL TLS Check storage')['url']}launch/"
    assert store.writes == [f"PATCH {approval['url']}", launch, launch]
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
    aws = awx.store.add("credentials", {"name": "AWS of the databases", "inputs": {}, "credential_type": 0})
    settings = {
        "awx_setup_prefix": "Team 7 databases",
        "awx_setup_login_user": "",
        "awx_setup_login_password": "",
        "awx_setup_credentials": ["AWS of the databases"],
        "awx_setup_image": "",
        "awx_setup_slices": 2,
        "awx_setup_report_dir": "/srv",
    }
    set_up(ansible, **settings).ok()
    made = [item["name"] for kind in awx.store.items for item in awx.store.items[kind] if "name" in item]
    assert [name for name in made if not name.startswith("Team 7 databases")] == [
        "Default",
        "Databases",
        "AWS of the databases",
    ]
    audit = awx.store.named("job_templates", "Team 7 databases Audit")
    assert awx.store.associated(audit, "credentials") == [aws]
    assert audit["job_slice_count"] == 2
    # For AWX to make of it what it is, in each job.
    own = json.loads(audit["extra_vars"])
    assert own["mysql_tls_report_dir"] == own["mysql_tls_state_dir"] == "/srv/state/slices/{{ awx_job_id }}"
    assert own["mysql_tls_state_marker"] == ""
    assert "execution_environment" not in audit
    slices = awx.store.named("workflow_job_templates", "Team 7 databases Audit in slices")
    nightly = awx.store.named("schedules", "Team 7 databases Audit, every night")
    assert nightly["unified_job_template"] == slices["id"]
    after = workflow(awx)
    assert (after["audit", "always_nodes"], after["audit", "failure_nodes"]) == (["merge"], ["failed"])
    assert awx.store.rejected_nodes(slices) == []

    # Without slices again, nothing of them is left in the other workflow.
    set_up(ansible, **{**settings, "awx_setup_slices": 1}).ok()
    flow = awx.store.named("workflow_job_templates", "Team 7 databases Plan, approve, enforce, audit")
    nodes = [n for n in awx.store.items["workflow_job_template_nodes"] if n["workflow_job_template"] == flow["id"]]
    assert {node["identifier"] for node in nodes} == {"plan", "approval", "enforce", "audit", "failed"}
    assert audit["ask_job_slice_count_on_launch"] is False
    assert json.loads(audit["extra_vars"])["mysql_tls_report_dir"] == "/srv"


def test_check_mode_makes_nothing(ansible: Ansible, awx: Awx) -> None:
    """It ends where what would have been made is needed, without a failure."""
    run = set_up(ansible, "--check").ok()
    assert awx.store.writes == []
    assert run.recap()["localhost"]["changed"] == 3
    set_up_before(ansible, awx)
    awx.store.writes.clear()
    assert set_up(ansible, "--check", awx_setup_forks=9).recap()["localhost"]["changed"] >= 3
    assert awx.store.writes == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"awx_setup_limits": "prod", "awx_setup_x": 1},
            "There are no such settings: awx_setup_limits, awx_setup_x. All",
        ),
        (
            {
                "awx_setup_survey_defaults": {"mysql_tls_plain": "kill"},
                "awx_setup_extra_vars": {"mysql_tls_only_ready": "yes"},
            },
            "or takes as an answer: mysql_tls_only_ready: yes, mysql_tls_plain: kill.",
        ),
        ({"awx_setup_report_dir": ""}, "awx_setup_report_dir to a directory that lasts"),
        ({"awx_setup_login_password": ""}, "awx_setup_login_password is empty"),
        ({"awx_setup_inventory": "Datbases"}, "AWX has 0 inventories named Datbases"),
        ({"awx_setup_organization": "Defualt"}, "AWX has no organization Defualt"),
    ],
    ids=["unknown", "defaults", "report_dir", "password", "inventory", "organization"],
)
def test_wrong_settings_change_nothing(ansible: Ansible, awx: Awx, settings: dict[str, Any], message: str) -> None:
    run = set_up(ansible, **settings)
    assert run.status == 2
    assert message in " ".join(run.output.split())
    assert awx.store.writes == []


def test_settings_reach_the_templates_and_additions_stay(ansible: Ansible, awx: Awx) -> None:
    """What the settings say is there, and what people have added by hand as well; every job can be launched."""
    store = awx.store
    organization = store.named("organizations", "Default")["id"]
    group = store.add("instance_groups", {"name": "databases"})
    mail = store.add("notification_templates", {"name": "DBA mail", "organization": organization})
    settings: dict[str, Any] = {
        "awx_setup_accounts": ["app@*", "web@*"],
        "awx_setup_extra_vars": {"mysql_tls_region": "eu-central-1", "mysql_tls_exclude": ["legacy@%"]},
        "awx_setup_limit": "prod",
        "awx_setup_forks": 20,
        "awx_setup_instance_groups": ["databases"],
        "awx_setup_notification_templates": ["DBA mail"],
        "awx_setup_fail_on": "medium",
        # As YAML has them; AWX takes texts.
        "awx_setup_survey_defaults": {
            "mysql_tls_plaintext_sessions": "kill",
            "mysql_tls_only_ready": True,
            "mysql_tls_canary": 2,
        },
    }
    set_up(ansible, **settings).ok()
    audit, enforce = (store.named("job_templates", f"MySQL TLS {name}") for name in ("Audit", "Enforce"))
    assert (enforce["limit"], enforce["forks"]) == ("prod", 20)
    # A play on localhost would be skipped for its limit, and green.
    for template in store.items["job_templates"]:
        local = template["playbook"].endswith(("merge_reports.yml", "failed.yml", "storage.yml"))
        assert (template["limit"], template["ask_limit_on_launch"]) == (("", False) if local else ("prod", True))
    assert store.associated(enforce, "instance_groups") == [group]
    assert store.associated(enforce, "notification_templates_error") == [mail]
    flow = store.named("workflow_job_templates", WORKFLOW)
    assert store.associated(flow, "notification_templates_approvals") == [mail]
    chat = store.add("notification_templates", {"name": "Chat", "organization": organization})
    store.associations[flow["id"], "notification_templates_approvals"].append(chat["id"])
    assert store.launch(flow, {})["mysql_tls_accounts"] == "app@*,web@*"
    schedule = store.named("schedules", "MySQL TLS Audit, every night")
    assert schedule["extra_data"] == {"mysql_tls_fail_on": "medium"}

    by_hand = store.add(
        "credentials", {"name": "AWS", "inputs": {}, "credential_type": 0, "organization": organization}
    )
    store.associations[enforce["id"], "credentials"].append(by_hand["id"])
    # Of the type that a setting names as well, and AWX takes one of each.
    kind = store.named("credential_types", "MySQL TLS login")["id"]
    of_a_vault = {"name": "In a vault", "inputs": {}, "credential_type": kind, "organization": organization}
    in_a_vault = store.add("credentials", of_a_vault)
    schedule["enabled"] = False
    extra = {**json.loads(enforce["extra_vars"]), "mysql_tls_own_variables": ["mysql_tls_x"], "mysql_tls_x": "{{ y }}"}
    enforce["extra_vars"] = json.dumps(extra)
    question = {"type": "text", "question_name": "Ticket", "variable": "ticket", "required": False, "default": ""}
    store.surveys[enforce["id"]]["spec"].append(question)
    named = {"awx_setup_login_user": "", "awx_setup_login_password": "", "awx_setup_credentials": ["In a vault"]}
    set_up(ansible, **{**settings, **named, "awx_setup_limit": "stage"}).ok()
    assert enforce["limit"] == "stage"
    assert store.associated(enforce, "credentials") == [by_hand, in_a_vault]
    assert schedule["enabled"] is False
    assert store.associated(flow, "notification_templates_approvals") == [mail, chat]
    assert json.loads(enforce["extra_vars"]) == extra
    assert store.surveys[enforce["id"]]["spec"][-1] == question

    launched = store.launch(enforce, {})
    assert launched["mysql_tls_accounts"] == "app@*,web@*"
    assert (launched["mysql_tls_only_ready"], launched["mysql_tls_canary"]) == ("true", "2")
    assert launched["mysql_tls_plaintext_sessions"] == "kill"
    assert launched["mysql_tls_region"] == "eu-central-1"
    # The survey's default counts for more than an extra variable of the template, and would be that nobody is left out.
    assert launched["mysql_tls_exclude"] == store.launch(flow, {})["mysql_tls_exclude"] == "legacy@%"
    assert store.launch(audit, {})["mysql_tls_fail_on"] == "none"
    # So that it also holds where AWX does not fill in what its survey says.
    assert json.loads(enforce["extra_vars"])["mysql_tls_canary"] == "2"


def test_accounts_have_to_be_named_at_the_launch(ansible: Ansible, awx: Awx) -> None:
    """Where the settings have none."""
    set_up_before(ansible, awx)
    enforce = awx.store.named("job_templates", "MySQL TLS Enforce")
    with pytest.raises(Rejected, match="'mysql_tls_accounts' value missing"):
        awx.store.launch(enforce, {})
    assert awx.store.launch(enforce, {"mysql_tls_accounts": "app@*"})["mysql_tls_ssl_type"] == "any"
    flow = awx.store.named("workflow_job_templates", WORKFLOW)
    with pytest.raises(Rejected, match="'mysql_tls_accounts' value missing"):
        awx.store.launch(flow, {"mysql_tls_exclude": "a@b"})


def test_storage_that_does_not_last(ansible: Ansible, awx: Awx) -> None:
    """Its check is a job, and the setup says what to do."""
    awx.store.execute = lambda _template, extra: "failed" if extra.get("awx_setup_step") == "check" else "successful"
    refused = set_up(ansible)
    assert refused.status != 0
    assert "/var/lib/mysql-tls/state is not storage that lasts" in " ".join(refused.output.split())


def test_records_as_artifacts_alone(ansible: Ansible, awx: Awx) -> None:
    """No directory is needed; Rollback asks for the records. What was there for a directory goes."""
    set_up_before(ansible, awx)
    rollback = awx.store.named("job_templates", "MySQL TLS Rollback")
    assert "mysql_tls_state_dir" in json.loads(rollback["extra_vars"])
    awx.store.items.pop("jobs")
    set_up(ansible, awx_setup_state="artifact", awx_setup_report_dir="").ok()
    assert "jobs" not in awx.store.items
    assert json.loads(rollback["extra_vars"]) == {"mysql_tls_artifact_bytes": 67108864}
    assert [each["variable"] for each in awx.store.surveys[rollback["id"]]["spec"]] == ["mysql_tls_rollback_records"]


def test_a_project_that_could_not_be_synchronized(ansible: Ansible, awx: Awx) -> None:
    """The next run does it again, and goes on."""
    awx.store.synchronizes = False
    assert set_up(ansible).status == 2
    assert "job_templates" not in awx.store.items
    awx.store.synchronizes = True
    set_up(ansible).ok()
    project = awx.store.named("projects", "MySQL TLS")
    assert project["scm_update_on_launch"] is True
    assert len(awx.store.items["job_templates"]) == 8


def test_a_credential_type_in_use(ansible: Ansible, awx: Awx) -> None:
    """Its inputs stay; the fields that differ are named, and all else is brought up to date."""
    set_up_before(ansible, awx)
    kind = awx.store.named("credential_types", "MySQL TLS login")
    kind["inputs"]["fields"][2]["help_text"] = "As it was."
    kind["injectors"] = {"extra_vars": {"mysql_tls_login_user": "{{ login_user }}"}}
    run = set_up(ansible).ok()
    assert "stay as they are: client_cert." in " ".join(run.output.split())
    assert kind["inputs"]["fields"][2]["help_text"] == "As it was."
    assert set(kind["injectors"]) == {"file", "env"}


def test_without_a_system_administrator(ansible: Ansible, awx: Awx, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once an administrator has made the credential type, who has a user name and a password needs nothing more."""
    monkeypatch.delenv("CONTROLLER_OAUTH_TOKEN")
    monkeypatch.setenv("CONTROLLER_USERNAME", USER)
    monkeypatch.setenv("CONTROLLER_PASSWORD", PASSWORD)
    awx.store.administrator = False
    refused = set_up(ansible)
    assert refused.status == 2
    assert "You don't have permission to POST to /api/v2/credential_types" in refused.output
    awx.store.administrator = True
    set_up(ansible, "--tags", "credential_type").ok()
    assert "projects" not in awx.store.items
    awx.store.administrator = False
    set_up(ansible).ok()
    assert len(awx.store.items["job_templates"]) == 8


def test_two_organizations_with_one_prefix(ansible: Ansible, awx: Awx) -> None:
    """Each has its own project, login, templates and schedule."""
    second = awx.store.add("organizations", {"name": "Second"})
    inventory = awx.store.add("inventories", {"name": "Databases", "organization": second["id"]})
    set_up(ansible).ok()
    first = json.dumps([awx.store.surveys, awx.store.items["job_templates"]])
    set_up(ansible, awx_setup_organization="Second").ok()
    assert json.dumps([awx.store.surveys, awx.store.items["job_templates"]]).startswith(first[:100])
    templates = [item for item in awx.store.items["job_templates"] if item["organization"] == second["id"]]
    assert [item["inventory"] for item in templates] == [inventory["id"]] * 8
    for item in templates:
        assert awx.store.find(item["project"])["organization"] == second["id"]
        assert [each["organization"] for each in awx.store.associated(item, "credentials")] == [second["id"]]
    audit = next(item for item in templates if item["name"] == "MySQL TLS Audit")
    assert audit["id"] in [item["unified_job_template"] for item in awx.store.items["schedules"]]
