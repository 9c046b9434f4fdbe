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
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import download
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.download import Access, SourceError, Validators
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
    with_url = mirror.url.replace("https://", f"https://reader:{SECRET}@")
    assert download.read(f"{with_url}/file", access(pki)).body == BODY
    for wrong in (access(pki), access(pki, username="reader", password="wrong")):
        with pytest.raises(SourceError, match=r"answered 401 .*url_username and url_password"):
            download.read(f"{mirror.url}/file", wrong)
    gc.collect()  # urllib leaves the socket of an answer 401 to the garbage collector, which tells pytest


@pytest.mark.parametrize(
    ("given", "password"),
    [
        ("https://u:p%2Fw@mirror/rds", "p/w"),
        ("https://u:p/w@mirror/rds", "p/w"),
        ("https://u@corp.example:p/w@mirror/rds", "p/w"),
        ("https://u:p?w#@mirror/rds", "p?w#"),
        ("https://u:12#w@mirror/rds", "12#w"),
        ("https://u:p@w:x@mirror/rds", "p@w:x"),
        ("https://:pw@mirror/rds", "pw"),
        ("https:///u:pw@mirror/rds", "pw"),
        ("u:pw@mirror/rds", "pw"),
        ("//u:pw@mirror/rds", "pw"),
        ("https://u:pw@[mirror/rds", "pw"),
        ("https://u/w:pw@mirror/rds", "pw"),
        ("['https://mirror', 'https://u:pw@mirror']", "pw"),
        ({"url": "https://u:pw@mirror/rds"}, "pw"),
        ("https://mirror/rds.pem?X-Amz-Date=1&X-Amz-Signature=5ig&X-Amz-Expires=9", "5ig"),
        ("https://mirror/rds.pem?sv=1&sig=5ig", "5ig"),
        ("https://glpat-0123456789abcdef@mirror/rds", "glpat-0123456789abcdef"),
        ("{'url': 'https://mirror/rds', 'url_password': 'pw'}", "pw"),
        ("https://u:p\\w@mirror/rds", r"p\\w"),
        ({"https://u:pw@mirror/rds": None}, "pw"),
        ([{"url": ["https://u:pw@mirror/rds"]}], "pw"),
    ],
)
def test_passwords_in_urls(given: t.Any, password: str) -> None:
    """All that has to be masked is found, also in what is no URL, because a character is not quoted."""
    assert password in download.passwords_in(given)


@pytest.mark.parametrize(
    "text",
    [
        "https://u:one,two@mirror/rds",
        "https://u:one,two,@mirror/rds",
        "https://first/a.pem,https://u:one,two@mirror/rds,https://last/b.pem",
        "https://us,er:one,two@mirror/rds",
        "https://u:12,one,two@mirror/rds",
    ],
)
def test_passwords_in_a_text_that_became_a_list(text: str) -> None:
    """Nothing of a password is left in a text that Ansible has cut at the commas, nor in the text."""
    for given in (text.split(","), text):
        shown = str(given)
        for password in sorted(download.passwords_in(given), key=len, reverse=True):
            shown = shown.replace(password, "*")
        assert "one" not in shown
        assert "two" not in shown
        assert "u" in shown or "us" in shown


@pytest.mark.parametrize(
    "given",
    [
        "https://u@mirror/rds",
        "https://mirror:8443/rds",
        "https://u:@mirror/",
        "rds.pem",
        "",
        None,
        30,
        ["https://first:8443/a,b.pem", "https://reader@second/b.pem"],
        "https://mirror/rds.pem?design=1&region=eu-central-1",
        {"dest": "/etc/rds.pem", "urls": None},
    ],
)
def test_no_passwords_in_urls(given: t.Any) -> None:
    assert download.passwords_in(given) == set()


def test_what_is_no_netrc_file(mirror: Mirror, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password with a space in it; the rest of it would be in Python's own message."""
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login reader password two {SECRET}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SourceError, match=r"/\.netrc has no user name .* line \d+ is not in the form") as caught:
        download.read(f"{mirror.url}/file", access(pki))
    assert SECRET not in str(caught.value)


def test_a_proxy_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http:/reader:{SECRET}@127.0.0.1:1")
    with pytest.raises(SourceError, match="proxy URL with no authority") as caught:
        download.read("https://mirror.invalid/file", Access(retries=0))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("path", ["/rds%00.pem", "/rds\0.pem"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(SourceError, match="cannot be read: embedded null byte"):
        download.read(f"file://{path}", Access())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_password_does_not_follow_a_redirect_to_another_server(
    mirror: Mirror, pki: Pki, tmp_path: Path, status: int
) -> None:
    with Mirror(tmp_path, certificate=pki.server()) as other:
        mirror.respond("/moved", status=status, headers={"Location": f"{other.url}/file"})
        known = access(pki, username="reader", password=SECRET, force_basic_auth=True)
        assert download.read(f"{mirror.url}/moved", known).body == BODY
        with_url = mirror.url.replace("https://", f"https://reader:{SECRET}@")
        assert download.read(f"{with_url}/moved", access(pki)).body == BODY
        assert len(other.requests) == 2
        assert all("authorization" not in request.headers for request in other.requests)
        mirror.respond("/moved", status=status, headers={"Location": "/file"})
        mirror.require("reader", SECRET)
        assert download.read(f"{mirror.url}/moved", known).body == BODY
        assert download.read(f"{with_url}/moved", access(pki)).body == BODY


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("http://127.0.0.1/x", {"username": "u", "password": SECRET}, "in clear text"),
        (f"http://u:{SECRET}@127.0.0.1/x", {}, "in clear text"),
        ("ftp://127.0.0.1/x", {}, "not an http, https or file URL"),
        ("bundle.pem", {}, "not an http, https or file URL"),
        ("https:///x", {}, "names no host"),
        (f"https:///u:{SECRET}@127.0.0.1/x", {}, "names no host"),
        (f"u:{SECRET}@127.0.0.1/x", {}, "not an http, https or file URL"),
        (f"https://u:{SECRET}/?#@127.0.0.1/x", {}, "'127.0.0.1/x' is not a URL"),
        (f"https://u:{SECRET}@[127.0.0.1/x", {}, "not a URL"),
        ("https://127.0.0.1:port/x", {}, "'https://127.0.0.1:...' is not a URL"),
        (f"https://u:{SECRET}", {}, "'https://u:...' is not a URL"),
        (f"https://u:p@:8/{SECRET}@127.0.0.1/x", {}, ""),
        (f"https://u:p@?{SECRET}@127.0.0.1/x", {}, ""),
        (f"https://u:p@#{SECRET}@127.0.0.1/x", {}, ""),
        (f"https://u:p@:/{SECRET}@127.0.0.1/x", {}, ""),
        (f"https://u:p@//{SECRET}@127.0.0.1/x", {}, ""),
        (f"https://u:p@/{SECRET}@127.0.0.1/x", {}, "'127.0.0.1/x' names no host"),
        (f"http://u:p@w/{SECRET}@127.0.0.1/x", {}, "'127.0.0.1/x' follows an @"),
        (f"ftp://u:p@/{SECRET}@127.0.0.1/x", {}, "not an http, https or file URL"),
        (f"https://u:12/{SECRET}@127.0.0.1/x", {}, "'127.0.0.1/x' follows an @"),
        (f"https://u:12?{SECRET}@127.0.0.1/x", {}, "'127.0.0.1/x' follows an @"),
        (f"https://u:12#{SECRET}@127.0.0.1/x", {}, "'127.0.0.1/x' follows an @"),
        (f"https://u/w:{SECRET}@127.0.0.1/x", {}, "'127.0.0.1/x' follows an @"),
        (f"https://u@w/{SECRET}@127.0.0.1/x", {}, "'127.0.0.1/x' follows an @"),
        (f"https://u:p@w/{SECRET}@127.0.0.1/x", {}, "'127.0.0.1/x' follows an @"),
        ("file://server/x", {}, "another machine"),
    ],
)
def test_urls_that_are_refused_before_anything_is_asked(url: str, options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(OptionError, match=f"^urls: .*{message}") as caught:
        download.check_url(url, "urls", Access(**options))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/@scope/x", "https://u:p%40w@127.0.0.1:8443/x%40y", "file:///etc/a:b@c.pem"]
)
def test_an_at_sign_that_ends_no_password(url: str) -> None:
    download.check_url(url, "urls", Access())


def test_redirects_end_and_lead_nowhere_else(mirror: Mirror, pki: Pki, tmp_path: Path) -> None:
    mirror.respond("/loop", status=302, headers={"Location": "/loop"})
    with pytest.raises(SourceError, match="/loop redirects more than 5 times"):
        download.read(f"{mirror.url}/loop", access(pki))
    for target in ((tmp_path / "file").as_uri(), "ftp://127.0.0.1/file", "//127.0.0.1:1/file", "//127.0.0.1:port/file"):
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


def test_headers_a_byte_at_a_time() -> None:
    done = threading.Event()

    def script(conversation: Conversation) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1200:
            conversation.send_raw(bytes([byte]))
            if done.wait(0.1):
                return

    started = time.monotonic()
    with scripted(script) as server:
        with pytest.raises(SourceError, match="everything within 5 seconds"):
            download.read(f"http://127.0.0.1:{server.port}/file", Access(timeout=1, retries=0))
        done.set()
    assert time.monotonic() - started < 60
