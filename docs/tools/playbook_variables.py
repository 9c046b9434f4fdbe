# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide with the variables of each playbook, made from the role's argument_specs: ``nox -s role-readme``."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import yaml

from .role_readme import ROLE, entry_points
from .wrapped import wrapped

PAGE = Path("docs/docsite/rst/playbook_variables.rst")
ENTRIES = {
    "audit": "audit",
    "watch": "watch",
    "merge_reports": "merge_reports",
    "plan": "plan",
    "enforce": "main",
    "rollback": "rollback",
    "bundle": "install",
    "rds_secure_transport": "rds_secure_transport",
    "rds_rotate_ca": "rds_rotate_ca",
}
"""The entry point of the role whose variables a playbook takes."""

# Ansible evaluates these before there is a host, so they are in no argument specification.
EXTRA = {
    "mysql_tls_hosts": "Pattern of the hosts; ``all`` by default. Only with ``-e``.",
    "mysql_tls_canary": "Servers in the first batch: a number, a percentage, or ``0``. Only with ``-e``.",
    "mysql_tls_serial": "Hosts in each batch: a number or a percentage. Only with ``-e``.",
    "mysql_tls_bundle_dest": "Path of the CA bundle on the client hosts.",
    "mysql_tls_max_fail_percentage": "The play stops after a batch if more hosts than this fail. Only with ``-e``.",
    "mysql_tls_any_errors_fatal": "The same as a percentage of ``0``. Only with ``-e``.",
}
# Not in one piece, which would be this file's own for a second time.
_SPDX = "SPDX-License" + "-Identifier"
_HEAD = f"""..
  Copyright (c) 2026, dbtls contributors
  GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
  {_SPDX}: GPL-3.0-or-later

.. made by nox -s role-readme

.. _ansible_collections.dbtls.rds_mysql.docsite.playbook_variables:

Variables of the playbooks
==========================

Which variables each playbook takes, and their defaults. Set them in the inventory, with ``-e``, or in AWX. A variable
that begins with ``mysql_tls_`` and belongs to no playbook stops the run before a server is contacted. The role
:ansplugin:`dbtls.rds_mysql.mysql_tls#role` has the whole description of each variable. The settings of ``awx_setup``
are in :ref:`ansible_collections.dbtls.rds_mysql.docsite.awx`.

.. contents::
   :local:
"""
_PLUGIN = re.compile(r"\bP\((.*?)\)")
_MARKUP = re.compile(r"\b[CVOMRELU]+\((.*?)\)")


def page(top: Path) -> str:
    """The guide."""
    specs = entry_points(top / ROLE)
    defaults: dict[str, t.Any] = yaml.safe_load((top / ROLE / "defaults" / "main.yml").read_text("utf-8"))
    parts = [_HEAD]
    for playbook, entry in ENTRIES.items():
        spec = specs[entry]
        rows = {name: _first_sentence(option["description"]) for name, option in spec["options"].items()}
        text = (top / "playbooks" / f"{playbook}.yml").read_text("utf-8")
        extra = {name: meaning for name, meaning in EXTRA.items() if re.search(rf"\b{name}\b", text)}
        rows = {**extra, **rows}
        parts += [f"{playbook}\n{'-' * len(playbook)}\n", f"{spec['short_description']}.\n", _TABLE]
        for name in sorted(rows):
            default = spec["options"].get(name, {}).get("default", defaults.get(name))
            parts.append(f"   * - ``{name}``\n     - {_shown(default)}".rstrip() + f"\n     - {rows[name]}")
        parts.append("")
    return wrapped("\n".join(parts).rstrip("\n") + "\n")


_TABLE = ".. list-table::\n   :header-rows: 1\n   :widths: 30 20 50\n\n   * - Variable\n     - Default\n     - Meaning"


def _shown(value: t.Any) -> str:
    if value in (None, "") or "{{" in str(value):
        return ""
    return f"``{value if isinstance(value, str) else json.dumps(value)}``"


def _first_sentence(description: str | list[str]) -> str:
    text = " ".join(description) if isinstance(description, list) else description
    found = re.match(r".+?\.(?= [A-Z*]|\Z)", text.replace("\n", " "))
    linked = _PLUGIN.sub(r":ansplugin:`\1`", found.group() if found else text)
    return _MARKUP.sub(r"``\1``", linked).replace("\\", "\\\\")


if __name__ == "__main__":
    PAGE.write_text(page(Path()), "utf-8")
