# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory says about a server, with and without the prefix of the documented one."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.places import Places
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.from_results import Place

SAID = {
    "db_instance_arn": "arn:aws:rds:eu-central-1:123456789012:db:orders",
    "db_cluster_identifier": "shop",
    "pending_modified_values": {"ca_certificate_identifier": "rds-ca-ecc384-g1"},
}
GROUPS = {"group_names": ["ungrouped", "mysql", "all"]}


class HostVars(dict[str, t.Any]):
    """As Ansible's: of each host what the inventory says."""

    def raw_get(self, host: str) -> t.Any:
        return self[host]


@pytest.mark.parametrize("prefix", ["", "aws_"])
@pytest.mark.parametrize("shown", [True, False])
def test_of_an_inventory_of_aws(prefix: str, shown: bool) -> None:
    variables = {**{prefix + name: value for name, value in SAID.items()}, **GROUPS}
    places = Places(HostVars({} if shown else {"orders": variables}))
    if shown:
        places.look("orders", HostVariables(variables))
    assert places.of("orders") == Place("shop", "eu-central-1", "123456789012", ("mysql",))
    assert places.next_ca("orders") == "rds-ca-ecc384-g1"


def test_of_no_inventory() -> None:
    places = Places(HostVars())
    assert places.of("gone") == Place()
    assert places.next_ca("gone") is None
    assert not places.sentences()


def test_a_template_is_not_evaluated() -> None:
    says = {"region": "{{ lookup('pipe', 'id') }}", "pending_modified_values": {"ca_certificate_identifier": "{{ x }}"}}
    places = Places(HostVars(db=says))
    assert places.of("db") == Place()
    assert places.next_ca("db") is None
