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
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import Untrusted, open_trusted, read_bounded

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
