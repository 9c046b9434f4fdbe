# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules in plays of one's own."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.servers import Pki

from .plays import Ansible, connection
from .servers import Servers


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-11.8"])
def test_module_defaults_facts_and_registered_results(servers: Servers, ansible: Ansible, name: str) -> None:
    """The connection once for both modules, at the highest verbosity."""
    db = servers.get(name)
    me = db.administrator()
    app = db.create(db.name_of("app"))
    options, variables = connection(db, me)
    ansible.secrets = [me.password]
    run = ansible.play(
        [
            {"dbtls.rds_mysql.mysql_ssl_status": {}},
            {
                "vars": {
                    "app": app.user,
                    "without": "{{ mysql_ssl.accounts | selectattr('ssl_type', 'eq', 'NONE') "
                    "| map(attribute='user') }}",
                },
                "ansible.builtin.assert": {
                    "that": [
                        "mysql_ssl.session.verified",
                        f"mysql_ssl.endpoint.port == {db.server.port}",
                        "without is contains(app)",
                    ]
                },
            },
            {
                "dbtls.rds_mysql.mysql_require_ssl": {"accounts": [app.user, "{{ login }}@*"], "include_local": True},
                "register": "required",
                "when": "not mysql_ssl.compliant",
                "vars": {"login": me.user},
            },
            {
                "ansible.builtin.assert": {
                    "that": ["required is changed", "required.verified", "not required.rolled_back"]
                }
            },
            {"dbtls.rds_mysql.mysql_require_ssl": {"user": app.user}, "register": "again"},
            {"ansible.builtin.assert": {"that": ["again is not changed", "again.statements == []"]}},
            {"dbtls.rds_mysql.mysql_ssl_status": {}},
            {"ansible.builtin.debug": {"msg": "still not compliant"}, "when": "not mysql_ssl.compliant"},
        ],
        variables,
        "-vvvv",
        "--diff",
        module_defaults={"group/dbtls.rds_mysql.mysql": options},
    ).ok()
    assert run.recap()["localhost"]["changed"] == 1
    # The accounts of the server's administrator are local ones.
    assert run.recap()["localhost"]["skipped"] == 1
    assert f"-{app.user}@%: NONE" in run.output
    assert f"+{app.user}@%: ANY" in run.output
    assert '"rollback_statements": [' in run.output
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in run.output
    assert db.ssl_type(app) == db.ssl_type(me) == "ANY"


def test_failures_at_the_highest_verbosity(servers: Servers, ansible: Ansible, stranger: Pki) -> None:
    """Refused login, rejected certificate, missing account: one sentence each, and no secret."""
    db = servers.get("mariadb-10.11")
    me = db.administrator()
    options, variables = connection(db, me)
    ansible.secrets = [me.password, "pw!not-this-one"]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"login_password": "{{ the_wrong_password }}"}, "refused: wrong user name or password"),
        ({"ca_cert": str(stranger.bundle)}, "does not chain"),
        ({"login_port": 1}, "Cannot reach 127.0.0.1:1"),
        ({"user": "nobody-here"}, "No account of"),
    ]
    run = ansible.play(
        [
            {"dbtls.rds_mysql.mysql_require_ssl": {**options, "user": me.user, **more}, "ignore_errors": True}
            for more, _sentence in wrong
        ],
        {**variables, "the_wrong_password": "pw!not-this-one"},
        "-vvvv",
    ).ok()
    for _more, sentence in wrong:
        assert sentence in run.output
    assert run.recap()["localhost"]["changed"] == 0
    assert run.output.count("...ignoring") == len(wrong)
    assert db.ssl_type(me) == ""


def test_fail_on_ends_the_play(servers: Servers, ansible: Ansible) -> None:
    db = servers.get("mariadb-10.11")
    me = db.administrator()
    app = db.create(db.name_of("app"))
    options, variables = connection(db, me)
    ansible.secrets = [me.password]
    tasks = [{"dbtls.rds_mysql.mysql_ssl_status": {**options, "fail_on": "high"}}]
    run = ansible.play(tasks, variables)
    assert run.status != 0
    assert f"{app.user}@% may log in without TLS" in run.output
    assert run.recap()["localhost"]["failed"] == 1
    db.require(app.user, app.host, "SSL")
    assert ansible.play(tasks, variables).ok().recap()["localhost"]["failed"] == 0


def test_ad_hoc(servers: Servers, ansible: Ansible, pki: Pki) -> None:
    """One line in a shell, without credentials."""
    db = servers.get("mysql-9.7")
    ansible.secrets = [db.server.admin_password]
    run = ansible.run(
        "ansible",
        "localhost",
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-m",
        "dbtls.rds_mysql.mysql_ssl_status",
        "-a",
        f"login_host=127.0.0.1 login_port={db.server.port} ca_cert={pki.bundle}",
    ).ok()
    assert "SUCCESS" in run.output
    assert '"trusted": true' in run.output
