# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running programs of an environment on the staged collection, away from the user's own settings."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .environments import Environment
from .places import BUILD, COLLECTIONS, ROOT

_INHERITED_NOT = ("ANSIBLE_", "GIT_", "GALAXY_IMPORTER_", "MYPY", "PYTHON", "RUFF_")
_GRACE_SECONDS = 30


class CommandFailed(Exception):
    """A program said no; what it had to say is on the terminal already."""


def variables(environment: Environment) -> dict[str, str]:
    """Environment variables for a program: the staged collection, no file of the user's, a UTF-8 locale."""
    result = {name: value for name, value in os.environ.items() if not name.startswith(_INHERITED_NOT)}
    home = BUILD / "ansible"
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "ansible.cfg"
    configuration.touch()
    result.update(
        ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
        ANSIBLE_CONFIG=str(configuration),
        ANSIBLE_HOME=str(home),
        ANSIBLE_LOCAL_TEMP=str(home / "tmp"),
        ANSIBLE_REMOTE_TMP=str(home / "remote-tmp"),
        LC_ALL="C.UTF-8",
        PATH=os.pathsep.join([str(environment.bin), result.get("PATH", os.defpath)]),
        PYTHONPATH=str(COLLECTIONS),
        VIRTUAL_ENV=str(environment.directory),
    )
    return result


def run(
    environment: Environment,
    *command: str | Path,
    at: Path = ROOT,
    extra: Mapping[str, str] | None = None,
    accept: Sequence[int] = (0,),
    show: bool = True,
) -> str:
    """Run a program of the environment in the directory ``at`` to its end, and return what it printed.

    With ``show`` its output goes to the terminal as well, at once. Raises CommandFailed unless its exit status is in
    ``accept``.
    """
    arguments = [str(part) for part in command]
    program = environment.bin / arguments[0]
    if program.exists():
        arguments[0] = str(program)
    process = subprocess.Popen(
        arguments,
        cwd=at,
        env={**variables(environment), **(extra or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    lines: list[str] = []
    try:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if show:
                print(line, end="", flush=True)
        status = process.wait()
    except KeyboardInterrupt:
        # Ctrl-C reached the whole process group, and tests then stop their servers: give them the time for it.
        _end(process, told=True)
        raise
    except BaseException:
        _end(process, told=False)
        raise
    output = "".join(lines)
    if status not in accept:
        if not show:
            print(output, end="", flush=True)
        raise CommandFailed(f"{Path(arguments[0]).name} exited with status {status}")
    return output


def _end(process: subprocess.Popen[str], *, told: bool) -> None:
    if not told:
        # pytest stops the servers that its tests started on SIGINT, but not on SIGTERM.
        process.send_signal(signal.SIGINT)
    for insist in (process.terminate, process.kill):
        try:
            process.wait(timeout=_GRACE_SECONDS)
            return
        except subprocess.TimeoutExpired:
            insist()
    process.wait()
