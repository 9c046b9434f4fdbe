# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the setup relies on, through AWX's API alone: against the server of api.py, or a real AWX given by AWX_URL.

So the two can be compared: what one of these tests finds on a real AWX, api.py has to do as well. See README.md.
"""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from ansible.module_utils.urls import open_url

from tests.functional.plays import Ansible

from .api import TOKEN, Awx
from .test_awx_setup import set_up


@dataclass(frozen=True)
class Site:
    """An AWX, and the names that the tests use on it."""

    url: str
    token: str
    organization: str
    inventory: str
    prefix: str

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the JSON of one request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            answer = open_url(f"{self.url}/api/v2/{path}", data, headers, method, timeout=60)
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read() or b"{}")

    def named(self, kind: str, name: str) -> dict[str, Any]:
        """The one object of this name."""
        status, page = self.call("GET", f"{kind}/?{urllib.parse.urlencode({'name': name})}")
        assert (status, page["count"]) == (200, 1)
        found = page["results"][0]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The real AWX where one is given."""
    url = os.environ.get("AWX_URL")
    if url:
        site = Site(
            url.rstrip("/"),
            os.environ["AWX_TOKEN"],
            os.environ.get("AWX_ORGANIZATION", "Default"),
            os.environ.get("AWX_INVENTORY", "Demo Inventory"),
            f"dbtls test {secrets.token_hex(4)}",
        )
    else:
        awx: Awx = request.getfixturevalue("awx")
        site = Site(awx.url, TOKEN, "Default", "Databases", "MySQL TLS")
    monkeypatch.setenv("CONTROLLER_HOST", site.url)
    monkeypatch.setenv("CONTROLLER_OAUTH_TOKEN", site.token)
    yield site
    if url:
        for kind in ("workflow_job_templates", "job_templates", "projects", "credentials", "credential_types"):
            _status, page = site.call("GET", f"{kind}/?{urllib.parse.urlencode({'name__startswith': site.prefix})}")
            for item in page["results"]:
                site.call("DELETE", f"{kind}/{item['id']}/")


def test_what_the_setup_relies_on(site: Site, ansible: Ansible) -> None:
    """Launches, credential types in use, and what comes back of a password."""
    settings = {
        "awx_setup_prefix": site.prefix,
        "awx_setup_organization": site.organization,
        "awx_setup_inventory": site.inventory,
        "awx_setup_image": "",
        # No job is launched on somebody's AWX.
        "awx_setup_state": "artifact",
        "awx_setup_report_dir": "",
    }
    set_up(ansible, **settings).ok()
    enforce = site.named("job_templates", f"{site.prefix} Enforce")
    audit = site.named("job_templates", f"{site.prefix} Audit")
    assert audit["playbook"] == "playbooks/audit.yml"

    # A required question needs an answer; variables that no question asks for are refused.
    status, told = site.call("POST", f"job_templates/{enforce['id']}/launch/", {})
    assert (status, told["variables_needed_to_start"]) == (400, ["'mysql_tls_accounts' value missing"])
    extra = {"extra_vars": {"mysql_tls_accounts": "app@*", "mysql_tls_all_accounts": True}}
    status, told = site.call("POST", f"job_templates/{enforce['id']}/launch/", extra)
    assert status in (400, 201)
    assert "mysql_tls_all_accounts" in json.dumps(told)

    # Its nodes can be launched, and it needs an answer itself.
    workflow = site.named("workflow_job_templates", f"{site.prefix} Plan, approve, enforce, audit")
    status, told = site.call("GET", f"workflow_job_templates/{workflow['id']}/launch/")
    assert (status, told["node_prompts_rejected"], told["node_templates_missing"]) == (200, [], [])
    status, told = site.call("POST", f"workflow_job_templates/{workflow['id']}/launch/", {})
    assert (status, told["variables_needed_to_start"]) == (400, ["'mysql_tls_accounts' value missing"])

    credential = site.named("credentials", f"{site.prefix} login")
    assert credential["inputs"] == {"login_user": "db_root", "login_password": "$encrypted$"}
    kind = site.named("credential_types", f"{site.prefix} login")
    inputs = {**kind["inputs"], "required": ["login_user"]}
    status, _told = site.call("PATCH", f"credential_types/{kind['id']}/", {"inputs": inputs})
    assert status == 403
    status, _told = site.call("PATCH", f"credential_types/{kind['id']}/", {"inputs": kind["inputs"]})
    assert status == 200
