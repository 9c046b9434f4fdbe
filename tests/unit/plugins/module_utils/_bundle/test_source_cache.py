# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import source_cache
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.download import Validators
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.source_cache import KnownSource
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509

from tests.servers import Pki

FIRST, SECOND = "https://mirror.example/first.pem", "https://mirror.example/second.pem"
CHECKSUM = "0" * 64


@pytest.fixture(name="bundled")
def _bundled(pki: Pki) -> tuple[x509.Certificate, ...]:
    return x509.parse_pem(pki.bundle.read_bytes(), "here")


def known(bundled: tuple[x509.Certificate, ...]) -> dict[str, KnownSource]:
    return {
        FIRST: KnownSource(Validators(etag='"1"'), 100, bundled[:1]),
        SECOND: KnownSource(Validators(last_modified="Tue, 24 Nov 2026 20:00:00 GMT"), 200, bundled),
    }


def load(
    content: bytes | None, urls: t.Sequence[str], bundled: tuple[x509.Certificate, ...], checksum: str = CHECKSUM
) -> dict[str, KnownSource]:
    """What is known of the sources; nothing where there is no record."""
    assert content is not None
    record = source_cache.load(content, checksum)
    return record.known(urls, bundled) if record else {}


def described(content: bytes | None, ders: t.Sequence[bytes]) -> tuple[x509.Certificate, ...] | None:
    assert content
    record = source_cache.load(content, CHECKSUM)
    return record.described(ders) if record else None


def test_it_comes_back_as_it_was(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_cache.dump(known(bundled), CHECKSUM, bundled, ())
    assert load(content, [FIRST, SECOND], bundled) == known(bundled)
    assert load(content, [SECOND], bundled) == {SECOND: known(bundled)[SECOND]}
    assert load(content, ["https://mirror.example/third.pem"], bundled) == {}


def test_what_the_certificates_say_comes_back(bundled: tuple[x509.Certificate, ...], pki: Pki) -> None:
    server = x509.parse_pem(pki.server().cert.read_bytes(), "here")
    everything = (*bundled, *server)
    content = source_cache.dump(known(bundled), CHECKSUM, everything, ())
    ders = [certificate.der for certificate in everything]
    assert server[0].san
    assert described(content, ders) == everything
    for others in (ders[1:], ders[::-1], [*ders, ders[0]], []):
        assert described(content, others) is None


def test_no_url_is_in_it(bundled: tuple[x509.Certificate, ...]) -> None:
    url = "https://mirror.example/first.pem?signature=s3cret"
    content = source_cache.dump({url: known(bundled)[FIRST]}, CHECKSUM, bundled, ())
    assert content
    assert b"s3cret" not in content
    assert b"mirror" not in content
    assert list(load(content, [url], bundled)) == [url]


def test_a_certificate_that_was_dropped_is_in_it(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_cache.dump(known(bundled), CHECKSUM, bundled[1:], bundled[:1])
    assert load(content, [FIRST, SECOND], bundled[1:]) == known(bundled)


def test_a_source_without_validators_cannot_be_asked(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_cache.dump({FIRST: KnownSource(Validators(), 1, bundled)}, CHECKSUM, bundled, ())
    assert load(content, [FIRST], bundled) == {}
    assert described(content, [certificate.der for certificate in bundled]) == bundled


def test_the_scope_and_what_is_weak_come_back(bundled: tuple[x509.Certificate, ...]) -> None:
    weak = {bundled[1].fingerprint_sha256: ("rsa", "signature")}
    content = source_cache.dump(known(bundled), CHECKSUM, bundled, (), scope="current global", weaknesses=weak)
    record = source_cache.load(content, CHECKSUM)
    assert record
    assert record.scope == "current global"
    assert record.weaknesses() == weak
    assert record.remembered() == tuple(c._replace(der=b"") for c in bundled)
    for rules in (["nonsense"], [1], None, "rsa"):
        other = source_cache.load(changed(content, ("certificates", 1, "weak"), rules), CHECKSUM)
        assert other
        assert other.weaknesses() == {}


def test_of_another_file_or_of_one_that_was_edited(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_cache.dump(known(bundled), CHECKSUM, bundled, ())
    assert load(content, [FIRST], bundled, "1" * 64) == {}
    assert load(content, [FIRST, SECOND], bundled[1:]) == {}


def changed(content: bytes, path: tuple[t.Any, ...], value: t.Any) -> bytes:
    record = json.loads(content)
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(record).encode()


def ruined(content: bytes) -> t.Iterator[bytes]:
    yield b""
    yield b"\xff\xfe"
    yield b"[]"
    yield b"17"
    yield content[:-20]
    for path, value in (
        (("version",), 1),
        (("file_sha256",), None),
        (("sources",), None),
        (("sources",), [17]),
        (("sources", 0), {}),
        (("sources", 0, "certificates"), None),
        (("sources", 0, "certificates"), ["AB:CD"]),
        (("sources", 0, "bytes"), "many"),
        (("dropped",), None),
        (("dropped",), ["!!"]),
        (("dropped", 0, "der"), "AAAA"),
        (("dropped", 0, "der"), "!!"),
    ):
        yield changed(content, path, value)


def test_nonsense_is_as_good_as_nothing(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_cache.dump(known(bundled), CHECKSUM, bundled, bundled[:1])
    assert content
    for wrong in ruined(content):
        assert load(wrong, [FIRST], bundled) == {}, wrong


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("common_name", 17),
        ("subject", None),
        ("fingerprint_sha256", "AB:CD"),
        ("not_after", "tomorrow"),
        ("not_after", 1e300),
        ("san", None),
    ],
)
def test_a_description_that_makes_no_sense(bundled: tuple[x509.Certificate, ...], field: str, value: object) -> None:
    content = source_cache.dump(known(bundled), CHECKSUM, bundled, ())
    assert content
    ders = [certificate.der for certificate in bundled]
    assert described(changed(content, ("certificates", 0, field), value), ders) is None
    assert described(changed(content, ("certificates",), 17), ders) is None
