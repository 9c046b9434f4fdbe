# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of the directory awx/."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from tests import ansible_yaml

COLLECTION = Path(__file__).resolve().parents[2]


def load(name: str) -> dict[str, Any]:
    """A file of the directory awx/."""
    found = ansible_yaml.load((COLLECTION / "awx" / name).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


CREDENTIAL_TYPE = load("credential_type.yml")["awx_setup_credential_type"]
TEMPLATES = load("job_templates.yml")


def surveys() -> dict[str, dict[str, Any]]:
    """By playbook, with the questions in their places, and required only where they have no default, as in AWX."""
    result = {}
    for template in TEMPLATES["awx_setup_job_templates"]:
        survey = copy.deepcopy(template["survey_spec"])
        spec = [TEMPLATES[each.strip("{} ")] if isinstance(each, str) else each for each in survey["spec"]]
        survey["spec"] = [{**each, "required": each["required"] and not each["default"]} for each in spec]
        result[template["playbook"]] = survey
    return result
