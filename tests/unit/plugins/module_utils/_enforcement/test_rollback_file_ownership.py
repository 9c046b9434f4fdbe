# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose records are used: whoever writes one decides what is restored."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import rollback_file
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_record import Endpoint
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.rollback_file import (
    RecordError,
    RollbackFile,
)

_NOBODY = 65534
_HERE = Endpoint("db.example.com", 3306, None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is in order."""
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"format": rollback_file.FORMAT, "version": 1, "changes": []}))
    path.chmod(0o600)
    return path


def _read(file: Path) -> object:
    return RollbackFile(str(file), "restore_file").read(_HERE, "mysql")


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o400, 0o604])
def test_modes_that_let_nobody_else_write(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert _read(file) == ()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o660])
def test_a_record_that_others_may_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(RecordError, match=r"restore_file: .* can be written by others than its owner"):
        _read(file)


def test_a_record_of_another_user_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For root as well, who could read everybody's."""
    if os.geteuid() == 0:
        os.chown(file, _NOBODY, _NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: _NOBODY)
    with pytest.raises(RecordError, match=r"restore_file: .* belongs to another user"):
        _read(file)


def test_a_record_of_root_is_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the task: root could do everything to him anyway."""
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "geteuid", lambda: _NOBODY)
    assert _read(file) == ()


def test_a_link_is_followed_to_the_file_that_counts(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    file.chmod(0o666)
    with pytest.raises(RecordError, match="can be written by others"):
        _read(link)
