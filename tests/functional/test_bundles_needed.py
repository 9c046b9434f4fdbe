# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_tls_bundles: what each host's own task would see, in one task for all of them."""

from __future__ import annotations

import json
import re
from typing import Any

from .test_playbooks import Ansible, Run, ansible

__all__ = ["ansible"]

HOSTS: dict[str, dict[str, Any]] = {
    "default": {},
    "of-its-group": {},
    "of-its-own": {"region": "eu-west-1", "directory": "/own"},
    "overruled": {"directory": "/own"},
    "with-a-file": {"ca_cert": "/etc/ssl/mine.pem"},
    "the-same": {"region": "eu-west-1", "directory": "/own"},
    "undefined": {"region": "{{ nothing }}"},
    "empty": {"bundle": {}},
    "typo": {"ca_cert": "{{ missing }}"},
}
GROUPS = {"shop": {"hosts": {"of-its-group": None}, "vars": {"region": "cn-north-1"}}}


def run(
    ansible: Ansible, needed: dict[str, Any], *arguments: str, task: dict[str, Any] | None = None, **play: Any
) -> Run:
    """A play of the task on all hosts, whose role has a default, and what it returns."""
    role = ansible.directory / "roles" / "needs"
    (role / "tasks").mkdir(parents=True, exist_ok=True)
    (role / "defaults").mkdir(exist_ok=True)
    (role / "defaults" / "main.yml").write_text(json.dumps({"region": "global", "directory": "/default"}))
    tasks = [
        {
            "dbtls.rds_mysql.mysql_tls_bundles": needed,
            "run_once": True,
            "vars": {
                "bundle": {
                    "dest": "{{ directory }}/{{ region }}.pem",
                    "of": "{{ inventory_hostname[:0] }}",
                    "left_out": "{{ omit }}",
                }
            },
            **(task or {}),
        }
    ]
    (role / "tasks" / "main.yml").write_text(json.dumps(tasks))
    head = {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": {"name": "needs"}}]}
    (ansible.directory / "play.yml").write_text(json.dumps([{**head, **play}]))
    inventory = {"all": {"hosts": HOSTS, "children": GROUPS}}
    (ansible.directory / "inventory.yml").write_text(json.dumps(inventory))
    ansible.secrets = ["pw!"]
    return ansible.run("ansible-playbook", "-v", "-i", "inventory.yml", "play.yml", *arguments)


def results(done: Run) -> list[dict[str, Any]]:
    """What each batch's task returns."""
    return [
        json.loads(text)
        for text in re.findall(r"^ok: \[[^]]+\](?: => \(item=\S+\))? => (\{.*\})$", done.ok().output, re.MULTILINE)
    ]


def bundles(done: Run) -> list[list[str]]:
    """The files that each batch needs."""
    return [[bundle["dest"] for bundle in result["bundles"]] for result in results(done)]


def test_each_host_by_its_own_variables(ansible: Ansible) -> None:
    """Role defaults, groups, hosts; one that cannot be evaluated is left to its own task."""
    found = bundles(run(ansible, {"variable": "bundle", "unless": "ca_cert"}))
    assert found == [["/default/global.pem", "/default/cn-north-1.pem", "/own/eu-west-1.pem", "/own/global.pem"]]
    assert bundles(run(ansible, {"variable": "bundle", "unless": "ca_cert"}, "--check")) == found


def test_what_cannot_be_evaluated(ansible: Ansible) -> None:
    """Is said of that host, and the others get what they need; a file of its own makes what it needs irrelevant."""
    (result,) = results(run(ansible, {"variable": "bundle", "unless": "ca_cert"}))
    assert len(result["bundles"]) == 4
    assert sorted(result["errors"]) == ["typo", "undefined"]
    assert "'nothing' is undefined" in result["errors"]["undefined"]
    assert "'missing' is undefined" in result["errors"]["typo"]


def test_passwords_of_urls_that_cannot_be_evaluated(ansible: Ansible) -> None:
    """Are in no message: ansible-core before 2.19 repeats the template."""
    (ansible.directory / "mirror.yml").write_text(json.dumps({"region": "https://u:pw!@{{ mirror | no_such_filter }}"}))
    (result,) = results(run(ansible, {"variable": "bundle", "hosts": ["default"]}, "-e", "@mirror.yml"))
    assert "no_such_filter" in result["errors"]["default"]


def test_no_file_of_its_own(ansible: Ansible) -> None:
    """Empty, null and omitted are none; what is omitted is left out of the bundle."""
    for nothing in ("", None, "{{ omit }}", "{{ none }}"):
        needed = {"variable": "bundle", "unless": "ca_cert", "hosts": ["with-a-file"]}
        (result,) = results(run(ansible, needed, "-e", json.dumps({"ca_cert": nothing})))
        assert result["bundles"] == [{"dest": "/default/global.pem", "of": ""}]


def test_loop(ansible: Ansible) -> None:
    """Each round with its own item."""
    done = run(ansible, {"variable": "{{ item }}"}, task={"loop": ["region", "each"], "vars": {"each": "{{ item }}!"}})
    assert [result["bundles"] for result in results(done)] == [["global", "cn-north-1", "eu-west-1"], ["each!"]]


def test_what_overrules_a_host(ansible: Ansible) -> None:
    """The variables of the play, and those of the command line."""
    needed = {"variable": "bundle", "unless": "ca_cert"}
    play = bundles(run(ansible, needed, vars={"region": "us-east-1"}))
    assert play == [["/default/us-east-1.pem", "/own/us-east-1.pem"]]
    extra = bundles(run(ansible, needed, "-e", "region=us-east-2", vars={"region": "us-east-1"}))
    assert extra == [["/default/us-east-2.pem", "/own/us-east-2.pem"]]


def test_hosts(ansible: Ansible) -> None:
    """Those of the batch, or those that are named; a file of its own counts only where that is asked for."""
    batches = bundles(run(ansible, {"variable": "bundle", "unless": "ca_cert"}, serial=3))
    assert batches[0] == ["/default/global.pem", "/default/cn-north-1.pem", "/own/eu-west-1.pem"]
    assert batches[1] == ["/own/global.pem", "/own/eu-west-1.pem"]
    named = {"variable": "bundle", "hosts": ["with-a-file", "the-same"]}
    assert bundles(run(ansible, named)) == [["/default/global.pem", "/own/eu-west-1.pem"]]
    assert bundles(run(ansible, {"variable": "no_such_variable"})) == [[]]


def test_bad_options(ansible: Ansible) -> None:
    """Named, and no traceback."""
    assert "missing required arguments: variable" in run(ansible, {}).output
    assert "hosts: nobody is not in the inventory." in run(ansible, {"variable": "bundle", "hosts": ["nobody"]}).output
