# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX accepts, and what it makes of a credential.

Sources: "Custom Credential Types" and "Surveys" in the AWX user guide, and what AWX 24 checks when a credential type
or a survey is posted to its API. The rules are written anew here; where AWX takes more, such as nested extra variables,
these take less.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

_NAME = "^[a-zA-Z_][a-zA-Z0-9_]*$"
_OBJECT = {"type": "object", "additionalProperties": False}

INPUTS: dict[str, Any] = {
    **_OBJECT,
    "properties": {
        "required": {"type": "array", "items": {"type": "string"}},
        "fields": {
            "type": "array",
            "items": {
                **_OBJECT,
                "required": ["id", "label"],
                "properties": {
                    "id": {"type": "string", "pattern": _NAME, "not": {"const": "tower"}},
                    "label": {"type": "string"},
                    "help_text": {"type": "string"},
                    "type": {"enum": ["string", "boolean"]},
                    "format": {"enum": ["ssh_private_key", "url"]},
                    "choices": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}},
                    "multiline": {"type": "boolean"},
                    "secret": {"type": "boolean"},
                    "ask_at_runtime": {"type": "boolean"},
                    "default": {"type": ["string", "boolean"]},
                },
            },
        },
    },
}
"""The ``inputs`` of a credential type."""

INJECTORS: dict[str, Any] = {
    **_OBJECT,
    "properties": {
        "file": {
            **_OBJECT,
            "patternProperties": {r"^template(\.[a-zA-Z_][a-zA-Z0-9_]*)?$": {"type": "string"}},
        },
        "env": {**_OBJECT, "patternProperties": {_NAME: {"type": "string", "pattern": "^[\\x00-\\x7F]*$"}}},
        "extra_vars": {**_OBJECT, "patternProperties": {_NAME: {"type": "string"}}},
    },
}
"""The ``injectors`` of a credential type, without the nested extra variables that AWX also takes."""

_QUESTION: dict[str, Any] = {
    "type": "object",
    "required": ["type", "question_name", "variable", "required"],
    "properties": {
        "type": {"enum": ["text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float"]},
        "question_name": {"type": "string"},
        "question_description": {"type": "string"},
        "variable": {"type": "string", "pattern": _NAME},
        "required": {"type": "boolean"},
        "min": {"type": ["integer", "null"]},
        "max": {"type": ["integer", "null"]},
        "choices": {"type": ["array", "string"]},
        "default": {"type": ["string", "integer", "number"]},
    },
    "additionalProperties": False,
    "allOf": [
        {
            "if": {"properties": {"type": {"enum": ["multiplechoice", "multiselect"]}}},
            "then": {"required": ["choices"]},
        },
        {
            "if": {"properties": {"type": {"enum": ["text", "textarea", "password", "multiplechoice", "multiselect"]}}},
            "then": {"properties": {"default": {"type": "string", "not": {"pattern": r"^\$encrypted\$"}}}},
        },
        {
            "if": {"properties": {"type": {"const": "integer"}}},
            "then": {"properties": {"default": {"type": "integer"}}},
        },
    ],
}

SURVEY: dict[str, Any] = {
    "type": "object",
    "required": ["name", "description", "spec"],
    "properties": {
        "name": {"type": "string"},
        "description": {"type": "string"},
        "spec": {"type": "array", "minItems": 1, "items": _QUESTION},
    },
    "additionalProperties": False,
}
"""The survey of a template."""


class Rejected(Exception):
    """AWX would answer 400; the message says why."""


class Forbidden(Exception):
    """AWX would answer 403; the message says why."""


def check_inputs(inputs: dict[str, Any]) -> None:
    """:raises Rejected: when AWX would not take these inputs."""
    _check(inputs, INPUTS)
    fields = inputs.get("fields", [])
    names = [field["id"] for field in fields]
    if len(names) != len(set(names)):
        raise Rejected("field IDs must be unique")
    for field in fields:
        if field.get("type", "string") != "string" and {"choices", "multiline", "format", "secret"} & set(field):
            raise Rejected(f"{field['id']}: for strings only")


def check_injectors(injectors: dict[str, Any], inputs: dict[str, Any]) -> None:
    """:raises Rejected: when AWX would not take these injectors for these inputs."""
    _check(injectors, INJECTORS)
    for name in injectors.get("env", {}):
        if name.startswith("ANSIBLE_") or name in {"PATH", "PYTHONPATH", "VIRTUAL_ENV", "JOB_ID"}:
            raise Rejected(f"environment variable {name} is not for credentials")
    files = list(injectors.get("file", {}))
    if "template" in files and len(files) > 1:
        raise Rejected("several files need names")
    namespace: dict[str, Any] = {field["id"]: "EXAMPLE" for field in inputs.get("fields", [])}
    namespace["tower"] = {"filename": _filenames(dict.fromkeys(files, "EXAMPLE"))}
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    for kind in injectors.values():
        for template in kind.values():
            try:
                environment.from_string(template).render(namespace)
            except Exception as e:  # whatever a filter or a test of Jinja may raise
                raise Rejected(f"{template!r}: {e}") from e


def check_survey(survey: dict[str, Any]) -> None:
    """:raises Rejected: when AWX would not take this survey."""
    _check(survey, SURVEY)
    names = [question["variable"] for question in survey["spec"]]
    if len(names) != len(set(names)):
        raise Rejected("a variable is asked for twice")
    for question in survey["spec"]:
        if "choices" in question and "default" in question:
            choices = question["choices"]
            choices = choices.splitlines() if isinstance(choices, str) else choices
            defaults = question["default"].splitlines()
            if not set(defaults) <= set(choices):
                raise Rejected(f"{question['variable']}: the default is no choice")
            if question["type"] == "multiplechoice" and len(defaults) > 1:
                raise Rejected(f"{question['variable']}: one default only")


def _check(value: Any, schema: dict[str, Any]) -> None:
    try:
        jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
    except jsonschema.ValidationError as e:
        raise Rejected(f"{e.json_path}: {e.message}") from e


def _filenames(paths: dict[str, str]) -> Any:
    if set(paths) == {"template"}:
        return paths["template"]
    return {label.partition(".")[2]: path for label, path in paths.items()}


def answers(survey: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The extra variables of a launch with these answers.

    A question that is required needs an answer even where it has a default, which only the page fills in for people.

    :raises Rejected: where AWX answers 400.
    """
    result = {}
    for question in survey["spec"]:
        name = question["variable"]
        if name not in given:
            if question["required"]:
                raise Rejected(f"'{name}' value missing")
            if question.get("default") is not None and _fits(question, question["default"]):
                result[name] = question["default"]
            continue
        if not _fits(question, given[name]):
            raise Rejected(f"{name}: {given[name]!r} is too short, too long, or no choice")
        result[name] = given[name]
    if set(given) - set(result):
        raise Rejected(f"Variables {set(given) - set(result)} are not allowed on launch")
    return result


def _fits(question: dict[str, Any], value: Any) -> bool:
    if question["type"] == "multiplechoice":
        return value in question["choices"]
    if question["type"] in ("text", "textarea"):
        return isinstance(value, str) and question.get("min", 0) <= len(value) <= question.get("max", len(value))
    if question["type"] == "integer":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and question.get("min", value) <= value <= question.get("max", value)
    return True


@dataclass(frozen=True)
class Injected:
    """What a job gets of a credential."""

    extra_vars: dict[str, str]
    env: dict[str, str]


def inject(credential_type: dict[str, Any], values: dict[str, str], directory: Path) -> Injected:
    """Write a credential's files into ``directory``, mode 0600, and return the variables of both kinds.

    Inputs without a value are undefined in the templates, which makes nothing of them.
    """
    environment = ImmutableSandboxedEnvironment()
    injectors = credential_type["injectors"]
    namespace: dict[str, Any] = {name: value for name, value in values.items() if value}
    paths = {}
    for number, (label, template) in enumerate(injectors.get("file", {}).items()):
        path = directory / f"tmp{number}injected"
        path.touch(mode=0o600)
        path.write_text(environment.from_string(template).render(namespace), encoding="utf-8")
        paths[label] = str(path)
    namespace["tower"] = {"filename": _filenames(paths)}
    rendered = {
        kind: {name: environment.from_string(text).render(namespace) for name, text in injectors.get(kind, {}).items()}
        for kind in ("extra_vars", "env")
    }
    return Injected(rendered["extra_vars"], rendered["env"])


PLAYBOOK = re.compile(r"^\s*-?\s*(?:hosts|(?:ansible\.builtin\.)?import_playbook):\s*\S", re.MULTILINE)
"""What a file must have for AWX to offer it as a playbook."""
