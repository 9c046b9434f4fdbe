# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of the checkout at a path where Ansible takes it for an installed collection."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .environments import ROOT, locked

BUILD = ROOT / "build"
COLLECTIONS = BUILD / "collections"
STAGE = COLLECTIONS / "ansible_collections" / "dbtls" / "rds_mysql"


def files(top: Path) -> set[str]:
    """What is or will be in version control below ``top``."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    listed = subprocess.run(command, cwd=top, env=clean, capture_output=True, text=True, check=False)
    if listed.returncode:
        sys.exit(f"error: {top} has to be a clone that git can read, not an unpacked archive: {listed.stderr.strip()}")
    return {name for name in listed.stdout.split("\0") if name and (top / name).is_file()}


def stage() -> None:
    """Bring the copy up to date: only what differs, each file in one step, as tests may be running on it."""
    with locked(BUILD / "stage.lock"):
        if not (STAGE / ".git").is_dir():
            # ansible-test and ansible-lint ask git for the files. Here the checkout's would say that build/ is ignored.
            subprocess.run(["git", "init", "--quiet", "--template=", STAGE], check=True)
        wanted = files(ROOT)
        for name in files(STAGE) - wanted:
            (STAGE / name).unlink(missing_ok=True)
        for name in wanted:
            source, target = ROOT / name, STAGE / name
            if (
                not target.is_file()
                or not filecmp.cmp(source, target)
                or source.stat().st_mode != target.stat().st_mode
            ):
                target.parent.mkdir(parents=True, exist_ok=True)
                new = target.with_name(f".{target.name}.new")
                shutil.copy2(source, new)
                new.replace(target)


if __name__ == "__main__":
    stage()
    print(STAGE)
