# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-builder makes of execution-environment.yml, and what it finds in the collection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from .data import COLLECTION


def builder(*arguments: str, at: Path) -> str:
    """What ansible-builder prints."""
    program = Path(sys.executable).with_name("ansible-builder")
    done = subprocess.run(
        [str(program), *arguments], cwd=at, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_introspection_finds_the_libraries() -> None:
    """As a build does, in the collections that it has installed."""
    collections = COLLECTION.parents[2]
    found = yaml.safe_load(builder("introspect", str(collections), at=COLLECTION))["python"]
    ours = [line.partition("  # ")[0] for line in found if line.endswith("from collection dbtls.rds_mysql")]
    assert sorted(ours) == ["PyMySQL>=1.0", "cryptography>=3.4"]


def test_a_context_to_build_from(tmp_path: Path) -> None:
    builder("create", "-f", str(COLLECTION / "execution-environment.yml"), "-c", str(tmp_path), at=COLLECTION)
    # A Containerfile where it finds podman.
    (path,) = tmp_path.glob("*file")
    containerfile = path.read_text("utf-8")
    assert 'ARG EE_BASE_IMAGE="almalinux:9.5"' in containerfile
    assert "python3.12" in containerfile
    build = tmp_path / "_build"
    collections = yaml.safe_load((build / "requirements.yml").read_text("utf-8"))["collections"]
    assert "awscli" in (build / "requirements.txt").read_text("utf-8").split()
    assert [entry["name"] for entry in collections] == ["https://github.com/dbtls/rds_mysql.git", "amazon.aws"]


def test_the_floors_are_those_of_the_readme() -> None:
    lines = (COLLECTION / "meta" / "ee-requirements.txt").read_text("utf-8").splitlines()
    floors = dict(line.split(">=") for line in lines if line and not line.startswith("#"))
    readme = (COLLECTION / "README.md").read_text("utf-8")
    assert f"with cryptography {floors['cryptography']} and PyMySQL {floors['PyMySQL']} or newer" in readme
