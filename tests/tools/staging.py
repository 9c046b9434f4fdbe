# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of the checkout at a path where Ansible takes it for an installed collection."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .places import BUILD, ROOT, STAGE, locked

_MANIFEST = BUILD / "staged.txt"


def stage() -> Path:
    """Bring the copy up to date and return its path.

    Only files that differ are written, each replaced in one step, so that tests that are running are not disturbed.
    What programs leave in the copy (reports, caches) stays there.
    """
    with locked(BUILD / "stage.lock", "staging the collection"):
        files = source_files()
        STAGE.mkdir(parents=True, exist_ok=True)
        for name in sorted(_staged_before() - set(files)):
            _remove(name)
        for name in files:
            _copy(ROOT / name, STAGE / name)
        _MANIFEST.write_text("".join(f"{name}\n" for name in files), encoding="utf-8")
        if not (STAGE / ".git").is_dir():
            # ansible-test and ansible-lint ask git for the files. Here git would answer that build/ is ignored.
            git("init", "--quiet", "--template=", at=STAGE)
    return STAGE


def source_files() -> list[str]:
    """The files of the checkout that are or will be in version control, relative to its root."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", at=ROOT)
    return sorted({name for name in listed.split("\0") if name and (ROOT / name).is_file()})


def git(*arguments: str, at: Path) -> str:
    """Output of a git command on the repository at this path, whatever repository a calling hook is about."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *arguments], cwd=at, env=variables, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def _staged_before() -> set[str]:
    return set(_MANIFEST.read_text("utf-8").splitlines()) if _MANIFEST.exists() else set()


def _remove(name: str) -> None:
    path = STAGE / name
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == STAGE:
            break
        shutil.rmtree(parent / "__pycache__", ignore_errors=True)
        try:
            parent.rmdir()
        except OSError:
            break


def _copy(source: Path, target: Path) -> None:
    if target.is_file() and _same(source, target):
        return
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=".stage-", dir=target.parent)
    os.close(handle)
    shutil.copy2(source, partial)
    os.replace(partial, target)


def _same(source: Path, target: Path) -> bool:
    ours, theirs = source.stat(), target.stat()
    if ours.st_mode != theirs.st_mode or ours.st_size != theirs.st_size:
        return False
    return ours.st_mtime_ns == theirs.st_mtime_ns or filecmp.cmp(source, target, shallow=False)
