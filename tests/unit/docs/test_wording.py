# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation, messages, task names and the changelog use the words of docs/writing.md."""

from __future__ import annotations

import re

import pytest

from . import word_list

NOT_YET: set[str] = {
    "CHANGELOG.md",
    "awx/job_templates.yml",
    "awx/tasks/set_up.yml",
    "awx/workflow.yml",
    "changelogs/changelog.yaml",
    "changelogs/fragments/bundle-weaker.yml",
    "changelogs/fragments/fleet.yml",
    "changelogs/fragments/named-scope.yml",
    "changelogs/fragments/report.yml",
    "changelogs/fragments/restoring.yml",
    "changelogs/fragments/rollback-anywhere.yml",
    "changelogs/fragments/session-guard.yml",
    "changelogs/fragments/sessions_only.yml",
    "demo/__main__.py",
    "docs/decisions/0004-proof-from-server-memory.md",
    "docs/docsite/rst/account_readiness.rst",
    "docs/docsite/rst/awx.rst",
    "docs/docsite/rst/enforcing_safely.rst",
    "docs/docsite/rst/faq.rst",
    "docs/docsite/rst/first_audit.rst",
    "docs/docsite/rst/fleet_speed.rst",
    "docs/docsite/rst/getting_started.rst",
    "docs/docsite/rst/inventory_from_aws.rst",
    "docs/docsite/rst/least_privilege.rst",
    "docs/docsite/rst/moving_from_ansible_mysql.rst",
    "docs/docsite/rst/not_locked_out.rst",
    "docs/docsite/rst/planning.rst",
    "docs/docsite/rst/rds_api.rst",
    "docs/docsite/rst/reading_the_report.rst",
    "docs/docsite/rst/reading_the_status.rst",
    "docs/docsite/rst/rolling_out.rst",
    "docs/docsite/rst/rotating_the_rds_ca.rst",
    "docs/docsite/rst/threat_model.rst",
    "docs/history.md",
    "docs/report.schema.json",
    "docs/server_differences.md",
    "docs/site/index.rst",
    "inventory/databases.aws_rds.yml",
    "noxfile.py",
    "playbooks/bundle.yml",
    "plugins/action/mysql_ssl_status.py",
    "plugins/action/mysql_tls_history.py",
    "plugins/action/mysql_tls_records.py",
    "plugins/doc_fragments/connection.py",
    "plugins/filter/planned_hosts.py",
    "plugins/filter/rollout_summary.py",
    "plugins/modules/mysql_require_ssl.py",
    "plugins/modules/mysql_ssl_status.py",
    "plugins/modules/mysql_tls_fleet.py",
    "plugins/modules/mysql_tls_records.py",
    "plugins/modules/mysql_tls_report.py",
    "plugins/modules/mysql_tls_watch.py",
    "plugins/modules/rds_ca_bundle.py",
    "plugins/plugin_utils/change_plan/page.py",
    "plugins/plugin_utils/fleet_check.py",
    "plugins/plugin_utils/history/history.py",
    "plugins/plugin_utils/history/recorded.py",
    "plugins/plugin_utils/host_variables.py",
    "plugins/plugin_utils/in_process.py",
    "plugins/plugin_utils/rds_api.py",
    "plugins/plugin_utils/readiness/judge.py",
    "plugins/plugin_utils/readiness/observed.py",
    "plugins/plugin_utils/readiness/store.py",
    "plugins/plugin_utils/readiness/watching.py",
    "plugins/plugin_utils/report/console.py",
    "plugins/plugin_utils/report/files.py",
    "plugins/plugin_utils/report/from_results.py",
    "plugins/plugin_utils/report/labels.py",
    "plugins/plugin_utils/report/model.py",
    "plugins/plugin_utils/report/render.py",
    "plugins/plugin_utils/report/summary.py",
    "plugins/plugin_utils/report/templates/controls.html.j2",
    "plugins/plugin_utils/report/templates/macros.html.j2",
    "plugins/plugin_utils/report/templates/page.js",
    "plugins/plugin_utils/report/templates/readiness.html.j2",
    "plugins/plugin_utils/report/templates/servers.html.j2",
    "plugins/plugin_utils/report/upgrade.py",
    "plugins/plugin_utils/report/view_findings.py",
    "plugins/plugin_utils/report/view_servers.py",
    "plugins/plugin_utils/rollout_summary.py",
    "roles/mysql_tls/README.md",
    "roles/mysql_tls/meta/argument_specs.yml",
    "roles/mysql_tls/tasks/enforce.yml",
    "roles/mysql_tls/tasks/rds_database.yml",
    "roles/mysql_tls/tasks/rds_in_force.yml",
    "roles/mysql_tls/tasks/rds_read.yml",
    "roles/mysql_tls/tasks/require.yml",
    "roles/mysql_tls/tasks/summary.yml",
    "roles/mysql_tls/vars/main.yml",
}


@pytest.mark.parametrize("name", [name for name in word_list.files() if name not in NOT_YET])
def test_a_file_has_the_words_of_the_field(name: str) -> None:
    assert [said for line, text in word_list.texts(name) for said in word_list.replaced(line, text)] == []


def test_the_list_has_what_the_page_replaces() -> None:
    """So that the test above can fail, and the page and the list stay one."""
    page = (word_list.ROOT / "docs" / "writing.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", page.split("## Words")[1].split("## Task names")[0], re.MULTILINE)[2:]
    assert len(rows) > 20
    for wrong, right in rows:
        for each in wrong.split("; "):
            text = f"- name: {each.capitalize()}" if each.endswith("(in task names)") else each
            assert list(word_list.replaced(1, text)), each
        assert not list(word_list.replaced(1, right)), right
