# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rds_ca_bundle against a mirror of the trust store over HTTPS."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Mirror, Pki

from .result import Result

REGION = "eu-central-1"
BUNDLE = f"/{REGION}/{REGION}-bundle.pem"


Fetch = Callable[..., Result]


def sha256(path: Path) -> str:
    """In hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_write_and_write_again(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    result = fetch().ok()
    assert dest.read_bytes() == pki.bundle.read_bytes()
    assert result["changed"] is True
    assert result["dest"] == str(dest)
    assert result["checksum"] == sha256(dest)
    assert result["size"] == dest.stat().st_size
    assert result["sources"] == [{"url": mirror.url + BUNDLE, "status": "fetched", "bytes": dest.stat().st_size}]
    assert [(r.path, r.status) for r in mirror.requests] == [(BUNDLE, 200)]
    names = [certificate["common_name"] for certificate in result["certificates"]]
    assert names == [pki.intermediate_name, pki.root_name]
    assert [certificate["self_signed"] for certificate in result["certificates"]] == [False, True]
    assert result["earliest_expiry"] == min(c["not_after"] for c in result["certificates"])
    assert "backup_file" not in result.values
    assert "warnings" not in result.values

    before = dest.stat()
    again = fetch().ok()
    assert again["changed"] is False
    assert (dest.stat().st_mtime_ns, dest.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert again["checksum"] == result["checksum"]
    assert [source["status"] for source in again["sources"]] == ["not_modified"]
    assert sorted(path.name for path in dest.parent.iterdir()) == [f".{dest.name}.sources.json", dest.name]


def test_check_mode_and_diff(fetch: Fetch, pki: Pki, dest: Path) -> None:
    promised = fetch(check=True).ok()
    assert promised["changed"] is True
    assert list(dest.parent.iterdir()) == []
    assert promised["diff"]["before"] == ""
    assert [pki.intermediate_name in line or pki.root_name in line for line in promised["diff"]["after"].splitlines()]
    assert "BEGIN" not in str(promised["diff"])
    done = fetch().ok()
    assert done["diff"] == promised["diff"]
    assert done["checksum"] == promised["checksum"]

    dest.write_bytes(pki.root.read_bytes())
    promised = fetch(check=True, backup=True, mode="0600").ok()
    assert promised["changed"] is True
    assert pki.root_name in promised["diff"]["before"]
    assert pki.intermediate_name not in promised["diff"]["before"]
    assert pki.intermediate_name in promised["diff"]["after"]
    assert dest.read_bytes() == pki.root.read_bytes()
    assert not list(dest.parent.glob("*~"))

    dest.write_text("something else\n")
    assert fetch().ok()["diff"]["before"] == "(not a CA bundle)\n"
    assert fetch(check=True).ok()["changed"] is False


def test_mode_and_owner(fetch: Fetch, dest: Path) -> None:
    old = os.umask(0o022)
    try:
        fetch().ok()
    finally:
        os.umask(old)
    assert stat.S_IMODE(dest.stat().st_mode) == 0o644
    changed = fetch(mode="0600").ok()
    assert changed["changed"] is True
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600
    assert fetch(mode="0600").ok()["changed"] is False
    assert fetch(mode="0640", check=True).ok()["changed"] is True
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600
    me = pwd.getpwuid(os.getuid()).pw_name
    assert fetch(owner=me).ok()["changed"] is False
    if os.getuid() == 0:
        other = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid()))
        assert fetch(owner=other.pw_name).ok()["changed"] is True
        assert dest.stat().st_uid == other.pw_uid
        assert fetch(group=str(other.pw_gid)).ok()["changed"] is True
        assert dest.stat().st_gid == other.pw_gid
        assert fetch(owner=other.pw_name, group=str(other.pw_gid)).ok()["changed"] is False
    absent = fetch(owner="nobody-of-this-name")
    assert absent.failed


@pytest.mark.parametrize("wrong", [{"owner": "nobody-here"}, {"group": "nobody-here"}, {"mode": "9999"}])
def test_attributes_that_cannot_be(fetch: Fetch, dest: Path, wrong: dict[str, str]) -> None:
    """Are said before anything is replaced."""
    assert fetch(**wrong).failed
    assert list(dest.parent.iterdir()) == []
    dest.write_text("old")
    assert fetch(backup=True, **wrong).failed
    assert dest.read_text() == "old"
    assert list(dest.parent.iterdir()) == [dest]


def test_backup(fetch: Fetch, pki: Pki, dest: Path) -> None:
    assert "backup_file" not in fetch(backup=True).ok().values
    assert "backup_file" not in fetch(backup=True).ok().values
    dest.write_bytes(pki.root.read_bytes())
    result = fetch(backup=True).ok()
    assert Path(result["backup_file"]).read_bytes() == pki.root.read_bytes()
    assert dest.read_bytes() == pki.bundle.read_bytes()


def test_symbolic_link(fetch: Fetch, pki: Pki, dest: Path) -> None:
    target = dest.parent / "target.pem"
    dest.symlink_to(target.name)
    assert fetch().ok()["changed"] is True
    assert dest.is_symlink()
    assert target.read_bytes() == pki.bundle.read_bytes()
    target.write_text("old\n")
    fetch().ok()
    assert dest.is_symlink()
    assert target.read_bytes() == pki.bundle.read_bytes()
    assert fetch().ok()["changed"] is False


def test_old_sets(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    result = fetch(ca_set="rds-ca-2019").ok()
    assert dest.read_bytes() == pki.intermediate.read_bytes() + pki.root.read_bytes()
    paths = [f"/rds-ca-2019-{REGION}.pem", "/rds-ca-2019-root.pem"]
    # Both are asked at once.
    assert sorted(request.path for request in mirror.requests) == paths
    assert [source["url"] for source in result["sources"]] == [mirror.url + path for path in paths]
    for name, path in (("intermediate", pki.intermediate), ("root", pki.root)):
        where = f"/rds-ca-2015-{REGION if name == 'intermediate' else 'root'}.pem"
        mirror.respond(where, body=path.read_bytes())
    assert fetch(ca_set="rds-ca-2015").ok()["changed"] is False
    needs_region = fetch(ca_set="rds-ca-2019", region="global")
    assert needs_region.failed
    assert "region" in needs_region.msg


def test_global_bundle(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    mirror.respond("/global/global-bundle.pem", body=pki.bundle.read_bytes())
    fetch(region=None, base_url=mirror.url + "/").ok()
    assert dest.read_bytes() == pki.bundle.read_bytes()
    assert [request.path for request in mirror.requests] == ["/global/global-bundle.pem"]


def test_urls(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path, tmp_path: Path) -> None:
    local = tmp_path / "a root.pem"
    local.write_bytes(b"Some words\r\n" + pki.root.read_bytes().replace(b"\n", b"\r\n"))
    urls = [local.as_uri(), f"{mirror.url}{BUNDLE}", f"{mirror.url}/rds-ca-2019-root.pem"]
    result = fetch(urls=urls, base_url=None, region=None).ok()
    # Once each, in the order of their first appearance, with nothing but PEM.
    assert dest.read_bytes() == pki.root.read_bytes() + pki.intermediate.read_bytes()
    assert [source["url"] for source in result["sources"]] == urls
    both = fetch(urls=urls)
    assert both.failed
    assert "base_url" in both.msg


def test_checksum(fetch: Fetch, pki: Pki, dest: Path) -> None:
    right = sha256(pki.bundle)
    fetch(checksum=f"sha256:{right.upper()}").ok()
    dest.write_text("old\n")
    wrong = fetch(checksum=f"sha256:{'0' * 64}")
    assert wrong.failed
    assert "checksum" in wrong.msg
    assert right in wrong.msg
    assert BUNDLE in wrong.msg
    for text in (right, f"md5:{right}", "sha256:123", f"sha256:{'g' * 64}"):
        malformed = fetch(checksum=text)
        assert malformed.failed
        assert "checksum" in malformed.msg
    assert dest.read_text() == "old\n"


def test_expired(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    expired = "Amazon RDS Test Root 2015 CA"
    mirror.respond(BUNDLE, body=pki.expired_bundle.read_bytes())
    kept = fetch().ok()
    assert dest.read_bytes() == pki.expired_bundle.read_bytes()
    assert expired in kept.warnings
    assert [c["expired"] for c in kept["certificates"]] == [False, False, True]
    failed = fetch(expired="fail")
    assert failed.failed
    assert expired in failed.msg
    assert BUNDLE in failed.msg
    assert dest.read_bytes() == pki.expired_bundle.read_bytes()
    dropped = fetch(expired="drop").ok()
    assert dropped["changed"] is True
    assert dest.read_bytes() == pki.bundle.read_bytes()
    assert expired in dropped.warnings
    assert [c["common_name"] for c in dropped["certificates"]] == [pki.intermediate_name, pki.root_name]


def test_expiry_warn_days(fetch: Fetch, pki: Pki) -> None:
    assert fetch(expiry_warn_days=3000).ok().warnings == ""
    warned = fetch(expiry_warn_days=4000).ok()
    assert pki.root_name in warned.warnings
    assert pki.intermediate_name in warned.warnings
    assert warned["changed"] is False


def test_certificate_of_the_mirror(fetch: Fetch, mirror: Mirror, dest: Path, stranger: Pki) -> None:
    for ca_path in (None, str(stranger.bundle)):
        refused = fetch(ca_path=ca_path)
        assert refused.failed
        assert mirror.url in refused.msg
        assert mirror.requests == []
    assert not dest.exists()
    fetch(ca_path=None, validate_certs=False).ok()
    assert dest.exists()


def test_plain_http(fetch: Fetch, pki: Pki, dest: Path, mirror: Mirror) -> None:
    with Mirror(mirror.directory) as http:
        fetch(base_url=http.url, ca_path=None).ok()
        assert dest.read_bytes() == pki.bundle.read_bytes()
        # But https is never given up for it.
        mirror.respond(BUNDLE, status=302, headers={"Location": http.url + BUNDLE})
        dest.write_text("old\n")
        redirected = fetch()
        assert redirected.failed
        assert http.url in redirected.msg
    assert dest.read_text() == "old\n"


def test_redirect(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    mirror.respond(BUNDLE, status=302, headers={"Location": "/elsewhere.pem"})
    mirror.respond("/elsewhere.pem", body=pki.bundle.read_bytes())
    fetch().ok()
    assert dest.read_bytes() == pki.bundle.read_bytes()


BAD_ANSWERS: dict[str, tuple[Callable[[Pki], dict[str, Any]], str]] = {
    "not-found": (lambda _pki: {"status": 404}, "404"),
    "server-error": (lambda _pki: {"status": 503}, "503"),
    "html": (lambda _pki: {"body": b"<!DOCTYPE html><html><body>Sign in</body></html>"}, "HTML"),
    "xml": (lambda _pki: {"body": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'}, "XML"),
    "empty": (lambda _pki: {"body": b""}, "empty"),
    "blank": (lambda _pki: {"body": b" \n\n"}, "empty"),
    "truncated-pem": (lambda pki: {"body": pki.bundle.read_bytes()[:-40]}, "truncated"),
    "truncated-download": (
        lambda pki: {"body": pki.root.read_bytes(), "headers": {"Content-Length": "9999"}},
        "of 9999 bytes",
    ),
    "garbled": (lambda pki: {"body": pki.bundle.read_bytes().replace(b"MII", b"!!!")}, "base64"),
    "private-key": (
        lambda pki: {"body": pki.bundle.read_bytes() + pki.root.with_suffix(".key").read_bytes()},
        "private key",
    ),
    "leaf": (lambda pki: {"body": pki.bundle.read_bytes() + pki.leaf.read_bytes()}, "not a CA certificate"),
    "no-issuer": (lambda pki: {"body": pki.intermediate.read_bytes()}, "issuer"),
    "forged": (lambda pki: {"body": pki.forged_bundle.read_bytes()}, "signature"),
    "huge": (lambda _pki: {"body": b"x" * (2 * 1024 * 1024 + 1)}, "larger"),
    "slow": (lambda _pki: {"delay": 2.0}, "1 second"),
}


@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_bad_answers(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path, kind: str) -> None:
    """The message names the source and the reason; the file stays, and so does the directory around it."""
    make, reason = BAD_ANSWERS[kind]
    mirror.respond(BUNDLE, **make(pki))
    for old in (None, b"old\n"):
        if old:
            dest.write_bytes(old)
        result = fetch(backup=True, timeout=1)
        assert result.failed
        assert mirror.url + BUNDLE in result.msg
        assert reason in result.msg
        assert "PRIVATE KEY" not in result.output
        assert [path.read_bytes() for path in dest.parent.iterdir()] == ([old] if old else [])


def test_second_source_is_bad(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    dest.write_text("old\n")
    mirror.respond("/rds-ca-2019-root.pem", status=404)
    result = fetch(ca_set="rds-ca-2019")
    assert result.failed
    assert "/rds-ca-2019-root.pem" in result.msg
    assert dest.read_text() == "old\n"


def test_destinations_that_cannot_be(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    """Said before anything is fetched."""
    dest.write_text("old\n")
    bad = [
        (str(dest.parent), {}),
        (str(dest / "bundle.pem"), {}),
        (str(dest / "deeper" / "bundle.pem"), {"create_directory": True}),
    ]
    for path, options in bad:
        for check in (True, False):
            result = fetch(dest=path, check=check, **options)
            assert result.failed, path
            assert result.msg.startswith("dest: "), path
            assert str(dest.parent) in result.msg
    missing = fetch(dest=str(dest.parent / "missing" / "bundle.pem"))
    assert missing.failed
    assert missing.msg == (
        f"dest: the directory {dest.parent / 'missing'} does not exist. Create it, or set create_directory to true."
    )
    assert mirror.requests == []
    assert dest.read_text() == "old\n"
    assert [path.name for path in dest.parent.iterdir()] == [dest.name]


def test_check_mode_before_the_directory_is_there(fetch: Fetch, pki: Pki, dest: Path) -> None:
    """As after a task that would create it."""
    path = dest.parent / "missing" / "deeper" / dest.name
    promised = fetch(dest=str(path), check=True, mode="0640").ok()
    assert promised["changed"] is True
    assert pki.root_name in promised["diff"]["after"]
    assert f"The directory {path.parent} does not exist." in promised.warnings
    assert fetch(dest=str(path), check=True, create_directory=True).ok().warnings == ""
    assert list(dest.parent.iterdir()) == []


@pytest.mark.parametrize(("mode", "of_directory"), [("0640", 0o750), ("0600", 0o700), ("u=rw,g=r,o=r", 0o755)])
def test_create_directory(fetch: Fetch, pki: Pki, dest: Path, mode: str, of_directory: int) -> None:
    path = dest.parent / "missing" / "deeper" / dest.name
    done = fetch(dest=str(path), create_directory=True, mode=mode).ok()
    assert done["changed"] is True
    assert path.read_bytes() == pki.bundle.read_bytes()
    for directory in (path.parent, path.parent.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == of_directory
    # One that is there keeps its mode.
    path.parent.chmod(0o711)
    assert fetch(dest=str(path), create_directory=True, mode=mode).ok()["changed"] is False
    path.unlink()
    fetch(dest=str(path), create_directory=True, mode=mode).ok()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o711


def test_directories_of_a_file_that_cannot_be_written_are_removed(fetch: Fetch, dest: Path) -> None:
    path = dest.parent / "missing" / "deeper" / dest.name
    assert fetch(dest=str(path), create_directory=True, owner="nobody-of-this-name").failed
    assert list(dest.parent.iterdir()) == []


def test_directory_that_takes_no_files(fetch: Fetch, dest: Path) -> None:
    """Which root learns only when it tries."""
    result = fetch(dest="/proc/bundle.pem")
    assert result.failed
    assert result.msg.startswith("dest: ")
    assert "/proc" in result.msg
    assert list(dest.parent.iterdir()) == []


def test_options_that_cannot_be(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    for options, named in (
        ({"region": "../../etc"}, "region"),
        (
            {"urls": ["/etc/ssl/rds.pem"], "base_url": None},
            "urls: '/etc/ssl/rds.pem' is not an http, https or file URL.",
        ),
        ({"region": "EU-CENTRAL-1"}, "region"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 10**12}, "timeout"),
        ({"ca_path": "/nowhere/ca.pem"}, "ca_path"),
        ({"urls": ["ftp://example.com/x.pem"], "base_url": None}, "urls"),
        ({"urls": [(dest.parent / "absent.pem").as_uri()], "base_url": None}, "absent.pem"),
        ({"base_url": "https://127.0.0.1:1"}, "127.0.0.1:1"),
    ):
        result = fetch(**options)
        assert result.failed
        assert named in result.msg, result.msg
    assert mirror.requests == []
    assert not dest.exists()


def test_a_null_byte(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    """Is refused in words: ours, or those of ansible-core from 2.21 on, which cannot log it."""
    for name, options in (
        ("dest", {"dest": str(dest) + "\0"}),
        ("urls", {"base_url": None, "urls": ["https://127.0.0.1/\0"]}),
    ):
        result = fetch(**options)
        assert result.failed
        ours, ansibles = f"{name}: there is a null byte in it.", "Failed to log to syslog (embedded null character)"
        assert result.msg == ours or result.msg.startswith(ansibles), result.msg
    assert mirror.requests == []


def test_user_information_in_urls_is_refused_and_stays_out_of_results(fetch: Fetch, mirror: Mirror) -> None:
    secret = "pw!in-the-url"
    with_user = mirror.url.replace("https://", f"https://reader:{secret}@")
    for option, options in (
        ("base_url", {"base_url": with_user}),
        ("urls", {"base_url": None, "urls": [mirror.url + BUNDLE, with_user]}),
        ("urls", {"base_url": None, "urls": with_user.replace(secret, f"one,{secret},two")}),
    ):
        refused = fetch(**options)
        assert refused.failed
        assert refused.msg.startswith(f"{option}: ******** ")
        assert "url_username and url_password" in refused.msg
        assert secret not in refused.output
    # Nor where Ansible itself refuses the options, and repeats them all.
    for refused in (
        fetch(base_url=with_user, ca_set="none"),
        fetch(base_url=None, urls=[with_user], timeout="soon"),
        fetch(urls=[with_user], base_url=with_user),
        # Also in an option that there is not, and in what Ansible cannot or can make a list of.
        fetch(url=with_user),
        fetch(url={"of": with_user}),
        fetch(base_url=None, urls={"url": with_user}),
        fetch(base_url={"url": with_user}),
        # Ansible itself shows what is given to an option that there is not.
        fetch(password=secret),
        fetch(base_url=None, urls=[{"url": mirror.url, "url_password": secret}]),
    ):
        assert refused.failed
        assert secret not in refused.output
    assert mirror.requests == []


def test_a_query_stays_out_of_results(fetch: Fetch, mirror: Mirror) -> None:
    """It may be a signature or a token."""
    url = f"{mirror.url}{BUNDLE}?X-Amz-Signature=s1gnature"
    done = fetch(base_url=None, urls=[url]).ok()
    assert "s1gnature" not in done.output
    assert done["sources"][0]["url"] == f"{mirror.url}{BUNDLE}?..."
    assert fetch(base_url=None, urls=[url]).ok()["sources"][0]["status"] == "not_modified"
    mirror.respond(BUNDLE, status=404)
    failed = fetch(base_url=None, urls=[url])
    assert failed.failed
    assert "s1gnature" not in failed.output
