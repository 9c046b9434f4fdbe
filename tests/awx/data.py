# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of the directory awx/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain

from tests import ansible_yaml

COLLECTION = Path(__file__).resolve().parents[2]


def load(name: str) -> dict[str, Any]:
    """A file of the directory awx/."""
    found = ansible_yaml.load((COLLECTION / "awx" / name).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


CREDENTIAL_TYPE = load("credential_type.yml")["awx_setup_credential_type"]


def evaluated(*names: str, **settings: Any) -> tuple[Any, ...]:
    """Variables of the directory as the playbook sees them, with these settings instead of the defaults."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for name in ("settings", "job_templates", "workflow"):
        variables.update(loader.load_from_file(str(COLLECTION / "awx" / f"{name}.yml"), trusted_as_template=True))
    variables.update(settings)
    templar = Templar(loader=loader, variables=variables)
    return tuple(plain(templar.template(variables[name])) for name in names)


def templates(**settings: Any) -> dict[str, dict[str, Any]]:
    """The job templates by name, without the prefix. Their questions are as AWX gets them."""
    (found,) = evaluated("awx_setup_job_templates", **settings)
    for template in found:
        if "survey_spec" in template:
            asked = evaluated("awx_setup_asked", awx_setup_asking=template["survey_spec"]["spec"], **settings)
            template["survey_spec"]["spec"] = asked[0]
    return {template["name"].removeprefix("MySQL TLS "): template for template in found}


TEMPLATES = templates()
