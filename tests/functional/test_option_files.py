# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An option file means here what it means to the servers' own program for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.option_file import read_client_section

from tests.servers import ServerUnavailable
from tests.servers.catalogue import CATALOGUE
from tests.servers.packages import find_program

# As values of options that are called a, b, c and so on.
VALUES = (
    r'"it\"s"',
    r'"ab"cd',
    r"'a\'b#c'",
    r'"a#b"c',
    r"it's#x",
    r" x y # comment",
    r"g=a\sb\tc\\d\qe\'f",
    r'"a" "b"',
    r"'",
    r"''",
    r'"""',
    r"#x",
    r'"abc',
    r'a"b#c"d#e',
    r"a\"b#c",
    r'"x\\"#y',
    r" 'sp ' ",
    r'"a\x\#"',
    r"\\",
    r"a\\#b",
    "",
    "pä$s{{ 7*7 }}%s",
)


# One of each family: the packages of the others are without the program.
@pytest.mark.parametrize("name", ["mariadb-10.5", "mysql-9.7"])
def test_values_as_the_servers_own_program_reads_them(name: str, tmp_path: Path) -> None:
    try:
        command = find_program(CATALOGUE[name]).command
    except ServerUnavailable as e:
        pytest.skip(str(e))
    program = Path(command[-1]).parent.parent / "bin" / "my_print_defaults"
    path = tmp_path / "my.cnf"
    lines = [f"{chr(ord('a') + number)}={value}" for number, value in enumerate(VALUES)]
    path.write_text("\n".join(["[client]", *lines, ""]), encoding="utf-8")
    done = subprocess.run(
        [*command[:-1], str(program), f"--defaults-file={path}", "client"], capture_output=True, check=True, text=True
    )
    told = dict(line.removeprefix("--").split("=", 1) for line in done.stdout.splitlines())
    assert read_client_section(str(path)) == told
    assert len(told) == len(VALUES)
