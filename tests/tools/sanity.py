# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``ansible-test sanity``, all of it, without a network but for the package index that pip is set up for.

ansible-test keeps environments below HOME, so it gets a HOME in the user's cache, one for each ansible-core. Into the
environments that it makes it brings pip by a script that it downloads, unless the script is there already; ours is.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from .environments import Environment
from .interpreters import directory_of_interpreters
from .places import STAGE, cache_root, locked, say
from .running import CommandFailed, run, variables

_DISABLED = re.compile(r"^WARNING: Skipping tests disabled by default", re.MULTILINE)
_SKIPPED = re.compile(r"^WARNING: (Skipping sanity test .*)$", re.MULTILINE)
_NOT_FOUND = re.compile(r"because it could not be found\.$")
_UNSUPPORTED = re.compile(r"because it is unsupported\. Supported Python versions: ")
_NAME = re.compile(r"^[a-z0-9-]+$", re.MULTILINE)
_RAN = re.compile(r'^Running sanity test "([^"]+)"', re.MULTILINE)

_BOOTSTRAP = '''\
"""Brings pip into an empty virtual environment, as the script does that ansible-test would download."""

import subprocess
import sys

options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet"] + options))
'''


def sanity(environment: Environment) -> None:
    """Run every sanity test on the staged collection. A test that lacks something it needs is a failure."""
    ignores = sorted((STAGE / "tests" / "sanity").glob("ignore-*.txt"))
    if ignores:
        raise CommandFailed(f"no ignore files: {', '.join(path.name for path in ignores)}")
    extra = _variables(environment)
    listed = run(environment, "ansible-test", "sanity", "--list-tests", at=STAGE, extra=extra, show=False)
    known = set(_NAME.findall(listed))
    _prime(environment, extra)
    output = run(environment, "ansible-test", "sanity", "--color", "no", at=STAGE, extra=extra)
    _check(output, known)


def _variables(environment: Environment) -> dict[str, str]:
    interpreters = directory_of_interpreters()
    home = cache_root() / "ansible-test" / f"{environment.directory.name}-{interpreters.name}"
    home.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([str(environment.bin), str(interpreters), variables(environment)["PATH"]])
    return {"HOME": str(home), "PATH": path, "ANSIBLE_HOME": str(home / ".ansible")}


def _prime(environment: Environment, extra: dict[str, str]) -> None:
    """Let ansible-test make its environments once, with nobody else in the same place."""
    home = Path(extra["HOME"])
    stamp = home / ".complete"
    if stamp.exists():
        return
    with locked(home.with_name(f"{home.name}.lock"), "ansible-test's environments"):
        if stamp.exists():
            return
        say("making ansible-test's environments")
        shutil.rmtree(home / ".ansible", ignore_errors=True)
        script = home / ".ansible" / "test" / "cache" / f"get_pip_{_pip_version(environment).replace('.', '_')}.py"
        script.parent.mkdir(parents=True)
        script.write_text(_BOOTSTRAP, encoding="utf-8")
        run(environment, "ansible-test", "sanity", "--prime-venvs", at=STAGE, extra=extra, show=False)
        stamp.touch()


def _pip_version(environment: Environment) -> str:
    for source in environment.directory.glob("lib/*/site-packages/ansible_test/_internal/python_requirements.py"):
        found = re.search(r"\bpip='([\d.]+)'", source.read_text("utf-8"))
        if found:
            return found[1]
    raise CommandFailed("this ansible-test does not say which pip it wants; see tests/tools/sanity.py")


def _check(output: str, known: set[str]) -> None:
    # ansible-test says each of them again at its end.
    skipped = [reason for reason in dict.fromkeys(_SKIPPED.findall(output)) if not _UNSUPPORTED.search(reason)]
    no_interpreter = [reason for reason in skipped if _NOT_FOUND.search(reason)]
    lacking = [reason for reason in skipped if reason not in no_interpreter]
    ran = set(_RAN.findall(output))
    say(f"{len(ran)} of {len(known)} sanity tests ran")
    for reason in no_interpreter:
        say(f"not on this machine: {reason}")
    if _DISABLED.search(output):
        lacking.append("tests disabled by default")
    if known - ran:
        lacking.append(f"not run: {', '.join(sorted(known - ran))}")
    if lacking:
        raise CommandFailed("; ".join(lacking))
