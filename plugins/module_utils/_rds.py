# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is so on Amazon RDS and Aurora only: endpoints, trust stores, CAs, parameter groups."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import Certificate

# An area (eusc in the European Sovereign Cloud, else two letters), one or more words, a number: every region name so
# far, and surely the next ones.
_REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[1-9][0-9]?"
_REGION_NAME = re.compile(_REGION + r"\Z")

CA_SETS = ("current", "rds-ca-2015", "rds-ca-2019")
GLOBAL = "global"

# "Using SSL/TLS to encrypt a connection to a DB instance or cluster", Amazon RDS User Guide, and its counterparts for
# AWS GovCloud (US) and the China regions.
_TRUST_STORES = (
    ("us-gov-", "https://truststore.pki.us-gov-west-1.rds.amazonaws.com"),
    ("cn-", "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn"),
    ("", "https://truststore.pki.rds.amazonaws.com"),
)
_OLD_SETS_BASE_URL = "https://s3.amazonaws.com/rds-downloads"

# "Finding the connection information for a DB instance", Amazon RDS User Guide; "Amazon Aurora endpoint connections",
# Amazon Aurora User Guide; the domains are those of AWS's partitions.
# Further endpoints of RDS Proxy have a label more ("RDS Proxy endpoints"), and in China the region comes last.
_ENDPOINT = re.compile(
    rf"(?P<name>[a-z][a-z0-9-]*)\.(?P<further>endpoint\.)?(?P<account>[a-z0-9-]+)\."
    rf"(?:(?P<region>{_REGION})\.rds\.amazonaws\.(?:com(?:\.cn)?|eu)|rds\.(?P<china>{_REGION})\.amazonaws\.com\.cn)"
    r"\.?\Z",
    re.IGNORECASE,
)
# "Using TLS/SSL with RDS Proxy" and "Using TLS/SSL with Aurora Serverless v1": certificates of AWS Certificate Manager.
_AMAZON_TRUST_SERVICES = re.compile(r"(?:\A|,)O=Amazon(?:,|\Z)")

_AUTHORITY_WITH_KEY = re.compile(r"\bca (?P<key>rsa2048|rsa4096|ecc384) (?P<generation>g[0-9]+)\b")
_AUTHORITY_2019 = re.compile(r"\b2019 ca\b")
# The region is missing from the root's name, except in regions that have a root of their own.
_AUTHORITY_WITHOUT_YEAR = re.compile(rf"\bamazon rds (?:(?P<govcloud>govcloud )|(?P<region>{_REGION}) )?(?:root )?ca\b")
_REGION_OF_AUTHORITY = re.compile(rf"\bamazon rds (?:preview )?(?P<region>{_REGION}) ")
# Opened after rds-ca-2015; the names of their rds-ca-2019 certificates leave the year out.
_REGIONS_WITHOUT_2015 = ("af-south-1", "eu-south-1", "me-south-1")
_RETIRED_AUTHORITIES = ("rds-ca-2015", "rds-ca-2017", "rds-ca-2019")

# Parameters that AWS calls static: a new value counts after a reboot. require_secure_transport is dynamic ("Requiring
# SSL/TLS for all connections to a MySQL DB instance on Amazon RDS", Amazon RDS User Guide).
_STATIC_PARAMETERS = ("performance_schema", "tls_version")


def is_region(name: str) -> bool:
    """Whether it has the form of an AWS region's name."""
    return bool(_REGION_NAME.match(name))


def source_urls(region: str, ca_set: str, base_url: str | None) -> tuple[str, ...]:
    """The URLs that make the bundle of a region, in the order of concatenation.

    :raises OptionError: when the region is not the name of one.
    """
    if region != GLOBAL and not is_region(region):
        raise OptionError(f"region: {region!r} is not an AWS region name such as 'eu-central-1', nor 'global'.")
    if ca_set == "current":
        base = base_url or next(url for prefix, url in _TRUST_STORES if region.startswith(prefix))
        return ("{0}/{1}/{1}-bundle.pem".format(base.rstrip("/"), region),)
    if region == GLOBAL:
        raise OptionError(
            f"region: ca_set {ca_set} has an intermediate certificate for each region and none for 'global'; "
            "set region to the region of the database."
        )
    base = (base_url or _OLD_SETS_BASE_URL).rstrip("/")
    return (f"{base}/{ca_set}-{region}.pem", f"{base}/{ca_set}-root.pem")


class Endpoint(t.NamedTuple):
    """What the host name of an RDS endpoint says. ``instance`` is None for names that stand for several or a proxy.

    ``proxy`` is the name of a proxy of RDS Proxy, and NAME where that is not told.
    """

    region: str
    instance: str | None
    proxy: str | None = None


def parse_endpoint(host: str) -> Endpoint | None:
    """Take the name of an RDS endpoint apart; None for any other host."""
    match = _ENDPOINT.match(host)
    if match is None:
        return None
    # "cluster-", "cluster-ro-", "cluster-custom-" or "proxy-" come before the account's part, which has no hyphen.
    name, account = match.group("name").lower(), match.group("account").lower()
    region = (match.group("region") or match.group("china")).lower()
    proxy = ("NAME" if match.group("further") else name) if account.startswith("proxy-") else None
    return Endpoint(region, None if "-" in account else name, proxy)


def endpoints_in(names: t.Iterable[str]) -> list[str]:
    """The names of RDS endpoints among those that a certificate is for, in lower case.

    RDS's own has that of the instance, and in a cluster those of the cluster as well; RDS Proxy's has a wildcard.
    """
    return [name.lower() for name in names if parse_endpoint(name.replace("*.", "any.", 1))]


def rds_authority(certificate: Certificate) -> str | None:
    """The RDS CA that issued a server certificate, by AWS's name for it, or None.

    The names are those of the issuers in the bundles that AWS publishes ("Using SSL/TLS to encrypt a connection to a
    DB instance", Amazon RDS User Guide): ``Amazon RDS eu-central-1 Root CA RSA2048 G1`` signs servers for
    rds-ca-rsa2048-g1 through ``Amazon RDS eu-central-1 Subordinate CA RSA2048 G1.A.1`` or the like; the 2015 and 2019
    intermediates are ``Amazon RDS eu-central-1 CA`` and ``Amazon RDS eu-central-1 2019 CA``. AWS GovCloud (US) had
    rds-ca-2017 in their place.
    """
    issuer = certificate.issuer.lower()
    if not is_issued_by_rds(certificate):
        return None
    with_key = _AUTHORITY_WITH_KEY.search(issuer)
    if with_key:
        return "rds-ca-{}-{}".format(with_key.group("key"), with_key.group("generation"))
    if _AUTHORITY_2019.search(issuer):
        return "rds-ca-2019"
    without_year = _AUTHORITY_WITHOUT_YEAR.search(issuer)
    if without_year is None:
        return None
    region = without_year.group("region") or ""
    if without_year.group("govcloud") or region.startswith("us-gov-"):
        return "rds-ca-2017"
    return "rds-ca-2019" if region in _REGIONS_WITHOUT_2015 else "rds-ca-2015"


def is_issued_by_rds(certificate: Certificate) -> bool:
    """Whether the issuer's name is one of Amazon RDS's."""
    return "amazon rds" in certificate.issuer.lower()


def is_issued_by_amazon_trust_services(certificate: Certificate) -> bool:
    """Whether AWS Certificate Manager issued it, as for RDS Proxy and Aurora Serverless v1, and not an RDS CA."""
    return bool(_AMAZON_TRUST_SERVICES.search(certificate.issuer))


def successor_of(authority: str | None) -> str:
    """The current RDS CA for a server that has one of this CA now, with the same kind of key."""
    family = next((key for key in ("rsa4096", "ecc384") if authority and key in authority), "rsa2048")
    return f"rds-ca-{family}-g1"


def rds_region(certificate: Certificate) -> str | None:
    """The region in the name of the RDS CA that issued a certificate, None where there is none."""
    match = _REGION_OF_AUTHORITY.search(certificate.issuer.lower())
    return match.group("region") if match else None


def is_retired_authority(authority: str | None) -> bool:
    """Whether AWS has retired the CA: its root has expired, or clients no longer get it."""
    return authority in _RETIRED_AUTHORITIES


def parameter_group_advice(managed_by: str, parameter: str, value: str) -> tuple[str, str, str]:
    """How to set a server variable on RDS or Aurora, where SQL cannot: what to do, the command, and what follows it.

    :arg managed_by: ``rds`` or ``aurora``, whose cluster has a parameter group of its own.
    :arg value: As the AWS CLI takes it.
    """
    kind, owner = ("cluster-", "cluster") if managed_by == "aurora" else ("", "instance")
    static = parameter in _STATIC_PARAMETERS
    method, then = ("pending-reboot", "and reboot the instance") if static else ("immediate", "(no reboot is needed)")
    if owner == "instance":  # where switches are numbers, and words in the groups of clusters
        value = {"ON": "1", "OFF": "0"}.get(value, value)
    quoted = f"'{value}'" if "," in value else value
    return (
        f"Set {parameter} in the DB {kind.replace('-', ' ')}parameter group of the {owner}:",
        (
            f"aws rds modify-db-{kind}parameter-group --db-{kind}parameter-group-name GROUP --parameters "
            f'"ParameterName={parameter},ParameterValue={quoted},ApplyMethod={method}"'
        ),
        f"{then}. A default parameter group cannot be edited: attach a custom one first, which a reboot puts in force.",
    )


def secure_transport_advice(managed_by: str | None, wanted: bool) -> str:
    """How to set require_secure_transport where no client may; of a server that may be RDS's, managed_by is None."""
    advice = parameter_group_advice(managed_by or "rds", "require_secure_transport", "ON" if wanted else "OFF")
    return " ".join(("On RDS and Aurora it is a parameter.", *advice))
