# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan, where the name leads to a machine with another name by now."""

from __future__ import annotations

import pytest

from . import core, model
from .clock import Clock
from .model import Entry
from .network import Network
from .server import MemoryServer

LOGIN = {"login_user": "admin", "login_password": "one", "ssl_mode": "required", "plaintext_sessions": "allow"}


@pytest.mark.parametrize(
    ("release", "changed"), [("mariadb-10.5", False), ("mariadb-10.11", True), ("mysql-8.0", True)]
)
def test_the_same_paths_on_another_machine(release: str, changed: bool) -> None:
    """After a failover it is the same server; without an identifier it may be any other instance of RDS."""
    server = MemoryServer(Clock(), release)
    for user, grants in (("admin", model.ALL), ("app", frozenset())):
        server.somebody("create", (user, "%"), Entry(plugin="mysql_native_password", password="one", grants=grants))
    with core.at_work_on(Network(server.clock, server)):
        plan = core.run({**LOGIN, "accounts": ["app"]}, True)["plan"]
        plan["identity"]["hostname"] = "ip-10-0-0-1"
        if changed:
            (warning,) = [
                text for text in core.run({**LOGIN, "plan": plan}, False)["warnings"] if "The plan is" in text
            ]
            assert warning.startswith("The plan is about ip-10-0-0-1:3306 with the data directory")
        else:
            with pytest.raises(
                core.errors.RdsMysqlError, match=r"changed since the plan: it was ip-10-0-0-1:3306"
            ) as e:
                core.run({**LOGIN, "plan": plan}, False)
            assert e.value.details["reason"] == "changed_since_plan"
    assert (server.accounts.memory["app", "%"].requirement[0] != "NONE") == changed
