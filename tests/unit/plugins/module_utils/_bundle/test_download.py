# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import access as access_rules
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import download
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.access import Access
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.download import SourceError, Validators
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError

from tests.servers import Mirror, Pki

from ..scripted_server import Conversation, scripted

BODY = b"what is downloaded\n"
SECRET = "s3cret-of-the-mirror"


@pytest.fixture(name="mirror")
def _mirror(pki: Pki, tmp_path: Path) -> t.Iterator[Mirror]:
    (tmp_path / "file").write_bytes(BODY)
    with Mirror(tmp_path, certificate=pki.server()) as mirror:
        yield mirror


@pytest.fixture(name="pauses")
def _pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr("time.sleep", made.append)
    return made


def access(pki: Pki, **options: t.Any) -> Access:
    return Access(**{"ca_path": str(pki.root), "timeout": 5, **options})


def test_what_has_not_changed_is_not_sent_again(mirror: Mirror, pki: Pki) -> None:
    url = f"{mirror.url}/file"
    first = download.read(url, access(pki))
    assert first.body == BODY
    assert first.validators.etag
    assert first.validators.last_modified
    for known in (
        first.validators,
        Validators(etag=first.validators.etag),
        Validators(last_modified=first.validators.last_modified),
    ):
        again = download.read(url, access(pki), known)
        assert again.body is None
        assert again.validators == known
    assert download.read(url, access(pki), Validators(etag='"another"')).body == BODY
    assert [request.status for request in mirror.requests] == [200, 304, 304, 304, 200]


def test_not_modified_is_no_answer_to_a_question_not_asked(mirror: Mirror, pki: Pki) -> None:
    mirror.respond("/file", status=304)
    with pytest.raises(SourceError, match="/file answered 304"):
        download.read(f"{mirror.url}/file", access(pki))


@pytest.mark.parametrize(
    ("etag", "last_modified", "kept"),
    [
        ('"abc"', "Tue, 24 Nov 2026 20:00:00 GMT", ('"abc"', "Tue, 24 Nov 2026 20:00:00 GMT")),
        ('W/"abc"', None, ('W/"abc"', None)),
        ("abc", "yesterday, or the day before", (None, None)),
        ('"abc"\r\nX-Injected: 1', "Tue, 24 Nov 2026\r\n 20:00:00 GMT", (None, None)),
        ('"' + "x" * 300 + '"', 17, (None, None)),
    ],
)
def test_only_well_formed_validators_are_kept(
    etag: t.Any, last_modified: t.Any, kept: tuple[str | None, str | None]
) -> None:
    validators = Validators.parse(etag, last_modified)
    assert (validators.etag, validators.last_modified) == kept
    assert bool(validators) == any(kept)


def test_what_may_pass_is_tried_again(mirror: Mirror, pki: Pki, pauses: list[float]) -> None:
    mirror.respond("/file", status=503, headers={"Retry-After": "7"}, times=1)
    assert download.read(f"{mirror.url}/file", access(pki)).body == BODY
    assert pauses == [7.0]
    mirror.respond("/file", status=503, headers={"Retry-After": "86400"}, times=1)
    download.read(f"{mirror.url}/file", access(pki))
    assert pauses == [7.0, 30.0]


def test_pauses_grow_and_attempts_end(mirror: Mirror, pki: Pki, pauses: list[float]) -> None:
    mirror.respond("/file", status=500)
    with pytest.raises(SourceError, match=r"/file answered 500 .*\. That was attempt 4 of 4\.$"):
        download.read(f"{mirror.url}/file", access(pki, retries=3))
    assert pauses == [1.0, 2.0, 4.0]
    assert len(mirror.requests) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_will_not_pass_is_not_tried_again(mirror: Mirror, pki: Pki, pauses: list[float], status: int) -> None:
    mirror.respond("/file", status=status)
    with pytest.raises(SourceError, match=f"/file answered {status}"):
        download.read(f"{mirror.url}/file", access(pki))
    assert pauses == []


def test_a_certificate_that_does_not_verify_is_not_tried_again(mirror: Mirror, pauses: list[float]) -> None:
    with pytest.raises(SourceError, match=r"its certificate does not verify .* ca_path names"):
        download.read(f"{mirror.url}/file", Access(timeout=5))
    assert pauses == []


def test_a_server_that_is_away_is_tried_again(pauses: list[float]) -> None:
    with pytest.raises(SourceError, match=r"refused\. That was attempt 3 of 3"):
        download.read("http://127.0.0.1:1/file", Access())
    assert len(pauses) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_password_goes_to_its_own_server_when_it_asks(mirror: Mirror, pki: Pki) -> None:
    mirror.require("reader", SECRET)
    known = access(pki, username="reader", password=SECRET)
    assert download.read(f"{mirror.url}/file", known).body == BODY
    assert [request.status for request in mirror.requests] == [401, 200]
    mirror.requests.clear()
    forced = access(pki, username="reader", password=SECRET, force_basic_auth=True)
    assert download.read(f"{mirror.url}/file", forced).body == BODY
    assert [request.status for request in mirror.requests] == [200]
    for wrong in (access(pki), access(pki, username="reader", password="wrong")):
        with pytest.raises(SourceError, match=r"answered 401 .*url_username and url_password"):
            download.read(f"{mirror.url}/file", wrong)
    gc.collect()  # urllib leaves the socket of an answer 401 to the garbage collector, which tells pytest


WITH_USER_INFORMATION = [
    f"https://u:{SECRET}@mirror/rds",
    f"https://{SECRET}@mirror/rds",
    f"https://:{SECRET}@mirror/rds",
    f"https://u:p/{SECRET}@mirror/rds",
    f"https://u:12/{SECRET}@mirror/rds",
    f"https://u:p?{SECRET}@mirror/rds",
    f"https://u:p#{SECRET}@mirror/rds",
    f"https://u:{SECRET}@[mirror/rds",
    f"https:///u:{SECRET}@mirror/rds",
    f"u:{SECRET}@mirror/rds",
    f"ftp://u:{SECRET}@mirror/rds",
]


@pytest.mark.parametrize("url", WITH_USER_INFORMATION)
def test_user_information_is_refused_and_the_whole_url_masked(url: str) -> None:
    with pytest.raises(OptionError) as caught:
        access_rules.check_urls([url], "urls", Access())
    assert caught.value.message == (
        "urls: ******** holds an @, as a URL with a user name or a password does. Set url_username and url_password "
        "instead, and write an @ in a path as %40."
    )
    for given in (url, [url, "https://mirror/other"], {"url": url}, {url: None}):
        assert url in access_rules.private_parts(given)


@pytest.mark.parametrize("text", [f"https://u:one,{SECRET},two@mirror/rds", f"https://u:12,{SECRET},two@mirror/rds"])
def test_a_text_that_ansible_has_cut_at_its_commas_is_masked_as_a_whole(text: str) -> None:
    assert access_rules.private_parts(text.split(",")) == set(text.split(","))


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "https://mirror:8443/a,b.pem",
        "file:///etc/a:b@c.pem",
        ["https://mirror/%40scope/rds"],
        "/etc/ssl/rds.pem",
    ],
)
def test_nothing_private(given: t.Any) -> None:
    assert access_rules.private_parts(given) == set()


def test_a_query_is_neither_shown_nor_returned(mirror: Mirror, pki: Pki) -> None:
    url = f"{mirror.url}/nowhere?X-Amz-Signature={SECRET}"
    with pytest.raises(SourceError, match=r"/nowhere\?\.\.\. answered 404") as caught:
        download.read(url, access(pki))
    assert SECRET not in caught.value.message
    assert access_rules.private_parts(url) == {f"?X-Amz-Signature={SECRET}"}


def test_what_is_no_netrc_file(mirror: Mirror, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password with a space in it; the rest of it would be in Python's own message."""
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login reader password two {SECRET}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SourceError, match=r"/\.netrc has no user name .* line \d+ is not in the form") as caught:
        download.read(f"{mirror.url}/file", access(pki))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("proxy", [f"http://reader:{SECRET}@127.0.0.1:1", f"http:/reader:{SECRET}@127.0.0.1:1"])
def test_a_proxy_with_user_information(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    monkeypatch.setenv("no_proxy", "here.example")
    for scheme in ("http", "https"):
        with pytest.raises(OptionError, match=rf"^{scheme}_proxy: \*{{8}} holds .* url_username and url_password") as e:
            access_rules.check_urls([f"{scheme}://mirror.example/file"], "urls", Access())
        assert SECRET not in e.value.message
        access_rules.check_urls([f"{scheme}://here.example/file"], "urls", Access())
        access_rules.check_urls([f"{scheme}://mirror.example/file"], "urls", Access(use_proxy=False))


@pytest.mark.parametrize("path", ["/rds%00.pem", "/rds\0.pem"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(SourceError, match="cannot be read: there is a null byte in it"):
        download.read(f"file://{path}", Access())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_password_does_not_follow_a_redirect_to_another_server(
    mirror: Mirror, pki: Pki, tmp_path: Path, status: int
) -> None:
    with Mirror(tmp_path, certificate=pki.server()) as other:
        mirror.respond("/moved", status=status, headers={"Location": f"{other.url}/file"})
        known = access(pki, username="reader", password=SECRET, force_basic_auth=True)
        assert download.read(f"{mirror.url}/moved", known).body == BODY
        assert len(other.requests) == 1
        assert all("authorization" not in request.headers for request in other.requests)
        mirror.respond("/moved", status=status, headers={"Location": "/file"})
        mirror.require("reader", SECRET)
        assert download.read(f"{mirror.url}/moved", known).body == BODY


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("http://127.0.0.1/x", {"username": "u", "password": SECRET}, "in clear text"),
        ("ftp://127.0.0.1/x", {}, "not an http, https or file URL"),
        ("bundle.pem", {}, "not an http, https or file URL"),
        ("https:///x", {}, "names no host"),
        ("https://[127.0.0.1/x", {}, "is not a URL"),
        ("https://127.0.0.1:port/x", {}, "is not a URL"),
        ("file://server/x", {}, "another machine"),
    ],
)
def test_urls_that_are_refused_before_anything_is_asked(url: str, options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(OptionError, match=f"^urls: .*{message}") as caught:
        access_rules.check_urls([url], "urls", Access(**options))
    assert SECRET not in str(caught.value)


def test_redirects_end_and_lead_nowhere_else(mirror: Mirror, pki: Pki, tmp_path: Path) -> None:
    mirror.respond("/loop", status=302, headers={"Location": "/loop"})
    with pytest.raises(SourceError, match="/loop redirects more than 5 times"):
        download.read(f"{mirror.url}/loop", access(pki))
    for target in (
        (tmp_path / "file").as_uri(),
        "ftp://127.0.0.1/file",
        "//127.0.0.1:1/file",
        "//127.0.0.1:port/file",
        "//u:p@127.0.0.1/",
    ):
        mirror.respond("/moved", status=302, headers={"Location": target})
        with pytest.raises(SourceError):
            download.read(f"{mirror.url}/moved", access(pki, retries=0))


def test_https_is_never_left_not_even_on_the_way(mirror: Mirror, pki: Pki, tmp_path: Path) -> None:
    with Mirror(tmp_path) as plain:
        plain.respond("/back", status=302, headers={"Location": f"{mirror.url}/file"})
        mirror.respond("/moved", status=302, headers={"Location": f"{plain.url}/back"})
        with pytest.raises(SourceError, match=r"redirects to http://.* which is not https; refused"):
            download.read(f"{mirror.url}/moved", access(pki))
        assert plain.requests == []


def test_an_encoding_that_was_not_asked_for(mirror: Mirror, pki: Pki) -> None:
    mirror.respond("/file", body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    with pytest.raises(SourceError, match="/file answers in the encoding gzip"):
        download.read(f"{mirror.url}/file", access(pki))
    assert "gzip" not in mirror.requests[0].headers.get("accept-encoding", "")


def drip() -> t.Iterator[bytes]:
    while True:
        yield b"x"
        time.sleep(0.1)


def endless() -> t.Iterator[bytes]:
    while True:
        yield b"x" * 65536


def test_a_body_without_an_end(mirror: Mirror, pki: Pki) -> None:
    mirror.respond("/file", more=endless)
    with pytest.raises(SourceError, match="/file is larger than 2097152 bytes"):
        download.read(f"{mirror.url}/file", access(pki))


def test_five_megabytes(mirror: Mirror, pki: Pki) -> None:
    mirror.respond("/file", body=b"x" * 5_000_000)
    with pytest.raises(SourceError, match="/file is larger than 2097152 bytes"):
        download.read(f"{mirror.url}/file", access(pki))


def test_a_byte_now_and_then(mirror: Mirror, pki: Pki) -> None:
    mirror.respond("/file", more=drip)
    started = time.monotonic()
    with pytest.raises(SourceError, match="/file has not sent everything within 5 seconds"):
        download.read(f"{mirror.url}/file", access(pki, timeout=1, retries=0))
    assert 4.5 < time.monotonic() - started < 60


def test_headers_a_byte_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ATTEMPT_TIMEOUTS", 2)
    done = threading.Event()

    def script(conversation: Conversation) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1200:
            conversation.send_raw(bytes([byte]))
            if done.wait(0.1):
                return

    started = time.monotonic()
    with scripted(script) as server:
        with pytest.raises(SourceError, match="everything within 2 seconds"):
            download.read(f"http://127.0.0.1:{server.port}/file", Access(timeout=1, retries=0))
        done.set()
    assert time.monotonic() - started < 60
