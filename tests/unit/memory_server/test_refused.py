# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked for and cannot be had is refused: the server was checked, and a plan counts it as that."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.servers import servers_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollout_summary import REFUSED, outcome

from . import core, model
from .clock import Clock
from .model import Entry
from .network import Network
from .server import MemoryServer

LOGIN = {"login_user": "admin", "login_password": "one", "ssl_mode": "required"}
NEVER_SEEN: dict[str, t.Any] = {"only_ready": True, "readiness": []}


@pytest.mark.parametrize(
    ("release", "params", "message"),
    [
        ("mysql-5.6", {"require_secure_transport": True}, "has no such variable"),
        ("mysql-8.0", {"require_secure_transport": True, **NEVER_SEEN}, r"not ready \(only_ready\)"),
        ("mysql-8.0", {"accounts": ["old"]}, r"cannot be changed: old@% \(its plugin .* is not loaded\)"),
        ("mysql-8.0", {"accounts": ["nobody"]}, "No account of .* matches"),
    ],
)
def test_what_cannot_be_had_is_refused(release: str, params: dict[str, t.Any], message: str) -> None:
    server = MemoryServer(Clock(), release)
    plugin = "mysql_native_password" if release == "mysql-5.6" else "caching_sha2_password"
    server.somebody("create", ("admin", "%"), Entry(plugin=plugin, password="one", grants=model.ALL))
    server.somebody("create", ("old", "%"), Entry(plugin="long_gone_password", password="two"))
    with core.at_work_on(Network(server.clock, server)), pytest.raises(core.errors.RdsMysqlError, match=message) as e:
        core.run({**LOGIN, "tls_min_version": "TLSv1", **params}, check_mode=True)
    result = {**e.value.details, "failed": True, "msg": e.value.message}
    assert result["reason"] == "refused"
    assert [each.outcome for each in servers_of({"db": result})] == ["refused"]
    assert outcome(result, {}) == REFUSED
