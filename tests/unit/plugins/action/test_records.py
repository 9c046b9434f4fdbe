# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of a server under other inventory names: what is in the directory besides holds up nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.action import mysql_tls_records


def test_a_pipe_among_the_records(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "other.json").write_text("db")
    code = (
        f"from pathlib import Path; from {mysql_tls_records.__name__} import Endpoint, _under_other_names as find; "
        f"print(find(Path({str(tmp_path)!r}), Endpoint('db', 3306, None), None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
