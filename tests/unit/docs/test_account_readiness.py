# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guide about readiness shows: the picture is what its script makes, and systemd takes the units."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from docs.tools.readiness_picture import PICTURE, picture

ROOT = Path(__file__).resolve().parents[3]
UNITS = sorted((ROOT / "docs" / "docsite" / "rst" / "systemd").iterdir())


def test_the_picture_is_what_its_script_makes() -> None:
    assert (ROOT / PICTURE).read_text("utf-8") == picture()


def test_there_is_a_timer_for_a_service() -> None:
    assert [path.name for path in UNITS] == ["dbtls-watch.service", "dbtls-watch.timer"]


def test_modules_of_a_dynamic_user_have_a_directory() -> None:
    """Ansible makes it below the home that the user database has, which for a dynamic user is ``/``, and not HOME."""
    lines = [line for line in UNITS[0].read_text("utf-8").splitlines() if line.startswith("Environment=")]
    settings = dict(word.split("=", 1) for line in lines for word in line.removeprefix("Environment=").split())
    assert settings["ANSIBLE_REMOTE_TMP"].startswith("/tmp/")
    assert "PrivateTmp=true" in UNITS[0].read_text("utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("unit", UNITS, ids=[path.name for path in UNITS])
def test_systemd_has_nothing_to_say_about_a_unit(unit: Path, tmp_path: Path) -> None:
    # Beside each other, as the timer names the service. It warns of files that everybody may write.
    for path in UNITS:
        shutil.copy(path, tmp_path)
        (tmp_path / path.name).chmod(0o644)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
