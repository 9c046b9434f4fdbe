# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_require_ssl in a process of its own, and stopped where a test wants it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .assertions import judge
from .database import Account, Database
from .launcher import COLLECTION
from .result import Result
from .runner import Modules, module_arguments, module_environment

_SECONDS = 180
LOCK = "dbtls.rds_mysql.mysql_require_ssl"


class Run:
    """mysql_require_ssl in a process of its own, while the test goes on."""

    def __init__(self, modules: Modules, **options: Any) -> None:
        self._options = options
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{COLLECTION}.plugins.modules.mysql_require_ssl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=modules.home,
            env=module_environment(modules.home),
        )
        assert self.process.stdin
        self.process.stdin.write(module_arguments(modules.home, options))
        self.process.stdin.close()
        self.process.stdin = None

    def result(self) -> Result:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=_SECONDS)
        return judge(self.process.returncode, out, err, self._options)


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def under_way(db: Database, account: Account, statement: str) -> bool:
    """Whether a session of this account is in the middle of such a statement."""
    rows = db.query(
        "SELECT 1 FROM information_schema.processlist WHERE USER = %s AND COMMAND = 'Query' AND INFO LIKE %s",
        account.user,
        f"%{statement}%",
    )
    return bool(rows)


def verb(db: Database) -> str:
    return "UPDATE mysql.user" if db.legacy else "ALTER USER"


@contextmanager
def held_at_the_first_statement(db: Database, account: Account, modules: Modules, **options: Any) -> Iterator[Run]:
    """A run whose first writing statement has reached the server, and waits there until the end of the block."""
    db.query(f"SELECT GET_LOCK('{LOCK}', 1)")
    try:
        run = Run(modules, **options)
        wait_for(lambda: under_way(db, account, "GET_LOCK"))
        db.query("FLUSH TABLES WITH READ LOCK")
        db.query(f"SELECT RELEASE_LOCK('{LOCK}')")
        wait_for(lambda: under_way(db, account, verb(db)))
        yield run
    finally:
        db.query("UNLOCK TABLES")
