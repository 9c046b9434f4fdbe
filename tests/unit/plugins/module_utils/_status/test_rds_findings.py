# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the RDS API says beside what a server has shown."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, KINDS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.rds_findings import not_visible, of_rds_api

API: dict[str, t.Any] = {
    "region": "eu-central-1",
    "instance": "orders",
    "engine": "mysql",
    "engine_version": "8.0.36",
    "ca": "rds-ca-rsa2048-g1",
    "pending": [],
    "window": "tue:03:00-tue:03:30",
    "parameter_group": "orders-tls",
    "apply_status": "in-sync",
    "require_secure_transport": None,
    "publicly_accessible": False,
    "version_available": True,
}
STATUS: dict[str, t.Any] = {
    "tls": {"require_secure_transport": False},
    "certificate": {"rds_ca": "rds-ca-rsa2048-g1"},
}


@pytest.mark.parametrize(
    ("api", "status", "kind", "said"),
    [
        ({}, {}, None, ""),
        ({"apply_status": "applying"}, {}, None, ""),
        ({"version_available": None, "publicly_accessible": None, "ca": None}, {}, None, ""),
        ({"require_secure_transport": False}, {}, None, ""),
        ({"require_secure_transport": True}, {"tls": {"require_secure_transport": None}}, None, ""),
        ({"ca": "rds-ca-ecc384-g1"}, {"certificate": None}, None, ""),
        (
            {"apply_status": "pending-reboot"},
            {},
            "rds-parameter-not-in-force",
            "not in force on orders before a reboot. require_secure_transport is OFF on the server.",
        ),
        (
            {"require_secure_transport": True, "apply_status": "pending-reboot"},
            {},
            "rds-parameter-not-in-force",
            "sets require_secure_transport to ON. require_secure_transport is OFF on the server.",
        ),
        (
            {"require_secure_transport": False},
            {"tls": {"require_secure_transport": True}},
            "rds-parameter-not-in-force",
            "sets require_secure_transport to OFF. require_secure_transport is ON on the server.",
        ),
        (
            {},
            {"certificate": {"rds_ca": "rds-ca-2019"}},
            "rds-ca-not-in-force",
            "The CA of orders is rds-ca-rsa2048-g1 in the RDS API, but its certificate is of rds-ca-2019.",
        ),
        (
            {"pending": ["ca_certificate_identifier", "engine_version"]},
            {},
            "rds-change-pending",
            "until its maintenance window (tue:03:00-tue:03:30): ca_certificate_identifier, engine_version.",
        ),
        ({"publicly_accessible": True}, {}, "publicly-accessible", "its endpoint has a public IP address"),
        ({"version_available": False}, {}, "engine-version-deprecated", "orders runs mysql 8.0.36, which AWS does not"),
    ],
)
def test_of_rds_api(api: dict[str, t.Any], status: dict[str, t.Any], kind: str | None, said: str) -> None:
    found = list(of_rds_api({**API, **api}, {**STATUS, **status}))
    assert [one.id for one in found] == ([kind] if kind else [])
    for one in found:
        assert said in one.message
        (command,) = one.commands
        assert "--region eu-central-1 -" in command
        # Elsewhere it could be applied to an instance of the same name.
        (other,) = next(of_rds_api({**API, **api}, {**STATUS, **status}, "my profile")).commands
        assert "--region eu-central-1 --profile 'my profile' -" in other
        assert ("--apply-immediately" in command) == (one.id == "rds-change-pending")
        assert one.severity == BY_ID[one.id].severity


def test_what_is_not_told() -> None:
    found = not_visible("orders", "AccessDenied.")
    assert (found.id, found.severity) == ("rds-api-not-visible", "info")
    assert found.message == "The RDS API was not compared with the server: AccessDenied."


def test_the_verdict_is_the_servers_alone() -> None:
    """Which is computed without the API."""
    assert not [kind.id for kind in KINDS if kind.requires == "rds_api" and kind.decides]
