# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_ssl_status says of a server what is so: logged in, and from outside."""

from __future__ import annotations

import datetime
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers import MATRIX, Mirror, Pki, TlsFiles
from tests.servers.pki import account_names

from .assertions import writing
from .database import LEGACY, Account, Database, Tls
from .result import Result
from .runner import Modules, client_options
from .servers import Servers

TLS = Tls()


def found(result: Result) -> dict[str, list[tuple[str, str]]]:
    """Severity and subject of the findings, by what they are."""
    by_id: dict[str, list[tuple[str, str]]] = {}
    for finding in result["mysql_ssl"]["findings"]:
        assert set(finding) == {"id", "severity", "subject", "message", "remediation", "commands"}
        assert finding["message"]
        assert finding["remediation"]
        assert all(command in finding["remediation"] for command in finding["commands"])
        by_id.setdefault(finding["id"], []).append((finding["severity"], finding["subject"]))
    return by_id


def endpoint(db: Database) -> str:
    """What findings about the whole server name."""
    return f"{db.server.host}:{db.server.port}"


def outside(db: Database, **more: Any) -> dict[str, Any]:
    """Options to look without credentials."""
    return {"login_host": db.server.host, "login_port": db.server.port, **more}


# What it returns


def test_logged_in(db: Database, modules: Modules) -> None:
    me = db.administrator(host="127.0.0.1", require="SSL")
    before = db.snapshot()
    with db.watch() as seen:
        result = modules.status(**db.options(me)).ok()
    assert seen
    assert writing(seen) == []
    assert db.snapshot() == before
    assert result["changed"] is False
    status = result["mysql_ssl"]
    assert result["ansible_facts"] == {"mysql_ssl": status}
    assert set(status) == {
        "accounts",
        "certificate",
        "compliant",
        "endpoint",
        "findings",
        "proxied",
        "server",
        "session",
        "sessions",
        "summary",
        "tls",
        "verdict",
    }
    assert status["compliant"] is (status["verdict"] == "compliant")
    first, *others = status["summary"]
    assert first.startswith(
        f"{status['server']['family']} {status['server']['version']}, {status['session']['protocol']} "
    )
    assert first.endswith(", compliant" if status["compliant"] else ", non-compliant")
    assert others == [f"{f['severity']}: {f['id']}: {f['message']}" for f in status["findings"]]
    assert status["endpoint"] == {"host": "127.0.0.1", "port": db.server.port, "socket": None}
    assert status["server"] == {
        "version": db.value("SELECT VERSION()"),
        "family": "mariadb" if db.mariadb else "mysql",
        "managed_by": None,
        "read_only": False,
        "replica_of": None,
    }
    with db.login(me, TLS) as mine, mine.cursor() as cursor:
        tls = mine._sock  # type: ignore[attr-defined]
        cursor.execute("SELECT CURRENT_USER()")
        row = cursor.fetchone()
        assert row is not None
        assert status["session"] == {
            "user": row[0],
            "encrypted": True,
            "protocol": tls.version(),
            "cipher": tls.cipher()[0],
            "verified": True,
            "via": "tcp",
            "ssl_type": "ANY",
        }
        shown = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))

    assert status["tls"]["available"] is True
    assert status["tls"]["have_ssl"] == status["tls"]["have_openssl"] == "YES"
    variables = {
        str(n): str(v) for n, v in db.query("SHOW VARIABLES WHERE Variable_name IN ('have_ssl', 'tls_version')")
    }
    assert status["tls"]["have_ssl_source"] == ("variable" if "have_ssl" in variables else "handshake")
    assert status["tls"]["have_ssl_source"] == ("handshake" if db.name == "mysql-9.7" else "variable")
    assert status["tls"]["versions"] == sorted(variables.get("tls_version", "TLSv1").split(","))
    assert status["tls"]["require_secure_transport"] is (None if db.legacy else False)

    certificate = status["certificate"]
    not_after = shown.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert status["tls"]["server_certificate_not_after"] == certificate["not_after"] == not_after
    assert certificate["common_name"] == "localhost"
    assert certificate["serial_number"] == f"{shown.serial_number:X}"
    assert certificate["subject"] == shown.subject.rfc4514_string()
    assert certificate["issuer"] == shown.issuer.rfc4514_string()
    assert certificate["not_before"] == shown.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert certificate["days_left"] in (364, 365)
    assert certificate["key"] == "RSA 2048"
    assert certificate["self_signed"] is certificate["expired"] is False
    assert sorted(certificate["san"]) == ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
    assert certificate["trusted"] is certificate["hostname_matches"] is True
    assert certificate["trust_error"] is certificate["rds_ca"] is None

    assert [(a["user"], a["host"]) for a in status["accounts"]] == sorted(
        (str(u), str(h)) for u, h in db.query("SELECT User, Host FROM mysql.user")
    )
    for account in status["accounts"]:
        assert account["ssl_type"] == (db.requirement(account["user"], account["host"])[0] or "NONE")
        assert account["plugin"] == (
            db.value("SELECT plugin FROM mysql.user WHERE User = %s AND Host = %s", account["user"], account["host"])
            or ""
        )
    if db.name == "mysql-9.7":
        assert status["sessions"]["source"] == "performance_schema.threads"
    else:
        assert status["sessions"] is None


def test_from_outside(db: Database, modules: Modules) -> None:
    """No credentials, nothing in the server's log of logins; what needs a login is null."""
    with db.watch() as seen:
        result = modules.status(**outside(db)).ok()
        trusting = modules.status(**outside(db, ca_cert=str(db.pki.bundle))).ok()
    assert seen == []
    status = result["mysql_ssl"]
    assert status["session"] is status["accounts"] is status["sessions"] is None
    assert status["server"]["family"] == ("mariadb" if db.mariadb else "mysql")
    assert str(db.value("SELECT VERSION()")).startswith(status["server"]["version"].split("-")[0])
    assert status["server"]["managed_by"] is None
    assert status["tls"]["available"] is True
    assert status["tls"]["have_ssl"] == status["tls"]["have_openssl"] == "YES"
    assert status["tls"]["have_ssl_source"] == "handshake"
    assert status["tls"]["versions"] == (["TLSv1"] if db.legacy else ["TLSv1.3"])
    assert status["tls"]["require_secure_transport"] is None
    assert status["certificate"]["trusted"] is None
    assert status["certificate"]["hostname_matches"] is True
    assert set(found(result)) == ({"weak-protocol", "no-forward-secrecy"} if db.legacy else set())
    assert trusting["mysql_ssl"]["certificate"]["trusted"] is True


def test_without_tls(plain_db: Database, modules: Modules) -> None:
    db = plain_db
    me = db.administrator()
    assert db.admits(me, None)
    for result in (modules.status(**db.options(me)).ok(), modules.status(**outside(db)).ok()):
        status = result["mysql_ssl"]
        assert found(result)["tls-unavailable"] == [("high", endpoint(db))]
        assert status["certificate"] is status["tls"]["server_certificate_not_after"] is None
        assert status["tls"]["available"] is status["compliant"] is False
        # Built with TLS, all of them, but switched off. From outside that is all one.
        assert status["tls"]["have_ssl"] == "DISABLED"
        # Of MariaDB this variable says with which library it was built.
        assert status["tls"]["have_openssl"] == ("YES" if db.mariadb and status["session"] else "DISABLED")
        assert status["tls"]["have_ssl_source"] == (
            "variable" if status["session"] and db.name != "mysql-9.7" else "handshake"
        )
        assert status["tls"]["versions"] == []
        assert "transport-not-required" not in found(result)
    inside = modules.status(**db.options(me)).ok()
    assert inside["mysql_ssl"]["session"]["encrypted"] is False
    assert inside["mysql_ssl"]["session"]["protocol"] is inside["mysql_ssl"]["session"]["cipher"] is None


def test_session_without_tls_on_a_server_with_it(db: Database, modules: Modules) -> None:
    """The certificate is that of the look from outside."""
    me = db.administrator()
    assert db.admits(me, TLS)
    for ca_cert, trusted in ((str(db.pki.bundle), True), (None, None)):
        status = modules.status(**db.options(me, ssl_mode="disabled", ca_cert=ca_cert)).ok()["mysql_ssl"]
        assert status["session"]["encrypted"] is status["session"]["verified"] is False
        assert status["certificate"]["common_name"] == "localhost"
        assert status["certificate"]["trusted"] is trusted
        assert status["tls"]["server_certificate_not_after"] == status["certificate"]["not_after"]


def test_chain(db: Database, modules: Modules) -> None:
    """As the server presents it: with the intermediate, but on MySQL 5.6 alone."""
    me = db.administrator()
    for options in (outside(db), db.options(me), db.options(me, ssl_mode="disabled")):
        certificate = modules.status(**options).ok()["mysql_ssl"]["certificate"]
        first = dict(certificate["chain"][0])
        assert first == {name: certificate[name] for name in first}
        names = [part["common_name"] for part in certificate["chain"]]
        assert names == ["localhost"] if db.legacy else ["localhost", db.pki.intermediate_name]
        for part, issuer in zip(certificate["chain"], certificate["chain"][1:], strict=False):
            assert part["issuer"] == issuer["subject"]


def test_password_that_a_server_without_tls_asks_for(servers: Servers, modules: Modules) -> None:
    """MySQL 9.7 has not seen this password yet, and offers nothing that would protect it."""
    db = servers.get("mysql-9.7", tls=False)
    user = db.name_of("app")
    app, here = db.create(user, "127.0.0.1"), db.create(user, "localhost")
    refused = modules.status(**db.options(app))
    assert refused.failed
    assert "The server does not offer TLS" in refused.msg
    assert "login_unix_socket" in refused.msg
    assert "ca_cert" not in refused.msg
    assert refused["mysql_ssl"]["tls"]["available"] is False
    # The advice is right.
    options = db.options(here, login_host=None, login_port=None, login_unix_socket=db.server.socket)
    assert modules.status(**options).ok()["mysql_ssl"]["session"]["user"] == f"{user}@localhost"


# Accounts


def test_accounts_and_their_findings(db: Database, modules: Modules) -> None:
    me = db.administrator(require="SSL")
    everywhere = db.create(db.name_of("app"))
    here = db.create(db.name_of("here"), "localhost")
    secured = db.create(db.name_of("secured"), require="SSL")
    certified = db.create(db.name_of("certified"), require="X509")
    specified = db.create(db.name_of("specified"), require="CIPHER 'x'")
    odd = db.create("it's m\u00fcller@\\", "10.%")
    aws = db.create("rdsadmin", "%")
    db.query("CREATE USER ''@'10.0.0.7'")
    db.adopt("", "10.0.0.7")
    result = modules.status(**db.options(me)).ok()
    accounts = {(a["user"], a["host"]): a for a in result["mysql_ssl"]["accounts"]}

    def state(account: Account) -> tuple[Any, ...]:
        described = accounts[account.user, account.host]
        return tuple(described[name] for name in ("ssl_type", "locked", "is_role", "system", "local"))

    assert state(everywhere) == ("NONE", False, False, False, False)
    assert state(here) == ("NONE", False, False, False, True)
    assert state(secured) == ("ANY", False, False, False, False)
    assert state(certified) == ("X509", False, False, False, False)
    assert state(specified) == ("SPECIFIED", False, False, False, False)
    # A name of AWS's counts on a server of AWS's only.
    assert state(aws) == ("NONE", False, False, False, False)

    findings = found(result)
    without = {subject: severity for severity, subject in findings["account-without-tls"]}
    assert without[f"{everywhere.user}@%"] == "high"
    assert without[f"{here.user}@localhost"] == "low"
    assert without[f"{odd.user}@10.%"] == "high"
    assert without["rdsadmin@%"] == "high"
    for account in (me, secured, certified, specified):
        assert f"{account.user}@{account.host}" not in without
    assert findings["anonymous-account"] == [("high", "@10.0.0.7")]
    assert result["mysql_ssl"]["compliant"] is False

    for account in (everywhere, odd, aws):
        db.require(account.user, account.host, "SSL")
    db.query("DROP USER ''@'10.0.0.7'")
    db.forget("", "10.0.0.7")
    after = found(modules.status(**db.options(me)).ok())
    assert "anonymous-account" not in after
    assert {"high"}.isdisjoint(severity for severity, _subject in after["account-without-tls"])


def test_locked_accounts_and_roles(modern_db: Database, modules: Modules) -> None:
    """Nobody can log in as one of them, so nothing is to be found about them."""
    db = modern_db
    me = db.administrator(require="SSL")
    app = db.create(db.name_of("app"))
    role = db.name_of("role")
    db.create_role(role)
    db.query(f"GRANT {role} TO %s@%s", me.user, me.host)
    db.query("ALTER USER %s@%s ACCOUNT LOCK", app.user, app.host)
    result = modules.status(**db.options(me)).ok()
    accounts = {a["user"]: a for a in result["mysql_ssl"]["accounts"]}
    assert accounts[app.user]["locked"] is True
    assert accounts[app.user]["is_role"] is False
    assert accounts[role]["is_role"] is True
    subjects = {subject.rpartition("@")[0] for _severity, subject in found(result)["account-without-tls"]}
    assert {app.user, role}.isdisjoint(subjects)
    db.query("ALTER USER %s@%s ACCOUNT UNLOCK", app.user, app.host)
    again = modules.status(**db.options(me)).ok()
    assert ("high", f"{app.user}@%") in found(again)["account-without-tls"]
    if db.mariadb:
        assert accounts["mariadb.sys"]["locked"] is True
        assert accounts["mariadb.sys"]["system"] is True
    else:
        assert accounts["mysql.sys"]["locked"] is True


def test_login_that_may_not_read_accounts(db: Database, modules: Modules) -> None:
    app = db.create(db.name_of("app"))
    result = modules.status(**db.options(app)).ok()
    assert result["mysql_ssl"]["accounts"] is None
    assert "SELECT" in result.warnings
    assert "mysql.user" in result.warnings
    assert app.user in result.warnings
    assert result["mysql_ssl"]["session"]["user"] == f"{app.user}@%"
    # An account may always ask what it requires itself.
    assert result["mysql_ssl"]["session"]["ssl_type"] == "NONE"
    assert found(result)["account-without-tls"] == [("high", f"{app.user}@%")]
    client = db.pki.client()
    subject = account_names(client.cert)[0]
    for clause, ssl_type in (("SSL", "ANY"), ("X509", "X509"), (f"SUBJECT '{subject}'", "SPECIFIED")):
        db.require(app.user, app.host, clause)
        secured = modules.status(**db.options(app, **client_options(client))).ok()
        assert secured["mysql_ssl"]["accounts"] is None
        assert secured["mysql_ssl"]["session"]["ssl_type"] == ssl_type
        assert "account-without-tls" not in found(secured)
    db.require(app.user, app.host, "NONE")
    # The advice is right.
    tables = ["user", "global_priv"] if db.mariadb else ["user"]
    for table in tables:
        db.query(f"GRANT SELECT ON mysql.{table} TO %s@%s", app.user, app.host)
    told = modules.status(**db.options(app)).ok()
    assert told["mysql_ssl"]["accounts"]
    assert "SELECT" not in told.warnings


# Sessions and the server's switch


def test_plaintext_sessions(seeing_db: Database, modules: Modules) -> None:
    db = seeing_db
    me = db.administrator(require="SSL")
    app = db.create(db.name_of("app"))
    with db.login(app, None), db.login(app, None), db.login(app, TLS):
        result = modules.status(**db.options(me)).ok()
        assert found(result)["plaintext-session"] == [("high", f"{app.user}@127.0.0.1")]
        assert "sessions-not-visible" not in found(result)
        sessions = result["mysql_ssl"]["sessions"]
        assert sessions["plaintext"] == 2
        assert sessions["encrypted"] == 1
        # And the administrator of the test, over the socket.
        assert sessions["total"] == 4
        rows = {row["user"]: (row["host"], row["encrypted"], row["plaintext"]) for row in sessions["by_account"]}
        assert rows[app.user] == ("127.0.0.1", 1, 2)
        assert me.user not in rows
    db.wait_for_sessions_to_end(app.user)
    quiet = modules.status(**db.options(me)).ok()
    assert "plaintext-session" not in found(quiet)
    assert quiet["mysql_ssl"]["sessions"]["plaintext"] == 0


def test_sessions_that_cannot_be_seen(servers: Servers, modules: Modules) -> None:
    for name in MATRIX:
        db = servers.get(name)
        me = db.administrator(require="SSL")
        result = modules.status(**db.options(me)).ok()
        visible = name == "mysql-9.7"
        assert ("sessions-not-visible" in found(result)) is not visible
        assert (result["mysql_ssl"]["sessions"] is not None) is visible
    # MySQL 9.7, for a login without the privilege.
    db = servers.get("mysql-9.7")
    app = db.create(db.name_of("app"))
    assert found(modules.status(**db.options(app)).ok())["sessions-not-visible"] == [("info", endpoint(db))]


def test_require_secure_transport(modern_db: Database, modules: Modules) -> None:
    db = modern_db
    me = db.administrator(require="SSL")
    app = db.create(db.name_of("app"))
    result = modules.status(**db.options(me)).ok()
    assert found(result)["transport-not-required"] == [("low", endpoint(db))]
    db.query("SET GLOBAL require_secure_transport = ON")
    try:
        result = modules.status(**db.options(me)).ok()
        assert "transport-not-required" not in found(result)
        assert result["mysql_ssl"]["tls"]["require_secure_transport"] is True
        assert ("info", f"{app.user}@%") in found(result)["account-without-tls"]
        assert {severity for severity, _subject in found(result)["account-without-tls"]} == {"info"}
        assert result["mysql_ssl"]["compliant"] is True
        refused = modules.status(**db.options(app, ca_cert=None, ssl_mode="disabled"))
        assert refused.failed
        assert "TLS" in refused.msg or "ssl_mode" in refused.msg
    finally:
        db.query("SET GLOBAL require_secure_transport = OFF")


# Protocols and certificates


def test_weak_protocols(servers: Servers, modules: Modules) -> None:
    old = servers.get(LEGACY)
    assert found(modules.status(**outside(old)).ok())["weak-protocol"] == [("medium", endpoint(old))]
    me = old.administrator()
    assert found(modules.status(**old.options(me)).ok())["weak-protocol"] == [("medium", endpoint(old))]

    weak = servers.get("mariadb-10.5", options=("--tls-version=TLSv1.0,TLSv1.1,TLSv1.2",))
    me = weak.administrator()
    result = modules.status(**weak.options(me)).ok()
    assert found(result)["weak-protocol"] == [("medium", endpoint(weak))]
    assert {"TLSv1.2"} < set(result["mysql_ssl"]["tls"]["versions"])
    assert result["mysql_ssl"]["session"]["protocol"] == "TLSv1.2"

    good = servers.get("mariadb-10.5")
    me = good.administrator()
    assert "weak-protocol" not in found(modules.status(**good.options(me)).ok())


def short_lived(pki: Pki, directory: Path, seconds: int) -> TlsFiles:
    """A server certificate under the root that expires in a moment."""
    good = pki.server("legacy")
    model = x509.load_pem_x509_certificate(good.cert.read_bytes())
    root = x509.load_pem_x509_certificate(pki.root.read_bytes())
    key = serialization.load_pem_private_key(pki.root.with_suffix(".key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    builder = x509.CertificateBuilder(
        subject_name=model.subject,
        issuer_name=root.subject,
        public_key=model.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=model.not_valid_before_utc,
        not_valid_after=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds),
    )
    for extension in model.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    file = directory / "short-lived.pem"
    file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return TlsFiles(good.ca, file, good.key)


class Changing:
    """A server whose certificate is exchanged while it runs."""

    def __init__(self, servers: Servers, name: str, directory: Path) -> None:
        self._files = TlsFiles(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")
        self._copy(servers.pki.server_for(name))
        self.db = servers.get(name, files=self._files)

    def _copy(self, files: TlsFiles) -> None:
        for source, target in (
            (files.ca, self._files.ca),
            (files.cert, self._files.cert),
            (files.key, self._files.key),
        ):
            shutil.copyfile(source, target)

    def show(self, files: TlsFiles) -> None:
        """From now on the server shows this certificate."""
        self._copy(files)
        if self.db.legacy:
            self.db.disconnect()
            self.db.server.kill()
            self.db.server.start()
        else:
            self.db.query("FLUSH SSL" if self.db.mariadb else "ALTER INSTANCE RELOAD TLS")

    def _takes(self, files: TlsFiles) -> bool:
        """Show it, and say whether the server was quick enough to use it before it expires."""
        server = self.db.server
        try:
            self.show(files)
            with self.db.login(Account(server.admin_user, server.host, server.admin_password), TLS):
                return True
        except pymysql.err.OperationalError:
            return False

    def show_until_it_has_expired(self, directory: Path) -> None:
        """As in life: the certificate was good when the server took it."""
        ends = 0.0
        for seconds in (4, 12, 36):
            files = short_lived(self.db.pki, directory, seconds)
            ends = time.time() + seconds
            if self._takes(files):
                break
        else:
            pytest.fail(f"{self.db.name} never took a certificate before it expired")
        time.sleep(max(0.0, ends + 1 - time.time()))


@pytest.fixture(scope="session")
def make_changing(all_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Changing]:
    """Gives a server whose certificate can be exchanged, one for each name."""
    made: dict[str, Changing] = {}

    def make(name: str) -> Changing:
        if name not in made:
            made[name] = Changing(all_servers, name, tmp_path_factory.mktemp("changing"))
        return made[name]

    return make


@pytest.fixture(params=MATRIX)
def changing(request: pytest.FixtureRequest, servers: Servers, make_changing: Callable[[str], Changing]) -> Changing:
    """A server whose certificate can be exchanged."""
    return make_changing(request.param)


CERTIFICATE_FINDINGS = {
    "certificate-untrusted",
    "certificate-hostname-mismatch",
    "certificate-expired",
    "certificate-expiring",
    "rds-ca-retired",
}


EXPECTED: dict[str, dict[str, str]] = {
    "good": {},
    "expired": {"certificate-expired": "high", "certificate-untrusted": "high"},
    "expiring": {"certificate-expiring": "medium"},
    "wrong-name": {"certificate-hostname-mismatch": "high"},
    "wrong-ca": {"certificate-untrusted": "high"},
    "not-yet-valid": {"certificate-untrusted": "high"},
}


@pytest.mark.parametrize(
    ("name", "variant"),
    # MySQL takes no certificate that is not valid at that moment.
    [
        (n, v)
        for n in MATRIX
        for v in EXPECTED
        if (v != "not-yet-valid" or n.startswith("mariadb")) and (n, v) != ("mysql-5.6", "expired")
    ],
)
def test_certificates(
    make_changing: Callable[[str], Changing], modules: Modules, tmp_path: Path, name: str, variant: str
) -> None:
    """From outside and from inside; where the module verifies, it fails and tells what it saw all the same."""
    expected = EXPECTED[variant]
    changing = make_changing(name)
    db = changing.db
    if variant == "expired" and not db.mariadb:
        changing.show_until_it_has_expired(tmp_path)
    else:
        changing.show(db.pki.server_for(name, variant))
    ca_cert = str(db.pki.bundle)
    me = db.administrator()
    for options in (outside(db, ca_cert=ca_cert), db.options(me, ssl_mode="required")):
        result = modules.status(**options).ok()
        assert result["mysql_ssl"]["certificate"]["common_name"] == (
            "elsewhere.example.com" if variant == "wrong-name" else "localhost"
        )
        found_here = {name: rows for name, rows in found(result).items() if name in CERTIFICATE_FINDINGS}
        assert found_here == {name: [(severity, endpoint(db))] for name, severity in expected.items()}
        trusted = "certificate-untrusted" not in expected
        assert result["mysql_ssl"]["certificate"]["trusted"] is trusted
        assert (result["mysql_ssl"]["certificate"]["trust_error"] is None) is trusted
        assert result["mysql_ssl"]["certificate"]["expired"] is (variant == "expired")
        assert result["mysql_ssl"]["certificate"]["hostname_matches"] is (variant != "wrong-name")
    verifying = modules.status(**db.options(me))
    if variant in ("good", "expiring"):
        assert verifying.ok()["mysql_ssl"]["session"]["verified"] is True
        return
    reason = {
        "expired": "expired",
        "wrong-name": "not valid for 127.0.0.1",
        "wrong-ca": "does not chain",
        "not-yet-valid": "not valid yet",
    }[variant]
    assert verifying.failed
    assert reason in verifying.msg
    assert endpoint(db) in verifying.msg
    assert "No credentials were sent" in verifying.msg
    assert set(expected) <= set(found(verifying))
    unchecked = modules.status(**db.options(me, check_hostname=False))
    assert unchecked.failed is (variant != "wrong-name")


def test_an_expired_certificate_of_an_old_server(
    make_changing: Callable[[str], Changing], modules: Modules, tmp_path: Path
) -> None:
    """MySQL 5.6 breaks every TLS handshake off from the first full minute after the expiry on."""
    changing = make_changing("mysql-5.6")
    db = changing.db
    changing.show(short_lived(db.pki, tmp_path, -120))
    seen = modules.status(**outside(db)).ok()
    assert seen["mysql_ssl"]["certificate"] is None
    assert "answers like this when its certificate has expired" in seen.warnings
    refused = modules.status(**db.options(db.administrator()))
    assert refused.failed
    assert "when its certificate has expired. No credentials were sent." in refused.msg


def test_expiry_warn_days(changing: Changing, modules: Modules) -> None:
    db = changing.db
    changing.show(db.pki.server_for(db.name, "expiring"))
    for days, reported in ((9, False), (11, True)):
        result = modules.status(**outside(db, expiry_warn_days=days)).ok()
        assert ("certificate-expiring" in found(result)) is reported
        assert result["mysql_ssl"]["certificate"]["days_left"] == 9
    changing.show(db.pki.server_for(db.name))
    assert "certificate-expiring" in found(modules.status(**outside(db, expiry_warn_days=400)).ok())


def test_authorities_that_aws_has_retired(
    make_changing: Callable[[str], Changing], modules: Modules, tmp_path: Path, servers: Servers
) -> None:
    names = {"Amazon RDS eu-central-1 2019 CA": "rds-ca-2019", "Amazon RDS eu-central-1 CA": "rds-ca-2015"}
    for name in ("mariadb-10.11", "mysql-9.7"):
        changing = make_changing(name)
        for number, (common_name, authority) in enumerate(names.items()):
            retired = Pki(tmp_path / f"{name}-{number}", intermediate_name=common_name, key_type="ec")
            changing.show(retired.server())
            result = modules.status(**outside(changing.db, ca_cert=str(retired.bundle))).ok()
            assert found(result) == {"rds-ca-retired": [("medium", endpoint(changing.db))]}
            assert result["mysql_ssl"]["certificate"]["rds_ca"] == authority
            assert result["mysql_ssl"]["certificate"]["key"] == "EC secp384r1"
            assert result["mysql_ssl"]["compliant"] is False
        current = Pki(tmp_path / name, intermediate_name="Amazon RDS eu-central-1 Root CA RSA2048 G1")
        changing.show(current.server())
        result = modules.status(**outside(changing.db, ca_cert=str(current.bundle))).ok()
        assert found(result) == {}
        assert result["mysql_ssl"]["certificate"]["rds_ca"] == "rds-ca-rsa2048-g1"


def test_authority_with_noncritical_constraints(
    make_changing: Callable[[str], Changing], modules: Modules, servers: Servers
) -> None:
    """CPython 3.13 would refuse it by default; some in the field are like that."""
    changing = make_changing("mariadb-11.8")
    files = changing.db.pki.server("noncritical-ca")
    changing.show(files)
    me = changing.db.administrator()
    result = modules.status(**changing.db.options(me, ca_cert=str(files.ca))).ok()
    assert result["mysql_ssl"]["session"]["verified"] is True


def test_a_kind_of_key_that_is_verified_in_a_handshake_only(
    make_changing: Callable[[str], Changing], modules: Modules, tmp_path: Path, pki: Pki
) -> None:
    for name in ("mariadb-11.8", "mysql-9.7"):
        changing = make_changing(name)
        me = changing.db.administrator()
        rare = Pki(tmp_path / name, key_type="ed25519")
        changing.show(rare.server())
        status = modules.status(**changing.db.options(me, ca_cert=str(rare.bundle))).ok()["mysql_ssl"]
        assert status["session"]["verified"] is True
        assert (status["certificate"]["key"], status["certificate"]["trusted"]) == ("Ed25519", True)
        refused = modules.status(**changing.db.options(me, ca_cert=str(pki.bundle)))
        assert refused.failed
        assert "No credentials were sent" in refused.msg


def test_a_look_with_credentials_is_one_connection(db: Database, modules: Modules) -> None:
    def connections() -> tuple[int, int]:
        rows = dict(db.query("SHOW GLOBAL STATUS WHERE Variable_name IN ('Connections', 'Aborted_connects')"))
        return int(rows["Connections"]), int(rows["Aborted_connects"])

    me = db.administrator(require="SSL")
    made, aborted = connections()
    modules.run_alone("mysql_ssl_status", **db.options(me)).ok()
    assert connections() == (made + 1, aborted)


# fail_on


def test_fail_on(db: Database, modules: Modules) -> None:
    me = db.administrator(require="SSL")
    app = db.create(db.name_of("app"))
    db.create(db.name_of("here"), "localhost")
    assert not modules.status(**db.options(me), fail_on="none").failed
    for level in ("low", "medium", "high"):
        result = modules.status(**db.options(me), fail_on=level)
        assert result.failed
        assert "account-without-tls" in result.msg
        assert app.user in result.msg
        assert result["mysql_ssl"]["accounts"]
        assert result["changed"] is False
    db.require(app.user, app.host, "SSL")
    # root@127.0.0.1 and the other one on this machine are low; TLSv1 of MySQL 5.6 is medium.
    assert not modules.status(**db.options(me), fail_on="high").failed
    assert modules.status(**db.options(me), fail_on="medium").failed is db.legacy
    low = modules.status(**db.options(me), fail_on="low")
    assert low.failed
    assert "root@localhost" in low.msg


# Ways to connect


def test_ssl_modes(db: Database, modules: Modules) -> None:
    me = db.administrator()
    assert db.admits(me, TLS)
    ca_cert = str(db.pki.bundle)
    for mode, encrypted, verified in (
        ("disabled", False, False),
        ("preferred", True, False),
        ("required", True, False),
        ("verify_ca", True, True),
        ("verify_identity", True, True),
    ):
        session = modules.status(**db.options(me, ssl_mode=mode, ca_cert=ca_cert)).ok()["mysql_ssl"]["session"]
        assert (session["encrypted"], session["verified"]) == (encrypted, verified), mode
    default = modules.status(**db.options(me, ca_cert=None)).ok()["mysql_ssl"]["session"]
    assert (default["encrypted"], default["verified"]) == (True, False)
    for mode in ("verify_ca", "verify_identity"):
        refused = modules.status(**db.options(me, ssl_mode=mode, ca_cert=None))
        assert refused.failed
        assert "ca_cert" in refused.msg


def test_tls_wanted_where_there_is_none(plain_db: Database, modules: Modules) -> None:
    """Nothing is sent; the server sees no login."""
    db = plain_db
    me = db.administrator()
    ca_cert = str(db.pki.bundle)
    # MySQL 9.7 then knows the password and takes a scramble afterwards.
    assert db.admits(me, None)
    with db.watch() as seen:
        for more in ({"ssl_mode": "required"}, {"ca_cert": ca_cert}, {"ca_cert": ca_cert, "check_hostname": False}):
            result = modules.status(**db.options(me, **more))
            assert result.failed
            assert "does not offer TLS" in result.msg
            assert endpoint(db) in result.msg
            assert "no credentials were sent" in result.msg
    assert seen == []
    for mode in ("disabled", "preferred"):
        assert modules.status(**db.options(me, ssl_mode=mode)).ok()["mysql_ssl"]["session"]["encrypted"] is False


def test_tls_min_version(servers: Servers, modules: Modules) -> None:
    old = servers.get(LEGACY)
    me = old.administrator()
    for version in ("TLSv1.1", "TLSv1.2", "TLSv1.3"):
        refused = modules.status(**old.options(me, tls_min_version=version))
        assert refused.failed
        assert endpoint(old) in refused.msg
        assert "nothing newer than TLSv1," in refused.msg
        assert "tls_min_version: TLSv1 " in refused.msg
        assert "No credentials were sent" in refused.msg
    modern = servers.get("mariadb-10.5", options=("--tls-version=TLSv1.0,TLSv1.1,TLSv1.2",))
    me = modern.administrator()
    for version in ("TLSv1", "TLSv1.1", "TLSv1.2"):
        session = modules.status(**modern.options(me, tls_min_version=version)).ok()["mysql_ssl"]["session"]
        assert session["protocol"] == "TLSv1.2"
    assert modules.status(**modern.options(me, tls_min_version="TLSv1.3")).failed
    new = servers.get("mysql-9.7")
    me = new.administrator()
    for version in ("TLSv1", "TLSv1.3"):
        session = modules.status(**new.options(me, tls_min_version=version)).ok()["mysql_ssl"]["session"]
        assert session["protocol"] == "TLSv1.3"


def test_account_that_needs_a_client_certificate(db: Database, modules: Modules) -> None:
    client = db.pki.client()
    me = db.administrator(require="X509")
    refused = modules.status(**db.options(me))
    assert refused.failed
    assert "certificate" in refused.msg
    modules.status(**db.options(me, **client_options(client))).ok()
    aliases = {
        "ssl_ca": str(db.pki.bundle),
        "ssl_cert": str(client.cert),
        "ssl_key": str(client.key),
        "ca_cert": None,
    }
    session = modules.status(**db.options(me, **aliases)).ok()["mysql_ssl"]["session"]
    assert session["verified"] is True
    only_half = modules.status(**db.options(me, client_cert=str(client.cert)))
    assert only_half.failed
    assert "client_key" in only_half.msg


def test_socket(db: Database, modules: Modules) -> None:
    me = db.administrator(host="localhost")
    options = db.options(me, login_host=None, login_port=None, ca_cert=None, login_unix_socket=db.server.socket)
    status = modules.status(**options, ssl_mode="disabled").ok()["mysql_ssl"]
    assert status["endpoint"] == {"host": None, "port": None, "socket": db.server.socket}
    assert status["session"]["via"] == "socket"
    assert status["session"]["encrypted"] is False
    assert status["session"]["user"] == f"{me.user}@localhost"
    encrypted = modules.status(**options, ssl_mode="required").ok()["mysql_ssl"]
    assert encrypted["session"]["encrypted"] is True
    assert encrypted["certificate"]["hostname_matches"] is None
    seen = modules.status(login_unix_socket=db.server.socket).ok()
    assert seen["mysql_ssl"]["session"] is None
    assert seen["mysql_ssl"]["certificate"]["common_name"] == "localhost"


@pytest.mark.parametrize(("host", "matches"), [("127.0.0.1", True), ("localhost", True), ("127.0.0.2", False)])
def test_names_of_the_server(servers: Servers, modules: Modules, host: str, matches: bool) -> None:
    db = servers.get("mariadb-10.11", bind_address="0.0.0.0")
    me = db.administrator(host="%")
    seen = modules.status(**outside(db, login_host=host)).ok()
    assert ("certificate-hostname-mismatch" in found(seen)) is not matches
    result = modules.status(**db.options(me, login_host=host))
    assert result.failed is not matches
    if not matches:
        assert "127.0.0.2" in result.msg
        assert modules.status(**db.options(me, login_host=host, check_hostname=False)).ok()["mysql_ssl"]["session"]


@pytest.fixture
def ipv6_db(servers: Servers) -> Database:
    """A server that listens at ::1 only."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as e:
        pytest.skip(f"no server can be had at ::1 on this machine: {e}")
    return servers.get("mariadb-11.8", bind_address="::1")


def test_ipv6(ipv6_db: Database, modules: Modules) -> None:
    me = ipv6_db.administrator(host="::1")
    result = modules.status(**ipv6_db.options(me)).ok()
    assert result["mysql_ssl"]["session"]["verified"] is True
    assert result["mysql_ssl"]["session"]["user"] == f"{me.user}@::1"
    assert result["mysql_ssl"]["endpoint"]["host"] == "::1"
    # As in URLs.
    done = modules.require(**ipv6_db.options(me, user=me.user, login_host="[::1]")).ok()
    assert done["verified"]


def test_config_file(db: Database, modules: Modules, tmp_path: Path) -> None:
    me = db.administrator()
    other = db.administrator()
    file = tmp_path / "my.cnf"
    file.write_text(f'[mysqld]\nuser = nobody\n[client]\nuser={me.user}\npassword="{me.password}"  # ours\n')
    options = db.options(me, login_user=None, login_password=None)

    def user(result: Result) -> Any:
        session = result.ok()["mysql_ssl"]["session"]
        assert me.password not in result.output
        return session and session["user"].partition("@")[0]

    assert user(modules.status(**options)) is None
    assert user(modules.status(**options, config_file=str(file))) == me.user
    # Of the same password, being of the same length.
    assert user(modules.status(**options, config_file=str(file), login_user=other.user)) == other.user
    shutil.copy(file, modules.home / ".my.cnf")
    assert user(modules.status(**options)) == me.user
    done = modules.require(**options, user=me.user, check=True).ok()
    assert done["changed"]
    absent = modules.status(**options, config_file=str(tmp_path / "absent.cnf"))
    assert absent.failed
    assert "config_file" in absent.msg
    assert "absent.cnf" in absent.msg


def test_timeout(modules: Modules) -> None:
    """A server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for more in ({"login_user": "me", "login_password": "pw!secret"}, {}):
            result = modules.status(login_host="127.0.0.1", login_port=port, connect_timeout=1, **more)
            assert result.failed
            assert f"127.0.0.1:{port}" in result.msg
            assert "1 second" in result.msg


def test_something_else_than_a_database(modules: Modules, pki: Pki, tmp_path: Path) -> None:
    with Mirror(tmp_path, certificate=pki.server()) as https:
        for more in ({"login_user": "me", "login_password": "pw!secret"}, {}):
            result = modules.status(login_host="127.0.0.1", login_port=https.port, connect_timeout=1, **more)
            assert result.failed
            assert f"127.0.0.1:{https.port}" in result.msg


# Every version tried


def accepted(result: Result) -> dict[str, bool | None]:
    """What the probes found, by version."""
    probes = result.ok()["mysql_ssl"]["tls"]["probes"]
    assert [probe["version"] for probe in probes] == ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
    assert all((probe["detail"] is None) is (probe["accepted"] is True) for probe in probes)
    return {probe["version"]: probe["accepted"] for probe in probes}


@pytest.mark.parametrize(
    ("name", "tls_version", "versions"),
    [
        ("mysql-5.6", None, ["TLSv1"]),
        ("mysql-9.7", None, ["TLSv1.2", "TLSv1.3"]),
        ("mysql-9.7", "TLSv1.2", ["TLSv1.2"]),
        ("mysql-9.7", "TLSv1.3", ["TLSv1.3"]),
        ("mariadb-10.5", None, ["TLSv1.2", "TLSv1.3"]),
        ("mariadb-10.5", "TLSv1.0,TLSv1.1,TLSv1.2", ["TLSv1", "TLSv1.1", "TLSv1.2"]),
        ("mariadb-10.5", "TLSv1.1,TLSv1.3", ["TLSv1.1", "TLSv1.3"]),
        ("mariadb-10.11", None, ["TLSv1.2", "TLSv1.3"]),
        ("mariadb-11.8", "TLSv1.2", ["TLSv1.2"]),
    ],
)
def test_probe_protocols(
    servers: Servers, modules: Modules, name: str, tls_version: str | None, versions: list[str]
) -> None:
    db = servers.get(name, options=(f"--tls-version={tls_version}",) if tls_version else ())
    me = db.administrator()
    weak = [version for version in versions if version in ("TLSv1", "TLSv1.1")]
    for options in (outside(db), db.options(me)):
        result = modules.status(**options, probe_protocols=True)
        assert [version for version, yes in accepted(result).items() if yes] == versions
        assert None not in accepted(result).values()
        assert result["mysql_ssl"]["tls"]["versions"] == versions
        assert found(result).get("weak-protocol", []) == ([("medium", endpoint(db))] if weak else [])
        for finding in result["mysql_ssl"]["findings"]:
            if finding["id"] == "weak-protocol":
                assert finding["message"].endswith(": {}.".format(", ".join(weak)))
        assert modules.status(**options).ok()["mysql_ssl"]["tls"]["probes"] is None


def test_probe_protocols_without_tls(plain_db: Database, modules: Modules) -> None:
    result = modules.status(**outside(plain_db), probe_protocols=True).ok()
    assert result["mysql_ssl"]["tls"]["probes"] is None
    assert result["mysql_ssl"]["tls"]["versions"] == []


def test_versions_that_this_machine_does_not_do(servers: Servers, modules: Modules, tmp_path: Path) -> None:
    """Not to be able to ask is something else than being refused."""
    conf = tmp_path / "openssl.cnf"
    conf.write_text(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"
        "[default]\nProtocol = ALL, -TLSv1, -TLSv1.1\n"
    )
    db = servers.get("mariadb-10.5", options=("--tls-version=TLSv1.0,TLSv1.1,TLSv1.2",))
    environment = {"OPENSSL_CONF": str(conf)}
    result = modules.run_alone("mysql_ssl_status", environment=environment, **outside(db), probe_protocols=True).ok()
    assert accepted(result) == {"TLSv1": None, "TLSv1.1": None, "TLSv1.2": True, "TLSv1.3": False}
    details = {probe["version"]: probe["detail"] for probe in result["mysql_ssl"]["tls"]["probes"]}
    assert "OpenSSL of this machine" in details["TLSv1"]
    assert f"Whether {endpoint(db)} accepts TLSv1 cannot be said" in result.warnings
    assert f"Whether {endpoint(db)} accepts TLSv1.1 cannot be said" in result.warnings
    # Said by the server, where it can be asked.
    me = db.administrator()
    inside = modules.run_alone("mysql_ssl_status", environment=environment, **db.options(me)).ok()
    assert inside["mysql_ssl"]["tls"]["versions"] == ["TLSv1", "TLSv1.1", "TLSv1.2"]
