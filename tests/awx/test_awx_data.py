# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of the directory awx/: as AWX wants it, and about variables that the role has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from .data import COLLECTION, CREDENTIAL_TYPE, TEMPLATES, evaluated
from .rules import PLAYBOOK, Rejected, check_injectors, check_inputs, check_survey
from .workflows import Workflow


def test_the_credential_type() -> None:
    check_inputs(CREDENTIAL_TYPE["inputs"])
    check_injectors(CREDENTIAL_TYPE["injectors"], CREDENTIAL_TYPE["inputs"])
    secret = {field["id"] for field in CREDENTIAL_TYPE["inputs"]["fields"] if field.get("secret")}
    assert secret == {"login_password", "client_cert", "client_key"}


@pytest.mark.parametrize("name", [name for name, template in TEMPLATES.items() if "survey_spec" in template])
def test_surveys(name: str) -> None:
    template = TEMPLATES[name]
    survey = template["survey_spec"]
    check_survey(survey)
    arguments = yaml.safe_load((COLLECTION / "roles/mysql_tls/meta/argument_specs.yml").read_text("utf-8"))
    options = {
        name: option for entry in arguments["argument_specs"].values() for name, option in entry["options"].items()
    }
    text = (COLLECTION / template["playbook"]).read_text("utf-8")
    for question in survey["spec"]:
        if f"{question['variable']} | default(" in text:
            # Of the play, not of the role, with the same default.
            assert re.search(rf"{question['variable']} \| default\('?{question['default']}'?\)", text)
            continue
        if question["variable"] in ("awx_setup_step", "mysql_tls_rollback_records"):
            continue  # No variables of the role.
        option = options[question["variable"]]
        if option["type"] == "bool":
            assert (question["choices"], question["default"]) == (["false", "true"], str(option["default"]).lower())
        elif "choices" in question:
            assert set(question["choices"]) <= set(option["choices"])
            assert question["default"] == option["default"]


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_playbooks(name: str) -> None:
    path = COLLECTION / TEMPLATES[name]["playbook"]
    assert PLAYBOOK.search(path.read_text("utf-8"))


def workflow(name: str = "awx_setup_workflow", **settings: Any) -> Workflow:
    """One of the collection's."""
    (found,) = evaluated(name, **settings)
    return Workflow({node["identifier"]: node for node in found["workflow_nodes"]})


@pytest.mark.parametrize(
    ("failing", "ran", "status"),
    [
        ((), ["plan", "approval", "enforce", "audit"], "successful"),
        (("plan",), ["plan"], "failed"),
        (("approval",), ["plan", "approval"], "failed"),
        # What is there after a failed change is audited, and the workflow has failed all the same.
        (("enforce", "failed"), ["plan", "approval", "enforce", "failed", "audit"], "failed"),
        (("audit",), ["plan", "approval", "enforce", "audit"], "failed"),
    ],
)
def test_the_workflow(failing: tuple[str, ...], ran: list[str], status: str) -> None:
    flow = workflow()
    assert flow.run(lambda name, _extra: ("failed" if name in failing else "successful", {})) == status
    assert list(flow.statuses) == ran


@pytest.mark.parametrize("name", ["awx_setup_workflow", "awx_setup_workflow_of_slices"])
def test_workflows_of_slices(name: str) -> None:
    """Their reports are merged although a slice has failed, which is a failure of the workflow."""
    flow = workflow(name, awx_setup_slices=3)
    assert flow.run(lambda node, _extra: ("failed" if node in ("audit", "failed") else "successful", {})) == "failed"
    assert list(flow.statuses)[-3:] == ["audit", "failed", "merge"]
    assert workflow(name, awx_setup_slices=3).run(lambda _node, _extra: ("successful", {})) == "successful"


def test_what_the_workflow_asks_reaches_each_job() -> None:
    """Its own variables count for more than those of a node, and a node has the artifacts of all nodes before it."""
    flow = workflow()
    seen: dict[str, dict[str, Any]] = {}

    def execute(name: str, extra: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        seen[name] = extra
        return "successful", {f"of_{name}": 1}

    flow.run(execute, mysql_tls_accounts="app@*")
    assert seen["plan"] == {"mysql_tls_accounts": "app@*"}
    assert seen["enforce"] == {"mysql_tls_accounts": "app@*", "of_plan": 1, "of_approval": 1}
    assert seen["audit"] == {
        "mysql_tls_accounts": "app@*",
        "mysql_tls_fail_on": "high",
        "of_plan": 1,
        "of_approval": 1,
        "of_enforce": 1,
    }


def _a_question(**more: Any) -> dict[str, Any]:
    question = {"type": "text", "question_name": "Q", "variable": "v", "required": True, **more}
    return {"name": "", "description": "", "spec": [question]}


WRONG: dict[str, Callable[[], None]] = {
    "survey: no description": lambda: check_survey({"name": "", "spec": _a_question()["spec"]}),
    "survey: no questions": lambda: check_survey({**_a_question(), "spec": []}),
    "survey: a type of its own": lambda: check_survey(_a_question(type="boolean")),
    "survey: required as text": lambda: check_survey(_a_question(required="yes")),
    "survey: no choices": lambda: check_survey(_a_question(type="multiplechoice")),
    "survey: a default that is no choice": lambda: check_survey(
        _a_question(type="multiplechoice", choices=["a", "b"], default="c")
    ),
    "survey: a default of another type": lambda: check_survey(_a_question(default=1)),
    "survey: a limit as text": lambda: check_survey(_a_question(max="1")),
    "survey: twice the same variable": lambda: check_survey({**_a_question(), "spec": _a_question()["spec"] * 2}),
    "survey: a reserved default": lambda: check_survey(_a_question(default="$encrypted$")),
    "inputs: no label": lambda: check_inputs({"fields": [{"id": "a"}]}),
    "inputs: a name that is none": lambda: check_inputs({"fields": [{"id": "a-b", "label": ""}]}),
    "inputs: reserved": lambda: check_inputs({"fields": [{"id": "tower", "label": ""}]}),
    "inputs: twice the same": lambda: check_inputs({"fields": [{"id": "a", "label": ""}] * 2}),
    "inputs: a secret switch": lambda: check_inputs(
        {"fields": [{"id": "a", "label": "", "type": "boolean", "secret": True}]}
    ),
    "injectors: no such input": lambda: check_injectors({"extra_vars": {"a": "{{ b }}"}}, {"fields": []}),
    "injectors: no such file": lambda: check_injectors({"extra_vars": {"a": "{{ tower.filename.b }}"}}, {}),
    "injectors: a setting of Ansible": lambda: check_injectors({"env": {"ANSIBLE_CONFIG": "x"}}, {}),
    "injectors: a file by another name": lambda: check_injectors({"file": {"cert": "x"}}, {}),
    "injectors: one file and several": lambda: check_injectors({"file": {"template": "x", "template.a": "y"}}, {}),
    "injectors: broken": lambda: check_injectors({"extra_vars": {"a": "{{"}}, {}),
}


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_the_rules_themselves(wrong: Callable[[], None]) -> None:
    with pytest.raises(Rejected):
        wrong()
