# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Initialised data directories, made once per server version and copied for every start."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .cache import build_once, say
from .catalogue import Entry, ServerFailed, ServerUnavailable
from .packages import Program

# Part of the template's name: count it up when what goes into a template changes.
_FORMAT = 1

# The order of mariadb-install-db. Older releases have no sys schema, and name the files mysql_*.
_MARIADB_SCRIPTS = (
    "*_system_tables.sql",
    "*_performance_tables.sql",
    "*_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "*_sys_schema.sql",
)

# Only root@localhost stays, without a password until a server starts from the copy and sets one.
_ONLY_ROOT = {
    "mariadb": (
        "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');",
        "DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';",
        "DELETE FROM mysql.db WHERE User = '';",
    ),
    "mysql": (
        "DELETE FROM mysql.user WHERE User = '' OR (User = 'root' AND Host <> 'localhost');",
        "DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';",
        "DELETE FROM mysql.db WHERE User = '';",
    ),
}


def base_options(entry: Entry, program: Program, datadir: Path) -> list[str]:
    """Options that initialising and running share: where things are, and small sizes so that several fit in."""
    options = ["--no-defaults", f"--datadir={datadir}", "--innodb-buffer-pool-size=32M"]
    if entry.family == "mysql" and not entry.legacy_tls:
        options.append("--innodb-redo-log-capacity=8M")
    else:
        options.append("--innodb-log-file-size=4M")
    # Many servers at once exhaust the machine's asynchronous I/O contexts, and nothing here needs them.
    options.append("--innodb-use-native-aio=0")
    if program.basedir:
        options.append(f"--basedir={program.basedir}")
    if program.messages:
        options.append(f"--lc-messages-dir={program.messages}")
    if os.geteuid() == 0:
        # Servers refuse to run as root unless told that it is meant.
        options.append("--user=root")
    return options


def template(entry: Entry, program: Program) -> Path:
    """A data directory to copy, with the system tables and ``root@localhost`` without a password."""

    def build(destination: Path) -> None:
        say(f"initialising a data directory for {entry.name} (once)")
        if entry.family == "mariadb":
            _initialise_mariadb(entry, program, destination)
        elif program.seed:
            shutil.copytree(program.seed, destination, dirs_exist_ok=True)
            # The server's own identity; two copies of one would refuse to replicate from each other.
            (destination / "auto.cnf").unlink(missing_ok=True)
            _run(entry, program, destination, ["--bootstrap"], _ONLY_ROOT["mysql"])
        elif entry.legacy_tls:
            raise ServerUnavailable(f"{entry.name} as installed on PATH has no data directory to start from")
        else:
            _run(entry, program, destination, ["--initialize-insecure", "--mysqlx=OFF", "--secure-file-priv=NULL"], ())
            # Certificates of its own would turn TLS on where a test asked for none; every start would share the id.
            for made in (*destination.glob("*.pem"), destination / "auto.cnf"):
                made.unlink(missing_ok=True)

    return build_once("templates", f"{entry.name}-{program.version}-{_FORMAT}", build)


def _initialise_mariadb(entry: Entry, program: Program, destination: Path) -> None:
    if not program.bootstrap:
        raise ServerUnavailable(f"{entry.name}: mariadb_system_tables.sql is not beside the server on this machine")
    (destination / "mysql").mkdir()
    statements = ["use mysql;", "SET @auth_root_socket = NULL;"]
    for pattern in _MARIADB_SCRIPTS:
        for script in sorted(program.bootstrap.glob(pattern))[:1]:
            statements.append(script.read_text(encoding="utf-8"))
    options = ["--bootstrap", "--log-warnings=0", "--max-allowed-packet=8M", "--default-storage-engine=InnoDB"]
    _run(entry, program, destination, options, (*statements, *_ONLY_ROOT["mariadb"]))


def _run(entry: Entry, program: Program, datadir: Path, options: list[str], statements: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*program.command, *base_options(entry, program, datadir), *options],
        input="\n".join(statements) + "\n",
        capture_output=True,
        text=True,
        check=False,
        env=server_environment(program, datadir),
        cwd=datadir,
    )
    if done.returncode or "ERROR:" in done.stderr:
        raise ServerFailed(f"{entry.name}: initialising a data directory failed:\n{done.stderr.strip()[-2000:]}")


def server_environment(program: Program, home: Path) -> dict[str, str]:
    """A small, fixed environment, so that a server behaves the same on every machine."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C",
        "TZ": "UTC",
        # OpenSSL as its authors ship it, whatever this machine's openssl.cnf says about protocols.
        "OPENSSL_CONF": "/dev/null",
        **program.environment,
    }
