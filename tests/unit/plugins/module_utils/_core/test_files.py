# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    NotSynced,
    locked_directory,
    write_atomically,
)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(name="umask", params=[0o022, 0o077, 0o002])
def _umask(request: pytest.FixtureRequest) -> t.Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_new_file_has_what_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "file"
    write_atomically(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert mode_of(path) == 0o666 & ~umask


def test_a_mode_is_obeyed_and_kept(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "file"
    write_atomically(str(path), b"one", mode=0o660)
    assert mode_of(path) == 0o660
    write_atomically(str(path), b"two")
    assert mode_of(path) == 0o660
    write_atomically(str(path), b"three", mode=0o604)
    assert mode_of(path) == 0o604
    assert path.read_bytes() == b"three"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_owner_and_group_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 12, 34)
    path.chmod(0o640)
    write_atomically(str(path), b"new")
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (12, 34, 0o640)


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_one(tmp_path: Path, *, there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    if there:
        target.write_bytes(b"old")
    link.symlink_to("elsewhere/target")
    write_atomically(str(link), b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path / "elsewhere") == ["target"]


def test_the_file_and_its_directory_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        order.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def replacing(source: str, target: str) -> None:
        order.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replacing)
    write_atomically(str(tmp_path / "file"), b"new")
    assert order == ["file", "replace", "directory"]


class Fault:
    """Fails a function of the operating system as a full disk does."""

    def __init__(self, error: int) -> None:
        self.error = error

    def __call__(self, *unused: t.Any, **unused_too: t.Any) -> t.NoReturn:
        raise OSError(self.error, os.strerror(self.error))


@pytest.mark.parametrize("step", ["open", "fchmod", "fsync", "replace"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_failure_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, old: bytes | None
) -> None:
    path = tmp_path / "file"
    if old:
        path.write_bytes(old)
    with monkeypatch.context() as patch:
        patch.setattr(os, step, Fault(errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"):
            write_atomically(str(path), b"new", mode=0o600)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([old] if old else [])


def test_a_limit_on_the_size_of_files_changes_nothing(tmp_path: Path) -> None:
    """What the kernel itself refuses in the middle of the content."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    program = (
        "import signal, sys\n"
        "from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "write_atomically(sys.argv[1], b'x' * 100_000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(path)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert "File too large" in done.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_refused_before_replacing_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def refuse(new: str) -> t.NoReturn:
        assert Path(new).read_bytes() == b"new"
        raise RuntimeError("no such owner")

    with pytest.raises(RuntimeError):
        write_atomically(str(path), b"new", before_replacing=refuse)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("error", "raises"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_directory_that_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, *, raises: bool
) -> None:
    """Network file systems do not know it, which is no error; a failing disk is one."""
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(error, os.strerror(error))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "file"
    if raises:
        with pytest.raises(NotSynced, match="Input/output"):
            write_atomically(str(path), b"new")
    else:
        write_atomically(str(path), b"new")
    assert path.read_bytes() == b"new"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with locked_directory(str(tmp_path), 1):
        with pytest.raises(BlockingIOError):
            with locked_directory(str(tmp_path), 0.1):
                pass
    with locked_directory(str(tmp_path), 0.1):
        assert os.listdir(tmp_path) == []
