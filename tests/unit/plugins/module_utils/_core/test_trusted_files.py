# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose files are read: whoever writes one decides what is done."""

from __future__ import annotations

import os
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    Untrusted,
    followed,
    open_trusted,
    read_bounded,
    write_atomically,
)

_NOBODY = 65534


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"text")
    path.chmod(0o600)
    return path


def _of_another_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: _NOBODY)


def _read(path: Path, *given: t.Any, **named: t.Any) -> bytes:
    with open_trusted(str(path), *given, **named) as found:
        return read_bounded(found.read, 100)


def test_a_file_of_this_user(file: Path) -> None:
    assert _read(file) == b"text"
    file.chmod(0o644)
    assert _read(file) == b"text"


@pytest.mark.parametrize(("mode", "reason"), [(0o620, "its group"), (0o602, "everybody"), (0o666, "everybody")])
def test_what_others_may_write(file: Path, mode: int, reason: str) -> None:
    file.chmod(mode)
    with pytest.raises(Untrusted, match=f"can be written by {reason}"):
        _read(file)


def test_another_user(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For root too. What people write belongs to anybody, and a group that was named is trusted."""
    _of_another_user(file, monkeypatch)
    with pytest.raises(Untrusted, match="belongs to another user"):
        _read(file)
    assert _read(file, anyones=True) == b"text"
    assert _read(file, file.stat().st_gid) == b"text"


def test_everybody_is_in_no_group(file: Path) -> None:
    file.chmod(0o660)
    assert _read(file, file.stat().st_gid) == b"text"
    assert _read(file, anyones=True) == b"text"
    file.chmod(0o662)
    for named in ({"group": file.stat().st_gid}, {"anyones": True}):
        with pytest.raises(Untrusted, match="everybody"):
            _read(file, **named)


def test_a_link_is_what_it_leads_to(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    file.chmod(0o666)
    with pytest.raises(Untrusted, match="everybody"):
        _read(link)


def test_what_is_no_file_does_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    errors: list[str] = []

    def read() -> None:
        for path in (pipe, Path("/dev/zero")):
            try:
                _read(path)
            except Untrusted as e:
                errors.append(str(e))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    assert errors == ["is not a regular file"] * 2


def test_a_file_that_is_too_large(file: Path) -> None:
    file.write_bytes(b"x" * 101)
    with pytest.raises(Untrusted, match="larger than 100 bytes"):
        _read(file)


def _link_of_another_user(link: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    link.symlink_to(target)
    if os.geteuid() == 0:
        os.lchown(link, _NOBODY, _NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: _NOBODY)


@pytest.mark.parametrize("target", ["/etc/hosts", "/etc/is-not-there", "another"])
def test_a_link_of_another_user_leads_nowhere(tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """He would have this user replace a file that he cannot write to himself."""
    (tmp_path / "another").symlink_to("/etc/hosts")
    link = tmp_path / "report.html"
    _link_of_another_user(link, target, monkeypatch)
    for attempt in (lambda: followed(str(link)), lambda: write_atomically(str(link), b"text")):
        with pytest.raises(PermissionError, match="symbolic link of another user"):
            attempt()


def test_a_link_to_what_belongs_to_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an application's, for which root maintains a file."""
    target = tmp_path / "target"
    target.write_bytes(b"")
    if os.geteuid() == 0:
        os.chown(target, _NOBODY, _NOBODY)
    link = tmp_path / "link"
    _link_of_another_user(link, "target", monkeypatch)
    assert followed(str(link)) == str(target)


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        followed(str(tmp_path / "a"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_that_was_laid_ready_is_not_given_back(tmp_path: Path) -> None:
    """In a directory that everybody can write to, its owner would read and change what is written now."""
    tmp_path.chmod(0o1777)
    path = tmp_path / "report.json"
    path.write_bytes(b"")
    os.chown(path, _NOBODY, _NOBODY)
    path.chmod(0o666)
    write_atomically(str(path), b"text", mode=0o640)
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (os.geteuid(), 0o640)
