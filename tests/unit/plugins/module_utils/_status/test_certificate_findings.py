# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What findings about certificates advise, for certificates of each origin."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.handshake import Greeting, Handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Finding
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.findings import findings
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerCertificate, ServerStatus
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import Certificate

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.timezone.utc)
PARAMS = {
    "login_port": 3306,
    "login_user": None,
    "connect_timeout": 5,
    "tls_min_version": "TLSv1.2",
    "config_file": None,
}
GOOD = Certificate(
    common_name="db.example.com",
    subject="CN=db.example.com",
    issuer="CN=Example CA",
    serial_number="1",
    not_before=NOW - dt.timedelta(days=10),
    not_after=NOW + dt.timedelta(days=300),
    fingerprint_sha256="AA",
    key="RSA 2048",
    is_ca=False,
    self_signed=False,
    san=("DNS:db.example.com",),
    der=b"leaf",
    signature_hash="sha256",
)
ISSUER = GOOD._replace(common_name="Example CA", subject="CN=Example CA", issuer="CN=Root", is_ca=True, der=b"ca")
RDS = GOOD._replace(issuer="CN=Amazon RDS eu-central-1 Root CA ECC384 G1,OU=Amazon RDS,O=Amazon Web Services\\, Inc.")
ACM = GOOD._replace(issuer="CN=Amazon RSA 2048 M01,O=Amazon,C=US")
EXPIRED: dict[str, t.Any] = {"not_after": NOW - dt.timedelta(days=1)}


@pytest.fixture(autouse=True)
def _no_option_file(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def found(leaf: Certificate, *chain: Certificate, host: str = "db.example.com", **shown: t.Any) -> dict[str, Finding]:
    options = ConnectionOptions.from_params({**PARAMS, "login_host": host})
    certificate = ServerCertificate(leaf, (leaf, *chain), shown.pop("trusted", None), shown.pop("error", None), True)
    status = ServerStatus(replace(options, ca_cert="/ca.pem"), Handshake(Greeting("8.0.39", 0x800)), now=NOW)
    return {one.id: one for one in findings(replace(status, certificate=certificate), 30)}


def test_a_good_certificate_has_none() -> None:
    assert found(GOOD, ISSUER, trusted=True) == {}


@pytest.mark.parametrize("days", [-1, 20])
def test_an_issuer_that_has_expired_or_will(days: int) -> None:
    kinds = found(GOOD, ISSUER._replace(not_after=NOW + dt.timedelta(days=days)))
    (one,) = kinds.values()
    assert one.id == ("certificate-expired" if days < 0 else "certificate-expiring")
    assert one.subject == "CN=Example CA"
    assert "Get the renewed certificate of CN=Example CA from its owner" in one.remediation


def test_an_expired_issuer_is_not_to_be_added_to_ca_cert() -> None:
    kinds = found(GOOD, ISSUER._replace(**EXPIRED), trusted=False, error="certificate has expired")
    assert kinds["certificate-untrusted"].remediation == kinds["certificate-expired"].remediation


def test_an_expired_root_in_ca_cert() -> None:
    kinds = found(GOOD, ISSUER, trusted=False, error="certificate has expired")
    assert "/ca.pem has expired" in kinds["certificate-untrusted"].remediation


def test_the_authority_keeps_its_family() -> None:
    todo = found(RDS._replace(**EXPIRED), host="orders.c1a2b3.eu-central-1.rds.amazonaws.com")
    command = todo["certificate-expired"].remediation
    assert "--db-instance-identifier orders --ca-certificate-identifier rds-ca-ecc384-g1" in command
    assert "restart" in command


@pytest.mark.parametrize(
    ("leaf", "host"),
    [
        (ACM, "shop.cluster-c1a2b3.eu-central-1.rds.amazonaws.com"),
        (ACM, "shop.proxy-c1a2b3.eu-central-1.rds.amazonaws.com"),
        (ACM, "more.endpoint.proxy-c1a2b3.eu-central-1.rds.amazonaws.com"),
        (GOOD, "shop.proxy-c1a2b3.eu-central-1.rds.amazonaws.com"),
    ],
)
def test_proxies_and_serverless_are_renewed_by_aws(leaf: Certificate, host: str) -> None:
    for kind, words in (("certificate-expired", "nothing to run"), ("certificate-untrusted", "Amazon Root CA 1")):
        shown = leaf._replace(**EXPIRED) if kind == "certificate-expired" else leaf
        todo = found(shown, host=host, trusted=False, error="unable to get local issuer certificate")[kind].remediation
        assert words in todo
        assert "modify-db-instance" not in todo
        assert "rds_ca_bundle" not in todo


@pytest.mark.parametrize(
    "generated",
    [
        GOOD._replace(common_name="MySQL_Server_8.0.39_Auto_Generated_Server_Certificate", san=()),
        GOOD._replace(common_name="MariaDB Server", self_signed=True, san=()),
    ],
)
def test_a_certificate_that_the_server_has_made(generated: Certificate) -> None:
    for one in found(generated._replace(**EXPIRED), trusted=False, error="self-signed certificate").values():
        assert one.remediation.startswith("Give the server a certificate from a CA")


@pytest.mark.parametrize(
    ("weak", "words"),
    [
        ({"key": "RSA 1024"}, "a key of 1024 bits"),
        ({"signature_hash": "sha1"}, "a signature with SHA1"),
        (
            {"key": "RSA 512", "signature_hash": "md5"},
            "a key of 512 bits (RSA, where 2048 are the least that is strong) ",
        ),
    ],
)
def test_weak_certificates(weak: dict[str, t.Any], words: str) -> None:
    assert words in found(GOOD._replace(**weak))["weak-certificate"].message
    (one,) = found(GOOD, ISSUER._replace(**weak)).values()
    assert one.subject == "CN=Example CA"
    assert words in one.message


def test_nobody_relies_on_the_signature_of_a_root() -> None:
    assert found(GOOD, ISSUER._replace(self_signed=True, signature_hash="sha1")) == {}


def test_keys_that_are_strong() -> None:
    for key in ("RSA 2048", "RSA 4096", "EC secp256r1", "Ed25519", "unknown (ValueError)"):
        assert found(GOOD._replace(key=key)) == {}
