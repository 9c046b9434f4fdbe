# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Python interpreters this machine has."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .places import cache_root

_NAME = re.compile(r"python3\.\d+$")
_PROBE = "import platform, sys; print(platform.python_implementation(), platform.python_version(), sys.executable)"


@dataclass(frozen=True)
class Interpreter:
    """A Python that starts."""

    executable: Path
    version: str
    """Such as 3.11.7."""

    @property
    def series(self) -> str:
        """Such as 3.11."""
        return ".".join(self.version.split(".")[:2])

    @property
    def number(self) -> tuple[int, int]:
        """Such as (3, 11), to compare."""
        major, minor = self.series.split(".")
        return int(major), int(minor)


def this_interpreter() -> Interpreter:
    """The one that runs the gates. A virtual environment has no claim: its base is what environments are made from."""
    executable = getattr(sys, "_base_executable", None) or sys.executable
    return Interpreter(Path(executable), ".".join(str(part) for part in sys.version_info[:3]))


@functools.cache
def interpreters() -> dict[str, Interpreter]:
    """Series to interpreter, oldest first, from PATH and pyenv; the one in use stands for its own series."""
    found: dict[str, Interpreter] = {}
    for path in _candidates():
        interpreter = _probe(path)
        if interpreter and interpreter.series not in found:
            found[interpreter.series] = interpreter
    ours = this_interpreter()
    found[ours.series] = ours
    return dict(sorted(found.items(), key=lambda item: item[1].number))


def directory_of_interpreters() -> Path:
    """A directory with ``python3.N`` for each interpreter, to put in front of PATH.

    A pyenv shim is on PATH even where pyenv would refuse to run it, and ansible-test takes it for the real thing.
    """
    wanted = {f"python{series}": str(found.executable) for series, found in interpreters().items()}
    key = hashlib.sha256(repr(sorted(wanted.items())).encode()).hexdigest()[:12]
    target = cache_root() / "interpreters" / key
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    for name, executable in wanted.items():
        (new / name).symlink_to(executable)
    try:
        new.rename(target)
    except OSError:
        shutil.rmtree(new)
        if not target.is_dir():
            raise
    return target


def _candidates() -> list[Path]:
    directories = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    # A shim runs whatever pyenv would choose; the interpreters themselves are found below.
    directories = [directory for directory in directories if directory.name != "shims"]
    directories += _pyenv_directories()
    return [
        path
        for directory in directories
        if directory.is_dir()
        for path in sorted(directory.iterdir())
        if _NAME.match(path.name) and os.access(path, os.X_OK)
    ]


def _pyenv_directories() -> list[Path]:
    root = os.environ.get("PYENV_ROOT")
    if not root and shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    versions = Path(root or os.path.expanduser("~/.pyenv")) / "versions"
    # The newest release of a series first.
    return sorted(versions.glob("3.*/bin"), key=lambda path: _release(path.parent.name), reverse=True)


def _release(name: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", name)]


def _probe(path: Path) -> Interpreter | None:
    try:
        done = subprocess.run(
            [str(path), "-I", "-c", _PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    implementation, version, executable = done.stdout.strip().split(" ", 2)
    return Interpreter(Path(executable), version) if implementation == "CPython" else None
