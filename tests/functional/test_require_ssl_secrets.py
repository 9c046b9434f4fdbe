# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No password shows anywhere: not in what Ansible prints at -vvvv, the server's log, the process list or files."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Pki

from .database import Database
from .plays import Ansible
from .runner import client_options
from .servers import Servers

_MODULE = "dbtls.rds_mysql.mysql_require_ssl"
_TICK_SECONDS = 0.005


@contextmanager
def no_process_shows(secrets: Sequence[str]) -> Iterator[None]:
    """While the block runs, no process of this machine has one of them in its arguments or its environment."""
    wanted = [secret.encode() for secret in secrets]
    over = threading.Event()
    found: list[str] = []
    looked = 0

    def look() -> None:
        nonlocal looked
        while not over.wait(_TICK_SECONDS):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                for part in (path, path.with_name("environ")):
                    # A process may end while one looks.
                    with contextlib.suppress(OSError):
                        shown = part.read_bytes()
                        looked += 1
                        found.extend(f"{part}: {secret!r}" for secret in wanted if secret in shown)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert looked > 100
    assert not found


def files_that_show(directory: Path, secrets: Sequence[str]) -> list[str]:
    """Files below the directory that hold one of them, but for the one that the test has written itself."""
    return [
        str(path)
        for path in directory.rglob("*")
        if path.is_file() and path.name != "secrets.yml" and any(s.encode() in path.read_bytes() for s in secrets)
    ]


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "left-behind").write_text("x the-secret y")
    assert files_that_show(tmp_path, ["the-secret"]) == [str(tmp_path / "left-behind")]
    with pytest.raises(AssertionError, match="cmdline"), no_process_shows(["the-secret-in-the-arguments"]):
        subprocess.run(["/bin/sh", "-c", "sleep 0.3; : the-secret-in-the-arguments"], check=True)


@pytest.mark.parametrize("name", ["mysql-5.6", "mysql-9.7", "mariadb-11.8"])
def test_after_every_failure(servers: Servers, tmp_path: Path, pki: Pki, name: str) -> None:
    db: Database = servers.get(name)
    me = db.administrator()
    app = db.create(db.name_of("application"))
    auditor = db.create(db.name_of("looks"), "127.0.0.1")
    db.query("GRANT SELECT ON mysql.* TO %s@%s", auditor.user, auditor.host)
    before = db.everything_but_the_requirement(app.user, app.host)
    wrong = "a-password-of-nobody-here"
    secrets = {"mine": me.password, "theirs": app.password, "auditors": auditor.password, "wrong": wrong}
    assert len(set(secrets.values())) == len(secrets)

    def options(**more: Any) -> dict[str, Any]:
        return {**db.options(me), "login_password": "{{ mine }}", "user": app.user, **more}

    proof = {"user": app.user, "password": "{{ theirs }}"}
    failing = {
        "guard": options(user=me.user, ssl_type="x509"),
        "verify": options(verify=[{"user": app.user, "password": "{{ wrong }}"}]),
        "login": options(login_password="{{ wrong }}"),
        "refused": options(login_user=auditor.user, login_password="{{ auditors }}"),
        "rolled back": options(
            ssl_type="specified", subject="/CN=not-this-one", verify=[proof], **client_options(pki.client())
        ),
    }
    tasks = [
        {"name": told, _MODULE: arguments, "ignore_errors": True, "register": f"task_{number}"}
        for number, (told, arguments) in enumerate(failing.items())
    ]
    tasks += [
        {"ansible.builtin.assert": {"that": [f"task_{number} is failed" for number in range(len(failing))]}},
        {"ansible.builtin.debug": {"var": "task_4"}},
        {"name": "done", _MODULE: options(verify=[proof])},
    ]
    ansible = Ansible(tmp_path)
    ansible.secrets = list(secrets.values())
    with db.watch() as seen, no_process_shows(ansible.secrets):
        run = ansible.play(tasks, secrets, "-vvvv").ok()
    assert run.output.count("not-this-one") > 0
    assert "was rolled back" in run.output
    assert seen
    assert not [statement for statement in seen if any(secret in statement for secret in ansible.secrets)]
    assert files_that_show(tmp_path, ansible.secrets) == []
    assert db.ssl_type(app) == "ANY"
    assert db.everything_but_the_requirement(app.user, app.host) == before
