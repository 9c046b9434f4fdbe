# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of variables in the role's README, made from its argument_specs: ``nox -s role-readme``."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import yaml

ROLE = Path("roles/mysql_tls")
START, END = "<!-- variables: made by nox -s role-readme -->\n", "<!-- end of variables -->\n"
_MARKUP = re.compile(r"\b[CEMOPV]\((.*?)\)")


def entry_points(role: Path) -> dict[str, dict[str, t.Any]]:
    """Each entry point of the role, as its argument_specs have it."""
    specs: dict[str, dict[str, t.Any]] = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text("utf-8"))
    return specs["argument_specs"]


def table(role: Path) -> str:
    """All variables of all entry points, by name."""
    specs = entry_points(role)
    found: dict[str, dict[str, t.Any]] = {}
    used: dict[str, list[str]] = {}
    for entry, spec in specs.items():
        for name, option in spec["options"].items():
            found[name] = option
            used.setdefault(name, []).append(entry)
    lines = ["| Variable | Default | Entry points | Meaning |", "| --- | --- | --- | --- |"]
    for name, option in sorted(found.items()):
        default = f"`{_shown(option['default'])}`" if "default" in option else ""
        where = "all" if len(used[name]) == len(specs) else ", ".join(used[name])
        meaning = _MARKUP.sub(r"`\1`", str(option["description"])).replace("|", "\\|")
        lines.append(f"| `{name}` | {default} | {where} | {meaning} |")
    return "\n".join(lines) + "\n"


def _shown(value: t.Any) -> str:
    return value if value and isinstance(value, str) else json.dumps(value)


def readme(role: Path) -> str:
    """The README with the table in it."""
    text = (role / "README.md").read_text("utf-8")
    head, _start, rest = text.partition(START)
    return head + START + table(role) + END + rest.partition(END)[2]


if __name__ == "__main__":
    (ROLE / "README.md").write_text(readme(ROLE), "utf-8")
