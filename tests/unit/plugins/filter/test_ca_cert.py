# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.dbtls.rds_mysql.plugins.filter.ca_cert import FilterModule

NEEDED = {
    "bundles": ["/one.pem", "/two.pem"],
    "ca_certs": {"a": "/one.pem", "b": "/two.pem", "own": "/own.pem"},
    "errors": {"b": "No CA bundle: No such file.", "c": "'region' is undefined"},
}


def ca_cert(host: str) -> t.Any:
    return FilterModule().filters()["ca_cert"](NEEDED, host)


def test_the_file_of_each_host() -> None:
    assert [ca_cert(host) for host in ("a", "own")] == ["/one.pem", "/own.pem"]


@pytest.mark.parametrize(("host", "message"), [("b", "No CA bundle: No such file."), ("c", "'region' is undefined")])
def test_a_host_without_a_file_fails(host: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"{host} has no CA certificates to verify with. {message}"):
        ca_cert(host)
