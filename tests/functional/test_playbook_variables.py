# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the playbooks, and the module_defaults of a play."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.servers import MATRIX, Mirror

from .plays import Ansible
from .whole_fleet import ALL_AT_ONCE, Fleet, given, published, role_play, types


def test_module_defaults(fleet: Fleet, ansible: Ansible) -> None:
    """The play of the role's README: options without a variable, of both modules and of one alone."""
    readme = (Path(__file__).parents[2] / "roles" / "mysql_tls" / "README.md").read_text("utf-8")
    (ansible.directory / "patient.yml").write_text(readme.partition("```yaml\n")[2].partition("```")[0])
    passwords = {name: app.password for name, app in fleet.apps.items()}
    passwords["mariadb-11.8"] = wrong = "not-the-password-of-the-app"
    ansible.secrets += [*passwords.values()]
    apps = ansible.directory / "apps.yml"
    hosts = {name: {"app_user": fleet.apps[name].user, "app_password": passwords[name]} for name in MATRIX}
    apps.write_text(json.dumps({"all": {"hosts": hosts}}))
    command = ("ansible-playbook", "-i", str(fleet.inventory), "-i", str(apps), "patient.yml", "-vvv")
    run = ansible.run(*command, "-e", "mysql_tls_max_fail_percentage=100")
    for task in ("Check TLS status", "Require TLS"):
        assert given(run, task, "timeout") == ["300"] * len(MATRIX)
    # One more login is proven on each server; where it fails, everything is as it was.
    assert {name for name, counts in run.recap().items() if counts["failed"]} == {"mariadb-11.8"}, run.output
    assert types(fleet) == {**dict.fromkeys(MATRIX, "ANY"), "mariadb-11.8": ""}
    apps.write_text(apps.read_text().replace(wrong, fleet.apps["mariadb-11.8"].password))
    ansible.run(*command).ok()
    assert types(fleet) == dict.fromkeys(MATRIX, "ANY")


def test_what_module_defaults_overrule(fleet: Fleet, ansible: Ansible) -> None:
    """A variable overrules those of the group, those of a module overrule one of a login; the server is the role's.

    An alias and a socket are further names of what has a variable.
    """
    nowhere = "/nowhere"
    aliases = {"ssl_ca": nowhere, "ssl_cert": nowhere, "ssl_key": nowhere, "login_unix_socket": nowhere}
    defaults = {
        "group/dbtls.rds_mysql.mysql": {"ssl_mode": "disabled", "login_user": "of-the-group", **aliases},
        "dbtls.rds_mysql.mysql_ssl_status": {
            "login_host": "192.0.2.1",
            "login_port": 1,
            "login_unix_socket": nowhere,
            "ssl_mode": "required",
        },
        "dbtls.rds_mysql.mysql_require_ssl": {
            "login_unix_socket": nowhere,
            "exclude": ["*@*"],
            "ssl_type": "none",
            "plaintext_sessions": "kill",
            "require_secure_transport": True,
        },
    }
    (ansible.directory / "play.yml").write_text(role_play(defaults))
    command = ("ansible-playbook", "-i", str(fleet.inventory), "play.yml", "-vvv", "--check")
    run = ansible.run(*command, "-e", "mysql_tls_ssl_mode=verify_ca").ok()
    for task, mode in (("Check TLS status", "required"), ("Require TLS", "verify_ca")):
        assert given(run, task, "ssl_mode") == [f'"{mode}"'] * len(MATRIX)
        ports = {str(db.server.port) for db in fleet.databases.values()}
        assert set(given(run, task, "login_port")) == ports
        assert set(given(run, task, "login_unix_socket")) == {"null"}
        assert '"of-the-group"' not in given(run, task, "login_user")
        assert len(set(given(run, task, "ca_cert"))) == 2  # that of each region
    # In capitals it is a requirement in the results.
    assert {kind for kind in given(run, "Require TLS", "ssl_type") if not kind.isupper()} == {'"any"'}
    assert set(given(run, "Require TLS", "plaintext_sessions")) == {'"fail"'}
    assert set(given(run, "Require TLS", "require_secure_transport")) == {"null"}
    assert {name for name, counts in run.recap().items() if counts["changed"]} == set(MATRIX)


def test_module_defaults_for_a_change_do_not_disturb_a_rollback(fleet: Fleet, ansible: Ansible) -> None:
    """The file says what is put back."""
    ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE).ok()
    assert types(fleet) == dict.fromkeys(MATRIX, "ANY")
    change = {
        "user": "somebody",
        "host": "%",
        "exclude": ["*@*"],
        "include_system": True,
        "ssl_type": "x509",
        "exact": True,
        "subject": "/CN=somebody",
        "issuer": "/CN=nobody",
        "cipher": "none",
        "require_secure_transport": True,
        "login_unix_socket": "/nowhere",
    }
    for more in ({"accounts": ["nobody@*"]}, {"all_accounts": True}):
        defaults = {"dbtls.rds_mysql.mysql_require_ssl": {**change, **more}}
        (ansible.directory / "play.yml").write_text(role_play(defaults, tasks_from="rollback"))
        ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml").ok()
        assert types(fleet) == dict.fromkeys(MATRIX, "")


def test_a_variable_without_a_value(fleet: Fleet, ansible: Ansible) -> None:
    """Null is what is not set, for every variable that has no default, also where Ansible validates the arguments."""
    names = ("ca_cert", "ca_path", "bundle_checksum", "client_cert", "client_key", "config_file", "check_hostname")
    content = json.loads(fleet.inventory.read_text())
    ca_path = content["all"]["vars"].pop("mysql_tls_ca_path")
    variables = dict.fromkeys([f"mysql_tls_{name}" for name in (*names, "require_secure_transport")])
    content["all"]["vars"].update(variables)
    fleet.inventory.write_text(json.dumps(content))
    play = role_play({"dbtls.rds_mysql.rds_ca_bundle": {"ca_path": ca_path}})
    (ansible.directory / "play.yml").write_text(play)
    run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml", "--check")
    # It stays without the certificate of the mirror, as the role's variable says.
    assert "its certificate does not verify" in run.output
    content["all"]["vars"]["mysql_tls_ca_path"] = ca_path
    fleet.inventory.write_text(json.dumps(content))
    run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml", "--check", "-vvv").ok()
    assert len(given(run, "Check TLS status", "ca_cert")) == len(MATRIX)
    assert "null" not in given(run, "Check TLS status", "ca_cert")


@pytest.mark.parametrize(
    "name", ["login_user", "config_file", "client_cert", "client_key", "min_version", "require_secure_transport"]
)
def test_a_variable_of_the_login_that_is_undefined(fleet: Fleet, ansible: Ansible, name: str) -> None:
    """Fails the host whose it is, and no others: it is not one that is not set."""
    content = json.loads(fleet.inventory.read_text())
    content["all"]["hosts"]["mariadb-11.8"][f"mysql_tls_{name}"] = "{{ no_such_variable }}"
    fleet.inventory.write_text(json.dumps(content))
    run = ansible.run(*fleet.command("enforce"), "--check", "-e", "mysql_tls_max_fail_percentage=100")
    assert {host for host, counts in run.recap().items() if counts["failed"]} == {"mariadb-11.8"}, run.output
    assert "'no_such_variable' is undefined" in run.output


@pytest.mark.parametrize("nothing", ["", None, "{{ omit }}", "{{ none }}"])
def test_no_ca_certificates_of_ones_own(fleet: Fleet, ansible: Ansible, nothing: str | None) -> None:
    """Empty, null and omitted are no file of one's own: the bundle is fetched, and servers are verified with it."""
    names = ("mysql_tls_ca_cert", "mysql_tls_bundle_checksum")
    variables = ansible.directory / "nothing.yml"
    variables.write_text(json.dumps(dict.fromkeys(names, nothing)))
    run = ansible.run(*fleet.command("audit"), "-vvv", "-e", f"@{variables}", "-e", "mysql_tls_per_host=true").ok()
    used = given(run, "Check TLS status", "ca_cert")
    assert len(used) == len(MATRIX)
    assert {re.sub(r"-[0-9a-f]{12}\.pem", ".pem", path).rpartition("/")[2] for path in used} == {
        'current-eu-central-1.pem"',
        'current-eu-west-1.pem"',
    }


@pytest.mark.parametrize("name", ["ca_cert", "bundle_checksum", "ca_path"])
def test_a_variable_of_the_bundle_that_is_undefined(fleet: Fleet, ansible: Ansible, name: str) -> None:
    """Fails the host whose it is, and no others, although there is a bundle that would do; nothing is sent."""
    ansible.run(*fleet.command("audit")).ok()
    content = json.loads(fleet.inventory.read_text())
    content["all"]["hosts"]["mariadb-11.8"][f"mysql_tls_{name}"] = "{{ no_such_variable }}"
    fleet.inventory.write_text(json.dumps(content))
    audited = ansible.run(*fleet.command("audit"))
    assert audited.status == 2
    assert "mariadb-11.8: not checked: " in audited.output
    assert "'no_such_variable' is undefined" in audited.output
    run = ansible.run(*fleet.command("audit"), "-e", "mysql_tls_per_host=true")
    assert {host for host, counts in run.recap().items() if counts["failed"]} == {"mariadb-11.8"}
    assert "'no_such_variable' is undefined" in run.output
    assert run.recap()["mariadb-11.8"]["ok"] <= 1  # what is done once for all may be said of it


def test_a_mirror_with_a_password(fleet: Fleet, ansible: Ansible, mirror: Mirror) -> None:
    """It is an option of the module, and not in the URL, where it is refused and not shown."""
    secret = "pw-of-the-mirror"
    mirror.require("reader", secret)
    ansible.secrets += [secret, "pw-that-is-wrong"]
    variables = ansible.directory / "mirror.yml"
    variables.write_text(json.dumps({"mysql_tls_base_url": mirror.url.replace("://", f"://reader:{secret}@")}))
    refused = ansible.run(*fleet.command("audit"), "-vvv", "-e", f"@{variables}")
    assert refused.status != 0
    assert "Set mysql_tls_url_username and mysql_tls_url_password instead" in refused.output
    assert mirror.requests == []

    for password in ("pw-that-is-wrong", secret):
        variables.write_text(json.dumps({"mysql_tls_url_username": "reader", "mysql_tls_url_password": password}))
        run = ansible.run(*fleet.command("audit"), "-vvv", "-e", f"@{variables}")
        assert (run.status == 0) == (password == secret), run.output
    login = {"mysql_tls_url_username": "reader", "mysql_tls_url_password": secret}
    variables.write_text(json.dumps({**login, "mysql_tls_region": "no-such-region"}))
    refused = ansible.run(*fleet.command("audit"), "-vvv", "-e", f"@{variables}")
    assert "not checked: No CA bundle: mysql_tls_region: 'no-such-region' " in refused.output


def refused_before_any_contact(fleet: Fleet, ansible: Ansible, name: str, *arguments: str) -> str:
    """The playbook's message; it has contacted no server and no mirror."""
    before = {server: db.query("SHOW GLOBAL STATUS LIKE 'Connections'") for server, db in fleet.databases.items()}
    run = ansible.run(*fleet.command(name), *arguments)
    after = {server: db.query("SHOW GLOBAL STATUS LIKE 'Connections'") for server, db in fleet.databases.items()}
    assert run.status != 0, run.output
    assert "Check TLS status" not in run.output
    assert after == before
    return " ".join(run.output.split())


def test_no_accounts_are_named(fleet: Fleet, ansible: Ansible) -> None:
    """Nothing means nothing, also as a survey says it; everything has to be said, and then is meant."""
    content = json.loads(fleet.inventory.read_text())
    del content["all"]["vars"]["mysql_tls_accounts"]
    fleet.inventory.write_text(json.dumps(content))
    for arguments in ((), ("-e", "mysql_tls_accounts="), ("-e", "mysql_tls_all_accounts=false")):
        said = refused_before_any_contact(fleet, ansible, "enforce", *arguments)
        assert f"No accounts are named for {', '.join(MATRIX)}. Set mysql_tls_accounts" in said
    # The administrators of the tests are connected over the sockets.
    everything = ("-e", "mysql_tls_all_accounts=true", "-e", "mysql_tls_plaintext_sessions=warn")
    said = refused_before_any_contact(fleet, ansible, "enforce", *everything, "-e", "mysql_tls_accounts=app@*")
    assert "Both mysql_tls_accounts and mysql_tls_all_accounts are set for" in said
    ansible.run(*fleet.command("audit")).ok()
    # Nor does an empty text leave out nobody.
    nobody = ("-e", "mysql_tls_exclude=")
    checked = ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE, *everything, *nobody, "--check", "--diff")
    assert "-root@localhost: NONE" in checked.output
    ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE, *everything).ok()
    assert types(fleet) == dict.fromkeys(MATRIX, "ANY")


@pytest.mark.parametrize("where", ["extra", "inventory", "group_vars", "play"])
def test_a_variable_that_there_is_not(fleet: Fleet, ansible: Ansible, where: str) -> None:
    """Is refused by its name, with the nearest one, wherever it is set."""
    wrong = {"mysql_tls_account": ["app@*"]}
    arguments: tuple[str, ...] = ()
    if where == "extra":
        arguments = ("-e", json.dumps(wrong))
    elif where == "inventory":
        content = json.loads(fleet.inventory.read_text())
        content["all"]["hosts"]["mariadb-11.8"].update(wrong)
        fleet.inventory.write_text(json.dumps(content))
    elif where == "group_vars":
        (ansible.directory / "group_vars").mkdir()
        (ansible.directory / "group_vars" / "all.yml").write_text(json.dumps(wrong))
    for name in ("enforce", "audit", "rollback") if where == "inventory" else ("enforce",):
        if where == "play":
            (play,) = json.loads(role_play({}))
            play["vars"].update(wrong)
            (ansible.directory / "play.yml").write_text(json.dumps([play]))
            run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml")
            assert run.status != 0
            said = " ".join(run.output.split())
        else:
            said = refused_before_any_contact(fleet, ansible, name, *arguments)
        hosts = "mariadb-11.8" if where == "inventory" else ", ".join(MATRIX)
        assert f"mysql_tls_account is not a variable of dbtls.rds_mysql (set for {hosts})" in said
        assert "Did you mean mysql_tls_accounts?" in said
    own = ("-e", '{"mysql_tls_own_variables": ["mysql_tls_account"]}')
    if where == "inventory":
        ansible.run(*fleet.command("audit"), *own).ok()


def test_results_of_an_earlier_play_are_known(fleet: Fleet, ansible: Ansible) -> None:
    """What the role registers, and what a job has published and the next one gets."""
    plays = [*json.loads(role_play({})), *json.loads(role_play({}, tasks_from="audit"))]
    (ansible.directory / "play.yml").write_text(json.dumps(plays))
    stats = published(ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml").ok())
    extra = ansible.directory / "extra.json"
    extra.write_text(json.dumps(stats))
    ansible.run(*fleet.command("audit"), "-e", f"@{extra}").ok()


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("mysql_tls_hosts=no-such-host", "mysql_tls_hosts: no host matches 'no-such-host'."),
        ("mysql_tls_hosts=", "mysql_tls_hosts: no host matches ''."),
        (
            "mysql_tls_canary=one",
            "mysql_tls_canary is 'one' and has to be a number of servers, such as 1, or a percentage",
        ),
        ("mysql_tls_serial=", "mysql_tls_serial is '' and has to be a number of servers, such as 1, or a percentage"),
        (
            "mysql_tls_serial=-1",
            "mysql_tls_serial is '-1' and has to be a number of servers, such as 1, or a percentage",
        ),
    ],
)
def test_hosts_and_batches_that_cannot_be_meant(fleet: Fleet, ansible: Ansible, variable: str, sentence: str) -> None:
    assert sentence in refused_before_any_contact(fleet, ansible, "enforce", "-e", variable)


def test_a_pattern_outside_the_limit(fleet: Fleet, ansible: Ansible) -> None:
    arguments = ("-e", "mysql_tls_hosts=mariadb-11.8", "--limit", "mysql*")
    for name in ("audit", "rollback"):
        said = refused_before_any_contact(fleet, ansible, name, *arguments)
        assert "mysql_tls_hosts: no host matches 'mariadb-11.8' and is within the limit 'mysql*'" in said
