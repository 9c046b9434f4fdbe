# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dbtls.rds_mysql.plugins.filter.ca_cert import FilterModule

NEEDED = {
    "bundles": [{"dest": "/one.pem"}, {"dest": "/two.pem"}],
    "ca_certs": {"a": "/one.pem", "b": "/two.pem", "own": "/own.pem"},
    "errors": {"c": "'region' is undefined"},
}
DOWNLOADS = {"failed": True, "results": [{"changed": False}, {"failed": True, "msg": "No such file."}]}


def ca_cert(host: str, downloads: t.Any = None) -> t.Any:
    return FilterModule().filters()["ca_cert"](NEEDED, host, downloads)


def test_the_file_of_each_host() -> None:
    assert [ca_cert(host) for host in ("a", "b", "own")] == ["/one.pem", "/two.pem", "/own.pem"]
    assert [ca_cert(host, DOWNLOADS) for host in ("a", "own")] == ["/one.pem", "/own.pem"]


def test_a_bundle_that_was_not_fetched_fails_the_hosts_that_need_it() -> None:
    with pytest.raises(AnsibleFilterError, match=r"The CA bundle could not be fetched: No such file\."):
        ca_cert("b", DOWNLOADS)


def test_a_host_whose_variables_cannot_be_evaluated() -> None:
    with pytest.raises(AnsibleFilterError, match="The CA bundle of c could not be determined: 'region' is undefined"):
        ca_cert("c")
