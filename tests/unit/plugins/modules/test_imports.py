# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module loads before it has looked at its options; each run on a host loads, and compiles, all of it again."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PACKAGE = "ansible_collections.dbtls.rds_mysql.plugins"


def loaded(statements: str) -> set[str]:
    """The names of the modules that a Python has loaded after these statements."""
    program = f"{statements}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["mysql_ssl_status", "mysql_require_ssl", "mysql_tls_bundles", "mysql_tls_report"])
def test_no_library_before_there_is_something_to_do_with_it(module: str) -> None:
    assert not {"cryptography", "pymysql"} & loaded(f"import {_PACKAGE}.modules.{module}")
