# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether certificates are a CA bundle."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError


def check_bundle(
    certificates: t.Sequence[x509.Certificate],
    source_of: t.Mapping[bytes, str],
    left_out: t.Sequence[x509.Certificate] = (),
) -> None:
    """Check that a bundle is one: CA certificates only, each chaining to a root that is in it.

    :arg source_of: For each certificate's DER, where it came from, for the error messages.
    :arg left_out: Certificates left out of the bundle because they have expired, for the error messages.
    :raises CertificateError: naming the certificate, its source and the reason.
    """
    loaded = {c.der: x509.load(c.der, source_of[c.der]) for c in certificates}
    # Certificates that are roots or lead to one; two that have issued each other, and no root, do not.
    trusted = {certificate.der for certificate in certificates if certificate.self_signed}
    waiting = []
    for certificate in certificates:
        if not certificate.is_ca:
            raise CertificateError(
                f"{source_of[certificate.der]} holds a certificate that is not a CA certificate: {certificate.subject}."
            )
        if certificate.self_signed:
            continue
        issuers = [other for other in certificates if loaded[other.der].subject == loaded[certificate.der].issuer]
        signers = {other.der for other in issuers if x509.signed_by(loaded[certificate.der], loaded[other.der])}
        if not signers:
            raise CertificateError(_without_issuer(certificate, source_of[certificate.der], bool(issuers), left_out))
        waiting.append((certificate, signers))
    while waiting:
        reached = [(certificate, signers) for certificate, signers in waiting if signers & trusted]
        if not reached:
            lost = waiting[0][0]
            raise CertificateError(
                f"{source_of[lost.der]} holds {lost.subject}, which leads to no root certificate in the bundle."
            )
        trusted.update(certificate.der for certificate, _signers in reached)
        waiting = [pair for pair in waiting if pair not in reached]


def _without_issuer(
    certificate: x509.Certificate, source: str, issuer_is_there: bool, left_out: t.Sequence[x509.Certificate]
) -> str:
    if issuer_is_there:
        return (
            f"{source} holds {certificate.subject}, whose signature does not verify with the key of its issuer "
            f"{certificate.issuer}."
        )
    expired = any(other.subject == certificate.issuer for other in left_out)
    reason = "has expired and was left out" if expired else "is not in the bundle"
    return f"{source} holds {certificate.subject}, whose issuer {certificate.issuer} {reason}."
