# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of Amazon RDS's certificate authorities issued a server's certificate."""

from __future__ import annotations

import re

from ansible_collections.dbtls.rds_mysql.plugins.module_utils.certificates import Certificate

_RDS_AUTHORITY_WITH_KEY = re.compile(r"\bca (?P<key>rsa2048|rsa4096|ecc384) (?P<generation>g[0-9]+)\b")
_RDS_AUTHORITY_2019 = re.compile(r"\b2019 ca\b")
# The region is missing from the root's name, except in regions that have a root of their own.
_RDS_AUTHORITY_WITHOUT_YEAR = re.compile(
    r"\bamazon rds (?:(?P<govcloud>govcloud )|(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]+) )?(?:root )?ca\b"
)
# Opened after rds-ca-2015; the names of their rds-ca-2019 certificates leave the year out.
_REGIONS_WITHOUT_2015 = ("af-south-1", "eu-south-1", "me-south-1")
_RETIRED_RDS_AUTHORITIES = ("rds-ca-2015", "rds-ca-2017", "rds-ca-2019")


def rds_authority(certificate: Certificate) -> str | None:
    """The RDS certificate authority that issued a server certificate, by AWS's name for it, or None.

    The names are those of the issuers in the bundles that AWS publishes ("Using SSL/TLS to encrypt a connection to a
    DB instance", Amazon RDS User Guide): ``Amazon RDS eu-central-1 Root CA RSA2048 G1`` signs servers for
    rds-ca-rsa2048-g1 through ``Amazon RDS eu-central-1 Subordinate CA RSA2048 G1.A.1`` or the like; the 2015 and 2019
    intermediates are ``Amazon RDS eu-central-1 CA`` and ``Amazon RDS eu-central-1 2019 CA``. AWS GovCloud (US) had
    rds-ca-2017 in their place.
    """
    issuer = certificate.issuer.lower()
    if "amazon rds" not in issuer:
        return None
    with_key = _RDS_AUTHORITY_WITH_KEY.search(issuer)
    if with_key:
        return "rds-ca-{}-{}".format(with_key.group("key"), with_key.group("generation"))
    if _RDS_AUTHORITY_2019.search(issuer):
        return "rds-ca-2019"
    without_year = _RDS_AUTHORITY_WITHOUT_YEAR.search(issuer)
    if without_year is None:
        return None
    region = without_year.group("region") or ""
    if without_year.group("govcloud") or region.startswith("us-gov-"):
        return "rds-ca-2017"
    return "rds-ca-2019" if region in _REGIONS_WITHOUT_2015 else "rds-ca-2015"


_RDS_REGION = re.compile(r"\bamazon rds (?:preview )?(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]+) ")


def rds_region(certificate: Certificate) -> str | None:
    """The region in the name of the RDS authority that issued a certificate, None where there is none."""
    match = _RDS_REGION.search(certificate.issuer.lower())
    return match.group("region") if match else None


def is_retired_authority(authority: str | None) -> bool:
    """Whether AWS has retired the authority: its root has expired, or clients no longer get it."""
    return authority in _RETIRED_RDS_AUTHORITIES
