# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import time
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates, names
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError, pem_to_ders
from cryptography import x509
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.servers import Pki

if t.TYPE_CHECKING:
    from pathlib import Path


def load(path: Path) -> certificates.Certificate:
    return certificates.parse_pem(path.read_bytes(), str(path))[0]


def named(*san: str, common_name: str = "cn.example") -> certificates.Certificate:
    moment = utc_now()
    return certificates.Certificate(
        common_name,
        "",
        "",
        "1",
        moment,
        moment,
        "",
        "",
        is_ca=False,
        self_signed=False,
        san=san,
        der=b"",
        common_names=(common_name,),
    )


def test_a_description_agrees_with_openssl(pki: Pki) -> None:
    leaf = load(pki.leaf)
    decoded: dict[str, t.Any] = ssl._ssl._test_decode_cert(str(pki.leaf))  # type: ignore[attr-defined]
    assert int(leaf.serial_number, 16) == int(decoded["serialNumber"], 16)
    assert leaf.not_after.timestamp() == ssl.cert_time_to_seconds(decoded["notAfter"])
    assert set(leaf.san) == {"DNS:localhost", "IP:127.0.0.1", "IP:::1"}
    assert leaf.key == "RSA 2048"
    assert not leaf.is_ca
    root = load(pki.root)
    assert root.is_ca
    assert root.self_signed
    assert not load(pki.intermediate).self_signed


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN CERTIFICATE-----\n" * 70_000,
        b"-----BEGIN CERTIFICATE-----" + b"\n" * 2_000_000,
        b"-----BEGIN CERTIFICATE-----" + b"-----END " * 200_000,
        b"-----BEGIN " * 180_000 + b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n" + b"A \t" * 600_000,
    ],
    ids=["begins", "blank", "ends", "half-begins", "white-space"],
)
def test_hostile_pem_is_refused_at_once(content: bytes) -> None:
    """As large as a source may be; what grows with the square of that would take hours."""
    started = time.monotonic()
    with pytest.raises(CertificateError, match="is truncated"):
        pem_to_ders(content, "https://mirror/bundle.pem")
    assert time.monotonic() - started < 60


def test_pem_comes_out_as_it_went_in(pki: Pki) -> None:
    parsed = certificates.parse_pem(pki.bundle.read_bytes(), "bundle")
    assert b"".join(certificate.pem for certificate in parsed) == pki.bundle.read_bytes()


@pytest.mark.parametrize(
    ("not_after", "now", "days"),
    [
        ("2028-02-29T12:00:00", "2027-02-28T12:00:00", 366),
        ("2028-02-29T12:00:00", "2028-02-29T11:59:59", 0),
        ("2028-02-29T12:00:00", "2028-03-01T12:00:00", -1),
        ("2121-05-24T22:00:00", "2026-11-24T22:00:00", 34514),
        ("9999-12-31T23:59:59", "2026-11-24T00:00:00", 2912115),  # RFC 5280: no end
    ],
)
def test_leap_days_and_far_years(not_after: str, now: str, days: int) -> None:
    end, then = (dt.datetime.fromisoformat(f"{text}+00:00") for text in (not_after, now))
    key = ec.generate_private_key(ec.SECP256R1(), default_backend())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "far away")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(end - dt.timedelta(days=9)).not_valid_after(end)
    made = builder.sign(key, hashes.SHA256(), default_backend())
    found = certificates.parse_certificate(made.public_bytes(Encoding.DER), "here")
    assert found.not_after == end
    assert found.days_left(then) == days
    assert found.expired(then) == (days < 0)
    assert found.describe(then)["not_after"] == f"{not_after}Z"


def test_days_left() -> None:
    certificate = named()
    day = dt.timedelta(days=1)
    assert certificate.days_left(certificate.not_after - day * 3) == 3
    assert certificate.days_left(certificate.not_after + day) == -1
    assert certificate.expired(certificate.not_after)
    assert not certificate.expired(certificate.not_after - dt.timedelta(seconds=1))


@pytest.mark.parametrize(
    ("san", "host", "matches"),
    [
        (["DNS:db.example"], "DB.example", True),
        (["DNS:db.example"], "db.example.", False),
        (["DNS:db.example"], "cn.example", False),
        ([], "cn.example", True),
        (["DNS:*.abc.rds.example"], "db.abc.rds.example", True),
        (["DNS:*.abc.rds.example"], "a.db.abc.rds.example", False),
        (["DNS:*.abc.rds.example"], "abc.rds.example", False),
        (["DNS:d*.rds.example"], "db.rds.example", False),
        (["IP:127.0.0.1"], "127.0.0.1", True),
        (["DNS:127.0.0.1"], "127.0.0.1", False),
        (["IP:::1"], "0:0:0:0:0:0:0:1", True),
        (["DNS:db.example\x00.evil"], "db.example", False),
    ],
)
def test_matches_host(san: list[str], host: str, matches: bool) -> None:
    assert names.matches_host(named(*san), host) is matches


@pytest.mark.parametrize(
    ("issuer", "authority"),
    [
        ("CN=Amazon RDS eu-central-1 CA,O=Amazon Web Services\\, Inc.", "rds-ca-2015"),
        ("CN=Amazon RDS eu-central-1 2019 CA,O=Amazon Web Services\\, Inc.", "rds-ca-2019"),
        ("CN=Amazon RDS eu-central-1 Root CA RSA2048 G1", "rds-ca-rsa2048-g1"),
        ("CN=Amazon RDS eu-central-1 Subordinate CA RSA4096 G1.A.2", "rds-ca-rsa4096-g1"),
        ("CN=Amazon RDS eu-central-1 Root CA ECC384 G1", "rds-ca-ecc384-g1"),
        ("CN=Amazon Root CA 1,O=Amazon", None),
    ],
)
def test_rds_authority(issuer: str, authority: str | None) -> None:
    moment = utc_now()
    certificate = certificates.Certificate(
        "", "", issuer, "1", moment, moment, "", "", is_ca=False, self_signed=False, san=(), der=b""
    )
    assert _rds.rds_authority(certificate) == authority


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            [("COUNTRY_NAME", "DE"), ("ORGANIZATION_NAME", "It's, Inc."), ("COMMON_NAME", "a,b=c")],
            "/C=DE/O=It's, Inc./CN=a,b=c",
        ),
        ([("COMMON_NAME", "app"), ("EMAIL_ADDRESS", "app@example.com")], "/CN=app/emailAddress=app@example.com"),
        ([("COMMON_NAME", "app"), ("COMMON_NAME", "second")], "/CN=app/CN=second"),
        ([("COMMON_NAME", "M\u00fcller")], None),
        ([("COMMON_NAME", "a/b")], None),
        ([("COMMON_NAME", "a+b")], None),
        ([("COMMON_NAME", "app"), ("PSEUDONYM", "x")], None),
    ],
)
def test_names_as_servers_want_them(attributes: list[tuple[str, str]], expected: str | None, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1(), default_backend())
    name = x509.Name([x509.NameAttribute(getattr(NameOID, oid), value) for oid, value in attributes])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    now = utc_now()
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    pem = builder.sign(key, hashes.SHA256(), default_backend()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # A client certificate's file may hold its key, too.
    assert names.names_as_required(private + pem, "client.pem") == (expected, "/CN=issuer")
    if expected:
        (tmp_path / "client.pem").write_bytes(pem)
        command = ["openssl", "x509", "-in", str(tmp_path / "client.pem"), "-noout", "-subject", "-nameopt", "compat"]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        assert said.strip() == f"subject={expected}"
    with pytest.raises(CertificateError, match=r"client\.pem holds no PEM certificate"):
        names.names_as_required(private, "client.pem")
