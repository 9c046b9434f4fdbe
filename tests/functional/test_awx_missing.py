# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook that sets up AWX, where the collection that it needs is not installed: these tests' own environment."""

from __future__ import annotations

from pathlib import Path

from .plays import Ansible


def test_the_collection_that_is_missing_is_named(tmp_path: Path) -> None:
    ansible = Ansible(tmp_path)
    ansible.secrets = ["pw!"]
    settings = ["-e", "awx_setup_inventory=Databases", "-e", "awx_setup_report_dir=/srv/reports"]
    run = ansible.run("ansible-playbook", "-i", "localhost,", "dbtls.rds_mysql.awx_setup", *settings)
    assert run.status != 0
    assert "The collection awx.awx is not installed here." in run.output
    assert "ansible-galaxy collection install awx.awx" in run.output
