# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status is true of the server: of its memory, of what lies in front of it, of how it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pymysql
import pytest

from tests.servers import Pki
from tests.servers.balancers import mysql_router
from tests.servers.process import free_port

from .database import LEGACY, REFUSED, Account, Database, Tls
from .result import Result
from .runner import Modules, client_options
from .servers import Servers


def found(result: Result, kind: str) -> dict[str, dict[str, Any]]:
    """Findings of that kind, by subject."""
    return {one["subject"]: one for one in result.ok()["mysql_ssl"]["findings"] if one["id"] == kind}


def statement(finding: dict[str, Any]) -> str:
    """What it says to run by hand."""
    return str(finding["remediation"]).partition("By hand: ")[2].rstrip(";")


def login(db: Database, account: Account, port: int, *, tls: bool) -> Any:
    """A client's session, wherever that port leads."""
    how: dict[str, Any] = {"ssl": db.client_context()} if tls else {"ssl_disabled": True}
    return pymysql.connect(host="127.0.0.1", port=port, user=account.user, password=account.password, **how)


def test_tls_that_ends_at_a_router(new_db: Database, modules: Modules) -> None:
    db = new_db
    me = db.administrator(require="SSL")
    app = db.create(db.name_of("app"), require="SSL")
    with mysql_router([db.server.port], db.pki.server(), client_ssl_mode="PREFERRED") as port:
        behind = db.options(me, login_port=port)
        for tls in (True, False):
            # In plain text as well: REQUIRE SSL is met by the router.
            with login(db, app, port, tls=tls):
                for options, subject in ((behind, f"127.0.0.1:{port}"), (db.options(me), "127.0.0.1")):
                    seen = modules.status(**options)
                    ends = found(seen, "tls-ends-before-server")
                    assert subject in ends
                    assert ends[subject]["severity"] == "medium"
                    assert "client_ssl_mode" in ends[subject]["remediation"]
                    plaintext = found(seen, "plaintext-session")
                    assert set(plaintext) == (set() if tls else {f"{app.user}@127.0.0.1"})
                    assert all("through a proxy" in one["message"] for one in plaintext.values())
            db.wait_for_sessions_to_end(app.user)
        unencrypted = modules.status(**db.options(me, login_port=port, ca_cert=None, ssl_mode="disabled"))
        assert f"127.0.0.1:{port}" in found(unencrypted, "tls-ends-before-server")
        done = modules.require(**behind, user=app.user, ssl_type="x509", plaintext_sessions="allow").ok()
        assert done["verified"]
        assert "does not prove that clients of the proxy use TLS" in done.warnings
    assert found(modules.status(**db.options(me)), "tls-ends-before-server") == {}


def test_a_router_that_passes_tls_through(new_db: Database, modules: Modules) -> None:
    db = new_db
    me = db.administrator(require="SSL")
    app = db.create(db.name_of("app"))
    with mysql_router([db.server.port], db.pki.server(), client_ssl_mode="PASSTHROUGH") as port:
        with login(db, app, port, tls=True):
            seen = modules.status(**db.options(me, login_port=port))
            assert found(seen, "tls-ends-before-server") == found(seen, "plaintext-session") == {}
        done = modules.require(**db.options(me, login_port=port), user=app.user, check=True).ok()
        assert "proxy" not in done.warnings


def update(db: Database, app: Account, *, required: bool = True) -> None:
    """Say in the table whether the account has to use TLS, and flush nothing."""
    if db.mariadb:
        table = f"mysql.global_priv SET Priv = JSON_SET(Priv, '$.ssl_type', {int(required)})"
    else:
        table = f"mysql.user SET ssl_type = '{'ANY' if required else ''}'"
    db.query(f"UPDATE {table} WHERE User = %s AND Host = %s", app.user, app.host)


def test_the_table_is_not_what_counts(db: Database, modules: Modules) -> None:
    me = db.administrator(require="SSL")
    app, gone = db.create(db.name_of("app")), db.create(db.name_of("gone"))
    update(db, app)
    db.query(f"DELETE FROM mysql.{'global_priv' if db.mariadb else 'user'} WHERE User = %s", gone.user)
    db.forget(gone.user, gone.host)
    seen = modules.status(**db.options(me))
    unflushed = found(seen, "privileges-not-flushed")
    assert set(unflushed) == {f"{app.user}@%", f"{gone.user}@%"}
    assert {one["severity"] for one in unflushed.values()} == {"high"}
    assert seen["mysql_ssl"]["verdict"] == "non_compliant"
    assert db.admits(app, None)
    assert db.admits(gone, None)

    db.query(statement(unflushed[f"{app.user}@%"]))
    assert not db.admits(app, None)
    assert set(found(modules.status(**db.options(me)), "privileges-not-flushed")) == {f"{gone.user}@%"}
    db.query(statement(unflushed[f"{gone.user}@%"]))
    assert found(modules.status(**db.options(me)), "privileges-not-flushed") == {}
    with pytest.raises(pymysql.err.OperationalError) as refused, db.login(gone, TLS):
        pass
    assert refused.value.args[0] in REFUSED


TLS = Tls()


def test_a_requirement_that_only_memory_has(db: Database, modules: Modules) -> None:
    """The login is refused now, and will not be after the next restart; the statement writes it down."""
    me, app = db.administrator(require="SSL"), db.create(db.name_of("app"), require="SSL")
    update(db, app, required=False)
    todo = ""
    for admits in (False, True):
        assert db.admits(app, None) is admits
        seen = modules.status(**db.options(me))
        names = {"privileges-not-flushed"} if not admits else {"account-without-tls"}
        mine = [one for one in seen["mysql_ssl"]["findings"] if one["subject"] == f"{app.user}@%"]
        assert {one["id"] for one in mine} == names
        (account,) = (one for one in seen["mysql_ssl"]["accounts"] if one["user"] == app.user)
        assert account["ssl_type"] == ("NONE" if admits else "ANY")
        assert seen["mysql_ssl"]["verdict"] == "non_compliant"
        if not admits:
            todo = statement(mine[0])
            db.query("FLUSH PRIVILEGES")
    db.require(app.user, app.host, "SSL")
    update(db, app, required=False)
    db.query(todo)
    db.query("FLUSH PRIVILEGES")
    assert not db.admits(app, None)
    assert found(modules.status(**db.options(me)), "privileges-not-flushed") == {}


@pytest.fixture
def proxying_db(new_db: Database) -> Iterator[Database]:
    """MySQL 9.7, where users act as others."""
    names = ("check_proxy_users", "caching_sha2_password_proxy_users")
    for name in names:
        new_db.query(f"SET GLOBAL {name} = ON")
    yield new_db
    for name in names:
        new_db.query(f"SET GLOBAL {name} = OFF")


def test_users_who_go_on_as_a_locked_account(proxying_db: Database, modules: Modules) -> None:
    """MySQL checks what that account requires, and not what they require themselves."""
    db = proxying_db
    me = db.administrator(require="SSL")
    owner, human = db.create(db.name_of("owner")), db.create(db.name_of("human"), require="SSL")
    db.query("ALTER USER %s@%s ACCOUNT LOCK", owner.user, owner.host)
    db.query("GRANT PROXY ON %s@%s TO %s@%s", owner.user, owner.host, human.user, human.host)
    open_door, behind = f"{owner.user}@%", f"{human.user}@%"

    def of_both() -> dict[str, dict[str, Any]]:
        seen = found(modules.status(**db.options(me)), "account-without-tls")
        return {subject: one for subject, one in seen.items() if subject in (open_door, behind)}

    assert db.admits(human, None)
    assert modules.status(**db.options(me)).ok()["mysql_ssl"]["proxied"] == [{"account": open_door, "by": [behind]}]
    (one,) = of_both().values()
    assert (one["subject"], one["severity"]) == (open_door, "high")
    assert f"{open_door} is locked, and does not require TLS. By GRANT PROXY {behind} can act as it" in one["message"]
    with db.login(human, None):
        (careful,) = of_both().values()
        assert "1 session is connected without" in careful["remediation"]
        refused = modules.require(**db.options(me, user=owner.user))
        assert refused.failed
        assert f"{human.user} from 127.0.0.1" in refused.msg
    db.wait_for_sessions_to_end(human.user)
    # The playbook that the remediation names can do it as well.
    assert modules.require(**db.options(me, accounts=[open_door]), check=True).ok()["changed"]
    db.query(statement(one))
    assert not db.admits(human, None)
    assert db.admits(human, TLS)
    assert of_both() == {}
    db.require(human.user, human.host, "NONE")
    assert not db.admits(human, None)
    (one,) = of_both().values()
    assert (one["subject"], one["severity"]) == (behind, "info")
    assert f"it acts as {open_door}" in one["message"]


def test_grants_to_go_on_that_have_no_effect(new_db: Database, modules: Modules) -> None:
    """By default MySQL 9.7 lets nobody go on who logs in with a password that it keeps."""
    db = new_db
    me = db.administrator(require="SSL")
    owner, human = db.create(db.name_of("owner")), db.create(db.name_of("human"), require="SSL")
    db.query("ALTER USER %s@%s ACCOUNT LOCK", owner.user, owner.host)
    db.query("GRANT PROXY ON %s@%s TO %s@%s", owner.user, owner.host, human.user, human.host)
    assert not db.admits(human, None)
    assert f"{owner.user}@%" not in found(modules.status(**db.options(me)), "account-without-tls")


def test_memory_that_the_login_may_not_see(db: Database, modules: Modules) -> None:
    app = db.create(db.name_of("app"), require="SSL")
    for table in ("user", "global_priv") if db.mariadb else ("user",):
        db.query(f"GRANT SELECT ON mysql.{table} TO %s@%s", app.user, app.host)
    other = db.create(db.name_of("other"), require="SSL")
    seen = modules.status(**db.options(app))
    # On MariaDB it does not matter who acts as whom.
    proxies = found(seen, "proxy-grants-not-visible").values()
    assert [one["remediation"].partition(" TO ")[0] for one in proxies] == (
        [] if db.mariadb else ["By hand: GRANT SELECT ON mysql.proxies_priv"]
    )
    (one,) = found(seen, "memory-not-visible").values()
    assert one["severity"] == "info"
    db.query(statement(one))
    update(db, db.create(db.name_of("third")))
    seen = modules.status(**db.options(app))
    assert found(seen, "memory-not-visible") == {}
    assert f"{other.user}@%" not in found(seen, "privileges-not-flushed")
    assert len(found(seen, "privileges-not-flushed")) == 1


@pytest.mark.parametrize("name", [LEGACY, "mariadb-10.5", "mariadb-11.8"])
def test_no_access_control(servers: Servers, modules: Modules, name: str) -> None:
    """MySQL from 8.0 on does not listen for TCP then."""
    with ExitStack() as stack:
        one = Servers(servers.pki, stack)
        db = one.get(name)
        me = db.administrator(require="SSL")
        assert found(modules.status(**db.options(me)), "access-control-off") == {}
        db.disconnect()
        db.server.restart("--skip-grant-tables")
        nobody = Account("nobody", "%", "none")
        seen = modules.status(**db.options(nobody))
        (off,) = found(seen, "access-control-off").values()
        assert off["severity"] == "high"
        assert seen["mysql_ssl"]["verdict"] == "non_compliant"
        assert "privileges-not-flushed" not in seen["mysql_ssl"]["summary"]
        assert "FLUSH PRIVILEGES ends it" in off["remediation"]
        db.query("FLUSH PRIVILEGES")
        assert found(modules.status(**db.options(me)), "access-control-off") == {}


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-11.8"])
def test_a_privilege_in_a_role_that_is_not_active(servers: Servers, modules: Modules, name: str) -> None:
    db = servers.get(name)
    app = db.create(db.name_of("app"), require="SSL")
    role = db.name_of("role")
    db.create_role(role)
    db.query(f"GRANT SELECT ON mysql.* TO {role}")
    db.query(f"GRANT {role} TO %s@%s", app.user, app.host)
    seen = modules.status(**db.options(app)).ok()
    assert seen["mysql_ssl"]["accounts"] is None
    told = re.search(r"run (SET DEFAULT ROLE [^.]*)\.", seen.warnings)
    assert told
    db.query(told.group(1))
    seen = modules.status(**db.options(app)).ok()
    assert seen["mysql_ssl"]["accounts"]
    assert "SET DEFAULT ROLE" not in seen.warnings


def test_what_is_a_role_on_mysql(new_db: Database, modules: Modules) -> None:
    """What others have been granted, and is locked; anybody can log in to what is not."""
    db = new_db
    me = db.administrator(require="SSL")
    names = [db.name_of(stem) for stem in ("role", "unlocked", "person")]
    role, unlocked, person = names
    for name in names:
        db.create_role(name)
    for name in (role, unlocked):
        db.query(f"GRANT {name} TO %s@%s", me.user, me.host)
    db.query(f"ALTER USER {unlocked} ACCOUNT UNLOCK")
    seen = modules.status(**db.options(me))
    accounts = {account["user"]: account["is_role"] for account in seen.ok()["mysql_ssl"]["accounts"]}
    assert [accounts[name] for name in names] == [True, False, False]
    without = found(seen, "account-without-tls")
    assert f"{unlocked}@%" in without
    assert f"{person}@%" not in without  # nobody gets in, as long as it is locked
    with pytest.raises(pymysql.err.OperationalError) as expired:
        login(db, Account(unlocked, "%", ""), db.server.port, tls=False)
    assert expired.value.args[0] == 1862  # which a client that can set a password does not get


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-11.8"])
def test_a_certificate_that_the_server_has_made(servers: Servers, modules: Modules, pki: Pki, name: str) -> None:
    how = ("--ssl=ON",) if name == "mariadb-11.8" else ("--tls-version=TLSv1.2,TLSv1.3", "--auto-generate-certs=ON")
    db = servers.get(name, tls=False, options=how)
    assert db.server.offers_tls
    seen = modules.status(login_host="localhost", login_port=db.server.port, ca_cert=str(pki.bundle))
    for kind in ("certificate-untrusted", "certificate-hostname-mismatch"):
        (one,) = found(seen, kind).values()
        assert one["remediation"].startswith("Give the server a certificate from a CA")


def test_the_administrative_port(servers: Servers, modules: Modules) -> None:
    """It has a certificate and TLS versions of its own; the server tells of the end of the other certificate."""
    port = free_port("127.0.0.1")
    files = servers.pki.server("expiring")
    db = servers.get(
        "mysql-9.7",
        options=(
            f"--admin-port={port}",
            "--admin-address=127.0.0.1",
            "--admin-tls-version=TLSv1.3",
            f"--admin-ssl-ca={files.ca}",
            f"--admin-ssl-cert={files.cert}",
            f"--admin-ssl-key={files.key}",
        ),
    )
    me = db.administrator(require="SSL")
    seen = modules.status(**db.options(me, login_port=port))
    assert found(seen, "certificate-expiring")
    assert found(seen, "tls-ends-before-server") == {}
    assert seen["mysql_ssl"]["tls"]["versions"] == ["TLSv1.3"]
    main = modules.status(**db.options(me)).ok()["mysql_ssl"]["tls"]["versions"]
    assert main == ["TLSv1.2", "TLSv1.3"]


def test_versions_that_are_not_loaded(new_db: Database, modules: Modules) -> None:
    db = new_db
    me = db.administrator(require="SSL")
    db.query("SET GLOBAL tls_version = 'TLSv1.3'")
    try:
        versions = modules.status(**db.options(me)).ok()["mysql_ssl"]["tls"]["versions"]
    finally:
        db.query("SET GLOBAL tls_version = 'TLSv1.2,TLSv1.3'")
    assert versions == ["TLSv1.2", "TLSv1.3"]


def test_a_client_certificate_of_an_unknown_authority(modern_db: Database, stranger: Pki, modules: Modules) -> None:
    """With TLSv1.3 the server says so, or just hangs up, when the client has finished its handshake."""
    db = modern_db
    me = db.administrator(require="SSL")
    # Which of both the client gets to see is a matter of chance, so that two runs may differ.
    refused = modules.run_alone("mysql_ssl_status", **db.options(me, **client_options(stranger.client())))
    assert refused.failed
    assert "client_cert" in refused.msg
    assert "stranger" in refused.msg  # the file


def test_an_expired_password(db: Database, modules: Modules) -> None:
    app = db.create(db.name_of("app"), require="SSL")
    db.query("ALTER USER %s@%s PASSWORD EXPIRE", app.user, app.host)
    refused = modules.status(**db.options(app))
    assert refused.failed
    assert "expired" in refused.msg or "reset your password" in refused.msg
    assert refused["error_code"] in (1820, 1862)


def test_a_second_factor(new_db: Database, modules: Modules) -> None:
    """PyMySQL has none, and the server refuses as it does a wrong password."""
    db = new_db
    db.query("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
    try:
        app = db.create(db.name_of("app"), require="SSL")
        db.query("ALTER USER %s@%s ADD 2 FACTOR IDENTIFIED WITH auth_socket", app.user, app.host)
        refused = modules.status(**db.options(app))
        db.drop_all()
    finally:
        db.query("UNINSTALL PLUGIN auth_socket")
    assert refused.failed
    assert "a second factor" in refused.msg


def test_nothing_newer_than(servers: Servers, modules: Modules) -> None:
    for name in ("mysql-9.7", "mariadb-11.8"):
        db = servers.get(name, options=("--tls-version=TLSv1.2",))
        me = db.administrator()
        for run in (modules.status, modules.require):
            more = {"all_accounts": True} if run == modules.require else {}
            refused = run(**db.options(me, tls_min_version="TLSv1.3", **more), check=True)
            assert refused.failed
            assert "nothing newer than TLSv1.2" in refused.msg
            assert "tls_min_version: TLSv1.2" in refused.msg


def test_a_weak_key(servers: Servers, modules: Modules) -> None:
    """OpenSSL of that time takes it."""
    db = servers.get("mariadb-10.5", files=servers.pki.server("weak-key"))
    seen = modules.status(login_host="127.0.0.1", login_port=db.server.port)
    (one,) = found(seen, "weak-certificate").values()
    assert (one["severity"], "1024 bits" in one["message"]) == ("medium", True)


def test_an_anonymous_account_of_another_plugin(maria_db: Database, modules: Modules) -> None:
    db = maria_db
    me = db.administrator(require="SSL")
    db.query("CREATE USER ''@'10.0.0.9' IDENTIFIED VIA unix_socket")
    db.adopt("", "10.0.0.9")
    (one,) = found(modules.status(**db.options(me)), "anonymous-account").values()
    assert one["severity"] == "info"
    assert "DROP" not in one["remediation"]
