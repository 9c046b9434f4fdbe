# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments in the user's cache, for all sessions and clones; ``environments.py NAME`` prints one's path.

nox keeps an environment per session and clone, takes a half-made one for whole, and stops at pyenv's shims. This also
brings nox itself, so it needs the standard library alone.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 (whatever python3 is, it gets here first)
    sys.exit(
        f"error: {sys.executable} is Python {sys.version.split()[0]}; 3.11 or newer is needed: make PYTHON=python3.12"
    )

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "tests" / "requirements"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dbtls-rds-mysql"


@functools.cache
def interpreters() -> dict[str, Path]:
    """Series, such as 3.11, to interpreter: the one that runs this, then those on PATH, then those of pyenv."""
    found = {f"3.{sys.version_info.minor}": Path(getattr(sys, "_base_executable", sys.executable)).resolve()}
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    # A shim is there even where pyenv would refuse to run it.
    on_path = [Path(entry) for entry in os.environ["PATH"].split(os.pathsep) if not entry.endswith("/shims")]
    for directory in [*on_path, *sorted(pyenv.glob("3.*/bin"), reverse=True)]:
        for path in directory.glob("python3.*"):
            if re.fullmatch(r"python3\.\d+", path.name) and os.access(path, os.X_OK):
                found.setdefault(path.name.removeprefix("python"), path.resolve())
    return found


def interpreter_links() -> Path:
    """A directory with a python3.N for each of them, to go before the shims on PATH."""
    found = {f"python{series}": path for series, path in sorted(interpreters().items())}
    directory = CACHE / "interpreters" / hashlib.sha256(repr(found).encode()).hexdigest()[:12]
    directory.mkdir(parents=True, exist_ok=True)
    for name, path in found.items():
        with suppress(FileExistsError):
            (directory / name).symlink_to(path)
    return directory


class EnvironmentFailed(Exception):
    """An environment could not be made; the message says why."""


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold this lock, which the kernel drops with the last process that has its descriptor, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def environment(name: str, series: str | None = None, core: str | None = None) -> Path:
    """The environment of tests/requirements/``name``.txt, made if it is not there, with this ansible-core if given.

    ``name``.no-deps.txt has what is installed whatever Python and other packages it asks for.
    """
    try:
        return _environment(name, series, core)
    except subprocess.CalledProcessError as e:
        failed = f"{shlex.join(e.cmd)} failed, as it says above; is the network there?"
        raise EnvironmentFailed(f"the environment {name} could not be made: {failed}") from e
    except OSError as e:
        raise EnvironmentFailed(f"the environment {name} could not be made in {CACHE} (set XDG_CACHE_HOME): {e}") from e


def _environment(name: str, series: str | None, core: str | None) -> Path:
    python = interpreters()[series or f"3.{sys.version_info.minor}"]
    lines = _lines(f"{name}.txt")
    if core:
        lines = [f"ansible-core=={core}", *(line for line in lines if not line.startswith("ansible-core"))]
    alone = _lines(f"{name}.no-deps.txt") if (REQUIREMENTS / f"{name}.no-deps.txt").exists() else []
    # Not pythonX.Y alone: pyenv's 3.11.7 and the system's 3.11.2 are two.
    key = hashlib.sha256(repr([str(python), lines, alone]).encode()).hexdigest()[:12]
    directory = CACHE / "environments" / f"{name}-{python.name}-{key}"
    complete = directory / ".complete"
    if complete.exists() and (directory / "bin" / "python").exists():
        return directory
    with locked(directory.with_suffix(".lock")) as lock:
        if not complete.exists():
            print(f"making environment {directory.name}", file=sys.stderr, flush=True)
            shutil.rmtree(directory, ignore_errors=True)
            _run(lock, str(python), "-m", "venv", str(directory))
            pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            _run(lock, *pip, *_requirements(directory / "requirements.txt", lines))
            if alone:
                options = ["--no-deps", "--ignore-requires-python"]
                _run(lock, *pip, *options, *_requirements(directory / "no-deps.txt", alone))
            complete.touch()
    return directory


def _lines(name: str) -> list[str]:
    lines: list[str] = []
    for line in (REQUIREMENTS / name).read_text("utf-8").splitlines():
        if line.startswith("-r "):
            lines += _lines(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            lines.append(line)
    return lines


def _requirements(path: Path, lines: list[str]) -> list[str]:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return ["-r", str(path)]


def _run(lock: int, *command: str) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # pip must not outlive the lock, nor the lock pip.
    subprocess.run(command, check=True, env=ours, stdout=sys.stderr, pass_fds=[lock])


if __name__ == "__main__":
    try:
        print(environment(sys.argv[1]))
    except EnvironmentFailed as e:
        sys.exit(f"error: {e}")
    except KeyboardInterrupt:
        sys.exit(130)
