# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.ca_bundles import CaBundles


class _Host:
    def __init__(self, **values: str) -> None:
        self._values = values

    def value(self, name: str) -> t.Any:
        return self._values.get(name)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("dest: the directory /var/x is not writable.", "mysql_tls_bundle_dir: the directory /var/x is not writable."),
        ("region: 'x' is not an AWS region name.", "mysql_tls_region: 'x' is not an AWS region name."),
        ("checksum: the file has another one.", "mysql_tls_bundle_checksum: the file has another one."),
        ("unknown_roots: fail.", "mysql_tls_bundle_unknown_roots: fail."),
        ("https://a/region: dest: no such name.", "https://a/region: dest: no such name."),
    ],
)
def test_reason_in_the_words_of_who_has_set_variables(said: str, wanted: str) -> None:
    bundles = CaBundles()
    variables: t.Any = _Host(mysql_tls_bundle_dir="/nowhere", mysql_tls_region="x", mysql_tls_ca_set="current")
    path = bundles.path_of(variables)
    bundles.fetch(lambda name, options: {"failed": True, "msg": said})
    assert bundles.errors[path].startswith(f"No CA bundle: {wanted} Set mysql_tls_ca_cert to a file")
