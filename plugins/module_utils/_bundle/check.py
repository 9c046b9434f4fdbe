# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether certificates are a CA bundle, what is weak about them, and whether they are worse than the present ones."""

from __future__ import annotations

import datetime as dt
import heapq
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError

if t.TYPE_CHECKING:
    from cryptography import x509 as library

# What can be wrong with a certificate of a bundle, with the words for it; the keys are in the record of the sources.
WEAK_SIGNATURE = "signature"
RULES = {
    "rsa": "has an RSA key of fewer than 2048 bits",
    "key_cert_sign": "is a CA whose key usage does not permit it to sign certificates (keyCertSign)",
    "path_length": "is an intermediate CA that the path length of its issuer forbids",
    WEAK_SIGNATURE: "has a signature weaker than SHA-256",
}
_SMALLEST_RSA_KEY = 2048
_SHA256_BYTES = 32
# A CA has one certificate, or a few that others have signed as well. Each costs the verification of a signature.
_MOST_ISSUERS = 8
# Where basicConstraints has no path length; more than a bundle has certificates.
_UNLIMITED = 1_000_000
_LONGEST_LIST = 5

# By the fingerprint of the certificate.
Weaknesses = t.Mapping[str, tuple[str, ...]]


def check_bundle(
    certificates: t.Sequence[x509.Certificate],
    source_of: t.Mapping[bytes, str],
    left_out: t.Sequence[x509.Certificate] = (),
) -> Weaknesses:
    """Check that a bundle is one: CA certificates only, each chaining to a root that is in it.

    In time that grows with the number of certificates: issuers are looked up by name and key identifier.

    :arg source_of: For each certificate's DER, where it came from, for the error messages.
    :arg left_out: Certificates left out of the bundle because they have expired, for the error messages.
    :return: What is weak about those of them about which something is.
    :raises CertificateError: naming the certificate, its source and the reason.
    """
    loaded = {c.der: x509.load(c.der, source_of[c.der]) for c in certificates}
    by_name: dict[library.Name, list[x509.Certificate]] = {}
    for certificate in certificates:
        by_name.setdefault(loaded[certificate.der].subject, []).append(certificate)
    issued_by: dict[bytes, list[bytes]] = {}
    for certificate in certificates:
        source = source_of[certificate.der]
        if not certificate.is_ca:
            raise CertificateError(f"{source} holds a certificate that is not a CA certificate: {certificate.subject}.")
        if certificate.self_signed:
            continue
        named = by_name.get(loaded[certificate.der].issuer, [])
        candidates = [other for other in named if _may_have_issued(loaded[other.der], loaded[certificate.der])]
        if len(candidates) > _MOST_ISSUERS:
            raise CertificateError(
                f"{source} holds more than {_MOST_ISSUERS} CA certificates named {certificate.issuer} that may have "
                "issued the same certificate, so it is not a CA bundle."
            )
        signers = [c for c in candidates if x509.signed_by(loaded[certificate.der], loaded[c.der])]
        if not signers:
            raise CertificateError(_without_issuer(certificate, source, bool(named), left_out))
        for signer in signers:
            issued_by.setdefault(signer.der, []).append(certificate.der)
    room = _room(certificates, loaded, issued_by)
    for certificate in certificates:
        if certificate.der not in room:
            raise CertificateError(
                f"{source_of[certificate.der]} holds {certificate.subject}, which leads to no root certificate in the "
                "bundle."
            )
    found = {c.fingerprint_sha256: _weaknesses(c, loaded[c.der], room[c.der]) for c in certificates}
    return {fingerprint: rules for fingerprint, rules in found.items() if rules}


def _may_have_issued(issuer: library.Certificate, certificate: library.Certificate) -> bool:
    """Whether the key identifiers, where both are there, are the same; the names are."""
    from cryptography import x509 as module

    wanted = _extension(certificate, module.AuthorityKeyIdentifier)
    own = _extension(issuer, module.SubjectKeyIdentifier)
    return not wanted or not own or wanted.key_identifier is None or wanted.key_identifier == own.digest


def _room(
    certificates: t.Sequence[x509.Certificate],
    loaded: t.Mapping[bytes, library.Certificate],
    issued_by: t.Mapping[bytes, t.Sequence[bytes]],
) -> dict[bytes, int]:
    """For what leads to a root, how many intermediates may follow; below 0 for what may not be there itself.

    Two that have issued each other, and no root, lead nowhere. Of several ways to a root the one with the most room
    counts, as clients find it.
    """
    room: dict[bytes, int] = {}
    waiting = [(-_path_length(loaded[c.der]), c.der) for c in certificates if c.self_signed]
    heapq.heapify(waiting)
    while waiting:
        most, der = heapq.heappop(waiting)
        if der in room:
            continue
        room[der] = -most
        for issued in issued_by.get(der, ()):
            if issued not in room:
                left = -most - 1
                heapq.heappush(waiting, (-min(left, _path_length(loaded[issued])) if left >= 0 else -left, issued))
    return room


def _path_length(loaded: library.Certificate) -> int:
    from cryptography import x509 as module

    constraints = _extension(loaded, module.BasicConstraints)
    return _UNLIMITED if constraints is None or constraints.path_length is None else int(constraints.path_length)


def _extension(loaded: library.Certificate, kind: type[t.Any]) -> t.Any:
    from cryptography import x509 as module

    try:
        return loaded.extensions.get_extension_for_class(kind).value
    except (module.ExtensionNotFound, ValueError):
        return None


def _weaknesses(certificate: x509.Certificate, loaded: library.Certificate, room: int) -> tuple[str, ...]:
    from cryptography import x509 as module
    from cryptography.exceptions import UnsupportedAlgorithm

    kind, _space, bits = certificate.key.partition(" ")
    usage = _extension(loaded, module.KeyUsage)
    try:
        digest = loaded.signature_hash_algorithm
        weak_signature = digest is not None and digest.digest_size < _SHA256_BYTES
    except UnsupportedAlgorithm:  # such as MD2
        weak_signature = True
    broken = {
        "rsa": kind == "RSA" and int(bits) < _SMALLEST_RSA_KEY,
        "key_cert_sign": usage is not None and not usage.key_cert_sign,
        "path_length": room < 0,
        WEAK_SIGNATURE: weak_signature,
    }
    return tuple(rule for rule in RULES if broken[rule])


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


def weakness_warnings(certificates: t.Sequence[x509.Certificate], weaknesses: Weaknesses) -> list[str]:
    """A sentence for each certificate and rule."""
    return [
        f"{c.common_name} {RULES[rule]}." for c in certificates for rule in weaknesses.get(c.fingerprint_sha256, ())
    ]


def worse(
    new: t.Sequence[x509.Certificate],
    weaknesses: Weaknesses,
    old: t.Sequence[x509.Certificate],
    *,
    same_sources: bool,
    now: dt.datetime,
) -> list[str]:
    """In which ways a bundle is worse than the one that is there, as parts of a sentence; empty where it is not.

    :arg same_sources: Whether both are of the same region and set, so that a CA that is missing is missed.
    """
    before, after = ({c.fingerprint_sha256 for c in certificates} for certificates in (old, new))
    reasons = []
    if any(_is_usable(c, now) for c in old) and not any(_is_usable(c, now) for c in new):
        reasons += [f"the root {c.common_name} {_lapse(c, now)}" for c in new if c.self_signed]
    if same_sources:
        reasons += [
            f"{c.common_name}, which the file has and which is valid until {iso8601(c.not_after)}, is missing"
            for c in old
            if c.is_ca and c.fingerprint_sha256 not in after and not c.expired(now)
        ]
    reasons += [
        f"{c.common_name} {RULES[rule]}"
        for c in new
        if c.fingerprint_sha256 not in before
        for rule in weaknesses.get(c.fingerprint_sha256, ())
        if rule != WEAK_SIGNATURE
    ]
    left = len(reasons) - _LONGEST_LIST
    return [*reasons[:_LONGEST_LIST], f"{left} more"] if left > 1 else reasons


def _is_usable(certificate: x509.Certificate, now: dt.datetime) -> bool:
    """Whether it is a root that a client takes now."""
    return certificate.self_signed and certificate.not_before <= now and not certificate.expired(now)


def _lapse(certificate: x509.Certificate, now: dt.datetime) -> str:
    if certificate.expired(now):
        return f"expired on {iso8601(certificate.not_after)}"
    return f"is not valid before {iso8601(certificate.not_before)}"
