# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command-line client of MariaDB, unpacked from Debian's package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import debian
from .cache import build_once, say
from .catalogue import DebianPackage

_CLIENT = DebianPackage("trixie", "mariadb-client-core")


@dataclass(frozen=True)
class Client:
    """``command`` goes before the options, of which ``plugin_dir`` has to be one for logins with newer plugins."""

    command: tuple[str, ...]
    plugin_dir: Path


def mariadb_client() -> Client:
    """The client; ServerUnavailable where the package cannot be downloaded."""

    def fetch(destination: Path) -> None:
        say("fetching the mariadb client (about 10 MB, once)")
        debian.unpack(_CLIENT, destination)

    tree = build_once("packages", "mariadb-client", fetch)
    plugins = next(tree.glob("usr/lib/*/libmariadb3/plugin"))
    return Client((*debian.loader(tree), str(tree / "usr" / "bin" / "mariadb")), plugins)
