# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in the guides and in the README are what Ansible takes."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
import textwrap
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_variables import known

from tests import ansible_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs" / "docsite" / "rst").glob("*.rst")), ROOT / "README.md"]
RST = re.compile(
    r"^(?P<indent> *)\.\. code-block:: yaml(?:\+jinja)?\n(?: +:\w+:.*\n)*\n(?P<text>(?:(?P=indent) +.*\n|\n)+)",
    re.MULTILINE,
)
MARKDOWN = re.compile(r"^```yaml\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
OURS = "dbtls.rds_mysql."
INVENTORY = ("all", "plugin")


@dataclass(frozen=True)
class Example:
    """A block of YAML, and where it stands."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def content(self) -> t.Any:
        return ansible_yaml.load(self.text)


def examples() -> t.Iterator[Example]:
    for path in PAGES:
        page = path.read_text("utf-8")
        for match in (RST if path.suffix == ".rst" else MARKDOWN).finditer(page):
            line = page.count("\n", 0, match.start("text")) + 1
            yield Example(path.name, line, textwrap.dedent(match.group("text")))


def module_examples() -> t.Iterator[Example]:
    """What the documentation of the modules shows."""
    for path in sorted((ROOT / "plugins" / "modules").glob("[!_]*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES":
                yield Example(path.name, node.lineno, str(ast.literal_eval(node.value)))


EXAMPLES = list(examples())
OF_MODULES = list(module_examples())


def tasks_in(part: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Every mapping that names a module or role of this collection, in blocks and handlers too."""
    if isinstance(part, list):
        for item in part:
            yield from tasks_in(item)
    elif isinstance(part, dict):
        if any(str(key).startswith(OURS) for key in part):
            yield part
        for name in ("tasks", "handlers", "pre_tasks", "post_tasks", "block", "rescue", "always"):
            yield from tasks_in(part.get(name))


def is_list_of(content: t.Any, *, plays: bool) -> bool:
    return isinstance(content, list) and all(("hosts" in item) == plays for item in content)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 15


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_ansible_takes_it(example: Example, tmp_path: Path) -> None:
    content = example.content
    if isinstance(content, dict):
        if not set(content) & set(INVENTORY):
            unknown = set(content) - variables() - awx_settings()
            assert not unknown, f"{example} is neither plays nor tasks nor an inventory, and has {unknown}"
        return
    plays = example.text
    if is_list_of(content, plays=False):
        plays = "- hosts: all\n  gather_facts: false\n  tasks:\n" + textwrap.indent(plays, "    ")
    else:
        assert is_list_of(content, plays=True), f"{example} mixes plays and tasks"
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(plays, encoding="utf-8")
    if "ansible.mysql." in plays:
        return  # Another collection's, which is not installed here.
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "--syntax-check", str(playbook)],
        env={**os.environ, "ANSIBLE_NOCOLOR": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{example}: {done.stdout}"


@functools.lru_cache
def documented_options(module: str) -> dict[str, t.Any]:
    """A module's options, those of its fragments too."""
    command = ["ansible-doc", "--json", "-t", "module", OURS + module]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    options: dict[str, t.Any] = json.loads(answer)[OURS + module]["doc"]["options"]
    return options


def module_options() -> list[tuple[str, str, dict[str, t.Any]]]:
    return [
        (str(example), key[len(OURS) :], value or {})
        for example in [*EXAMPLES, *OF_MODULES]
        for task in tasks_in(example.content)
        for key, value in task.items()
        if str(key).startswith(OURS)
    ]


@pytest.mark.parametrize(("where", "module", "options"), module_options())
def test_the_module_takes_the_options(where: str, module: str, options: dict[str, t.Any]) -> None:
    known = documented_options(module)
    names = {*known, *(alias for option in known.values() for alias in option.get("aliases", ()))}
    assert set(options) <= names, where
    for name, value in options.items():
        choices = known.get(name, {}).get("choices")
        if choices and "{{" not in str(value):
            assert value in choices, f"{where}: {name}"


SPECS = {"mysql_ssl_status": STATUS, "mysql_require_ssl": REQUIRE}


@pytest.mark.parametrize(
    ("where", "module", "options"),
    [found for found in module_options() if found[1] in SPECS and "{{" not in str(found)],
)
def test_the_values_are_of_their_types(where: str, module: str, options: dict[str, t.Any]) -> None:
    spec = SPECS[module]
    errors = ArgumentSpecValidator(spec.argument_spec, **spec.rules).validate(options).error_messages
    assert not errors, f"{where}: {errors}"


def role_variables() -> list[tuple[str, str]]:
    """Each variable of the role that a guide mentions, in prose and commands too."""
    return sorted(
        {
            (path.name, name)
            for path in PAGES
            for name in re.findall(r"\bmysql_tls_[a-z_]+\b(?!\.)", path.read_text("utf-8"))
        }
    )


def variables() -> set[str]:
    """What one sets for the role and for the playbooks."""
    return set(known())


def awx_settings() -> set[str]:
    return set(yaml.safe_load((ROOT / "awx" / "settings.yml").read_text("utf-8")))


def names_in(directory: str, pattern: str) -> set[str]:
    return {
        found for path in (ROOT / directory).glob("*.yml") for found in re.findall(pattern, path.read_text("utf-8"))
    }


@functools.lru_cache
def other_names() -> set[str]:
    """What is called mysql_tls_... too: a module."""
    return {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}


@pytest.mark.parametrize(("page", "name"), role_variables())
def test_the_role_has_the_variable(page: str, name: str) -> None:
    assert name in variables() | other_names(), page
