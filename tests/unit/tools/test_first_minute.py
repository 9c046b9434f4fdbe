# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody sees who types ``make demo`` on a machine that lacks something: one line, and no traceback."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from demo import __main__ as demo
from tests.tools import staging

ENVIRONMENTS = Path(staging.__file__).with_name("environments.py")


def test_cache_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")}
    command = [sys.executable, "-B", str(ENVIRONMENTS), "nox"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: the environment nox could not be made in ")
    assert "XDG_CACHE_HOME" in done.stderr
    assert done.stderr.count("\n") == 1


def test_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    with pytest.raises(SystemExit, match=r"3\.11 or newer is needed: make PYTHON=python3\.12"):
        runpy.run_path(str(ENVIRONMENTS), run_name="__main__")


def test_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["environments.py", "nox"])
    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ENVIRONMENTS), run_name="__main__")
    assert ended.value.code == 130


def test_archive_in_place_of_a_clone(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"has to be a clone that git can read.*fatal: not a git repository"):
        staging.files(tmp_path)


def test_second_demo_in_one_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "WORK", tmp_path / "build" / "demo")
    with demo.alone():
        with pytest.raises(demo.DemoFailed, match="another demo is running"):
            with demo.alone():
                pass
    with demo.alone():
        pass


def test_commands_for_contributors_are_targets_of_make() -> None:
    """Which bring what they need; a Python of the system has none of the libraries."""
    root = ENVIRONMENTS.parents[2]
    makefile = (root / "Makefile").read_text("utf-8")
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (root / name).read_text("utf-8")
        targets = set(re.findall(r"(?:`|\$ |&& |python3\.13 )make ([a-z-]+)", text))
        assert targets
        assert not [each for each in targets if not re.search(rf"^{each}:.*## ", makefile, re.MULTILINE)]
        assert not re.search(r"python3? -m (?:tests|demo|docs)\b", text)
