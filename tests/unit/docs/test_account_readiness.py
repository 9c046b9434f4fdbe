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
