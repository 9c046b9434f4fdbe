# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What certificates.py says of certificates, held against OpenSSL itself and against damaged ones."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import random
import ssl
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import check
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates, names
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if t.TYPE_CHECKING:
    from pathlib import Path

KEY = ec.generate_private_key(ec.SECP256R1())
_NAME_MISMATCH = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def self_signed(
    common_name: str, dns_names: t.Sequence[str], addresses: t.Sequence[str], more_names: t.Sequence[str] = ()
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value) for value in (common_name, *more_names)])
    now = dt.datetime.now(dt.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(5)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(dns_name) for dns_name in dns_names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(KEY, hashes.SHA256())


def openssl_accepts(certificate: x509.Certificate, host: str, directory: Path) -> bool:
    """Whether a TLS client that verifies the name goes on with this certificate."""
    path = directory / "server.pem"
    key = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(str(path))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl_context(str(path), check_hostname=True, tls_min_version="TLSv1.2").wrap_bio(
        to_client, to_server, server_hostname=host
    )
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _flight in range(5):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as e:
            assert e.verify_code in _NAME_MISMATCH, e  # noqa: PT017  nothing else may be wrong
            return False
        else:
            return True
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize(
    ("common_name", "dns_names", "addresses", "host"),
    [
        ("cn", ["db.example"], [], "db.example"),
        ("cn", ["db.example"], [], "DB.Example"),
        ("cn", ["DB.example"], [], "db.example"),
        ("cn", ["db.example"], [], "db.example."),
        ("cn", ["db.example."], [], "db.example"),
        ("cn", ["db.example"], [], "xdb.example"),
        ("cn", ["db.example"], [], "db.example.evil"),
        ("cn", ["other.example", "db.example"], [], "db.example"),
        ("cn", ["localhost"], [], "localhost"),
        ("cn", ["db_1.example"], [], "db_1.example"),
        ("db.example", [], [], "db.example"),
        ("db.example", ["other.example"], [], "db.example"),
        ("db.example", [], ["127.0.0.1"], "db.example"),
        ("*.x.example", [], [], "db.x.example"),
        ("a name", [], [], "db.example"),
        ("127.0.0.1", [], [], "127.0.0.1"),
        ("cn", ["127.0.0.1"], [], "127.0.0.1"),
        ("cn", [], ["127.0.0.1"], "127.0.0.1"),
        ("cn", ["db.example"], ["127.0.0.1"], "127.0.0.2"),
        ("cn", [], ["::1"], "::1"),
        ("cn", [], ["::1"], "0:0:0:0:0:0:0:1"),
        ("cn", [], ["10.0.0.1"], "::ffff:10.0.0.1"),
        ("cn", ["*.x.example"], [], "db.x.example"),
        ("cn", ["*.x.example"], [], "DB.X.EXAMPLE"),
        ("cn", ["*.x.example"], [], "a.db.x.example"),
        ("cn", ["*.x.example"], [], "x.example"),
        ("cn", ["*.x.example"], [], "db.x.example."),
        ("cn", ["*.x.example"], [], "d_b.x.example"),
        ("cn", ["*.x.example"], [], "-.x.example"),
        ("cn", ["*.x.example"], [], "xn--bcher-kva.x.example"),
        ("cn", ["*.x.example"], [], "b\u00fccher.x.example"),
        ("cn", ["*.a_b.example"], [], "db.a_b.example"),
        ("cn", ["*.-ab.example"], [], "db.-ab.example"),
        ("cn", ["*.a-b.example"], [], "db.a-b.example"),
        ("cn", ["*.example"], [], "db.example"),
        ("cn", ["*"], [], "db"),
        ("cn", ["d*.x.example"], [], "db.x.example"),
        ("cn", ["*b.x.example"], [], "db.x.example"),
        ("cn", ["xn--*.x.example"], [], "xn--bcher-kva.x.example"),
        ("cn", ["db.*.example"], [], "db.x.example"),
        ("cn", ["*.*.example"], [], "db.x.example"),
        ("cn", [".x.example"], [], "db.x.example"),
    ],
)
def test_matches_host_as_openssl_does(
    common_name: str, dns_names: list[str], addresses: list[str], host: str, tmp_path: Path
) -> None:
    certificate = self_signed(common_name, dns_names, addresses)
    parsed = certificates.parse_certificate(certificate.public_bytes(serialization.Encoding.DER), "server")
    assert names.matches_host(parsed, host) is openssl_accepts(certificate, host, tmp_path)


@pytest.mark.parametrize(
    ("more_names", "dns_names", "host"),
    [
        (["db.example"], [], "db.example"),
        (["x.example", "*.b.example"], [], "db.b.example"),
        (["db.example"], ["other.example"], "db.example"),
        (["db.example"], [], "other.example"),
        (["127.0.0.1"], [], "127.0.0.1"),
    ],
)
def test_every_common_name_counts(more_names: list[str], dns_names: list[str], host: str, tmp_path: Path) -> None:
    certificate = self_signed("first", dns_names, [], more_names)
    parsed = certificates.parse_certificate(certificate.public_bytes(serialization.Encoding.DER), "server")
    assert parsed.common_name == "first"
    assert parsed.common_names == ("first", *more_names)
    assert names.matches_host(parsed, host) is openssl_accepts(certificate, host, tmp_path)


def test_a_name_too_long_for_a_host_matches_nothing() -> None:
    der = self_signed("cn", ["db.example"], []).public_bytes(serialization.Encoding.DER)
    parsed = certificates.parse_certificate(der, "server")
    assert not names.matches_host(parsed, "d" * 64 + ".example")
    assert not names.matches_host(parsed, "")


def test_a_damaged_certificate_is_described_or_refused_by_name() -> None:
    der = self_signed("db.example", ["db.example", "*.x.example"], ["10.0.0.1"]).public_bytes(
        serialization.Encoding.DER
    )
    moment = utc_now()
    values = random.Random(2026)  # noqa: S311
    refused = 0
    for position, byte in enumerate(der):
        for value in {0, 1, 4, 0x30, 0xFF, byte ^ 0x80, byte ^ 1, values.randrange(256)} - {byte}:
            damaged = der[:position] + bytes([value]) + der[position + 1 :]
            try:
                certificate = certificates.parse_certificate(damaged, "db:3306")
                check.check_bundle([certificate], {damaged: "db:3306"})
            except CertificateError as e:
                assert e.message.startswith("db:3306 ")  # noqa: PT017  some damage cannot be seen
                refused += 1
            else:
                assert certificate.describe(moment)["fingerprint_sha256"]
    assert refused > len(der)


@pytest.mark.parametrize(
    ("issuer", "authority", "retired"),
    [
        ("Amazon RDS Root CA", "rds-ca-2015", True),
        ("Amazon RDS us-east-1 CA", "rds-ca-2015", True),
        ("Amazon RDS eu-north-1 CA", "rds-ca-2015", True),
        ("Amazon RDS Root 2019 CA", "rds-ca-2019", True),
        ("Amazon RDS us-east-1 2019 CA", "rds-ca-2019", True),
        ("Amazon RDS Preview us-east-2 2019 CA", "rds-ca-2019", True),
        ("Amazon RDS Beta Root 2019 CA", "rds-ca-2019", True),
        ("Amazon RDS af-south-1 CA", "rds-ca-2019", True),
        ("Amazon RDS me-south-1 Root CA", "rds-ca-2019", True),
        ("Amazon RDS us-gov-west-1 CA", "rds-ca-2017", True),
        ("Amazon RDS GovCloud Root CA", "rds-ca-2017", True),
        ("Amazon RDS eu-central-1 Root CA RSA2048 G1", "rds-ca-rsa2048-g1", False),
        ("Amazon RDS us-gov-west-1 Root CA RSA4096 G1", "rds-ca-rsa4096-g1", False),
        ("Amazon RDS Preview us-east-2 Root CA ECC384 G1", "rds-ca-ecc384-g1", False),
        ("Amazon RDS eu-central-1 Subordinate CA ECC384 G1.A.1", "rds-ca-ecc384-g1", False),
        ("Amazon RDS eu-central-1 Root CA RSA2048 G2", "rds-ca-rsa2048-g2", False),
        ("Amazon RDS eu-central-1 Test CA", None, False),
        ("aws.amazon.com/rds/", None, False),
        ("Amazon Root CA 1", None, False),
        ("Somebody's CA RSA2048 G1", None, False),
    ],
)
def test_rds_authority_by_the_names_that_aws_has_given(issuer: str, authority: str | None, retired: bool) -> None:
    der = self_signed(issuer, [], []).public_bytes(serialization.Encoding.DER)
    certificate = certificates.parse_certificate(der, "server")
    assert _rds.rds_authority(certificate) == authority
    assert _rds.is_retired_authority(authority) is retired
