# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

import pytest
import yaml
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_variables import known
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import (
    is_in_role,
    reworded,
    variable_of,
    with_variables,
)

from tests.unit.docs import messages

# Of servers, too: in statements that a message has.
_OF_SERVERS = {"ssl_type", "require_secure_transport"}
# Of modules, and there is no variable of the role.
_MODULES_ALONE = (
    *("include_system", "login_unix_socket", "sessions_only", "rollback_note", "max_certificates", "create_directory"),
    *("use_proxy", "http_agent", "force_basic_auth", "validate_certs"),
)


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
        ("a certificate in ca_cert /b.pem (unable", "a certificate in /b.pem (unable"),
        ("exclude: 'a b' is not a pattern", "mysql_tls_exclude: 'a b' is not a pattern"),
        ("region: 'x' is not an AWS region", "mysql_tls_region: 'x' is not an AWS region"),
        ("Set checksum, or use https with validate_certs.", "Set mysql_tls_bundle_checksum, or use https."),
        ("Set url_username instead.", "Set mysql_tls_url_username instead."),
        ("dest: the directory /x cannot be created", "mysql_tls_report_dir: the directory /x cannot be created"),
        ("argument 'junit' is of type str and", "argument 'mysql_tls_report_junit' is of type str and"),
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


def role_tasks(part: t.Any) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """The collection's modules and the options that the role's tasks give them."""
    for value in part if isinstance(part, list) else part.values():
        if isinstance(value, (dict, list)):
            yield from role_tasks(value)
    for name, value in part.items() if isinstance(part, dict) else ():
        if str(name).startswith("dbtls.rds_mysql.") and isinstance(value, dict):
            yield name.rpartition(".")[2], value


def test_the_variable_that_the_role_sets_an_option_from() -> None:
    """Where an option has one variable alone, that is the one that a message names."""
    # Its file is another one in records, which names the variable itself, and in bundles, which are fetched by code.
    others = {("mysql_tls_records", "dest"), ("rds_ca_bundle", "dest"), ("rds_ca_bundle", "passphrase")}
    others |= {("mysql_tls_records", "former"), ("mysql_tls_records", "group"), ("rds_ca_bundle", "urls")}
    others |= {("mysql_require_ssl", "rollback_note")}
    others |= {("mysql_tls_watch", "watch_for"), ("mysql_tls_watch", "interval")}  # enforce has its own
    seen = 0
    for path in sorted(messages.ROOT.glob("roles/mysql_tls/tasks/*.yml")):
        for module, options in role_tasks(yaml.safe_load(path.read_text("utf-8"))):
            for name, value in options.items():
                found = set(re.findall(r"(?<=\b)(?:__)?(mysql_tls_\w+)", str(value))) & set(known())
                if len(found) == 1 and not found & {"mysql_tls_planned", "mysql_tls_change"}:
                    seen += 1
                    assert variable_of(name) in found or (module, name) in others, f"{path.name}: {module} {name}"
    assert seen > 50


def test_no_message_names_what_the_role_cannot_set() -> None:
    named = re.compile(rf"(?<![\w`])({'|'.join(_MODULES_ALONE)})(?![\w`])|\bset flush\b")
    texts = [text for text in messages.texts() if named.search(text) and " " in text]
    # The role never sets the option that a message begins with, or sets it to that.
    left = [text for text in map(with_variables, texts) if named.search(text) and not named.match(text)]
    # The role fetches bundles over https, and creates their directory.
    never = re.compile(r"\(validate_certs is false\)|set create_directory to true")
    assert len(texts) > 5
    assert [text for text in left if not never.search(text)] == []


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


def test_what_to_do_about_findings() -> None:
    """Once as result and once as fact, which may be one object; commands stay as they are run."""
    command = "DROP USER members set ca_cert;"
    text = f"Set ca_cert to the bundle. By hand: {command} Or set login_host to a name."
    findings = [{"remediation": text, "commands": [command]}, {"remediation": "Restart it.", "commands": []}]
    status = {"findings": findings}
    reworded({"mysql_ssl": status, "ansible_facts": {"mysql_ssl": status}})
    told = f"Set mysql_tls_ca_cert to the bundle. By hand: {command} Or set mysql_tls_login_host to a name."
    assert [each["remediation"] for each in findings] == [told, "Restart it."]
    reworded({"failed": True, "mysql_ssl": None})
