# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guide about 0.1 tells people to set is there."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_variables import known

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "docsite" / "rst" / "migrating_from_0_1.rst").read_text("utf-8")


def test_its_variables_are_those_of_the_role() -> None:
    actions = {path.stem for path in (ROOT / "plugins" / "modules").glob("mysql_tls_*.py")}
    named = set(re.findall(r"``(mysql_tls_\w+)", PAGE))
    assert len(named) > 12
    assert named - known() - actions == set()


def test_its_settings_of_awx_are_there() -> None:
    settings = (ROOT / "awx" / "settings.yml").read_text("utf-8")
    assert all(f"{name}:" in settings for name in set(re.findall(r"``(awx_setup_\w+)", PAGE)))
