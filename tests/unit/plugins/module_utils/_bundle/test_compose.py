# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import check
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import compose as composing
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.access import Access
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.download import MAX_SOURCE_BYTES, SourceError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError

from tests.servers import Mirror, Pki

from ..scripted_server import scripted


@pytest.fixture(name="mirror")
def _mirror(pki: Pki, tmp_path: Path) -> t.Iterator[Mirror]:
    with Mirror(pki.write_trust_store(tmp_path / "store"), certificate=pki.server()) as mirror:
        yield mirror


def compose(*urls: str, **options: t.Any) -> composing.Bundle:
    return composing.compose(urls, Access(timeout=5, retries=0), **options)


def access(pki: Pki, timeout: int = 5) -> Access:
    return Access(timeout=timeout, retries=0, ca_path=str(pki.root))


def made_of(tmp_path: Path, *parts: bytes) -> str:
    path = tmp_path / "source.pem"
    path.write_bytes(b"".join(parts))
    return path.as_uri()


@pytest.mark.parametrize(
    ("region", "ca_set", "urls"),
    [
        (
            "eu-central-1",
            "current",
            ["https://truststore.pki.rds.amazonaws.com/eu-central-1/eu-central-1-bundle.pem"],
        ),
        ("global", "current", ["https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"]),
        (
            "us-gov-east-1",
            "current",
            ["https://truststore.pki.us-gov-west-1.rds.amazonaws.com/us-gov-east-1/us-gov-east-1-bundle.pem"],
        ),
        (
            "cn-north-1",
            "current",
            ["https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/cn-north-1/cn-north-1-bundle.pem"],
        ),
        (
            "eu-central-1",
            "rds-ca-2015",
            [
                "https://s3.amazonaws.com/rds-downloads/rds-ca-2015-eu-central-1.pem",
                "https://s3.amazonaws.com/rds-downloads/rds-ca-2015-root.pem",
            ],
        ),
    ],
)
def test_where_aws_publishes(region: str, ca_set: str, urls: list[str]) -> None:
    assert list(_rds.source_urls(region, ca_set, None)) == urls


@pytest.mark.parametrize("region", ["", "EU-central-1", "eu-central", "eu central 1", "../etc", "eu-central-1\n"])
def test_a_region_that_is_none(region: str) -> None:
    with pytest.raises(OptionError, match=r"^region: "):
        _rds.source_urls(region, "current", None)


def test_old_sets_need_a_region() -> None:
    with pytest.raises(OptionError, match=r"^region: "):
        _rds.source_urls("global", "rds-ca-2019", None)


def test_from_a_mirror_over_https(mirror: Mirror, pki: Pki) -> None:
    urls = _rds.source_urls("eu-central-1", "current", mirror.url)
    bundle = composing.compose(urls, access(pki))
    assert bundle.content == pki.bundle.read_bytes()
    assert [source.status for source in bundle.sources] == ["fetched"]
    with pytest.raises(SourceError, match="certificate does not verify"):
        composing.compose(urls, Access(retries=0))


def test_a_mirror_that_answers_otherwise(mirror: Mirror, pki: Pki) -> None:
    (url,) = _rds.source_urls("eu-central-1", "current", mirror.url)
    path = "/eu-central-1/eu-central-1-bundle.pem"
    mirror.respond(path, status=404)
    with pytest.raises(SourceError, match=r"eu-central-1-bundle\.pem answered 404"):
        composing.compose((url,), access(pki))
    mirror.respond(path, status=200, body=b"<!DOCTYPE html><html>Please log in</html>")
    with pytest.raises(CertificateError, match="looks like an HTML page"):
        composing.compose((url,), access(pki))
    mirror.respond(path, status=200, body=b"x" * (MAX_SOURCE_BYTES + 1))
    with pytest.raises(SourceError, match="larger than"):
        composing.compose((url,), access(pki))


def test_text_crlf_and_repetitions_leave_a_clean_bundle(pki: Pki, tmp_path: Path) -> None:
    bundle = pki.bundle.read_bytes()
    url = made_of(tmp_path, b"# the root\r\n", bundle.replace(b"\n", b"\r\n"), b"text\n", bundle)
    assert compose(url).content == bundle


def bad_sources(pki: Pki) -> dict[str, tuple[bytes, str]]:
    bundle = pki.bundle.read_bytes()
    return {
        "empty": (b" \n", "is empty"),
        "truncated": (bundle[:-200], "is truncated"),
        "leaf": (pki.leaf.read_bytes() + bundle, "not a CA certificate"),
        "key": (bundle + pki.server().key.read_bytes(), "holds a private key"),
        "missing issuer": (pki.intermediate.read_bytes(), "is not in the bundle"),
        "forged": (pki.forged_bundle.read_bytes(), "signature does not verify"),
        "json": (b'{"error": 1}', "looks like JSON"),
        "garbage": (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be parsed"),
    }


@pytest.mark.parametrize("kind", ["empty", "truncated", "leaf", "key", "missing issuer", "forged", "json", "garbage"])
def test_what_is_no_bundle_names_source_and_reason(kind: str, pki: Pki, tmp_path: Path) -> None:
    content, reason = bad_sources(pki)[kind]
    url = made_of(tmp_path, content)
    with pytest.raises(CertificateError, match=reason) as caught:
        compose(url)
    assert url in str(caught.value)
    assert "PRIVATE KEY-----" not in str(caught.value)


def test_expired(pki: Pki, tmp_path: Path) -> None:
    url = pki.expired_bundle.as_uri()
    kept = compose(url)
    assert any("expired on" in warning for warning in composing.expiry_warnings(kept, 0))
    with pytest.raises(CertificateError, match="holds expired certificates"):
        compose(url, expired="fail")
    left = compose(url, expired="drop")
    assert left.content == pki.bundle.read_bytes()
    assert [warning.endswith("was left out.") for warning in composing.expiry_warnings(left, 0)] == [True]
    expired_root = kept.content[len(left.content) :]
    with pytest.raises(CertificateError, match="dropping leaves none"):
        compose(made_of(tmp_path, expired_root), expired="drop")


def test_checksum(pki: Pki) -> None:
    url = pki.bundle.as_uri()
    right = compose(url).checksum
    assert compose(url, checksum=f"sha256:{right.upper()}").checksum == right
    with pytest.raises(SourceError, match=f"sha256:{right}, not sha256:{'0' * 64}"):
        compose(url, checksum="sha256:" + "0" * 64)
    with pytest.raises(OptionError, match=r"^checksum: "):
        compose(url, checksum="md5:" + "0" * 32)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///nowhere/bundle.pem", "/nowhere/bundle.pem cannot be read: No such file"),
        ("http://127.0.0.1:1/bundle.pem", "127.0.0.1:1/bundle.pem cannot be read: .*refused"),
        ("ftp://127.0.0.1/bundle.pem", "^urls: 'ftp://"),
    ],
)
def test_a_source_that_cannot_be_read(url: str, message: str) -> None:
    with pytest.raises(RdsMysqlError, match=message):
        compose(url)


def test_a_download_that_breaks_off_between_two_certificates_is_not_a_bundle(mirror: Mirror, pki: Pki) -> None:
    # What came is a bundle in itself, which only the promised length gives away.
    (url,) = _rds.source_urls("eu-central-1", "current", mirror.url)
    whole = pki.bundle.read_bytes()
    root = pki.root.read_bytes()
    mirror.respond("/eu-central-1/eu-central-1-bundle.pem", body=root, headers={"Content-Length": str(len(whole))})
    with pytest.raises(SourceError, match=r"eu-central-1-bundle\.pem"):
        composing.compose((url,), access(pki))


def test_https_does_not_lead_to_http(mirror: Mirror, pki: Pki, tmp_path: Path) -> None:
    (url,) = _rds.source_urls("eu-central-1", "current", mirror.url)
    path = "/eu-central-1/eu-central-1-bundle.pem"
    mirror.respond(path, status=302, headers={"Location": f"{mirror.url}/elsewhere.pem"})
    mirror.respond("/elsewhere.pem", body=pki.bundle.read_bytes())
    assert composing.compose((url,), access(pki)).content == pki.bundle.read_bytes()
    with Mirror(pki.write_trust_store(tmp_path / "plain")) as plain:
        mirror.respond(path, status=302, headers={"Location": plain.url + path})
        with pytest.raises(SourceError, match=r"redirects to http://.* which is not https; refused"):
            composing.compose((url,), access(pki))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n-----BEGIN",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["nothing", "ssh", "no status", "long line", "cut chunk", "no chunk"],
)
def test_what_is_no_web_server(answer: bytes) -> None:
    with scripted(lambda conversation: conversation.send_raw(answer)) as server:
        url = f"http://127.0.0.1:{server.port}/bundle.pem"
        with pytest.raises(SourceError, match=f"^{url} "):
            compose(url)


def test_a_source_that_does_not_answer(mirror: Mirror, pki: Pki) -> None:
    (url,) = _rds.source_urls("eu-central-1", "current", mirror.url)
    mirror.respond("/eu-central-1/eu-central-1-bundle.pem", body=pki.bundle.read_bytes(), delay=1.5)
    with pytest.raises(SourceError, match=r"eu-central-1-bundle\.pem .*(timed out|within 1 seconds)"):
        composing.compose((url,), access(pki, timeout=1))


def test_what_has_been_checked_is_not_checked_again_and_what_has_changed_is(mirror: Mirror, pki: Pki) -> None:
    url = f"{mirror.url}/eu-central-1/eu-central-1-bundle.pem"
    first = composing.compose([url], access(pki))
    validators = {url: source.validators for url, source in first.known.items()}

    def earlier(certificates: tuple[x509.Certificate, ...]) -> composing.Earlier:
        return composing.Earlier(validators, lambda: (first.known, certificates, {}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "check_bundle", None)
        same = composing.compose([url], access(pki), earlier=earlier(first.certificates))
        assert (same.sources[0].status, same.content) == ("not_modified", first.content)
        with pytest.raises(TypeError):
            composing.compose([url], access(pki), earlier=earlier(()))
    (mirror.directory / "eu-central-1/eu-central-1-bundle.pem").write_bytes(pki.intermediate.read_bytes())
    with pytest.raises(CertificateError, match="is not in the bundle"):
        composing.compose([url], access(pki), earlier=earlier(first.certificates))


def test_a_record_that_only_knows_what_to_ask_with(mirror: Mirror, pki: Pki) -> None:
    url = f"{mirror.url}/eu-central-1/eu-central-1-bundle.pem"
    first = composing.compose([url], access(pki))
    earlier = composing.Earlier({url: first.known[url].validators}, lambda: ({}, (), {}))
    again = composing.compose([url], access(pki), earlier=earlier)
    assert (again.sources[0].status, again.content) == ("fetched", first.content)
    assert [request.status for request in mirror.requests] == [200, 304, 200]
