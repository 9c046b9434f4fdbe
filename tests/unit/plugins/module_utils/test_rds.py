# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import Endpoint


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("orders.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com", Endpoint("eu-central-1", "orders")),
        ("Orders.C1A2B3.US-EAST-1.RDS.AMAZONAWS.COM.", Endpoint("us-east-1", "orders")),
        ("orders.c1a2b3.us-gov-west-1.rds.amazonaws.com", Endpoint("us-gov-west-1", "orders")),
        ("orders.c1a2b3.cn-north-1.rds.amazonaws.com.cn", Endpoint("cn-north-1", "orders")),
        ("orders.c1a2b3.eusc-de-east-1.rds.amazonaws.eu", Endpoint("eusc-de-east-1", "orders")),
        ("orders.c1a2b3.ap-southeast-12.rds.amazonaws.com", Endpoint("ap-southeast-12", "orders")),
        # Names that stand for several instances, or for a proxy.
        ("shop.cluster-c1a2b3.eu-central-1.rds.amazonaws.com", Endpoint("eu-central-1", None)),
        ("shop.cluster-ro-c1a2b3.eu-central-1.rds.amazonaws.com", Endpoint("eu-central-1", None)),
        ("shop.proxy-c1a2b3.eu-central-1.rds.amazonaws.com", Endpoint("eu-central-1", None, "shop")),
        ("more.endpoint.proxy-c1a2b3.eu-central-1.rds.amazonaws.com", Endpoint("eu-central-1", None, "NAME")),
        # As some are in China.
        ("orders.c1a2b3.rds.cn-north-1.amazonaws.com.cn", Endpoint("cn-north-1", "orders")),
        ("shop.proxy-c1a2b3.rds.cn-north-1.amazonaws.com.cn", Endpoint("cn-north-1", None, "shop")),
        ("db.example.com", None),
        ("orders.c1a2b3.eu-central-1.rds.amazonaws.com.example.com", None),
        ("rds.amazonaws.com", None),
        ("192.0.2.10", None),
    ],
)
def test_endpoints(host: str, expected: Endpoint | None) -> None:
    assert _rds.parse_endpoint(host) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("eu-central-1", True),
        ("us-gov-east-1", True),
        ("eusc-de-east-1", True),
        ("global", False),
        ("eu-central-0", False),
        ("eu-central-1\n", False),
        ("../eu-central-1", False),
    ],
)
def test_regions(name: str, expected: bool) -> None:
    assert _rds.is_region(name) is expected


@pytest.mark.parametrize(
    ("managed_by", "parameter", "value", "parts"),
    [
        (
            "rds",
            "require_secure_transport",
            "ON",
            [
                "DB parameter group of the instance",
                "aws rds modify-db-parameter-group --db-parameter-group-name GROUP --parameters ",
                '"ParameterName=require_secure_transport,ParameterValue=1,ApplyMethod=immediate"',
                "no reboot is needed",
                "A default parameter group cannot be edited",
            ],
        ),
        (
            "aurora",
            "require_secure_transport",
            "OFF",
            [
                "DB cluster parameter group of the cluster",
                "aws rds modify-db-cluster-parameter-group --db-cluster-parameter-group-name GROUP ",
                "ParameterValue=OFF,ApplyMethod=immediate",
            ],
        ),
        (
            "rds",
            "tls_version",
            "TLSv1.2,TLSv1.3",
            ["\"ParameterName=tls_version,ParameterValue='TLSv1.2,TLSv1.3',ApplyMethod=pending-reboot\" and reboot"],
        ),
        ("rds", "performance_schema", "1", ["ParameterValue=1,ApplyMethod=pending-reboot", "reboot the instance"]),
    ],
)
def test_parameter_groups(managed_by: str, parameter: str, value: str, parts: list[str]) -> None:
    advice = " ".join(_rds.parameter_group_advice(managed_by, parameter, value))
    for part in parts:
        assert part in advice
    assert ("immediate" in advice) is (parameter == "require_secure_transport")
