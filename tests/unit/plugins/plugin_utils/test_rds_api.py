# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding a host's database in the RDS API's answers, and what speaks against changing it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rds_api


def instance(name: str, **more: t.Any) -> dict[str, t.Any]:
    """As amazon.aws.rds_instance_info returns one."""
    group = {"db_parameter_group_name": "shared", "parameter_apply_status": "in-sync"}
    return {
        "db_instance_identifier": name,
        "engine": "mysql",
        "engine_version": "8.0.36",
        "db_instance_status": "available",
        "endpoint": {"address": f"{name}.abc.eu-central-1.rds.amazonaws.com", "port": 3306},
        "db_parameter_groups": [group],
        **more,
    }


CLUSTER: dict[str, t.Any] = {
    "db_cluster_identifier": "shop",
    "endpoint": "shop.cluster-abc.eu-central-1.rds.amazonaws.com",
    "reader_endpoint": "shop.cluster-ro-abc.eu-central-1.rds.amazonaws.com",
    "db_cluster_parameter_group": "shop-group",
    "db_cluster_members": [
        {"db_instance_identifier": "shop-1", "is_cluster_writer": True, "db_cluster_parameter_group_status": "in-sync"},
        {
            "db_instance_identifier": "shop-2",
            "is_cluster_writer": False,
            "db_cluster_parameter_group_status": "in-sync",
        },
    ],
}
MEMBERS = [instance(name, engine="aurora-mysql", db_cluster_identifier="shop") for name in ("shop-1", "shop-2")]


def test_an_instance_by_its_endpoint() -> None:
    found = rds_api.database(
        "ORDERS.abc.eu-central-1.rds.amazonaws.com.", None, [instance("orders"), instance("stock")], []
    )
    assert (found["instance"], found["kind"], found["group"]) == ("orders", "instance", "shared")
    assert found["sharing"] == ["orders", "stock"]
    assert (found["on"], found["off"]) == ("1", "0")


def test_a_cluster_by_its_endpoint_is_its_writer() -> None:
    found = rds_api.database(CLUSTER["endpoint"], None, MEMBERS, [CLUSTER])
    assert (found["instance"], found["owner"], found["kind"]) == ("shop-1", "shop", "cluster")
    assert found["sharing"] == ["shop-1", "shop-2"]
    assert not found["multi_az_cluster"]
    assert found["on"] == "ON"


def test_what_cannot_be_one_database() -> None:
    for host, identifier, sentence in (
        ("db.example.com", None, "has the endpoint db.example.com: set mysql_tls_db_identifier"),
        ("db.example.com", "nobody", "lists no instance and no cluster nobody"),
        (CLUSTER["reader_endpoint"], None, "is a reader endpoint"),
    ):
        with pytest.raises(RdsMysqlError, match=sentence):
            rds_api.database(str(host), identifier, MEMBERS, [CLUSTER])
    with pytest.raises(RdsMysqlError, match="both an instance and a cluster are called shop"):
        rds_api.database("x", "shop", [instance("shop")], [CLUSTER])


def look(*plaintext: str, sessions: bool = True, required: bool = False) -> dict[str, t.Any]:
    """As mysql_ssl_status returns it, shortened."""
    entries = [{"user": user, "host": "10.0.0.1", "plaintext": 1} for user in plaintext]
    return {
        "mysql_ssl": {
            "session": {"verified": True},
            "sessions": {"by_account": entries} if sessions else None,
            "tls": {"require_secure_transport": required},
        }
    }


@pytest.mark.parametrize(
    ("result", "objection"),
    [
        (look(), None),
        (look("rdsadmin"), None),
        (look("app"), "clients are connected without TLS: app@10.0.0.1"),
        (look(sessions=False), "does not expose session TLS status"),
        (look("app", required=True), None),
        ({"failed": True, "msg": "Cannot reach it."}, "could not be checked"),
        ({"mysql_ssl": {"session": None}}, "there is no login"),
        ({"mysql_ssl": {"session": {"verified": False}}}, "was not verified"),
        (None, "could not be checked"),
    ],
)
def test_a_server_that_could_shut_clients_out(result: t.Any, objection: str | None) -> None:
    found = rds_api.of_server(result, tolerated=False)
    assert (objection is None) == (found == [])
    assert objection is None or objection in found[0]


@pytest.mark.parametrize(
    ("version", "boto3", "sentence"),
    [
        (None, True, "amazon.aws is not installed"),
        ("9.4.0", True, "amazon.aws 9.4.0 is too old"),
        ("9.5.2", False, "amazon.aws needs boto3"),
        ("10.1.0", True, None),
    ],
)
def test_what_has_to_be_installed(version: str | None, boto3: bool, sentence: str | None) -> None:
    found = rds_api.missing_collection(version, boto3=boto3)
    assert found is None if sentence is None else sentence in str(found)


def test_a_restart_that_was_not_accepted() -> None:
    one = rds_api.database("x", "orders", [instance("orders")], [])
    for versions in ([], [{"supports_certificate_rotation_without_restart": False}]):
        (objection,) = rds_api.rotation_objections(one, "rds-ca-rsa2048-g1", versions, at_once=True, reboot=False)
        assert "restarts to change its certificate" in objection
    assert rds_api.rotation_objections(one, "rds-ca-rsa2048-g1", [], at_once=False, reboot=False) == []
    (wrong,) = rds_api.rotation_objections(one, "rds-ca-2019", [], at_once=False, reboot=False)
    assert wrong.startswith("mysql_tls_rotate_to is rds-ca-2019 and has to be one of: ")


def account(user: str, **more: t.Any) -> dict[str, t.Any]:
    """As mysql_ssl_status returns it."""
    flags = dict.fromkeys(("locked", "is_role", "system", "local"), False)
    return {"user": user, "host": "%", "ssl_type": "NONE", **flags, **more}


def test_accounts_that_are_not_ready() -> None:
    """On every server that the parameter group counts for; those without an observation count as not ready."""
    seen = look()
    seen["mysql_ssl"]["accounts"] = [
        *(account(name) for name in ("good", "bad", "new")),
        account("tls", ssl_type="ANY"),
        *(account(flag, **{flag: True}) for flag in ("locked", "is_role", "system", "local")),
    ]
    judged = [
        {"account": "good@%", "state": "ready", "reason": "No login without TLS was counted."},
        {"account": "bad@%", "state": "not_ready", "reason": "bad from 10.0.0.7 was connected without TLS."},
    ]
    one = rds_api.database("x", "orders", [instance("orders"), instance("stock")], [])
    here = ("eu-central-1", "")

    def objections(stock: t.Any, of_stock: list[dict[str, t.Any]] | None, *, only_ready: bool = True) -> list[str]:
        ready = look()
        ready["mysql_ssl"]["accounts"] = [account("good")]
        checked = {
            "a": rds_api.Checked("orders", here, ready, False, judged),
            "b": rds_api.Checked("stock", here, stock, False, of_stock),
        }
        return rds_api.lock_objections(one, here, checked, only_ready=only_ready)

    (refused,) = objections(seen, judged)
    assert refused == (
        "b: mysql_tls_only_ready is set, and bad@% is not ready (bad from 10.0.0.7 was connected without TLS), "
        "new@% is unknown (it is newer than the last audit)."
    )
    (unobserved,) = objections(seen, None)
    assert unobserved.startswith("b: mysql_tls_only_ready is set, and nobody has observed its clients: ")
    assert objections(seen, None, only_ready=False) == []
    assert objections(look(required=True), None) == []
    assert objections(look(), judged) == ["b: mysql_tls_only_ready is set, and its accounts could not be read."]
