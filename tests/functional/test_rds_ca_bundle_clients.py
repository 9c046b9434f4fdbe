# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that rds_ca_bundle writes, in the hands of the clients that it is for."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.servers import (
    MYSQL_RDS_CA,
    SSL_PROFILES,
    Mirror,
    Pki,
    ServerUnavailable,
    mariadb_client,
    published_certificates,
)

from .database import Account, Database
from .result import Result
from .servers import Servers

REGION = "eu-central-1"
PASSPHRASE = "s3cret-but-not-very"
GUIDE = Path(__file__).parents[2] / "docs" / "docsite" / "rst" / "not_locked_out.rst"
JAVA = Path(__file__).with_name("trusted.java")
# A Python that leaves the flag out by default has it set, so that the result is the same everywhere.
VERIFY_STRICTLY = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
with socket.create_connection((sys.argv[2], int(sys.argv[3])), 10) as plain:
    with context.wrap_socket(plain, server_hostname=sys.argv[2]) as tls:
        print(tls.version())
"""
LOG_IN = """
import pymysql, sys
host, port, user, password = sys.argv[2], int(sys.argv[3]), *sys.stdin.read().split()
options = {"ssl_ca": sys.argv[1], "ssl_verify_cert": True, "ssl_verify_identity": True}
connection = pymysql.connect(host=host, port=port, user=user, password=password, **options)
with connection.cursor() as cursor:
    cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    print(cursor.fetchone()[1])
"""

Fetch = Callable[..., Result]


@pytest.fixture
def store(fetch: Fetch) -> Fetch:
    """Writes it for Java."""

    def run(**options: Any) -> Result:
        return fetch(**{"format": "pkcs12", "passphrase": PASSPHRASE, **options})

    return run


def run(*command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A client, to its end."""
    return subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, text=True, check=False, timeout=300
    )


def tool(name: str) -> str:
    """Where a program is; the test says that it skipped where there is none."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not on this machine")
    return found


def keytool(dest: Path, passphrase: str = PASSPHRASE) -> subprocess.CompletedProcess[str]:
    """What Java's own tool says to the trust store."""
    return run(tool("keytool"), "-list", "-v", "-storetype", "PKCS12", "-keystore", dest, "-storepass", passphrase)


def test_java_lists_it(store: Fetch, pki: Pki, dest: Path) -> None:
    store().ok()
    listed = keytool(dest)
    assert listed.returncode == 0, listed.stdout
    assert listed.stdout.count("Entry type: trustedCertEntry") == 2
    for name in (pki.root_name, pki.intermediate_name):
        assert f"Alias name: {name.lower()}" in listed.stdout
    assert keytool(dest, "another passphrase").returncode != 0


def test_java_trusts_it(store: Fetch, mirror: Mirror, stranger: Pki, dest: Path) -> None:
    java = tool("java")
    store().ok()

    def met() -> subprocess.CompletedProcess[str]:
        properties = {"trustStore": dest, "trustStorePassword": PASSPHRASE, "trustStoreType": "PKCS12"}
        options = [f"-Djavax.net.ssl.{name}={value}" for name, value in properties.items()]
        return run(java, *options, JAVA, f"{mirror.url}/{REGION}/{REGION}-bundle.pem")

    trusted = met()
    assert trusted.returncode == 0, trusted.stderr
    assert trusted.stdout == "2 200\n"
    store(urls=[stranger.bundle.as_uri()], base_url=None)
    untrusted = met()
    assert untrusted.returncode != 0
    assert "PKIX path building failed" in untrusted.stderr


def test_java_reads_every_certificate_of_aws(store: Fetch, tmp_path: Path, dest: Path) -> None:
    try:
        pems = published_certificates(SSL_PROFILES) + published_certificates(MYSQL_RDS_CA)
    except ServerUnavailable as e:
        pytest.skip(str(e))
    source = tmp_path / "source.pem"
    source.write_bytes(b"".join(pems))
    result = store(urls=[source.as_uri()], base_url=None).ok()
    assert len(result["certificates"]) == len(set(pems))
    listed = keytool(dest)
    assert listed.returncode == 0, listed.stdout
    assert listed.stdout.count("Entry type: trustedCertEntry") == len(set(pems))


def test_a_trust_store_is_rewritten_only_for_a_reason(
    store: Fetch, mirror: Mirror, pki: Pki, dest: Path, fetch: Fetch
) -> None:
    first = store().ok()
    content = dest.read_bytes()
    assert first["changed"] is True
    assert first["size"] == len(content)
    assert first["checksum"] == fetch(dest=str(dest.with_name("plain.pem"))).ok()["checksum"]
    mirror.requests.clear()
    again = store(checksum=f"sha256:{first['checksum']}").ok()
    assert again["changed"] is False
    assert again["size"] == len(content)
    assert again["sources"][0]["status"] == "not_modified"
    assert store(force=True).ok()["changed"] is False
    assert dest.read_bytes() == content
    assert [request.status for request in mirror.requests] == [304, 200]

    promised = store(passphrase="another one", check=True).ok()
    assert promised["changed"] is True
    assert dest.read_bytes() == content
    done = store(passphrase="another one", backup=True).ok()
    assert done["changed"] is True
    assert Path(done["backup_file"]).read_bytes() == content
    for result in (promised, done):
        assert "another one" not in result.output

    bundle = f"/{REGION}/{REGION}-bundle.pem"
    mirror.respond(bundle, body=pki.root.read_bytes())
    # What was there is known from the record, also without the passphrase.
    for passphrase in ("another one", "a third"):
        weaker = store(passphrase=passphrase)
        assert weaker.failed
        assert f"{pki.intermediate_name}, which the file has" in weaker.msg
    changed = store(passphrase="another one", allow_weaker=True).ok()
    assert changed["changed"] is True
    assert pki.intermediate_name in changed["diff"]["before"]
    assert pki.intermediate_name not in changed["diff"]["after"]


def test_a_trust_store_needs_a_passphrase(store: Fetch, fetch: Fetch, dest: Path) -> None:
    for options in ({"passphrase": ""}, {"passphrase": None}):
        refused = store(**options)
        assert refused.failed
        assert "passphrase" in refused.msg
    assert not dest.exists()
    # Elsewhere it is ignored: one set of defaults can serve both formats.
    fetch(passphrase=PASSPHRASE).ok()
    assert b"BEGIN CERTIFICATE" in dest.read_bytes()
    changed = store().ok()
    assert changed["changed"] is True
    assert changed["diff"]["before"] == "(not a CA bundle)\n"


def test_openssl_verifies_a_server_with_it(fetch: Fetch, pki: Pki, stranger: Pki, dest: Path) -> None:
    fetch().ok()
    openssl = tool("openssl")
    verified = run(openssl, "verify", "-x509_strict", "-no-CApath", "-CAfile", dest, pki.leaf)
    assert verified.stdout == f"{pki.leaf}: OK\n", verified.stderr
    assert run(openssl, "verify", "-no-CApath", "-CAfile", dest, stranger.leaf).returncode != 0


def test_the_mariadb_client_verifies_a_server_with_it(
    fetch: Fetch, servers: Servers, stranger: Pki, dest: Path, tmp_path: Path
) -> None:
    try:
        client = mariadb_client()
    except ServerUnavailable as e:
        pytest.skip(str(e))
    fetch().ok()
    # With the options that somebody is told who has to recover by hand.
    (told,) = re.findall(r"\$ mariadb (.*) --ssl-ca=bundle\.pem\n", GUIDE.read_text("utf-8"))
    verify = [option for option in told.split() if option.startswith("--ssl-")]

    def log_in(database: Database, account: Account, bundle: Path) -> subprocess.CompletedProcess[str]:
        options = tmp_path / "client.cnf"
        options.write_text(f"[client]\nuser={account.user}\npassword={account.password}\n")
        return run(
            *client.command,
            f"--defaults-file={options}",
            f"--plugin-dir={client.plugin_dir}",
            "--protocol=TCP",
            f"--host={database.server.host}",
            f"--port={database.server.port}",
            *verify,
            f"--ssl-ca={bundle}",
            "--execute=SHOW SESSION STATUS LIKE 'Ssl_cipher'",
        )

    for name in ("mysql-9.7", "mariadb-10.11"):
        database = servers.get(name)
        account = database.create("client", require="SSL")
        verified = log_in(database, account, dest)
        assert "Ssl_cipher\tTLS_" in verified.stdout, verified.stderr
        refused = log_in(database, account, stranger.bundle)
        assert refused.returncode != 0
        assert "certificate" in refused.stderr.lower()


def test_pymysql_verifies_a_server_with_it(
    fetch: Fetch, servers: Servers, stranger: Pki, dest: Path, tmp_path: Path
) -> None:
    """CPython 3.13 is the first whose default contexts are strict about X.509."""
    python = tool("python3.13")
    # PyMySQL alone: over TLS it needs nothing else, and the rest of this environment is for another Python.
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "pymysql").symlink_to(Path(pymysql.__file__).parent)
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'alone')!r})\n{LOG_IN}"
    fetch().ok()
    for name in ("mysql-9.7", "mariadb-11.8"):
        database = servers.get(name)
        account = database.create("client", require="SSL")
        where = (database.server.host, str(database.server.port))
        login = f"{account.user} {account.password}"
        verified = run(python, "-B", "-c", script, dest, *where, stdin=login)
        assert verified.stdout.startswith("TLS_"), verified.stderr
        refused = run(python, "-B", "-c", script, stranger.bundle, *where, stdin=login)
        assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr


def test_python_verifies_strictly_with_it(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    fetch().ok()
    found = [path for series in range(9, 15) if (path := shutil.which(f"python3.{series}"))]
    assert found
    for python in found:
        verified = run(python, "-B", "-c", VERIFY_STRICTLY, dest, "127.0.0.1", str(mirror.port))
        assert verified.stdout == "TLSv1.3\n", (python, verified.stderr)
