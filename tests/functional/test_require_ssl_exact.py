# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Byte for byte: what mysql_require_ssl leaves as it was, and what its statements put back when run by hand."""

from __future__ import annotations

import re
from typing import Any

import pymysql
import pytest

from tests.bench.require_ssl import STEM, many_accounts, measure, parameters
from tests.servers import MATRIX, Pki

from .database import Account, Database, Tls
from .runner import Modules
from .servers import Servers

TLS = Tls()
# Up to what follows it; not every server escapes the quotes within. MariaDB leaves no blank before WITH.
_REQUIRE = re.compile(r" REQUIRE .*?(?= ?WITH MAX| WITH GRANT| PASSWORD| ACCOUNT|$)")
_MINE = ("", "", "/O=It's 100%/CN=\\x", '/C=DE/O="Q"/CN=a\'b')


def shown(db: Database, account: Account) -> list[str]:
    """Everything that the server shows of an account."""
    statements = ["SHOW GRANTS FOR %s@%s"]
    if not db.legacy:
        statements.append("SHOW CREATE USER %s@%s")
    return [str(row[0]) for text in statements for row in db.query(text, account.user, account.host)]


def without_requirement(lines: list[str]) -> list[str]:
    return [_REQUIRE.sub("", line) for line in lines]


def ornate(db: Database) -> list[Account]:
    """Accounts with everything that an account can have on this server."""
    me = db.name_of("orn")
    hosts = {"a": "%", "b": "10.0.0.0/255.0.0.0", "c": "h_st", "d": "::1"}
    made = [db.create(f"{me}{letter}", host) for letter, host in hosts.items()]
    plain, limited, odd, granted = made
    verb = "GRANT USAGE ON *.* TO" if db.legacy else "ALTER USER"
    limits = "MAX_QUERIES_PER_HOUR 1 MAX_UPDATES_PER_HOUR 2 MAX_CONNECTIONS_PER_HOUR 3 MAX_USER_CONNECTIONS 4"
    db.query(f"{verb} %s@%s WITH {limits}", limited.user, limited.host)
    for grants in ("SELECT, PROCESS ON *.*", "INSERT ON `a_b%%`.*", "SELECT (User), UPDATE (User) ON mysql.user"):
        db.query(f"GRANT {grants} TO %s@%s", granted.user, granted.host)
    if db.legacy:
        db.query("ALTER USER %s@%s PASSWORD EXPIRE", odd.user, odd.host)
        return made
    db.query("ALTER USER %s@%s ACCOUNT LOCK", odd.user, odd.host)
    db.query("ALTER USER %s@%s PASSWORD EXPIRE INTERVAL 90 DAY", limited.user, limited.host)
    if db.mariadb:
        db.query(
            "ALTER USER %s@%s IDENTIFIED VIA ed25519 USING PASSWORD('x') OR unix_socket", plain.user, plain.host
        ) if db.query("SELECT 1 FROM information_schema.plugins WHERE PLUGIN_NAME = 'ed25519'") else None
        db.create_role(f"{me}_role")
        db.query(f"GRANT {me}_role TO %s@%s", granted.user, granted.host)
        db.query(f"SET DEFAULT ROLE {me}_role FOR %s@%s", granted.user, granted.host)
        return made
    db.query(
        "ALTER USER %s@%s PASSWORD HISTORY 5 PASSWORD REUSE INTERVAL 365 DAY PASSWORD REQUIRE CURRENT "
        "FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME 2",
        limited.user,
        limited.host,
    )
    db.query("""ALTER USER %s@%s ATTRIBUTE '{"team": "it''s \\\\"ours\\\\""}'""", plain.user, plain.host)
    db.query("ALTER USER %s@%s COMMENT 'hands off'", odd.user, odd.host)
    db.query("ALTER USER %s@%s IDENTIFIED BY 'second' RETAIN CURRENT PASSWORD", plain.user, plain.host)
    db.create_role(f"{me}_role")
    db.query(f"GRANT {me}_role TO %s@%s", granted.user, granted.host)
    db.query(f"ALTER USER %s@%s DEFAULT ROLE {me}_role", granted.user, granted.host)
    db.query("GRANT BACKUP_ADMIN ON *.* TO %s@%s", granted.user, granted.host)
    return made


@pytest.mark.parametrize(
    ("name", "method"),
    # On MariaDB mysql.user is a view.
    [*((name, "auto") for name in MATRIX), *((name, "grant_tables") for name in MATRIX if "mariadb" not in name)],
)
def test_nothing_but_the_requirement(servers: Servers, modules: Modules, name: str, method: str) -> None:
    """There and back, by the module and by its statements, from every kind of requirement to every other."""
    db = servers.get(name)
    me = db.administrator()
    made = ornate(db)
    subject, issuer = "/C=DE/CN=it''s \\\\ 100%", '/O="CA"'
    earlier = ["NONE", "SSL", "X509", f"SUBJECT '{subject}' AND ISSUER '{issuer}' AND CIPHER 'AES256-SHA'"]
    for account, clause in zip(made, earlier, strict=True):
        db.require(account.user, account.host, clause)
    before = [shown(db, account) for account in made]
    assert len(set(map(str, before))) == len(made)
    if not db.legacy:
        assert sum("REQUIRE NONE" in line for line in before[0]) == (0 if db.mariadb else 1)
    names = [account.user for account in made]  # one is of the server's own machine, one has unix_socket
    for wish in (
        {"ssl_type": "any"},
        {"ssl_type": "x509"},
        {"ssl_type": "specified", "subject": _MINE[3], "issuer": _MINE[2]},
        {"ssl_type": "none"},
    ):
        done = modules.require(**db.options(me, accounts=names, exact=True, method=method, **wish)).ok()
        after = [shown(db, account) for account in made]
        assert [without_requirement(lines) for lines in after] == [without_requirement(lines) for lines in before]
        assert after != before
        assert {db.requirement(a.user, a.host)[0] or "NONE" for a in made} == {wish["ssl_type"].upper()}
        with db.login(me, TLS) as connection, connection.cursor() as cursor:
            for statement in done["rollback_statements"]:
                cursor.execute(statement)
        assert [shown(db, account) for account in made] == before


def test_password_and_plugin_by_logging_in(db: Database, modules: Modules) -> None:
    me = db.administrator()
    app = db.create(db.name_of("app"))
    modules.require(**db.options(me, user=app.user)).ok()
    assert db.admits(app, TLS)
    modules.require(**db.options(me, user=app.user, ssl_type="none")).ok()
    assert db.admits(app, None)


@pytest.mark.parametrize("name", ["mariadb-10.5", "mariadb-10.11", "mariadb-11.8"])
def test_a_group_that_fails_in_the_middle(servers: Servers, modules: Modules, name: str) -> None:
    """An account in the table that MariaDB does not know yet: it changes the others of the statement all the same."""
    db = servers.get(name)
    me = db.administrator()
    stem = db.name_of("app")
    clauses = {"a": "NONE", "c": "X509", "d": "NONE"}
    apps = [db.create(f"{stem}{letter}", require=clause) for letter, clause in clauses.items()]
    db.query("INSERT INTO mysql.global_priv (User, Host, Priv) VALUES (%s, '%%', '{}')", f"{stem}b")
    before = [shown(db, app) for app in apps]
    try:
        # What the server does of its own accord.
        names = ", ".join(f"'{stem}{letter}'@'%'" for letter in "abd")
        with pytest.raises(pymysql.err.OperationalError, match="1396"):
            db.query(f"ALTER USER {names} REQUIRE SSL")
        halfway = [db.ssl_type(app) for app in apps]
        for app in (apps[0], apps[2]):
            db.require(app.user, app.host, "NONE")
        result = modules.require(**db.options(me, accounts=[f"{stem}*"], exact=True))
    finally:
        db.query("DELETE FROM mysql.global_priv WHERE User = %s", f"{stem}b")
    assert halfway == ["ANY", "X509", "ANY"]
    assert result.failed
    assert "1396" in result.msg
    assert result["changed"] is False
    assert result["rolled_back"] is True
    assert [shown(db, app) for app in apps] == before


def test_check_mode_executes_nothing_that_writes(seeing_db: Database, modules: Modules) -> None:
    """By every counter of the server, and by its log."""
    db = seeing_db
    me = db.administrator()
    app = db.create(db.name_of("app"))

    def counters() -> dict[str, str]:
        return {str(name): str(value) for name, value in db.query("SHOW GLOBAL STATUS LIKE 'Com\\_%'")}

    reading = re.compile(
        r"Com_(select|show_.*|set_option|admin_commands|stmt_.*|explain.*|begin|commit|rollback|change_db)"
    )
    wishes: list[dict[str, Any]] = [
        {"user": app.user},
        {"all_accounts": True, "exclude": ["root@*"], "plaintext_sessions": "kill", "require_secure_transport": True},
        {"user": app.user, "ssl_type": "none", "flush": "always"},
        {"user": app.user, "verify": [{"user": app.user, "password": app.password}]},
    ]
    with db.login(app, None):
        for wish in wishes:
            options = db.options(me, **{"plaintext_sessions": "warn", **wish})
            with db.watch() as seen:
                before = counters()
                promised = modules.require(**options, check=True).ok()
                after = counters()
            assert promised["verified"] is False
            changed = {name for name in after if after[name] != before[name]}
            assert changed
            assert [name for name in changed if not reading.fullmatch(name)] == []
            assert seen
            reads = r"SELECT|SHOW|SET (NAMES|AUTOCOMMIT)|EXPLAIN|START TRANSACTION\Z|ROLLBACK\Z"
            assert [s for s in seen if not re.match(reads, s, re.IGNORECASE)] == []


def test_diff_names_each_account(db: Database, modules: Modules) -> None:
    me = db.administrator()
    stem = db.name_of("app")
    clauses = {"a": "NONE", "b": "SSL", "c": "SUBJECT '/CN=x' AND CIPHER 'AES256-SHA'"}
    for letter, clause in clauses.items():
        db.create(f"{stem}{letter}", require=clause)
    for check in (True, False):
        diff = modules.require(**db.options(me, accounts=[f"{stem}*"], exact=True, ssl_type="x509"), check=check).ok()[
            "diff"
        ]
        assert diff["before"].splitlines() == [
            f"{stem}a@%: NONE",
            f"{stem}b@%: ANY",
            f"{stem}c@%: SPECIFIED SUBJECT '/CN=x' CIPHER 'AES256-SHA'",
        ]
        assert diff["after"].splitlines() == [f"{stem}{letter}@%: X509" for letter in "abc"]


def test_five_thousand_accounts(db: Database, pki: Pki) -> None:
    """Planned in seconds (less than two on an idle machine), in less than 150 MiB, and written in groups."""
    with many_accounts(db.server, 5000):
        found = measure(parameters(db.server, ca_cert=str(pki.bundle)))
        assert not db.query(f"SELECT User FROM mysql.user WHERE User LIKE '{STEM}%' AND ssl_type <> ''")
    assert found.plan < 30, found
    assert found.memory < 150, found
    assert found.statements <= 51, found


def test_a_server_that_takes_short_statements_only(servers: Servers, modules: Modules) -> None:
    """max_allowed_packet decides how many accounts share a statement."""
    for name in ("mysql-9.7", "mariadb-11.8", "mysql-5.6"):
        db = servers.get(name, options=("--max-allowed-packet=1024", "--net-buffer-length=1024"))
        me = db.administrator()
        stem = db.name_of("it's")
        apps = [db.create(f"{stem}{number:02}") for number in range(40)]
        done = modules.require(**db.options(me, accounts=[f"{stem}*"])).ok()
        assert {db.ssl_type(app) for app in apps} == {"ANY"}
        assert 2 < len(done["statements"]) < 40
        assert max(map(len, done["statements"])) < 1024


# What the guards keep from happening


def lock_out_by_hand(db: Database, account: Account, clause: str) -> None:
    db.require(account.user, account.host, clause)


def test_without_the_guard_a_server_without_tls_locks_everybody_out(plain_db: Database, modules: Modules) -> None:
    db = plain_db
    me = db.administrator()
    assert db.admits(me, None)
    assert "does not offer TLS" in modules.require(**db.options(me, user=me.user)).msg
    assert db.admits(me, None)
    lock_out_by_hand(db, me, "SSL")
    assert not db.admits(me, None)


def test_without_the_guard_a_login_without_tls_locks_itself_out(db: Database, modules: Modules, stranger: Pki) -> None:
    client = stranger.client()
    me = db.administrator()
    assert db.admits(me, TLS)
    options = db.options(
        me, user=me.user, ssl_mode="disabled", client_cert=str(client.cert), client_key=str(client.key)
    )
    assert "cannot log in with TLS" in modules.require(**options).msg
    assert db.admits(me, None)
    lock_out_by_hand(db, me, "SSL")
    assert not db.admits(me, None)
    assert modules.status(**{k: v for k, v in options.items() if k != "user"}).failed
