# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers that would remove the history, or never come to an end; and what a limit on findings cannot see."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import history_of, not_decided, rules_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import model

_GOOD: dict[str, t.Any] = {
    "state_dir": "/nowhere",
    "state_group": None,
    "history_days": 1,
    "quiet_days": 36500,
    "watch_every": 1440,
    "min_coverage": 1.0,
    "min_seen": 0.0,
}


def test_numbers_that_can_be_meant() -> None:
    assert history_of(_GOOD).days == 1
    assert rules_of(_GOOD).quiet_days == 36500


@pytest.mark.parametrize("name", ["history_days", "quiet_days", "watch_every"])
@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_numbers_that_cannot_be_meant(name: str, number: int) -> None:
    with pytest.raises(OptionError, match=rf"{name}: {number} is not a number from 1 to [0-9]+\."):
        (history_of if name == "history_days" else rules_of)({**_GOOD, name: number})


def test_accounts_that_cannot_fail_anything() -> None:
    """A warning where a limit was set: green would seem to say that there are none without TLS."""

    def server(name: str, **more: t.Any) -> model.Server:
        return model.Server(name, name, model.CHECKED, **more)

    servers = [
        server("outside"),
        server("read", accounts=()),
        server("locked", tls=model.Tls(available=True, require_secure_transport=True)),
        server("refused", message="Login refused."),
        server("earlier", in_run=False),
        model.Server("gone", "gone", model.UNREACHABLE),
    ]
    (told,) = not_decided(servers, {each.name: "high" for each in servers}, None)
    assert told.startswith(
        "fail_on: the accounts of outside are not known, so accounts without TLS there fail nothing."
    )
    assert not_decided(servers, {}, "low") == [told]
    assert not_decided(servers, {"outside": "none"}, None) == []
