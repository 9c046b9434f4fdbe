# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fact mysql_ssl in plays, and in a cache of facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .plays import Ansible, connection
from .servers import Servers

PLAIN = (str, int, bool, float, type(None))

CONDITIONS = [
    "ansible_facts.mysql_ssl.tls.available",
    "ansible_facts.mysql_ssl.tls.versions is contains('TLSv1.2')",
    "ansible_facts.mysql_ssl.tls.probes | selectattr('accepted') | list | length == 2",
    "ansible_facts.mysql_ssl.session.verified",
    "ansible_facts.mysql_ssl.session.ssl_type == 'NONE'",
    "ansible_facts.mysql_ssl.certificate.days_left > 300",
    "ansible_facts.mysql_ssl.certificate.trusted and ansible_facts.mysql_ssl.certificate.hostname_matches",
    "ansible_facts.mysql_ssl.certificate.chain | length == 2",
    "ansible_facts.mysql_ssl.certificate.chain | map(attribute='common_name') | first == 'localhost'",
    "'m\u00fcller' in ansible_facts.mysql_ssl.accounts | selectattr('ssl_type', 'eq', 'NONE') | map(attribute='user')",
    "ansible_facts.mysql_ssl.findings | selectattr('severity', 'eq', 'high') | list | length >= 1",
    "not ansible_facts.mysql_ssl.compliant",
    "ansible_facts.mysql_ssl.server.managed_by is none",
]


def only_plain(value: Any, where: str = "mysql_ssl") -> None:
    """Fails the test for anything that JSON does not have."""
    if isinstance(value, dict):
        for key, item in value.items():
            assert key.__class__ is str, where
            only_plain(item, f"{where}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            only_plain(item, f"{where}[{number}]")
    else:
        assert type(value) in PLAIN, (where, value)


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    """Ansible with a cache of facts."""
    made = Ansible(tmp_path)
    made.configuration = f"[defaults]\nfact_caching = jsonfile\nfact_caching_connection = {tmp_path / 'facts'}\n"
    return made


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-10.11"])
def test_facts_now_and_from_the_cache(servers: Servers, ansible: Ansible, name: str) -> None:
    db = servers.get(name)
    me = db.administrator()
    db.create("m\u00fcller", "%")
    options, variables = connection(db, me)
    ansible.secrets = [me.password]
    asserts = {"ansible.builtin.assert": {"that": CONDITIONS}}
    ansible.play(
        [
            {"dbtls.rds_mysql.mysql_ssl_status": {**options, "probe_protocols": True}, "register": "seen"},
            {"ansible.builtin.assert": {"that": "seen.mysql_ssl == ansible_facts.mysql_ssl"}},
            asserts,
            {"ansible.builtin.debug": {"msg": "done"}, "when": "ansible_facts.mysql_ssl.compliant"},
        ],
        variables,
    ).ok()
    # jsonfile names the file of a host after it, with a prefix.
    (file,) = (ansible.directory / "facts").glob("*localhost")
    cached = json.loads(file.read_text(encoding="utf-8"))
    assert me.password not in file.read_text(encoding="utf-8")
    assert "mysql_ssl" in json.dumps(cached)
    # Another run, which asks no server.
    run = ansible.play([asserts], {}).ok()
    assert run.recap()["localhost"]["ok"] == 1


def test_only_plain_types(servers: Servers) -> None:
    """In the process of the module, before JSON makes them so."""
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import run as status

    for name in ("mysql-5.6", "mysql-9.7", "mariadb-11.8"):
        db = servers.get(name)
        me = db.administrator()
        params: dict[str, Any] = {
            "config_file": None,
            "connect_timeout": 10,
            "tls_min_version": "TLSv1.2",
            "expiry_warn_days": 30,
            "fail_on": "none",
            "probe_protocols": True,
            **db.options(me),
        }
        described = status.run(params)["mysql_ssl"]
        only_plain(described)
        assert json.loads(json.dumps(described)) == described
