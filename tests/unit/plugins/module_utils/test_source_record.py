# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import source_record
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.downloads import Validators
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.source_record import KnownSource

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


def test_it_comes_back_as_it_was(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_record.dump(known(bundled), CHECKSUM, ())
    assert content
    assert source_record.load(content, [FIRST, SECOND], CHECKSUM, bundled) == known(bundled)
    assert source_record.load(content, [SECOND], CHECKSUM, bundled) == {SECOND: known(bundled)[SECOND]}
    assert source_record.load(content, ["https://mirror.example/third.pem"], CHECKSUM, bundled) == {}


def test_a_password_in_the_url_neither_is_in_it_nor_matters(bundled: tuple[x509.Certificate, ...]) -> None:
    secret = "https://reader:s3cret@mirror.example/first.pem?signature=also-s3cret"
    content = source_record.dump({secret: known(bundled)[FIRST]}, CHECKSUM, ())
    assert content
    assert b"s3cret" not in content
    assert b"mirror" not in content
    other = secret.replace("reader:s3cret", "reader:another")
    assert list(source_record.load(content, [other], CHECKSUM, bundled)) == [other]


def test_a_certificate_that_was_dropped_is_in_it(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_record.dump(known(bundled), CHECKSUM, bundled[:1])
    assert content
    assert source_record.load(content, [FIRST, SECOND], CHECKSUM, bundled[1:]) == known(bundled)


def test_without_validators_there_is_none(bundled: tuple[x509.Certificate, ...]) -> None:
    assert source_record.dump({FIRST: KnownSource(Validators(), 1, bundled)}, CHECKSUM, ()) is None


def test_of_another_file_or_of_one_that_was_edited(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_record.dump(known(bundled), CHECKSUM, ())
    assert content
    assert source_record.load(content, [FIRST], "1" * 64, bundled) == {}
    assert source_record.load(content, [FIRST, SECOND], CHECKSUM, bundled[1:]) == {}


def ruined(content: bytes) -> t.Iterator[bytes]:
    yield b""
    yield b"\xff\xfe"
    yield b"[]"
    yield b"17"
    yield content[:-20]
    for path, value in (
        (("version",), 2),
        (("file_sha256",), None),
        (("sources",), None),
        (("sources",), [17]),
        (("sources", 0), {}),
        (("sources", 0, "certificates"), None),
        (("sources", 0, "certificates"), ["AB:CD"]),
        (("sources", 0, "bytes"), "many"),
        (("dropped",), None),
        (("dropped",), ["!!"]),
        (("dropped",), ["AAAA"]),
    ):
        record = json.loads(content)
        place = record
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        yield json.dumps(record).encode()


def test_nonsense_is_as_good_as_nothing(bundled: tuple[x509.Certificate, ...]) -> None:
    content = source_record.dump(known(bundled), CHECKSUM, ())
    assert content
    for wrong in ruined(content):
        assert source_record.load(wrong, [FIRST], CHECKSUM, bundled) == {}, wrong
