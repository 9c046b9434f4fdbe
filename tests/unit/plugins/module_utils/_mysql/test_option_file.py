# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.option_file import read_client_section

if t.TYPE_CHECKING:
    from pathlib import Path


def test_the_format_of_mysql(tmp_path: Path) -> None:
    path = tmp_path / "my.cnf"
    path.write_text(
        "!includedir /nowhere\n# comment\n[mysqld]\nuser=mysql\n[client]\nuser = app   # the application\n"
        "password='s3#cr\\\\et'\ncompress\ndefault_character_set=utf8mb4\n[client-server]\nuser=other\n",
        encoding="utf-8",
    )
    assert read_client_section(str(path)) == {
        "user": "app",
        "password": "s3#cr\\et",
        "compress": "",
        "default-character-set": "utf8mb4",
    }


def test_a_file_that_cannot_be_read_names_option_and_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^config_file: .*missing\.cnf cannot be read: No such file"):
        read_client_section(str(tmp_path / "missing.cnf"))


def test_what_is_not_text_shows_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "my.cnf"
    path.write_bytes(b"[client]\npassword=s3cret\xff\n")
    with pytest.raises(OptionError) as caught:
        read_client_section(str(path))
    assert "s3cret" not in str(caught.value)
