# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rds_ca_bundle: conditional requests, proxies, passwords, and what is left when writing fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Mirror, Pki
from tests.servers.proxy import Proxy

from .launcher import COLLECTION
from .result import Result
from .runner import Modules, module_arguments, module_environment

REGION = "eu-central-1"
BUNDLE = f"/{REGION}/{REGION}-bundle.pem"
SECRET = "s3cret-of-the-mirror"

Fetch = Callable[..., Result]


def record_of(dest: Path) -> Path:
    """The hidden file beside it."""
    return dest.with_name(f".{dest.name}.sources.json")


def statuses(result: Result) -> list[str]:
    """Of the sources."""
    return [source["status"] for source in result["sources"]]


def test_unchanged_is_not_downloaded(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    first = fetch().ok()
    record = record_of(dest).read_bytes()
    for check in (False, True):
        again = fetch(check=check).ok()
        assert again["changed"] is False
        assert statuses(again) == ["not_modified"]
        for name in ("dest", "checksum", "size", "earliest_expiry"):
            assert again[name] == first[name]
        # A day may end between the two.
        assert [{**c, "days_left": None} for c in again["certificates"]] == [
            {**c, "days_left": None} for c in first["certificates"]
        ]
        assert again["sources"][0]["bytes"] == dest.stat().st_size
        assert again["diff"]["before"] == again["diff"]["after"]
    assert [(request.status, request.bytes) for request in mirror.requests] == [
        (200, dest.stat().st_size),
        (304, 0),
        (304, 0),
    ]
    assert record_of(dest).read_bytes() == record


def test_what_makes_it_download(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    fetch().ok()

    def edited() -> None:
        dest.write_bytes(dest.read_bytes() + b"\n")

    def garbage() -> None:
        record_of(dest).write_bytes(b"{")

    changes: list[tuple[Callable[[], None], dict[str, Any], bool]] = [
        (dest.unlink, {}, True),
        (edited, {}, True),
        (garbage, {}, False),
        (record_of(dest).unlink, {}, False),
        # Somebody else could have written it, and a bundle of his own beside it.
        (lambda: record_of(dest).chmod(0o664), {}, False),
        (lambda: None, {"force": True}, False),
    ]
    for change, more, changed in changes:
        change()
        mirror.requests.clear()
        again = fetch(**more).ok()
        assert statuses(again) == ["fetched"]
        assert again["changed"] is changed
        assert [request.status for request in mirror.requests] == [200]
        assert dest.read_bytes() == pki.bundle.read_bytes()
    assert "no-cache" in mirror.requests[0].headers["cache-control"]
    assert statuses(fetch().ok()) == ["not_modified"]


def test_a_source_that_has_changed(fetch: Fetch, mirror: Mirror, pki: Pki, dest: Path) -> None:
    fetch(ca_set="rds-ca-2019").ok()
    root = mirror.directory / "rds-ca-2019-root.pem"
    root.write_bytes(root.read_bytes() + pki.expired_bundle.read_bytes())
    again = fetch(ca_set="rds-ca-2019").ok()
    assert statuses(again) == ["not_modified", "fetched"]
    assert again["changed"] is True
    assert len(again["certificates"]) == 3
    assert dest.read_bytes() == pki.expired_bundle.read_bytes()
    # The record follows, and dropping works with a source that is not sent again.
    dropped = fetch(ca_set="rds-ca-2019", expired="drop").ok()
    assert statuses(dropped) == ["not_modified", "not_modified"]
    assert dest.read_bytes() == pki.bundle.read_bytes()
    again = fetch(ca_set="rds-ca-2019", expired="drop").ok()
    assert statuses(again) == ["not_modified", "not_modified"]
    assert again["changed"] is False
    assert again.warnings == dropped.warnings
    assert "was left out" in again.warnings
    failed = fetch(ca_set="rds-ca-2019", expired="fail")
    assert failed.failed
    kept = fetch(ca_set="rds-ca-2019").ok()
    assert statuses(kept) == ["not_modified", "not_modified"]
    assert dest.read_bytes() == pki.expired_bundle.read_bytes()


def test_a_server_without_validators(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    fetch().ok()
    assert record_of(dest).exists()
    mirror.send_validators = False
    record_of(dest).unlink()
    results = [fetch().ok(), fetch().ok()]
    assert [(result["changed"], statuses(result)) for result in results] == [(False, ["fetched"])] * 2
    assert [request.status for request in mirror.requests] == [200] * 3


def test_check_mode_keeps_its_hands_off_the_record(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    fetch(check=True).ok()
    assert list(dest.parent.iterdir()) == []
    fetch().ok()
    before = record_of(dest).read_bytes()
    os.utime(mirror.directory / BUNDLE[1:], (1, 1))
    record_of(dest).write_bytes(before.replace(b'"etag": ', b'"etag": null, "was": '))
    written = record_of(dest).read_bytes()
    assert fetch(check=True).ok()["changed"] is False
    assert record_of(dest).read_bytes() == written


def test_a_record_that_cannot_be_written_is_no_failure(fetch: Fetch, dest: Path) -> None:
    record_of(dest).mkdir()
    result = fetch().ok()
    assert result["changed"] is True
    assert record_of(dest).name in result.warnings
    assert fetch().ok()["changed"] is False


def test_password_and_user_agent(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    mirror.require("reader", SECRET)
    for options in ({}, {"url_username": "reader", "url_password": "wrong"}):
        refused = fetch(**options)
        assert refused.failed
        assert "401" in refused.msg
        assert "url_password" in refused.msg
    assert not dest.exists()
    done = fetch(url_username="reader", url_password=SECRET, http_agent="baseline/7").ok()
    assert SECRET not in done.output
    assert SECRET.encode() not in record_of(dest).read_bytes()
    assert mirror.requests[-1].headers["user-agent"] == "baseline/7"
    mirror.requests.clear()
    again = fetch(url_username="reader", url_password=SECRET, force_basic_auth=True).ok()
    assert statuses(again) == ["not_modified"]
    assert [request.status for request in mirror.requests] == [304]
    assert mirror.requests[-1].headers["user-agent"] == "ansible-httpget"
    alone = fetch(url_password=SECRET)
    assert alone.failed
    assert "url_username" in alone.msg


def test_no_password_over_plain_http(fetch: Fetch, mirror: Mirror) -> None:
    with Mirror(mirror.directory) as plain:
        for options in (
            {"base_url": plain.url, "url_username": "reader", "url_password": SECRET},
            {"urls": [plain.url + BUNDLE], "base_url": None, "url_username": "reader", "url_password": SECRET},
        ):
            refused = fetch(**options)
            assert refused.failed
            assert "in clear text" in refused.msg
            assert refused.msg.startswith(("base_url: ", "urls: "))
            assert SECRET not in refused.output
        assert plain.requests == []


def test_proxy(modules: Modules, mirror: Mirror, bundle_options: dict[str, Any], dest: Path) -> None:
    with Proxy() as proxy:
        environment = {"https_proxy": proxy.url}
        modules.run_alone("rds_ca_bundle", environment=environment, **bundle_options).ok()
        assert proxy.targets == [mirror.url[len("https://") :]]
        dest.unlink()
        modules.run_alone("rds_ca_bundle", environment=environment, use_proxy=False, **bundle_options).ok()
        assert len(proxy.targets) == 1
        assert len(mirror.requests) == 2
        environment = {"https_proxy": proxy.url.replace("http://", f"http://reader:{SECRET}@")}
        refused = modules.run_alone("rds_ca_bundle", environment=environment, **bundle_options)
        assert refused.failed
        assert refused.msg.startswith("https_proxy: ******** holds a user name or a password")
        assert SECRET not in refused.output
        assert len(proxy.targets) == 1


def test_retries(fetch: Fetch, mirror: Mirror) -> None:
    mirror.respond(BUNDLE, status=503, times=1)
    assert fetch().failed
    mirror.respond(BUNDLE, status=503, times=1)
    fetch(retries=1).ok()
    mirror.respond(BUNDLE, status=503)
    failed = fetch(retries=1)
    assert failed.failed
    assert "attempt 2 of 2" in failed.msg
    negative = fetch(retries=-1)
    assert negative.failed
    assert negative.msg.startswith("retries: ")


def test_ca_path_without_certificates(fetch: Fetch, mirror: Mirror, tmp_path: Path) -> None:
    path = tmp_path / "words.pem"
    path.write_text("words\n")
    refused = fetch(ca_path=str(path))
    assert refused.failed
    assert refused.msg.startswith(f"ca_path: {path} ")
    assert mirror.requests == []


def test_regions_that_may_come(fetch: Fetch, mirror: Mirror, pki: Pki) -> None:
    for region in ("us-iso-east-1", "us-isob-east-1", "eusc-de-east-1", "mx-central-1", "ap-southeast-12"):
        mirror.respond(f"/{region}/{region}-bundle.pem", body=pki.bundle.read_bytes())
        fetch(region=region).ok()
    mirror.requests.clear()
    for region in ("eu", "eu-central", "1-eu-central", "eu_central_1", "eu-central-0", "eu-central-1/../x", "", "x y"):
        refused = fetch(region=region)
        assert refused.failed
        assert refused.msg.startswith("region: ")
    assert mirror.requests == []


def test_what_is_not_a_file_is_not_replaced(fetch: Fetch, dest: Path) -> None:
    os.mkfifo(dest)
    refused = fetch()
    assert refused.failed
    assert refused.msg == f"dest: {dest} is not a regular file."
    assert dest.is_fifo()


def run_in_shell(
    script: str, modules: Modules, options: dict[str, Any], **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the module behind a shell command; ``$@`` in the script is the module."""
    return subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", f"{COLLECTION}.plugins.modules.rds_ca_bundle"],
        input=module_arguments(modules.home, options),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=modules.home,
        # A limit on the size of files holds for compiled modules as well.
        env={**module_environment(modules.home), "PYTHONDONTWRITEBYTECODE": "1", **variables},
    )


def test_a_full_disk_leaves_the_old_file(
    modules: Modules, bundle_options: dict[str, Any], pki: Pki, dest: Path
) -> None:
    """A limit on the size of files: the write fails in the middle as it does on a full disk."""
    old = pki.bundle.read_bytes() * 2
    blocks = (pki.bundle.stat().st_size - 1) // 512
    for content, option in ((b"short\n", "dest"), (old, "backup")):
        dest.write_bytes(content)
        done = run_in_shell(f'ulimit -f {blocks}; exec "$@"', modules, {**bundle_options, "backup": True})
        result = json.loads(done.stdout)
        assert result["failed"]
        assert result["msg"].startswith(f"{option}: ")
        assert "File too large" in result["msg"]
        assert "Traceback" not in done.stdout + done.stderr
        assert dest.read_bytes() == content
        assert list(dest.parent.iterdir()) == [dest]


def test_a_file_system_without_room(modules: Modules, bundle_options: dict[str, Any], pki: Pki, dest: Path) -> None:
    """The same on a tmpfs of one page, where a user may mount one."""
    small = dest.parent / "small"
    small.mkdir()
    script = (
        f"mount -t tmpfs -o size=4k none {small} || exit 77; "
        f'echo old > {small}/b.pem; "$@"; echo; cat {small}/b.pem; ls -A {small}'
    )
    done = run_in_shell(
        f"exec unshare --user --map-root-user --mount sh -c '{script}' sh \"$@\"",
        modules,
        {**bundle_options, "dest": str(small / "b.pem")},
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    result, _between, after = done.stdout.strip().partition("\n\n")
    assert json.loads(result)["failed"]
    assert "No space left on device" in json.loads(result)["msg"]
    assert after.split() == ["old", "b.pem"]


def test_unsafe_writes(modules: Modules, bundle_options: dict[str, Any], pki: Pki, dest: Path) -> None:
    """A file that is a mount point, as in a container, cannot be replaced; only on request is it overwritten."""
    mounted = dest.with_name("mounted.pem")
    mounted.write_text("old\n")
    dest.write_text("below\n")
    script = f'mount --bind {mounted} {dest} || exit 77; "$@"; cat {dest}'
    for unsafe in (False, True):
        done = run_in_shell(
            f"exec unshare --user --map-root-user --mount sh -c '{script}' sh \"$@\"",
            modules,
            {**bundle_options, "unsafe_writes": unsafe},
        )
        if done.returncode == 77 or "unshare" in done.stderr:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        result = json.loads(done.stdout.strip().splitlines()[0])
        assert bool(result.get("failed")) is not unsafe
        assert mounted.read_bytes() == (pki.bundle.read_bytes() if unsafe else b"old\n")
        if not unsafe:
            assert result["msg"].startswith("dest: ")


def test_a_crash_leaves_the_old_file(
    modules: Modules, bundle_options: dict[str, Any], pki: Pki, dest: Path, tmp_path: Path
) -> None:
    """Killed in the moment before the new file takes the old one's place."""
    dest.write_bytes(pki.root.read_bytes())
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\n"
        "def killed(*args, **kwargs):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.rename = os.replace = killed\n"
    )
    path = os.pathsep.join([str(tmp_path), module_environment(modules.home)["PYTHONPATH"]])
    done = run_in_shell('exec "$@"', modules, bundle_options, PYTHONPATH=path)
    assert done.returncode == -9
    assert dest.read_bytes() == pki.root.read_bytes()
    done = run_in_shell('exec "$@"', modules, bundle_options)
    assert json.loads(done.stdout)["changed"] is True
    assert dest.read_bytes() == pki.bundle.read_bytes()


def test_a_warning_names_what_was_retired_long_ago(fetch: Fetch, mirror: Mirror, dest: Path) -> None:
    """The bundle of the recipe, which has expired as a whole."""
    from tests.servers import MYSQL_RDS_CA, ServerUnavailable, published_certificates

    try:
        pems = published_certificates(MYSQL_RDS_CA)
    except ServerUnavailable as e:
        pytest.skip(str(e))
    root, intermediate = pems[1], pems[7]
    mirror.respond(f"/rds-ca-2015-{REGION}.pem", body=intermediate)
    mirror.respond("/rds-ca-2015-root.pem", body=root)
    result = fetch(ca_set="rds-ca-2015").ok()
    assert dest.read_bytes() == intermediate + root
    assert "Amazon RDS eu-central-1 CA expired on 2020-03-05" in result.warnings
    assert "Amazon RDS Root CA expired on 2020-03-05" in result.warnings
    assert result["earliest_expiry"] == "2020-03-05T09:11:31Z"
    all_gone = fetch(ca_set="rds-ca-2015", expired="drop")
    assert all_gone.failed
    assert "leaves none" in all_gone.msg
