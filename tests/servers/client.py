# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command-line client of MariaDB, unpacked from Debian's package."""

from __future__ import annotations

from pathlib import Path

from . import debian
from .cache import build_once, say
from .catalogue import DebianPackage

_CLIENT = DebianPackage("trixie", "mariadb-client-core")


def mariadb_client() -> tuple[str, ...]:
    """The command before its options; ServerUnavailable where the package cannot be downloaded."""

    def fetch(destination: Path) -> None:
        say("fetching the mariadb client (about 10 MB, once)")
        debian.unpack(_CLIENT, destination)

    tree = build_once("packages", "mariadb-client", fetch)
    return (*debian.loader(tree), str(tree / "usr" / "bin" / "mariadb"))
