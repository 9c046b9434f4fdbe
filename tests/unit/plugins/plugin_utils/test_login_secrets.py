# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the secret of a host is fetched."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.login_secrets import secret_of_host


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("login", "eu-west-1"),
        ("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:login-a1b2c3", "cn-north-1"),
        # AWS says of these what is wrong.
        ("arn:aws", "eu-west-1"),
        (123, "eu-west-1"),
    ],
)
def test_a_region(name: t.Any, region: str) -> None:
    values = HostVariables({"mysql_tls_secret": name, "mysql_tls_region": "eu-west-1"})
    assert secret_of_host(values) == {"name": str(name), "region": region, "profile": ""}


@pytest.mark.parametrize("name", [None, ""])
def test_a_host_without_a_secret(name: str | None) -> None:
    """An empty text is how a host is taken out of a group that has one."""
    assert secret_of_host(HostVariables({"mysql_tls_secret": name})) is None
