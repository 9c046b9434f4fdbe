# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layering of plugins/, as docs/ARCHITECTURE.md describes it: who may import whom, no circles, no long files."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.dbtls.rds_mysql.plugins."
MOST_LINES_OF_FILE = 399
MOST_LINES_OF_FUNCTION = 90

# A place is a package of module_utils, or else a directory of plugins. Within a place, only circles are forbidden.
MAY_IMPORT: dict[str, set[str]] = {
    "_core": set(),
    "_tls": {"_core"},
    "_mysql": {"_core", "_tls"},
    "_rds": {"_core", "_tls"},
    "_bundle": {"_core", "_tls", "_rds"},
    "_status": {"_core", "_tls", "_rds", "_mysql"},
    "_enforcement": {"_core", "_tls", "_rds", "_mysql"},
}
PACKAGES = frozenset(MAY_IMPORT)
# modules are sent to other machines, and plugin_utils are not.
MAY_IMPORT.update({"doc_fragments": set(), "modules": {*PACKAGES}, "plugin_utils": {*PACKAGES}})
MAY_IMPORT.update({"action": {*PACKAGES, "plugin_utils"}, "filter": {*PACKAGES, "plugin_utils"}})

Parts = tuple[str, ...]


def violations(plugins: Path) -> list[str]:
    """What is wrong with the layering of a plugins directory, a sentence each."""
    found: list[str] = []
    files = {path.relative_to(plugins).with_suffix("").parts: path for path in sorted(plugins.rglob("*.py"))}
    graph: dict[Parts, set[Parts]] = {}
    for name, path in files.items():
        if name in (("module_utils", "__init__"), ("plugin_utils", "__init__")):
            continue
        where, text = path.relative_to(plugins).as_posix(), path.read_text("utf-8")
        tree, place = ast.parse(text), _place(name)
        if place not in MAY_IMPORT:
            found.append(f"{where} lives in no package")
        targets = set(_imports(tree, name))
        for target in targets:
            ends = range(len(target), 0, -1)
            graph.setdefault(name, set()).update([target[:end] for end in ends if target[:end] in files][:1])
        if place in MAY_IMPORT:
            wrong = {_place(target) for target in targets} - MAY_IMPORT[place] - {place}
            found += [f"{where} imports {target}" for target in sorted(wrong)]
        if name[0] == "module_utils" and len(text.splitlines()) > MOST_LINES_OF_FILE:
            found.append(f"{where} has {len(text.splitlines())} lines")
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_LINES_OF_FUNCTION:
                    found.append(f"{where}: {node.name} has {lines} lines")
    reached = {name: set(targets) for name, targets in graph.items()}
    for _round in graph:
        for name, targets in graph.items():
            reached[name].update(*(reached.get(target, ()) for target in targets))
    circle = sorted("/".join(name) for name in graph if name in reached[name])
    return found + [f"circle: {', '.join(circle)}"] * bool(circle)


def _place(name: Parts) -> str:
    return name[1] if name[0] == "module_utils" and len(name) > 1 else name[0]


def _imports(tree: ast.AST, importer: Parts) -> t.Iterator[Parts]:
    """Whatever is imported from plugins: at the top, in a function, or for type checkers only."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*importer[: -node.level]] if node.level else []
            base += [node.module] if node.module else []
            prefix = COLLECTION if node.level else ""
            names = [prefix + ".".join([*base, alias.name]) for alias in node.names]
        yield from (tuple(name[len(COLLECTION) :].split(".")) for name in names if name.startswith(COLLECTION))


def test_the_collection() -> None:
    assert violations(ROOT / "plugins") == []


def test_what_the_architecture_page_names_exists() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    named = re.findall(r"`((?:_\w+/)?_?\w+\.py)`", page)
    assert len(named) > 20
    assert [name for name in named if not any((ROOT / "plugins").rglob(name))] == []


# The check itself, on made-up trees.


ORDERLY = {
    "module_utils/_core/errors": "import json",
    "module_utils/_tls/pem": f"from {COLLECTION}module_utils._core.errors import Error",
    "module_utils/_mysql/login": f"from {COLLECTION}module_utils._tls import pem",
    "module_utils/_rds": "from ._tls.pem import read",
    "module_utils/_bundle/run": f"import {COLLECTION}module_utils._rds",
    "module_utils/_status/run": f"from {COLLECTION}module_utils import _rds\nfrom .._mysql import login",
    "module_utils/_enforcement/plan": f"from {COLLECTION}module_utils._mysql.login import log_in",
    "plugin_utils/in_process": f"from {COLLECTION}module_utils._core import errors",
    "modules/mysql_ssl_status": f"from {COLLECTION}module_utils._status import run",
    "action/mysql_ssl_status": f"from {COLLECTION}plugin_utils.in_process import InProcessAction",
}


def tree(directory: Path, files: t.Mapping[str, str]) -> Path:
    """A plugins directory with an orderly file in each place, and these."""
    for name, text in {**ORDERLY, **files}.items():
        path = directory / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory


def test_an_orderly_tree(tmp_path: Path) -> None:
    assert violations(tree(tmp_path, {})) == []


@pytest.mark.parametrize(
    ("file", "text", "violation"),
    [
        ("module_utils/_core/time", "from .._tls import pem", "module_utils/_core/time.py imports _tls"),
        (
            "module_utils/_tls/x",
            f"import {COLLECTION}module_utils._mysql.login",
            "module_utils/_tls/x.py imports _mysql",
        ),
        ("module_utils/_rds", "from ._mysql.login import log_in", "module_utils/_rds.py imports _mysql"),
        (
            "module_utils/_enforcement/guards",
            f"def guard():\n    from {COLLECTION}module_utils import _status",
            "module_utils/_enforcement/guards.py imports _status",
        ),
        (
            "module_utils/_bundle/x",
            f"if t.TYPE_CHECKING:\n    from {COLLECTION}module_utils._mysql.login import Session",
            "module_utils/_bundle/x.py imports _mysql",
        ),
        (
            "module_utils/_status/x",
            f"from {COLLECTION}plugin_utils import in_process",
            "module_utils/_status/x.py imports plugin_utils",
        ),
        ("modules/x", f"from {COLLECTION}plugin_utils.in_process import y", "modules/x.py imports plugin_utils"),
        ("plugin_utils/x", f"from {COLLECTION}action import y", "plugin_utils/x.py imports action"),
        ("module_utils/accounts", "", "module_utils/accounts.py lives in no package"),
        ("module_utils/_extra/x", "", "module_utils/_extra/x.py lives in no package"),
        ("module_utils/_tls/x", "from ..flat import y", "module_utils/_tls/x.py imports flat"),
        ("module_utils/_tls/x", "\n" * 400, "module_utils/_tls/x.py has 400 lines"),
        ("plugin_utils/x", "def long():\n" + "    x()\n" * 90, "plugin_utils/x.py: long has 91 lines"),
    ],
)
def test_a_violation(tmp_path: Path, file: str, text: str, violation: str) -> None:
    assert violations(tree(tmp_path, {file: text})) == [violation]


def test_a_circle_within_a_package(tmp_path: Path) -> None:
    files = {"module_utils/_tls/a": "from . import b", "module_utils/_tls/b": "from .a import x"}
    assert violations(tree(tmp_path, files)) == ["circle: module_utils/_tls/a, module_utils/_tls/b"]


def test_limits_are_allowed(tmp_path: Path) -> None:
    text = "def long():\n" + "    x()\n" * 89 + "\n" * 309
    assert violations(tree(tmp_path, {"module_utils/_tls/x": text})) == []
