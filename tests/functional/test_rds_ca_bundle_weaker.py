# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A good file stays, whatever a mirror or somebody on the way to it sends."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import parse_pem
from cryptography.hazmat.primitives import hashes

from tests.servers import MYSQL_RDS_CA, Mirror, Pki, ServerUnavailable, published_certificates, weak_pki

from .launcher import COLLECTION
from .result import Result
from .runner import Modules, module_arguments, module_environment

REGION = "eu-central-1"
BUNDLE = f"/{REGION}/{REGION}-bundle.pem"

Fetch = Callable[..., Result]


def record_of(dest: Path) -> Path:
    """The hidden file beside it."""
    return dest.with_name(f".{dest.name}.sources.json")


def _short_path() -> bytes:
    root = weak_pki.authority("Short Root", path_length=0)
    return root.pem + weak_pki.authority("Forbidden Intermediate", issuer=root).pem


def _short_path_below() -> bytes:
    root = weak_pki.authority("Long Root")
    first = weak_pki.authority("First Intermediate", issuer=root, path_length=0)
    return root.pem + first.pem + weak_pki.authority("Second Intermediate", issuer=first).pem


# What is sent after the good bundle, whether the good one is in it too, and what the message says of it.
WORSE: dict[str, tuple[Callable[[], bytes], bool, str]] = {
    "expired": (
        lambda: weak_pki.authority("Old Root", starts=-99, ends=-9).pem,
        False,
        "the root Old Root expired on ",
    ),
    "not yet valid": (
        lambda: weak_pki.authority("New Root", starts=9).pem,
        False,
        "the root New Root is not valid before ",
    ),
    "rsa": (
        lambda: weak_pki.authority("Small Root", rsa_bits=1024).pem,
        True,
        "Small Root has an RSA key of fewer than 2048 bits",
    ),
    "key usage": (
        lambda: weak_pki.authority("Mute Root", key_cert_sign=False).pem,
        True,
        "Mute Root is a CA whose key usage does not permit it to sign certificates (keyCertSign)",
    ),
    "path length": (
        _short_path,
        True,
        "Forbidden Intermediate is an intermediate CA that the path length of its issuer forbids",
    ),
    "path length below": (
        _short_path_below,
        True,
        "Second Intermediate is an intermediate CA that the path length of its issuer forbids",
    ),
}


@pytest.mark.parametrize("kind", WORSE)
def test_a_worse_bundle_does_not_replace_a_good_one(
    fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path, kind: str
) -> None:
    make, with_good, said = WORSE[kind]
    good = pki.bundle.read_bytes()
    fetch().ok()
    before = {path.name: path.read_bytes() for path in dest.parent.iterdir()}
    body = (good if with_good else b"") + make()
    mirror.respond(BUNDLE, body=body)
    for options in ({}, {"check": True}, {"backup": True}, {"force": True}):
        refused = fetch(**options)
        assert refused.failed
        assert refused.msg.startswith(f"dest: {dest} was not replaced, as the new bundle is weaker than")
        assert said in refused.msg
        assert refused.msg.endswith(" If that is intended, set allow_weaker to true.")
        assert {path.name: path.read_bytes() for path in dest.parent.iterdir()} == before
    written = fetch(allow_weaker=True).ok()
    assert written["changed"] is True
    assert dest.read_bytes() == body
    assert said in written.warnings
    # It is the bundle that is there now, so that the next run has nothing to refuse.
    mirror.respond(BUNDLE, body=body + b"\n")
    assert fetch().ok()["changed"] is False


@pytest.mark.parametrize("kind", WORSE)
def test_where_there_is_none_it_is_written_with_a_warning(fetch: Fetch, mirror: Mirror, dest: Path, kind: str) -> None:
    make, _with_good, said = WORSE[kind]
    body = make()
    mirror.respond(BUNDLE, body=body)
    result = fetch().ok()
    assert dest.read_bytes() == body
    assert said.replace("the root ", "") in result.warnings
    # Warnings of unchanged runs come from the record.
    assert fetch().ok().warnings == result.warnings


def test_a_body_that_is_cut_between_two_certificates(
    fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path, stranger: Pki
) -> None:
    """Without a length; what came is a bundle in itself."""
    whole = pki.bundle.read_bytes() + stranger.bundle.read_bytes()
    mirror.respond(BUNDLE, body=whole)
    fetch().ok()
    missing = f"{stranger.root_name}, which the file has and which is valid until "

    def cut() -> None:
        mirror.respond(BUNDLE, body=b"", more=lambda: iter([pki.bundle.read_bytes()]))

    cut()
    for forget in (False, True):
        if forget:  # where nothing is known of the file that is there
            record_of(dest).unlink()
        refused = fetch()
        assert refused.failed
        assert missing in refused.msg
        assert dest.read_bytes() == whole
    # Another region's bundle has other CAs.
    mirror.respond(BUNDLE, body=whole)
    fetch().ok()
    cut()
    other = fetch(region="eu-west-1", base_url=None, urls=[pki.bundle.as_uri()]).ok()
    assert other["changed"] is True
    assert dest.read_bytes() == pki.bundle.read_bytes()


def test_an_expired_ca_is_not_missed(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    mirror.respond(BUNDLE, body=pki.expired_bundle.read_bytes())
    fetch().ok()
    mirror.reset()
    assert fetch().ok()["changed"] is True
    assert dest.read_bytes() == pki.bundle.read_bytes()


def test_the_same_weakness_as_before_is_no_reason(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    small = weak_pki.authority("Small Root", rsa_bits=1024).pem
    mirror.respond(BUNDLE, body=small)
    fetch().ok()
    mirror.respond(BUNDLE, body=small + pki.bundle.read_bytes())
    done = fetch().ok()
    assert done["changed"] is True
    assert "Small Root has an RSA key" in done.warnings


def test_a_part_of_the_file_is_no_answer(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    for status in (206, 203):
        mirror.respond(BUNDLE, status=status, body=pki.root.read_bytes())
        for options in ({}, {"allow_weaker": True}):
            refused = fetch(**options)
            assert refused.failed
            assert f"{mirror.url}{BUNDLE} answered {status} " in refused.msg
            assert refused.msg.endswith(", which is not a whole file.")
    assert list(dest.parent.iterdir()) == []


def test_weak_signatures(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    try:
        by_name = {parse_pem(pem, "")[0].common_name: pem for pem in published_certificates(MYSQL_RDS_CA)}
    except ServerUnavailable as e:
        pytest.skip(str(e))
    # The one with SHA-1, the other with SHA-256.
    mirror.respond(BUNDLE, body=by_name["Amazon RDS Root CA"] + by_name["Amazon RDS eu-west-2 CA"])
    for _run in range(2):  # the second is unchanged
        warnings = fetch().ok().warnings
        assert "Amazon RDS Root CA has a signature weaker than SHA-256." in warnings
        assert "eu-west-2 CA has" not in warnings
    mirror.respond(BUNDLE, body=weak_pki.authority("Sha224 Root", digest=hashes.SHA224()).pem)
    assert "Sha224 Root has a signature weaker" in fetch().ok().warnings


# Time and size


@pytest.mark.parametrize("key_identifiers", [True, False])
def test_many_cas_of_one_name(fetch: Fetch, mirror: Mirror, *, key_identifiers: bool) -> None:
    """Each may have issued each, to those who go by the name alone."""
    root = weak_pki.authority("Same Name", key_identifiers=key_identifiers)
    # They are issued by the root, and each has its name.
    many = [
        weak_pki.authority("Same Name", issuer=root, key=root.key, key_identifiers=key_identifiers)
        for _number in range(10)
    ]
    mirror.respond(BUNDLE, body=b"".join(a.pem for a in (root, *many)))
    assert fetch().ok()["certificates"][0]["self_signed"] is True
    others = [weak_pki.authority("Same Name", issuer=root, key_identifiers=key_identifiers) for _number in range(480)]
    mirror.respond(BUNDLE, body=b"".join(a.pem for a in (root, *others)))
    started = time.monotonic()
    result = fetch(allow_weaker=True)
    assert time.monotonic() - started < 15  # they took 18 s before on an idle machine
    assert result.failed is not key_identifiers
    if not key_identifiers:
        assert "more than 8 CA certificates named CN=Same Name that may have issued the same" in result.msg


def test_the_number_of_certificates_is_bounded(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    roots = [weak_pki.authority(f"Root {number}").pem for number in range(6)]
    mirror.respond(BUNDLE, body=b"".join(roots))
    refused = fetch(max_certificates=5)
    assert refused.failed
    assert f"{mirror.url}{BUNDLE} holds 6 certificates, and max_certificates permits 5." in refused.msg
    mirror.respond("/first.pem", body=b"".join(roots[:4]))
    mirror.respond("/second.pem", body=b"".join(roots[2:]))
    urls = [f"{mirror.url}/{name}.pem" for name in ("first", "second")]
    both = fetch(base_url=None, urls=urls, max_certificates=5)
    assert both.failed
    assert "and the sources before it hold 6 certificates, and max_certificates permits 5." in both.msg
    fetch(base_url=None, urls=urls, max_certificates=6).ok()
    none = fetch(max_certificates=0)
    assert none.msg == "max_certificates: 0 is not a number from 1 on."
    mirror.respond(BUNDLE, body=roots[0] * 501)
    assert "holds 501 certificates, and max_certificates permits 500." in fetch().msg


def test_all_sources_together_are_bounded(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    words = b"words\n" * 300_000
    for name in ("a", "b", "c"):
        mirror.respond(f"/{name}.pem", body=words + pki.bundle.read_bytes())
    refused = fetch(base_url=None, urls=[f"{mirror.url}/{name}.pem" for name in ("a", "b", "c")])
    assert refused.failed
    assert f"{mirror.url}/c.pem and the sources before it are larger than 4194304 bytes." in refused.msg


def test_what_is_not_a_regular_file_is_not_read(fetch: Fetch, dest: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.pem"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/zero"), Path("/dev/null"), tmp_path):
        started = time.monotonic()
        refused = fetch(base_url=None, urls=[path.as_uri()], timeout=1)
        assert refused.failed
        assert refused.msg == f"{path.as_uri()} is not a regular file."
        assert time.monotonic() - started < 30
    assert not dest.exists()


# Plain http


def test_one_interception_over_http_does_not_last(
    pki: Pki, fetch: Fetch, mirror: Mirror, stranger: Pki, dest: Path
) -> None:
    """Whoever answers once with the honest entity tag."""
    with Mirror(mirror.directory) as http:
        honest = http.response_for(BUNDLE, {}).headers
        http.respond(BUNDLE, body=stranger.bundle.read_bytes(), headers={"ETag": honest["ETag"]}, times=1)
        options = {"base_url": http.url, "ca_path": None}
        first = fetch(**options).ok()
        assert dest.read_bytes() == stranger.bundle.read_bytes()
        assert f"{http.url}{BUNDLE} was read over plain http, so anybody on the network path" in first.warnings
        second = fetch(**options, allow_weaker=True).ok()
        assert [source["status"] for source in second["sources"]] == ["fetched"]
        assert dest.read_bytes() == pki.bundle.read_bytes()
        assert all("if-none-match" not in request.headers for request in http.requests)
        # Nor is it kept for a run that does ask conditionally.
        checked = {**options, "checksum": f"sha256:{second['checksum']}"}
        assert fetch(**checked).ok().warnings == ""
        again = fetch(**checked).ok()
        assert again["sources"][0]["status"] == "not_modified"


def test_a_checksum_is_checked_against_what_is_sent_now(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    """Also where the source seems to be the one that was there before."""
    with Mirror(mirror.directory) as http:
        options = {"base_url": http.url, "ca_path": None}
        right = fetch(**options, check=True).ok()["checksum"]
        honest = http.response_for(BUNDLE, {}).headers
        other = weak_pki.authority("Other Root").pem
        http.respond(BUNDLE, body=other, headers=dict(honest), times=1)
        fetch(**options, checksum=f"sha256:{hashlib.sha256(other).hexdigest()}").ok()
        fetch(**options, checksum=f"sha256:{right}", allow_weaker=True).ok()
        assert dest.read_bytes() == pki.bundle.read_bytes()


def test_a_server_that_is_not_verified_is_like_plain_http(fetch: Fetch, mirror: Mirror) -> None:
    for _run in range(2):
        result = fetch(validate_certs=False).ok()
        assert "was read from a server that was not verified (validate_certs is false), so anybody" in result.warnings
        assert result["sources"][0]["status"] == "fetched"


# Whose CAs


def test_unknown_roots_of_a_mirror(fetch: Fetch, pki: Pki, dest: Path) -> None:
    refused = fetch(unknown_roots="fail")
    assert refused.failed
    assert refused.msg.startswith(
        "unknown_roots: The bundle has roots that are not in this collection's table of AWS's"
    )
    assert f": {pki.root_name} (sha256 " in refused.msg
    assert list(dest.parent.iterdir()) == []
    for _run in range(2):
        assert f": {pki.root_name} (sha256 " in fetch(unknown_roots="warn").ok().warnings
    for options in ({}, {"unknown_roots": "ignore"}, {"base_url": None, "urls": [pki.bundle.as_uri()]}):
        assert fetch(**options).ok().warnings == ""


# Forms


def test_forms_of_certificates(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    bundle = pki.bundle.read_bytes()
    mirror.respond(BUNDLE, body=b"\xef\xbb\xbf" + bundle)
    fetch().ok()
    assert dest.read_bytes() == bundle
    trusted = subprocess.run(
        ["openssl", "x509", "-trustout", "-addtrust", "serverAuth", "-in", str(pki.root)],
        capture_output=True,
        check=True,
    ).stdout
    assert b"BEGIN TRUSTED CERTIFICATE" in trusted
    for body, said in (
        (b"\xef\xbb\xbf\n", "is empty"),
        (trusted, "holds a BEGIN TRUSTED CERTIFICATE block"),
        (weak_pki.authority("Der Root").der, "is in DER form and not in PEM form"),
        (b"\xef\xbb\xbf<html>", "it looks like an HTML page"),
    ):
        mirror.respond(BUNDLE, body=body)
        refused = fetch()
        assert refused.failed
        assert refused.msg.startswith(f"{mirror.url}{BUNDLE} ")
        assert said in refused.msg
    assert dest.read_bytes() == bundle


# Several runs, and disks without room


def start(modules: Modules, options: dict[str, Any], **variables: str) -> subprocess.Popen[str]:
    """A run of the module that goes on by itself."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"{COLLECTION}.plugins.modules.rds_ca_bundle"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=modules.home,
        env={**module_environment(modules.home), **variables},
    )
    assert process.stdin
    process.stdin.write(module_arguments(modules.home, options))
    process.stdin.close()
    process.stdin = None
    return process


def test_several_runs_at_once(
    modules: Modules, bundle_options: dict[str, Any], mirror: Mirror, pki: Pki, stranger: Pki, dest: Path
) -> None:
    """Each writes a whole file, the record is that of the file, and the poorer bundle never wins."""
    poor, rich = pki.bundle.read_bytes(), pki.bundle.read_bytes() + stranger.bundle.read_bytes()
    answers = [poor, rich, poor, rich]
    # They differ in what the mirror sends, and in nothing else.
    urls = [f"{mirror.url}/{number}" for number in range(len(answers))]
    for number, body in enumerate(answers):
        mirror.respond(f"/{number}/{REGION}/{REGION}-bundle.pem", body=body, delay=0.5)
    for _round in range(3):
        processes = [start(modules, {**bundle_options, "base_url": url}) for url in urls]
        results = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
        assert all(not r.get("failed") or "was not replaced" in r["msg"] for r in results), results
        assert not any(results[number].get("failed") for number in (1, 3)), results
        assert dest.read_bytes() == rich
        assert sorted(path.name for path in dest.parent.iterdir()) == [record_of(dest).name, dest.name]
        record = json.loads(record_of(dest).read_bytes())
        assert len(record["certificates"]) == 4
        dest.unlink()


FAULTS = """
import builtins, os, shutil, sys
left = int(os.environ["FAULT"])
where = os.environ["FAULT_IN"]
def failing(function, takes_path):
    def run(*args, **kwargs):
        global left
        name = args[0] if takes_path else os.readlink(f"/proc/self/fd/{args[0]}")
        if str(name).startswith(where):
            left -= 1
            if left == 0:
                raise OSError(28, "No space left on device")
        return function(*args, **kwargs)
    return run
for name in ("replace", "mkdir", "chmod"):
    setattr(os, name, failing(getattr(os, name), True))
for name in ("write", "fsync", "fchmod"):
    setattr(os, name, failing(getattr(os, name), False))
opening = os.open
def creating(path, flags, *args, **kwargs):
    return (failing(opening, True) if flags & os.O_CREAT else opening)(path, flags, *args, **kwargs)
os.open = creating
shutil.copyfile = failing(shutil.copyfile, True)
"""


def test_a_full_disk_at_each_step(
    modules: Modules, bundle_options: dict[str, Any], pki: Pki, dest: Path, tmp_path: Path
) -> None:
    """Every call in the directory that may need room fails in turn: the file is the old or the new one."""
    (tmp_path / "sitecustomize.py").write_text(FAULTS)
    path = os.pathsep.join([str(tmp_path), module_environment(modules.home)["PYTHONPATH"]])
    old, new = pki.root.read_bytes(), pki.bundle.read_bytes()
    below = dest.parent / "made" / "bundle.pem"
    for target, options in ((dest, {"backup": True}), (below, {"create_directory": True})):
        failures = 0
        for fault in range(1, 40):
            for leftover in dest.parent.glob("*"):
                assert leftover.is_file()
                leftover.unlink()
            if target == dest:
                dest.write_bytes(old)
            process = start(
                modules,
                {**bundle_options, **options, "dest": str(target)},
                PYTHONPATH=path,
                FAULT=str(fault),
                FAULT_IN=str(dest.parent),
            )
            out, err = process.communicate(timeout=60)
            assert "Traceback" not in out + err
            result = json.loads(out)
            there = sorted(p.name for p in dest.parent.rglob("*") if p.is_file())
            backups = [name for name in there if name.endswith("~")]
            if result.get("failed"):
                failures += 1
                assert "No space left on device" in result["msg"]
                assert there == ([dest.name] if target == dest else [])
                assert target != dest or dest.read_bytes() == old
                assert not below.parent.exists()
                continue
            assert target.read_bytes() == new
            assert len(backups) == (target == dest)
            hidden = record_of(target).name
            assert set(there) - set(backups) - {hidden} == {target.name}
            if hidden in there:
                if target == below:
                    below.unlink()
                    record_of(below).unlink()
                    below.parent.rmdir()
                if "No space" not in out:
                    break
            else:  # which costs only a download
                assert "so that the next run downloads again: No space left on device" in out
                if target == below:
                    below.unlink()
                    below.parent.rmdir()
        else:
            pytest.fail("there are more steps than that")
        assert failures >= 5
