# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_variables import known
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import (
    is_in_role,
    reworded,
    variable_of,
    with_variables,
)

# Of servers, too: in statements that a message has.
_OF_SERVERS = {"ssl_type", "require_secure_transport"}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (
            "Name these servers in members, or set plaintext_sessions to warn.",
            "Name these servers in mysql_tls_members, or set mysql_tls_plaintext_sessions to warn.",
        ),
        ("members: 'a b' is not a host, or host:port.", "mysql_tls_members: 'a b' is not a host, or host:port."),
        ("Exclude them, or set unchangeable to skip.", "Exclude them, or set mysql_tls_unchangeable to skip."),
        (
            "which tls_min_version TLSv1.2 does not allow; set tls_min_version: TLSv1 to allow it.",
            "which mysql_tls_min_version TLSv1.2 does not allow; set mysql_tls_min_version: TLSv1 to allow it.",
        ),
        ("in 40 s for all work on it (timeout).", "in 40 s for all work on it (mysql_tls_connect_timeout)."),
        ("value of ssl_type must be one of: any", "value of mysql_tls_ssl_type must be one of: any"),
        ("argument 'login_port' is of type str and", "argument 'mysql_tls_login_port' is of type str and"),
        ("The option restore is last, all, or", "The option mysql_tls_restore is last, all, or"),
        ("ca_cert: /etc/ca_cert.pem cannot be read.", "mysql_tls_ca_cert: /etc/ca_cert.pem cannot be read."),
        ("dest: /srv/report.html cannot be written.", "mysql_tls_report_dir: /srv/report.html cannot be written."),
        ("a certificate in ca_cert /b.pem (unable", "a certificate in /b.pem (unable"),
    ],
)
def test_messages(said: str, wanted: str) -> None:
    assert with_variables(said) == wanted
    assert with_variables(wanted) == wanted


@pytest.mark.parametrize(
    "said",
    [
        "UPDATE mysql.user SET ssl_type = 'ANY' WHERE User = 'ca_cert'",
        "Clients are connected without TLS to other members of the cluster: ssl_mode@% from fail_on.example.com.",
        "`ca_cert`@'%' may not read the accounts. /srv/ca_cert/x was read.",
    ],
)
def test_what_is_no_option(said: str) -> None:
    assert with_variables(said) == said


def test_every_option_of_a_variable_is_known() -> None:
    names = {*REQUIRE.argument_spec, *STATUS.argument_spec} - _OF_SERVERS
    variables = known()
    options = {name for name in names if "_" in name and variable_of(name) in variables}
    assert {"ca_cert", "plaintext_sessions", "tls_min_version"} < options
    for name in options:
        assert with_variables(f"Set {name}.") == f"Set {variable_of(name)}."


def test_results_of_the_role_alone() -> None:
    assert is_in_role({"ansible_role_name": "dbtls.rds_mysql.mysql_tls"})
    assert not is_in_role({"ansible_role_name": "mine"})
    assert not is_in_role({})
    result = {"msg": "Set ca_cert.", "warnings": ["Set ca_cert."], "lines": ["Set ca_cert."], "path": "ca_cert"}
    told = "Set mysql_tls_ca_cert."
    assert reworded(result) == {"msg": told, "warnings": [told], "lines": [told], "path": "ca_cert"}
