# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plugins of MariaDB's server, which Debian has in another package than the server itself."""

from __future__ import annotations

from pathlib import Path

from . import debian
from .cache import build_once, say
from .catalogue import CATALOGUE, DebianPackage


def with_ed25519(name: str) -> tuple[str, ...]:
    """Options with which the server called ``name`` has accounts of the plugin ed25519."""
    source = CATALOGUE[name].source
    assert isinstance(source, DebianPackage), f"{name} is not from Debian"

    def fetch(destination: Path) -> None:
        say(f"fetching the plugins of {name} (about 10 MB, once)")
        package = source.package.replace("-server-core", "-server")
        debian.unpack(DebianPackage(source.suite, package), destination, alone=True)

    plugins = build_once("packages", f"{name}-plugins", fetch) / "usr/lib/mysql/plugin"
    return f"--plugin-dir={plugins}", "--plugin-load-add=auth_ed25519.so"
