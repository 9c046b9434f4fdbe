# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refused logins since a change: of whom, and from where."""

from __future__ import annotations

import datetime as dt

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.refused import (
    RefusedClient,
    RefusedLogins,
    refused_logins,
)

from .written_history import APP_PLAIN, APP_TLS, NOW, History, Server, Session

HOUR = dt.timedelta(hours=1)
CHANGED = iso8601(NOW)
STRANGER: Session = ("app", "203.0.113.5", "TCP/IP")


def after_a_change(server: Server) -> RefusedLogins | None:
    """Two refused logins before the change, three after it, and one of somebody else."""
    history = History(server)
    server.visit(APP_TLS)
    history.look(NOW - HOUR)
    server.refuse(APP_PLAIN)
    server.refuse(APP_PLAIN)
    history.look(NOW)
    server.refuse(STRANGER)
    server.refuse(("reports", "10.0.0.8", "TCP/IP"))
    history.look(NOW + HOUR)
    server.refuse(APP_PLAIN)
    server.refuse(STRANGER)
    history.look(NOW + 20 * HOUR)
    history.look(NOW + 21 * HOUR)
    return refused_logins("db", "app", "%", CHANGED, history.days.items())


def test_by_client_where_the_server_counts_both() -> None:
    found = after_a_change(Server("accounts"))
    assert found == RefusedLogins(
        "db",
        "app@%",
        CHANGED,
        iso8601(NOW + 20 * HOUR),
        3,
        (RefusedClient("203.0.113.5", 2), RefusedClient("10.0.0.7", 1)),
    )
    assert str(found) == ("app@%: 3 refused logins since 2026-11-28T12:00:00Z: 2 from 203.0.113.5, 1 from 10.0.0.7")


def test_of_any_user_where_it_counts_users_and_clients_apart() -> None:
    found = after_a_change(Server("users", "hosts", tells=False))
    assert found is not None
    assert (found.logins, found.of_any_user) == (3, True)
    assert found.clients == (
        RefusedClient("203.0.113.5", 2),
        RefusedClient("10.0.0.7", 1),
        RefusedClient("10.0.0.8", 1),
    )


def test_a_host_that_the_account_does_not_admit() -> None:
    history = History(Server("accounts"))
    history.look(NOW)
    history.server.refuse(STRANGER)
    history.look(NOW + HOUR)
    assert refused_logins("db", "app", "10.%", CHANGED, history.days.items()) is None
    assert refused_logins("db", "app", "%", iso8601(NOW + HOUR), history.days.items()) is None
