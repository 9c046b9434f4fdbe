# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_tls_bundles: what each host's own task would see, in one task for all of them."""

from __future__ import annotations

import json
import re
from typing import Any

from .plays import Ansible, Run

DEFAULTS: dict[str, Any] = {
    "mysql_tls_region": "global",
    "mysql_tls_ca_set": "current",
    "mysql_tls_bundle_dir": "/{{ directory }}",
    "directory": "default",
}
HOSTS: dict[str, dict[str, Any]] = {
    "default": {},
    "of-its-group": {},
    "of-its-own": {"mysql_tls_region": "eu-west-1", "directory": "own"},
    "overruled": {"directory": "own"},
    "with-a-file": {"mysql_tls_ca_cert": "/etc/ssl/mine.pem"},
    "the-same": {"mysql_tls_region": "eu-west-1", "directory": "own"},
    "undefined": {"mysql_tls_region": "{{ nothing }}"},
    "mirror": {"mysql_tls_base_url": "https://user:pw!@{{ mirror | no_such_filter }}/"},
    "typo": {"mysql_tls_ca_cert": "{{ missing }}"},
}
GROUPS = {"shop": {"hosts": {"of-its-group": None}, "vars": {"mysql_tls_region": "cn-north-1"}}}


def run(ansible: Ansible, *arguments: str, options: dict[str, Any] | None = None, **play: Any) -> Run:
    """A play of the task on all hosts, whose role has defaults, and what it returns."""
    role = ansible.directory / "roles" / "needs"
    (role / "tasks").mkdir(parents=True, exist_ok=True)
    (role / "defaults").mkdir(exist_ok=True)
    (role / "defaults" / "main.yml").write_text(json.dumps(DEFAULTS))
    tasks = [{"dbtls.rds_mysql.mysql_tls_bundles": {"fetch": False, **(options or {})}, "run_once": True}]
    (role / "tasks" / "main.yml").write_text(json.dumps(tasks))
    head = {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": {"name": "needs"}}]}
    (ansible.directory / "play.yml").write_text(json.dumps([{**head, **play}]))
    inventory = {"all": {"hosts": HOSTS, "children": GROUPS}}
    (ansible.directory / "inventory.yml").write_text(json.dumps(inventory))
    ansible.secrets = ["pw!"]
    return ansible.run("ansible-playbook", "-v", "-i", "inventory.yml", "play.yml", *arguments)


def results(done: Run) -> list[dict[str, Any]]:
    """What each batch's task returns."""
    return [json.loads(text) for text in re.findall(r"^ok: \[[^]]+\] => (\{.*\})$", done.ok().output, re.MULTILINE)]


def bundles(done: Run) -> list[list[str]]:
    """The files that each batch needs."""
    return [result["bundles"] for result in results(done)]


def test_each_host_by_its_own_variables(ansible: Ansible) -> None:
    """Role defaults, groups, hosts; in check mode too."""
    (result,) = results(run(ansible))
    paths = {
        "default": "/default/current-global.pem",
        "of-its-group": "/default/current-cn-north-1.pem",
        "of-its-own": "/own/current-eu-west-1.pem",
        "overruled": "/own/current-global.pem",
        "with-a-file": "/etc/ssl/mine.pem",
        "the-same": "/own/current-eu-west-1.pem",
    }
    assert result["ca_certs"] == paths
    assert result["bundles"] == [path for path in dict.fromkeys(paths.values()) if path != "/etc/ssl/mine.pem"]
    assert results(run(ansible, "--check")) == [result]


def test_what_cannot_be_evaluated(ansible: Ansible) -> None:
    """Is said of that host without the value, and the others get what they need."""
    (result,) = results(run(ansible))
    assert len(result["bundles"]) == 4
    assert sorted(result["errors"]) == ["mirror", "typo", "undefined"]
    assert "'nothing' is undefined" in result["errors"]["undefined"]
    assert "'missing' is undefined" in result["errors"]["typo"]
    assert "no_such_filter" in result["errors"]["mirror"]


def test_no_file_of_its_own(ansible: Ansible) -> None:
    """Empty, null and omitted are none."""
    for nothing in ("", None, "{{ omit }}", "{{ none }}"):
        arguments = ("-e", json.dumps({"mysql_tls_ca_cert": nothing}))
        found = bundles(run(ansible, *arguments, options={"hosts": ["with-a-file"]}))
        assert found == [["/default/current-global.pem"]]


def test_what_overrules_a_host(ansible: Ansible) -> None:
    """The variables of the play, and those of the command line."""
    play = bundles(run(ansible, vars={"mysql_tls_region": "us-east-1"}))
    assert play == [["/default/current-us-east-1.pem", "/own/current-us-east-1.pem"]]
    extra = bundles(run(ansible, "-e", "mysql_tls_region=us-east-2", vars={"mysql_tls_region": "us-east-1"}))
    assert extra == [["/default/current-us-east-2.pem", "/own/current-us-east-2.pem"]]


def test_hosts(ansible: Ansible) -> None:
    """Those of the batch, or those that are named."""
    batches = bundles(run(ansible, serial=3))
    assert [len(batch) for batch in batches] == [3, 2, 0]
    named = bundles(run(ansible, options={"hosts": ["overruled", "the-same"]}))
    assert named == [["/own/current-global.pem", "/own/current-eu-west-1.pem"]]


def test_the_password_of_a_mirror(ansible: Ansible) -> None:
    """Is in nothing that is returned."""
    run(ansible, "-e", "mysql_tls_url_password=pw!", options={"hosts": ["default"]}).ok()


def test_bad_options(ansible: Ansible) -> None:
    """Named, and no traceback."""
    assert "Supported parameters include: fetch, hosts" in run(ansible, options={"variable": "x"}).output
    assert "hosts: nobody is not in the inventory." in run(ansible, options={"hosts": ["nobody"]}).output
