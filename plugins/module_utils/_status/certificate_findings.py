# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules about a server's certificate and those that came with it."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import certificate_remediation as remediation
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Finding, finding
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerCertificate, ServerStatus
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import Certificate

# "Transitioning the Use of Cryptographic Algorithms and Key Lengths", NIST SP 800-131A rev. 2.
_LEAST_RSA_BITS = 2048
_WEAK_HASHES = ("md5", "sha1")


def of_certificate(status: ServerStatus, shown: ServerCertificate, expiry_warn_days: int) -> t.Iterator[Finding]:
    """What is wrong with them."""
    endpoint, certificate = status.options.endpoint, shown.certificate
    if shown.trusted is False:
        yield finding(
            "certificate-untrusted",
            endpoint,
            f"The certificate issued by {certificate.issuer} does not verify with {status.options.ca_cert}: "
            f"{shown.trust_error}.",
            remediation.trust(status, shown),
        )
    if shown.hostname_matches is False:
        names = certificate.san or certificate.common_names
        yield finding(
            "certificate-hostname-mismatch",
            endpoint,
            "The certificate is valid for {}, not for {}.".format(
                ", ".join(names) or certificate.subject, status.options.host
            ),
            remediation.other_name(status, certificate),
        )
    for one in shown.chain or (certificate,):
        yield from _of_validity(status, one, certificate, expiry_warn_days)
        yield from _of_strength(status, one, certificate)
    authority = _rds.rds_authority(certificate)
    if _rds.is_retired_authority(authority):
        yield finding(
            "rds-ca-retired",
            endpoint,
            f"The certificate was issued under {authority}, which AWS has retired.",
            remediation.after_clients(status, certificate),
        )


def _of_validity(
    status: ServerStatus, one: Certificate, own: Certificate, expiry_warn_days: int
) -> t.Iterator[Finding]:
    subject, name = _who(status, one, own)
    todo = remediation.renew(status, own) if one == own else remediation.renew_chain(status, one)
    not_after = iso8601(one.not_after)
    if one.expired(status.now):
        yield finding("certificate-expired", subject, f"{name} expired on {not_after}.", todo)
    elif one.days_left(status.now) < expiry_warn_days:
        days = one.days_left(status.now)
        yield finding("certificate-expiring", subject, f"{name} expires on {not_after}, in {days} days.", todo)


def _of_strength(status: ServerStatus, one: Certificate, own: Certificate) -> t.Iterator[Finding]:
    weak = []
    kind, _space, bits = one.key.partition(" ")
    if kind in ("RSA", "DSA") and bits.isdigit() and int(bits) < _LEAST_RSA_BITS:
        weak.append(f"a key of {bits} bits ({kind}, where {_LEAST_RSA_BITS} are the least that is strong)")
    # Nobody relies on the signature of a root.
    if one.signature_hash in _WEAK_HASHES and not one.self_signed:
        weak.append(f"a signature with {one.signature_hash.upper()}")
    if weak:
        subject, name = _who(status, one, own)
        todo = remediation.renew(status, own) if one == own else remediation.renew_chain(status, one)
        yield finding("weak-certificate", subject, f"{name} has {' and '.join(weak)}.", todo)


def _who(status: ServerStatus, one: Certificate, own: Certificate) -> tuple[str, str]:
    """What a finding is about, and what its message begins with."""
    if one == own:
        return status.options.endpoint, "The certificate"
    return one.subject, f"The certificate of {one.subject}, which the server presents as one of its issuers,"
