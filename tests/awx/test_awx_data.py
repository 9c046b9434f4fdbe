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

from .data import COLLECTION, CREDENTIAL_TYPE, TEMPLATES, surveys
from .rules import PLAYBOOK, Rejected, check_injectors, check_inputs, check_survey


def test_the_credential_type() -> None:
    check_inputs(CREDENTIAL_TYPE["inputs"])
    check_injectors(CREDENTIAL_TYPE["injectors"], CREDENTIAL_TYPE["inputs"])
    secret = {field["id"] for field in CREDENTIAL_TYPE["inputs"]["fields"] if field.get("secret")}
    assert secret == {"login_password", "client_cert", "client_key"}


@pytest.mark.parametrize("playbook", list(surveys()))
def test_surveys(playbook: str) -> None:
    survey = surveys()[playbook]
    check_survey(survey)
    arguments = yaml.safe_load((COLLECTION / "roles/mysql_tls/meta/argument_specs.yml").read_text("utf-8"))
    options = {
        name: option for entry in arguments["argument_specs"].values() for name, option in entry["options"].items()
    }
    text = (COLLECTION / playbook).read_text("utf-8")
    for question in survey["spec"]:
        if f"{question['variable']} | default(" in text:
            # Of the play, not of the role, with the same default.
            assert re.search(rf"{question['variable']} \| default\('?{question['default']}'?\)", text)
            continue
        option = options[question["variable"]]
        if "choices" in question:
            assert set(question["choices"]) <= set(option["choices"])
            assert question["default"] == option["default"]


@pytest.mark.parametrize("template", TEMPLATES["awx_setup_job_templates"], ids=lambda template: template["playbook"])
def test_playbooks(template: dict[str, Any]) -> None:
    path = COLLECTION / template["playbook"]
    assert PLAYBOOK.search(path.read_text("utf-8"))


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
