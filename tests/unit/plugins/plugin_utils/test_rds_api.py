# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding a host's database in the RDS API's answers, and what speaks against changing it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rds_api

from tests.servers import SSL_PROFILES, ServerUnavailable, published_certificates


def instance(name: str, **more: t.Any) -> dict[str, t.Any]:
    """As amazon.aws.rds_instance_info returns one."""
    group = {"db_parameter_group_name": "shared", "parameter_apply_status": "in-sync"}
    return {
        "db_instance_identifier": name,
        "db_instance_arn": f"arn:aws:rds:eu-central-1:123456789012:db:{name}",
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
    assert found["account"] == "123456789012"


def test_a_cluster_by_its_endpoint_is_its_writer() -> None:
    found = rds_api.database(CLUSTER["endpoint"], None, MEMBERS, [CLUSTER])
    assert (found["instance"], found["owner"], found["kind"]) == ("shop-1", "shop", "cluster")
    assert found["sharing"] == ["shop-1", "shop-2"]
    assert not found["multi_az_cluster"]
    assert found["on"] == "ON"


def test_a_group_in_place_of_a_default_one_that_others_use() -> None:
    """It counts for them as soon as the parameter is set."""

    def of_group(name: str, group: str) -> dict[str, t.Any]:
        return instance(name, db_parameter_groups=[{"db_parameter_group_name": group}])

    instances = [of_group("orders", "default.mysql8.0"), of_group("stock", "orders-tls"), of_group("other", "default")]
    one = rds_api.database("x", "orders", instances, [])
    assert (one["group_to_change"], one["sharing"]) == ("orders-tls", ["orders", "stock"])
    (unchecked,) = rds_api.lock_objections(one, {"a": rds_api.Guarded(one)})
    assert unchecked.startswith("The parameter group orders-tls counts for instances that were not checked in this run")

    default = {**CLUSTER, "db_cluster_parameter_group": "default.aurora-mysql8.0"}
    members = [{"db_instance_identifier": "mall-1", "db_cluster_parameter_group_status": "in-sync"}]
    mall = {"db_cluster_identifier": "mall", "db_cluster_parameter_group": "shop-tls", "db_cluster_members": members}
    one = rds_api.database("x", "shop", MEMBERS, [default, mall])
    assert (one["group_to_change"], one["sharing"]) == ("shop-tls", ["shop-1", "shop-2", "mall-1"])


def test_what_cannot_be_one_database() -> None:
    for host, identifier, sentence in (
        ("db.example.com", None, "has the endpoint db.example.com: set mysql_tls_db_identifier"),
        ("db.example.com", "nobody", "lists no instance and no cluster nobody"),
        (CLUSTER["reader_endpoint"], None, "is a reader endpoint"),
        ("reports.cluster-custom-abc.eu-central-1.rds.amazonaws.com", None, "which stands for several instances"),
    ):
        custom = ["Reports.cluster-custom-abc.eu-central-1.rds.amazonaws.com"]
        with pytest.raises(RdsMysqlError, match=sentence):
            rds_api.database(str(host), identifier, MEMBERS, [{**CLUSTER, "custom_endpoints": custom}])
    # The API has them in lower case.
    assert rds_api.database("x", "Shop-1", MEMBERS, [CLUSTER])["instance"] == "shop-1"
    with pytest.raises(RdsMysqlError, match="both an instance and a cluster are called shop"):
        rds_api.database("x", "shop", [instance("shop")], [CLUSTER])


def test_guards_of_every_server_that_shares_the_group() -> None:
    """Each of its hosts, and none of another group."""
    one, two = (
        rds_api.database("x", name, [instance("orders"), instance("stock")], []) for name in ("orders", "stock")
    )
    other = {**two, "instance": "other"}
    refused = "Clients are connected. Nothing was changed. Set plaintext_sessions to warn, allow or kill."

    def objections(**guarded: rds_api.Guarded) -> list[str]:
        return rds_api.lock_objections(one, guarded)

    assert objections(a=rds_api.Guarded(one), b=rds_api.Guarded(two), c=rds_api.Guarded(other, "It is down.")) == []
    unchecked, told = objections(a=rds_api.Guarded(one, refused))
    assert unchecked.startswith("The parameter group shared counts for instances that were not checked in this run: st")
    assert told == "a: Clients are connected. Set mysql_tls_plaintext_sessions to warn or allow."
    # Two names of one instance.
    names = {"a": rds_api.Guarded(one, "First."), "b": rds_api.Guarded(two), "c": rds_api.Guarded(one, "Second.")}
    assert objections(**names) == ["a: First.", "c: Second."]


@pytest.mark.parametrize(
    ("certified", "refused"),
    [
        ([], False),
        (["orders.abc.eu-central-1.rds.amazonaws.com"], False),
        (["shop.cluster-abc.eu-central-1.rds.amazonaws.com", "ORDERS.abc.eu-central-1.rds.amazonaws.com"], False),
        (["db.example.com"], False),
        (["*.abc.eu-central-1.rds.amazonaws.com"], False),
        (["stock.abc.eu-central-1.rds.amazonaws.com"], True),
        (["*.proxy-abc.eu-central-1.rds.amazonaws.com"], True),
    ],
)
def test_a_certificate_of_another_database(certified: list[str], refused: bool) -> None:
    one = rds_api.database("x", "orders", [instance("orders"), instance("stock")], [])
    shown = rds_api.endpoints_of({"common_name": "db", "san": [f"DNS:{name}" for name in certified]})
    wrong = rds_api.another_server(shown, one)
    assert (wrong is not None) == refused
    assert wrong is None or "orders has the endpoint orders.abc.eu-central-1.rds.amazonaws.com in the RDS API" in wrong


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


WAITING = {"engine_version": "8.0.40", "ca_certificate_identifier": "rds-ca-ecc384-g1", "port": None}


def test_what_waits_for_the_maintenance_window_is_not_applied_as_well() -> None:
    """ApplyImmediately is for pending modifications, too: an upgrade of the engine would come with the new CA."""
    one = rds_api.database("x", "orders", [instance("orders", pending_modified_values=WAITING)], [])
    target, able = "rds-ca-rsa2048-g1", [{"supports_certificate_rotation_without_restart": True}]
    assert rds_api.rotation_objections(one, target, able, at_once=False, reboot=True) == []
    (objection,) = rds_api.rotation_objections(one, target, able, at_once=True, reboot=True)
    assert "apply at once what waits for the maintenance window of orders: engine_version. Apply or" in objection
    assert rds_api.rotation_objections(one | {"pending": []}, target, able, at_once=True, reboot=True) == []
    # ModifyDBCluster does not.
    assert rds_api.rotation_objections(one | {"multi_az_cluster": True}, target, able, at_once=True, reboot=True) == []

    # A parameter group of its own is changed without the instance.
    assert rds_api.lock_objections(one, {"a": rds_api.Guarded(one)}) == []
    default = [{"db_parameter_group_name": "default.mysql8.0"}]
    one = rds_api.database(
        "x", "orders", [instance("orders", pending_modified_values=WAITING, db_parameter_groups=default)], []
    )
    (objection,) = rds_api.lock_objections(one, {"a": rds_api.Guarded(one)})
    assert "maintenance window of orders: ca_certificate_identifier, engine_version. Apply or" in objection
    assert rds_api.lock_objections(one, {"a": rds_api.Guarded(one, required=True)}) == []


@pytest.mark.parametrize("status", ["modifying", "storage-full", "stopped", "deleting", "backing-up", None])
def test_an_instance_that_aws_does_not_change_now(status: str | None) -> None:
    one = rds_api.database("x", "orders", [instance("orders", db_instance_status=status)], [])
    said = [f"The instance orders is {status}, not available. Run the playbook again later."]
    assert rds_api.rotation_objections(one, "rds-ca-rsa2048-g1", [], at_once=False, reboot=False) == said
    assert rds_api.lock_objections(one, {"a": rds_api.Guarded(one)}) == said
    # Nothing has to be changed.
    assert rds_api.lock_objections(one, {"a": rds_api.Guarded(one, required=True)}) == []
    done = one | {"ca": "rds-ca-rsa2048-g1"}
    assert rds_api.rotation_objections(done, "rds-ca-rsa2048-g1", [], at_once=True, reboot=False) == []


def test_a_new_ca_that_is_going_to_be_replaced() -> None:
    more = {"ca_certificate_identifier": "rds-ca-rsa2048-g1", "pending_modified_values": WAITING}
    one = rds_api.database("x", "orders", [instance("orders", **more)], [])
    (objection,) = rds_api.rotation_objections(one, "rds-ca-rsa2048-g1", [], at_once=True, reboot=False)
    assert "orders uses rds-ca-rsa2048-g1, but waits for its maintenance window to use rds-ca-ecc384-g1." in objection


def test_a_restart_that_was_not_accepted() -> None:
    one = rds_api.database("x", "orders", [instance("orders")], [])
    unknown: dict[str, t.Any] = {}
    for versions, words in (([], "may restart"), ([unknown], "restarts")):
        (objection,) = rds_api.rotation_objections(one, "rds-ca-rsa2048-g1", versions, at_once=True, reboot=False)
        assert f"mysql 8.0.36 {words} to change its certificate." in objection
        assert words in rds_api.restarts(versions)
    assert rds_api.rotation_objections(one, "rds-ca-rsa2048-g1", [], at_once=False, reboot=False) == []
    (wrong,) = rds_api.rotation_objections(one, "rds-ca-2019", [], at_once=False, reboot=False)
    assert wrong.startswith("mysql_tls_rotate_to is rds-ca-2019 and has to be one of: ")


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1", "us-east-2"])
def test_clients_need_the_root_of_their_region(tmp_path: Path, region: str) -> None:
    """With AWS's own certificates. mysql_tls_region is global by default, and the bundle that of all regions."""
    try:
        published = published_certificates(SSL_PROFILES)
    except ServerUnavailable as e:
        pytest.skip(f"AWS's certificates cannot be had here: {e}")  # which fails where CI=true
    everywhere, here, elsewhere = (tmp_path / name for name in ("global.pem", "here.pem", "elsewhere.pem"))
    everywhere.write_bytes(b"".join(published))
    target = "rds-ca-rsa2048-g1"
    # Regions have a root each.
    ours = rds_api.roots_of(str(everywhere), target, region)
    assert len(ours) == 1
    assert len(rds_api.roots_of(str(everywhere), target)) > 20
    for path, wanted in ((here, True), (elsewhere, False)):
        digests = [x509.parse_pem(pem, "-")[0].fingerprint_sha256 for pem in published]
        path.write_bytes(b"".join(pem for pem, own in zip(published, digests, strict=True) if (own in ours) is wanted))
    looks = {str(path): {"mysql_ssl": {"certificate": {"trusted": True}}} for path in (everywhere, here, elsewhere)}

    def objections(reference: Path, client: Path) -> list[str]:
        return rds_api.bundle_objections(target, region, str(reference), [str(client)], looks)

    assert objections(everywhere, here) == objections(here, everywhere) == objections(here, here) == []
    assert objections(everywhere, elsewhere) == [f"{elsewhere} lacks the new CA: {next(iter(ours.values()))}."]
    # As where AWS would not name the region: any of them is needed.
    (several,) = objections(elsewhere, here)
    assert several.startswith(f"{here} lacks the new CA: ")
