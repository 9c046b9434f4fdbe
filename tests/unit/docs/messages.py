# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages in code, role and playbooks: what errors are raised with, and every other text."""

from __future__ import annotations

import ast
import functools
import re
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
HOLE = "{}"
"""Stands in a message for what is filled in."""

_CODE = ("plugins/module_utils", "plugins/modules", "plugins/plugin_utils", "plugins/action", "plugins/filter")
_TASKS = ("roles/*/tasks", "playbooks", "awx/tasks", "awx/playbooks")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def _trees() -> t.Iterator[ast.AST]:
    for directory in _CODE:
        for path in sorted((ROOT / directory).rglob("*.py")):
            yield ast.parse(path.read_text("utf-8"))


def _template(node: ast.AST) -> str | None:
    """A text, or one with holes; None for another expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else HOLE
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (_template(node.left) or HOLE) + (_template(node.right) or HOLE)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        text = _template(node.func.value)
        return None if text is None else _PLACEHOLDER.sub(HOLE, text)
    return None


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _error_classes() -> set[str]:
    """RdsMysqlError and its kinds, with Ansible's own for action plugins."""
    known = {"RdsMysqlError", "AnsibleActionFail"}
    bases = {
        node.name: {_name(base) for base in node.bases}
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    while True:
        more = {name for name, above in bases.items() if above & known} - known
        if not more:
            return known
        known |= more


def _message(call: ast.Call, classes: set[str]) -> str | None:
    """What an error is made with; None for another call.

    A method of the name ``error`` makes one about a file, and puts the option and the file in front.
    """
    if not call.args:
        return None
    if _name(call.func) in classes:
        return _template(call.args[0])
    if isinstance(call.func, ast.Attribute) and call.func.attr == "error":
        return f"{HOLE}: {HOLE} {_template(call.args[0])}"
    return None


def _failures(part: t.Any) -> t.Iterator[str]:
    """What tasks fail with, with holes for expressions."""
    if isinstance(part, list):
        for item in part:
            yield from _failures(item)
    elif isinstance(part, dict):
        for module, name in (("ansible.builtin.fail", "msg"), ("ansible.builtin.assert", "fail_msg")):
            if module in part:
                yield _EXPRESSION.sub(HOLE, part[module][name])
        for value in part.values():
            yield from _failures(value)


def in_tasks() -> set[str]:
    """The messages that tasks of the role and the playbooks fail with by themselves."""
    return {
        text
        for directory in _TASKS
        for path in sorted(ROOT.glob(f"{directory}/*.yml"))
        for text in _failures(yaml.safe_load(path.read_text("utf-8")))
    }


def raised() -> set[str]:
    """The messages that errors are made with, as far as they are written where the error is."""
    classes = _error_classes()
    found = in_tasks()
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                text = _message(node, classes)
                if text and len(text.replace(HOLE, "").strip()) > 3:
                    found.add(text)
    return found


@functools.cache
def texts() -> frozenset[str]:
    """Every text of one line, however a message is made of it; documentation has more lines."""
    code = {text for tree in _trees() for node in ast.walk(tree) for text in [_template(node)] if text}
    about_files = {text for text in raised() if text.startswith(f"{HOLE}: {HOLE} ")}
    return frozenset(text for text in code | about_files | in_tasks() if "\n" not in text)
