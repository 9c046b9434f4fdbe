# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers compared with the RDS API: what is asked, once for how many hosts, and what becomes of it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rds_audit
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables

from .test_rds_api import CLUSTER, MEMBERS, instance

ENDPOINT = "{}.abc.eu-central-1.rds.amazonaws.com"


class Api:
    """Answers as modules of amazon.aws return them."""

    def __init__(self, **answers: t.Any) -> None:
        self.calls: list[tuple[str, str]] = []
        self._answers = {
            "rds_engine_versions_info": {"db_engine_versions": [{"engine_version": "8.0.36", "status": "available"}]},
            **answers,
        }

    def __call__(self, module: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        name = module.rpartition(".")[2]
        self.calls.append((name, options.get("profile", "") or options["region"]))
        answer: dict[str, t.Any] = self._answers.get(name, {})
        return answer


def variables(login_host: str, **more: t.Any) -> HostVariables:
    return HostVariables({"mysql_tls_rds_api": True, "mysql_tls_login_host": login_host, **more})


def checked(**more: t.Any) -> dict[str, t.Any]:
    """As mysql_ssl_status returns it, shortened."""
    status = {
        "server": {"managed_by": "rds"},
        "tls": {"require_secure_transport": False},
        "certificate": {"rds_ca": "rds-ca-rsa2048-g1", "common_name": "db", "san": []},
        "findings": [{"id": "transport-not-required", "severity": "low"}],
        "summary": ["mysql 8.0.36"],
        **more,
    }
    return {"changed": False, "mysql_ssl": status}


def audit(api: Api, **hosts: HostVariables) -> rds_audit.RdsAudit:
    found = rds_audit.RdsAudit()
    for name, values in hosts.items():
        found.look(name, values)
    found.read(api)
    return found


def ids(result: dict[str, t.Any]) -> list[str]:
    return [one["id"] for one in result["mysql_ssl"]["findings"]]


def test_one_question_for_a_region_and_account() -> None:
    pending = {"db_parameter_groups": [{"db_parameter_group_name": "a", "parameter_apply_status": "pending-reboot"}]}
    api = Api(rds_instance_info={"instances": [instance("orders", **pending), instance("stock")]})
    found = audit(
        api,
        orders=variables(ENDPOINT.format("orders")),
        stock=variables("db.example.com", mysql_tls_region="eu-central-1", mysql_tls_db_identifier="stock"),
        staging=variables(ENDPOINT.format("stock"), mysql_tls_aws_profile="staging"),
        unasked=variables(ENDPOINT.format("unasked"), mysql_tls_rds_api="no"),
    )
    assert api.calls == [
        (name, place)
        for place in ("eu-central-1", "staging")
        for name in ("rds_instance_info", "rds_engine_versions_info")
    ]
    orders = found.add_to("orders", checked())
    assert ids(orders) == ["transport-not-required", "rds-parameter-not-in-force"]
    assert orders["mysql_ssl"]["rds_api"]["apply_status"] == "pending-reboot"
    assert orders["mysql_ssl"]["summary"][1].startswith("low: rds-parameter-not-in-force: ")
    assert "failed" not in orders
    assert ids(found.add_to("stock", checked())) == ["transport-not-required"]
    for same in (checked(), {"failed": True, "msg": "Cannot reach it."}):
        assert found.add_to("unasked", same) is same
    assert found.add_to("orders", {"failed": True}) == {"failed": True}


def test_clusters_have_values() -> None:
    parameter = {"parameter_name": "require_secure_transport", "parameter_value": "ON"}
    group = {"db_cluster_parameter_group_name": "shop-group", "db_parameters": [parameter]}
    api = Api(
        rds_instance_info={"instances": MEMBERS},
        rds_cluster_info={"clusters": [CLUSTER]},
        rds_cluster_param_group_info={"db_cluster_parameter_groups": [group]},
        rds_engine_versions_info={"db_engine_versions": [{"engine_version": "8.0.36", "status": "deprecated"}]},
    )
    found = audit(api, shop=variables(CLUSTER["endpoint"]))
    shop = found.add_to("shop", checked())
    assert ids(shop) == ["transport-not-required", "rds-parameter-not-in-force", "engine-version-deprecated"]
    in_force = found.add_to("shop", checked(tls={"require_secure_transport": True}))
    assert ids(in_force) == ["transport-not-required", "engine-version-deprecated"]


def test_what_is_denied_stops_nothing() -> None:
    denied = {"failed": True, "msg": "An error occurred (AccessDenied): not authorized."}
    host = variables(ENDPOINT.format("orders"))
    (told,) = audit(Api(rds_instance_info=denied), orders=host).add_to("orders", checked())["mysql_ssl"]["findings"][1:]
    assert (told["id"], told["severity"]) == ("rds-api-not-visible", "info")
    assert "rds_instance_info: An error occurred (AccessDenied): not authorized." in told["message"]
    some = Api(
        rds_instance_info={"instances": [instance("orders", publicly_accessible=True)]}, rds_engine_versions_info=denied
    )
    seen = audit(some, orders=host).add_to("orders", checked())
    assert ids(seen) == ["transport-not-required", "publicly-accessible", "rds-api-not-visible"]
    assert seen["mysql_ssl"]["rds_api"]["version_available"] is None


@pytest.mark.parametrize(
    ("login_host", "more", "managed_by", "said"),
    [
        ("db.example.com", {}, None, None),
        ("db.example.com", {"mysql_tls_region": "eu-central-1"}, None, None),
        ("db.example.com", {"mysql_tls_region": "eu-central-1", "mysql_tls_db_identifier": ""}, None, None),
        ("db.example.com", {}, "rds", "The AWS region of db.example.com is not known: set mysql_tls_region."),
        (
            "db.example.com",
            {"mysql_tls_region": "eu-central-1"},
            "rds",
            "No instance or cluster in the RDS API has the",
        ),
        (ENDPOINT.format("gone"), {}, None, "No instance or cluster in the RDS API has the endpoint gone."),
        (CLUSTER["reader_endpoint"], {}, "aurora", "is a reader endpoint"),
        ("shop.proxy-abc.eu-central-1.rds.amazonaws.com", {}, None, None),
        (ENDPOINT.format("gone"), {"mysql_tls_role": "proxy"}, None, None),
    ],
)
def test_what_is_not_in_the_api(
    login_host: str, more: dict[str, t.Any], managed_by: str | None, said: str | None
) -> None:
    api = Api(rds_instance_info={"instances": MEMBERS}, rds_cluster_info={"clusters": [CLUSTER]})
    result = audit(api, it=variables(login_host, **more)).add_to("it", checked(server={"managed_by": managed_by}))
    told = [one["message"] for one in result["mysql_ssl"]["findings"][1:]]
    assert len(told) == (said is not None)
    assert said is None or said in told[0]


def test_a_certificate_of_another_database() -> None:
    """A tunnel to one, and the name of another: nothing of the API is about that server."""
    api = Api(rds_instance_info={"instances": [instance("orders", publicly_accessible=True), instance("stock")]})
    host = variables("127.0.0.1", mysql_tls_region="eu-central-1", mysql_tls_db_identifier="orders")
    of_stock = {"rds_ca": "rds-ca-rsa4096-g1", "common_name": ENDPOINT.format("stock"), "san": []}
    seen = audit(api, tunnel=host).add_to("tunnel", checked(certificate=of_stock))
    (told,) = seen["mysql_ssl"]["findings"][1:]
    assert told["id"] == "rds-api-not-visible"
    assert f"The server that answers has the certificate of {ENDPOINT.format('stock')}, but orders" in told["message"]
    assert seen["mysql_ssl"]["rds_api"] is None


def test_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with the oldest version, and only where the API is asked for."""
    monkeypatch.setattr(rds_audit, "_version_of_amazon_aws", lambda: None)
    assert audit(Api()).sentences() == []
    (sentence,) = audit(Api(), it=variables(ENDPOINT.format("orders"))).sentences()
    assert sentence.startswith("mysql_tls_rds_api: The collection amazon.aws is not installed here. Install it with: ")
    assert "'amazon.aws:>=9.5.0'" in sentence
