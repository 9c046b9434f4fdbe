# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments, made once and kept in the user's cache.

An environment's name ends in a hash of its Python and its requirements: a change of either is a new environment, and a
clone that has the same ones installs nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .interpreters import Interpreter, this_interpreter
from .places import REQUIREMENTS, cache_root, locked, say

FORCED = {
    # The collections of this release, ansible.mysql among them, run on every ansible-core; what it requires is another.
    "bench": ("ansible==14.5.0",),
    # The last release that brings awx.awx; amazon.aws is in it as well.
    "awx": ("ansible==11.13.0",),
}
"""Requirements of some environments that are installed alone."""

_ATTEMPTS = 3
_INCLUDE = re.compile(r"-r\s+(\S+)$")


class EnvironmentFailed(Exception):
    """An environment could not be made; the message carries the end of what pip said."""


@dataclass(frozen=True)
class Environment:
    """A complete virtual environment."""

    directory: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.directory / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"

    def version(self, distribution: str) -> str:
        """Which release of a distribution it has."""
        return subprocess.run(
            [str(self.python), "-c", f"import importlib.metadata as m; print(m.version({distribution!r}))"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()


def environment(
    name: str,
    *,
    interpreter: Interpreter | None = None,
    requirements: str | None = None,
    forced: tuple[str, ...] = (),
) -> Environment:
    """The environment ``name``, made if it is not there yet.

    ``requirements`` is the text of a requirements file, and is tests/requirements/``name``.txt unless given.
    ``forced`` are requirements installed alone, whatever Python and dependencies they ask for.
    """
    interpreter = interpreter or this_interpreter()
    text = requirement_lines(f"-r {name}.txt" if requirements is None else requirements)
    key = hashlib.sha256(
        "\n".join([interpreter.version, os.path.realpath(interpreter.executable), *forced, text]).encode()
    ).hexdigest()[:12]
    directory = cache_root() / "environments" / f"{name}-py{interpreter.series}-{key}"
    if _is_complete(directory):
        return Environment(directory)
    with locked(directory.with_name(f"{directory.name}.lock"), f"environment {name}") as lock:
        if not _is_complete(directory):
            _make(directory, interpreter, text, forced, lock)
    return Environment(directory)


def requirement_lines(text: str) -> str:
    """Requirements without comments, with the files that they include in their place."""
    lines: list[str] = []
    for line in map(str.strip, text.splitlines()):
        include = _INCLUDE.match(line)
        if include:
            lines += requirement_lines((REQUIREMENTS / include[1]).read_text("utf-8")).splitlines()
        elif line and not line.startswith("#"):
            lines.append(line)
    return "\n".join(lines) + "\n"


def _stamp(directory: Path) -> Path:
    return directory / ".complete"


def _is_complete(directory: Path) -> bool:
    # The interpreter is a link to the one that the environment was made from, which may have gone since.
    return _stamp(directory).exists() and (directory / "bin" / "python").exists()


def _make(directory: Path, interpreter: Interpreter, text: str, forced: tuple[str, ...], lock: int) -> None:
    say(f"making environment {directory.name}")
    started = time.monotonic()
    # Without a stamp it was left half made by a process that was killed.
    shutil.rmtree(directory, ignore_errors=True)
    _run([str(interpreter.executable), "-m", "venv", str(directory)], directory, lock)
    requirements = directory / "requirements.txt"
    requirements.write_text(text, encoding="utf-8")
    pip = [str(directory / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    pip += ["--progress-bar", "off"]
    _run_patiently([*pip, "-r", str(requirements)], directory, lock)
    if forced:
        _run_patiently([*pip, "--no-deps", "--ignore-requires-python", *forced], directory, lock)
    _stamp(directory).touch()
    say(f"made environment {directory.name} in {time.monotonic() - started:.0f} s")


def _run_patiently(command: list[str], directory: Path, lock: int) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _run(command, directory, lock)
        except EnvironmentFailed as failure:
            if attempt == _ATTEMPTS:
                raise
            say(f"{failure}\ntrying again")
            time.sleep(5 * attempt)
        else:
            return


def _run(command: list[str], directory: Path, lock: int) -> None:
    # An environment of whoever started us must not leak into this one.
    variables = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=variables,
        check=False,
        pass_fds=[lock],
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise EnvironmentFailed(f"environment {directory.name}: {' '.join(command[1:4])} failed\n{tail}")
