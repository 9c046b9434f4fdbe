# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a finding says to run makes it go: every statement among the remediations is run on the server it is for."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import host_admits

from tests.servers import MATRIX

from .database import LEGACY, Database, Tls
from .result import Result
from .runner import Modules
from .servers import Servers

TLS = Tls()

# User names and hosts as people have them, and worse. MySQL 5.6 takes 16 characters.
ODD_ACCOUNTS = (
    ("it's", "%"),
    ('say "hi"', "10.%"),
    ("back\\slash", "%"),
    ("`tick`", "10.0.0.0/255.255.255.0"),
    ("m\u00fcller", "%.example.com"),
    ("\u30c7\u30fc\u30bf", "%"),
    ("a@b", "192.0.2._"),
    ("per%cent %s", "%"),
    ("{{ x }}", "%"),
    ("semi; DROP", "%"),
    ("in  between", "%"),
    ("-- no", "%"),
)


def remediations(result: Result, finding_id: str) -> dict[str, str]:
    """What to do, by subject."""
    found = [finding for finding in result.ok()["mysql_ssl"]["findings"] if finding["id"] == finding_id]
    return {finding["subject"]: finding["remediation"] for finding in found}


def by_hand(remediation: str) -> str:
    """The statements of a remediation, each with a semicolon at its end."""
    _by_collection, marker, statements = remediation.partition("By hand: ")
    assert marker, remediation
    return statements


def run_all(db: Database, remediation: str) -> None:
    """Run the statements of a remediation."""
    for statement in re.findall(r"[A-Z].*?;(?= |\Z)", by_hand(remediation)):
        db.query(statement.rstrip(";"))


def test_accounts_with_odd_names(db: Database, modules: Modules) -> None:
    me = db.administrator(require="SSL")
    for user, host in ODD_ACCOUNTS:
        db.create(user, host)
    db.query("CREATE USER ''@'10.0.0.7'")
    db.adopt("", "10.0.0.7")
    result = modules.status(**db.options(me))
    todo = remediations(result, "account-without-tls")
    described = {(account["user"], account["host"]) for account in result["mysql_ssl"]["accounts"]}
    anonymous = remediations(result, "anonymous-account")
    assert set(anonymous) == {"@10.0.0.7"}
    for user, host in ODD_ACCOUNTS:
        assert (user, host) in described
        assert db.requirement(user, host)[0] == ""
        db.query(by_hand(todo[f"{user}@{host}"]).rstrip(";"))
        assert db.requirement(user, host)[0] == "ANY"
    db.query(by_hand(anonymous["@10.0.0.7"]).rstrip(";"))
    db.forget("", "10.0.0.7")
    after = modules.status(**db.options(me))
    assert not {f"{user}@{host}" for user, host in ODD_ACCOUNTS} & set(remediations(after, "account-without-tls"))
    assert remediations(after, "anonymous-account") == {}


@pytest.mark.parametrize("sql_mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"])
def test_accounts_with_odd_names_in_other_sql_modes(servers: Servers, modules: Modules, sql_mode: str) -> None:
    for name in (LEGACY, "mysql-9.7", "mariadb-11.8"):
        db = servers.get(name, options=(f"--sql-mode={sql_mode}",))
        me = db.administrator(require="SSL")
        db.query("SET SESSION sql_mode = ''")
        app = db.create("back\\sl'ash\\", "%")
        todo = remediations(modules.status(**db.options(me)), "account-without-tls")
        db.query(f"SET SESSION sql_mode = '{sql_mode}'")
        db.query(by_hand(todo[f"{app.user}@%"]).rstrip(";"))
        db.query("SET SESSION sql_mode = ''")
        assert db.ssl_type(app) == "ANY"


def test_an_account_that_sees_itself_only(modern_db: Database, modules: Modules) -> None:
    db = modern_db
    app = db.create(db.name_of("app"))
    todo = remediations(modules.status(**db.options(app)), "account-without-tls")
    assert set(todo) == {f"{app.user}@%"}
    db.query(by_hand(todo[f"{app.user}@%"]).rstrip(";"))
    assert remediations(modules.status(**db.options(app)), "account-without-tls") == {}


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-10.5", "mariadb-11.8"])
def test_transport_not_required(servers: Servers, modules: Modules, name: str) -> None:
    db = servers.get(name)
    me = db.administrator(require="SSL")
    (todo,) = remediations(modules.status(**db.options(me)), "transport-not-required").values()
    try:
        run_all(db, todo)
        assert remediations(modules.status(**db.options(me)), "transport-not-required") == {}
    finally:
        db.query("SET GLOBAL require_secure_transport = OFF")
        if not db.mariadb:
            db.query("RESET PERSIST require_secure_transport")
    # What is set until the next start only is to be written down as well.
    assert ("option file" in todo) is db.mariadb


def test_weak_protocol(servers: Servers, modules: Modules) -> None:
    """Of the servers that have old versions and a setting, MariaDB wants a restart with it."""
    weak = servers.get("mariadb-10.5", options=("--tls-version=TLSv1.0,TLSv1.1,TLSv1.2",))
    (todo,) = remediations(modules.status(**weak.options(weak.administrator())), "weak-protocol").values()
    setting = re.search(r"tls_version=(\S+) under", todo)
    assert setting
    assert "restart" in todo
    strong = servers.get("mariadb-10.5", options=(f"--tls-version={setting.group(1)}",))
    assert remediations(modules.status(**strong.options(strong.administrator())), "weak-protocol") == {}
    old = servers.get(LEGACY)
    (todo,) = remediations(modules.status(**old.options(old.administrator())), "weak-protocol").values()
    assert todo.startswith("Upgrade the server")


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-11.8"])
def test_no_forward_secrecy(servers: Servers, modules: Modules, name: str) -> None:
    """Unauthenticated: a login of Python's does not offer such a cipher."""
    weak = servers.get(name, options=("--tls-version=TLSv1.2", "--ssl-cipher=AES256-GCM-SHA384"))
    (todo,) = remediations(
        modules.status(login_host="127.0.0.1", login_port=weak.server.port), "no-forward-secrecy"
    ).values()
    setting = re.search(r"ssl_cipher=(\S+) under", todo)
    assert setting
    refused = modules.status(**weak.options(weak.administrator()))
    assert refused.failed
    assert "only ciphers without forward secrecy: allow newer ciphers on the server" in refused.msg
    strong = servers.get(name, options=("--tls-version=TLSv1.2", f"--ssl-cipher={setting.group(1)}"))
    assert (
        remediations(modules.status(login_host="127.0.0.1", login_port=strong.server.port), "no-forward-secrecy") == {}
    )


def test_sessions_not_visible(servers: Servers, modules: Modules) -> None:
    db = servers.get("mysql-9.7")
    app = db.create(db.name_of("app"), require="SSL")
    (todo,) = remediations(modules.status(**db.options(app)), "sessions-not-visible").values()
    run_all(db, todo)
    result = modules.status(**db.options(app))
    assert remediations(result, "sessions-not-visible") == {}
    assert result["mysql_ssl"]["sessions"]["source"] == "performance_schema.threads"

    off = servers.get("mariadb-11.8")
    (todo,) = remediations(modules.status(**off.options(off.administrator())), "sessions-not-visible").values()
    assert "performance_schema=ON" in todo
    on = servers.get("mariadb-11.8", options=("--performance-schema=ON",))
    assert remediations(modules.status(**on.options(on.administrator())), "sessions-not-visible") == {}

    old = servers.get(LEGACY)
    (todo,) = remediations(modules.status(**old.options(old.administrator())), "sessions-not-visible").values()
    assert "Upgrade" in todo


def test_plaintext_session(seeing_db: Database, modules: Modules) -> None:
    """The task requires TLS of the account; a session that is open stays as it is until its client connects anew."""
    db = seeing_db
    me = db.administrator(require="SSL")
    app = db.create(db.name_of("it's"))
    with db.login(app, None):
        (todo,) = remediations(modules.status(**db.options(me)), "plaintext-session").values()
    db.wait_for_sessions_to_end(app.user)
    command = shlex.split(todo.partition("Then require TLS: ")[2])
    assert command[:1] == ["ansible-playbook"]
    assert "dbtls.rds_mysql.enforce" in command
    variables = json.loads(command[-1])
    modules.require(**db.options(me), accounts=variables.pop("mysql_tls_accounts")).ok()
    assert variables == {}
    assert not db.admits(app, None)
    assert db.admits(app, TLS)
    assert remediations(modules.status(**db.options(me)), "plaintext-session") == {}


def test_socket_and_internal_sessions_are_not_plaintext(seeing_db: Database, modules: Modules) -> None:
    db = seeing_db
    me = db.administrator(require="SSL")
    db.query("SET GLOBAL event_scheduler = ON")
    try:
        # The administrator of the test is connected through the socket.
        result = modules.status(**db.options(me))
        sessions = result.ok()["mysql_ssl"]["sessions"]
        assert sessions["total"] >= 1
        assert sessions["plaintext"] == 0
        rows = {row["user"]: (row["encrypted"], row["plaintext"]) for row in sessions["by_account"]}
        assert rows["root"] == (0, 0)
        assert "event_scheduler" not in rows
        assert remediations(result, "plaintext-session") == {}
    finally:
        db.query("SET GLOBAL event_scheduler = OFF")


def test_tls_unavailable(servers: Servers, modules: Modules) -> None:
    for name in MATRIX:
        plain, tls = servers.get(name, tls=False), servers.get(name)
        outside = {"login_host": plain.server.host, "login_port": plain.server.port}
        (todo,) = remediations(modules.status(**outside), "tls-unavailable").values()
        assert "ssl_cert" in todo
        outside["login_port"] = tls.server.port
        assert remediations(modules.status(**outside), "tls-unavailable") == {}


HOSTS = (
    "127.0.0.0/255.0.0.0",
    "127.0.0.1/255.0.0.0",
    "127.0.0.1/255.255.255.255",
    "127.0.0.0/8",
    "127.0.0.1/8",
    "127.0.0.1/32",
    "126.0.0.0/7",
    "127.0.0.0/255.255.0.255",
    "127.0.0.1/255.255.0.255",
    "127.0.0.0/ 255.0.0.0",
    "%/255.0.0.0",
    "127.%",
    "127.0.0._",
    "127.0.0.__",
    "127.0.0.1%",
    "10.%",
    "%",
)


def test_host_admits_whom_the_server_admits(db: Database) -> None:
    """A guard may think that a session is an account's where it is not, but never the other way round."""
    for host in HOSTS:
        app = db.create(db.name_of("app"), host)
        if db.admits(app, TLS):
            assert host_admits(host, "127.0.0.1"), host
        elif host_admits(host, "127.0.0.1"):
            # Only MySQL from 8.0.23 on takes the length of a prefix for a netmask, and then no netmask with gaps.
            assert host == "127.0.0.1/255.255.0.255" if db.name == "mysql-9.7" else re.search(r"/\d+\Z", host), host


def test_too_many_connections(servers: Servers, modules: Modules) -> None:
    for name in MATRIX:
        db = servers.get(name, options=("--max-connections=10",))
        app = db.create(db.name_of("app"))
        # The administrator may have one connection more than all others.
        sessions: list[Any] = [db.login(app, None) for unused in range(9)]
        spare = db.login(db.administrator(), None)
        assert db.admits(app, None)
        db.wait_for_sessions_to_end(app.user)
        for session in [*sessions, spare]:
            session.__enter__()
        try:
            for options in ({"login_host": db.server.host, "login_port": db.server.port}, db.options(app)):
                refused = modules.status(**options)
                assert refused.failed
                assert "(1040) Too many connections" in refused.msg
                assert refused["error_code"] == 1040
        finally:
            for session in [*sessions, spare]:
                session.__exit__(None, None, None)
        db.wait_for_sessions_to_end(app.user)
        modules.status(**db.options(app)).ok()
