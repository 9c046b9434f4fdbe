# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PEM in, described certificates out; chains.

Everything X.509 is left to the ``cryptography`` library, which is imported only when a certificate is looked at.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import ipaddress
import re
import typing as t
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import MissingLibrary, RdsMysqlError

if t.TYPE_CHECKING:
    from cryptography import x509

_PEM_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\s*(?P<body>.*?)\s*-----END (?P=label)-----",
    re.DOTALL,
)
_PEM_BEGIN = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----")
_CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")
_WEAK_NAME_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
# What OpenSSL takes for a wildcard, and what it lets one stand for: letters, digits and hyphens, but no underscores.
_WILDCARD_NAME = re.compile(r"\*(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?){2,}\Z")
_WILDCARD_STANDS_FOR = re.compile(r"[a-z0-9-]+\Z")


class CertificateError(RdsMysqlError):
    """Material that is not the certificate, or the chain, that it has to be."""


@dataclass(frozen=True)
class Certificate:
    """A certificate described.

    ``not_before`` and ``not_after`` are aware datetimes in UTC; ``fingerprint_sha256`` is colon separated upper-case
    hex, as ``openssl x509 -fingerprint`` prints it; ``san`` holds entries such as ``DNS:db.example`` and
    ``IP:192.0.2.1``; ``common_name`` is for people (the subject where there is none), ``common_names`` are all of them.
    """

    common_name: str
    subject: str
    issuer: str
    serial_number: str
    not_before: dt.datetime
    not_after: dt.datetime
    fingerprint_sha256: str
    key: str
    is_ca: bool
    self_signed: bool
    san: tuple[str, ...]
    der: bytes
    common_names: tuple[str, ...] = ()

    def days_left(self, now: dt.datetime) -> int:
        """Whole days until the certificate expires; negative when it has expired."""
        return (self.not_after - now).days

    def expired(self, now: dt.datetime) -> bool:
        """Whether the end of its validity has come, which is when OpenSSL no longer takes it."""
        return now >= self.not_after

    @property
    def pem(self) -> bytes:
        """The certificate as PEM with Unix line ends, ending in one."""
        return der_to_pem(self.der)

    def describe(self, now: dt.datetime) -> dict[str, t.Any]:
        """The return value's form: plain types, times as ISO 8601 in UTC."""
        return {
            "common_name": self.common_name,
            "subject": self.subject,
            "issuer": self.issuer,
            "serial_number": self.serial_number,
            "not_before": iso8601(self.not_before),
            "not_after": iso8601(self.not_after),
            "days_left": self.days_left(now),
            "fingerprint_sha256": self.fingerprint_sha256,
            "key": self.key,
            "self_signed": self.self_signed,
            "expired": self.expired(now),
        }


def utc_now() -> dt.datetime:
    """The time now, aware, in UTC, to the second."""
    return dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


def iso8601(moment: dt.datetime) -> str:
    """``2026-11-24T15:40:00Z``."""
    return moment.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate in the form of ``Certificate.fingerprint_sha256``."""
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def der_to_pem(der: bytes) -> bytes:
    """One certificate as PEM, lines of 64 characters (RFC 7468)."""
    body = base64.b64encode(der)
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return b"-----BEGIN CERTIFICATE-----\n" + b"\n".join(lines) + b"\n-----END CERTIFICATE-----\n"


def _x509() -> t.Any:
    try:
        from cryptography import x509 as module
    except ImportError as e:
        raise MissingLibrary("cryptography", "read and check certificates", e) from e
    return module


def parse_certificate(der: bytes, source: str) -> Certificate:
    """Describe one DER certificate.

    :arg source: Where it came from, for the error message.
    :raises CertificateError: when it is not a certificate.
    """
    with _quietly():
        return _parse(der, source)


def load(der: bytes, source: str) -> x509.Certificate:
    """The certificate as the library's object.

    :raises CertificateError: when it is not one.
    """
    with _quietly():
        return _load(der, source)


@contextmanager
def _quietly() -> t.Iterator[None]:
    """Some published RDS roots break rules that cryptography only warns about (a serial number that is not positive).

    The user can do nothing about it. Once around many certificates, since it is not for free.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _parse(der: bytes, source: str) -> Certificate:
    loaded = _load(der, source)
    try:
        return _describe(loaded, der)
    except _unparseable() as e:  # cryptography looks at some fields only when they are asked for
        raise CertificateError(f"{source} holds a certificate that cannot be parsed: {e}") from e


def _unparseable() -> tuple[type[Exception], ...]:
    """What cryptography raises, depending on its version, for bytes that are not a well-formed certificate."""
    from cryptography import x509 as module
    from cryptography.exceptions import UnsupportedAlgorithm

    return (
        ArithmeticError,
        LookupError,
        TypeError,
        UnsupportedAlgorithm,
        ValueError,
        module.DuplicateExtension,
        module.InvalidVersion,
        module.UnsupportedGeneralNameType,
    )


def _load(der: bytes, source: str) -> x509.Certificate:
    x509_module = _x509()
    try:
        return t.cast("x509.Certificate", x509_module.load_der_x509_certificate(der))
    except _unparseable() as e:
        raise CertificateError(f"{source} holds a certificate that cannot be parsed: {e}") from e


def _describe(loaded: x509.Certificate, der: bytes) -> Certificate:
    # The aware attributes came with cryptography 42; the naive ones are UTC as well.
    if hasattr(loaded, "not_valid_after_utc"):
        not_before, not_after = loaded.not_valid_before_utc, loaded.not_valid_after_utc
    else:
        not_before = loaded.not_valid_before.replace(tzinfo=dt.timezone.utc)
        not_after = loaded.not_valid_after.replace(tzinfo=dt.timezone.utc)
    return Certificate(
        common_name=_common_name(loaded),
        subject=_name(loaded.subject),
        issuer=_name(loaded.issuer),
        serial_number=f"{loaded.serial_number:X}",
        not_before=not_before,
        not_after=not_after,
        fingerprint_sha256=fingerprint(der),
        key=_key(loaded),
        is_ca=_is_ca(loaded),
        self_signed=loaded.subject == loaded.issuer and _signed_by(loaded, loaded),
        san=_subject_alternative_names(loaded),
        der=der,
        common_names=_common_names(loaded),
    )


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()


def _common_name(loaded: x509.Certificate) -> str:
    names = _common_names(loaded)
    return names[0] if names else _name(loaded.subject)


def _common_names(loaded: x509.Certificate) -> tuple[str, ...]:
    from cryptography.x509.oid import NameOID

    return tuple(str(name.value) for name in loaded.subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def _key(loaded: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    try:
        public_key = loaded.public_key()
    except (UnsupportedAlgorithm, ValueError, TypeError) as e:  # The rest of the description is still of use.
        return f"unknown ({type(e).__name__})"
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"RSA {public_key.key_size}"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return f"EC {public_key.curve.name}"
    if isinstance(public_key, dsa.DSAPublicKey):
        return f"DSA {public_key.key_size}"
    return type(public_key).__name__.lstrip("_").replace("PublicKey", "")


def _is_ca(loaded: x509.Certificate) -> bool:
    from cryptography import x509 as x509_module

    try:
        constraints = loaded.extensions.get_extension_for_class(x509_module.BasicConstraints)
    except (x509_module.ExtensionNotFound, ValueError):
        return False
    return bool(constraints.value.ca)


def _subject_alternative_names(loaded: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509 as x509_module

    try:
        extension = loaded.extensions.get_extension_for_class(x509_module.SubjectAlternativeName)
    except (x509_module.ExtensionNotFound, ValueError):
        return ()
    names = []
    for name in extension.value:
        if isinstance(name, x509_module.DNSName):
            names.append(f"DNS:{name.value}")
        elif isinstance(name, x509_module.IPAddress):
            names.append(f"IP:{name.value}")
    return tuple(names)


def _signed_by(loaded: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key verifies the certificate's signature (names are compared by the caller)."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

    try:
        public_key = issuer.public_key()
        algorithm = loaded.signature_hash_algorithm
        if isinstance(public_key, rsa.RSAPublicKey) and algorithm is not None:
            parameters = getattr(loaded, "signature_algorithm_parameters", None) or padding.PKCS1v15()
            public_key.verify(loaded.signature, loaded.tbs_certificate_bytes, parameters, algorithm)
        elif isinstance(public_key, ec.EllipticCurvePublicKey) and algorithm is not None:
            public_key.verify(loaded.signature, loaded.tbs_certificate_bytes, ec.ECDSA(algorithm))
        elif isinstance(public_key, (ed448.Ed448PublicKey, ed25519.Ed25519PublicKey)):
            public_key.verify(loaded.signature, loaded.tbs_certificate_bytes)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def parse_pem(content: bytes, source: str) -> tuple[Certificate, ...]:
    """All certificates of a PEM file, in order; text between them is passed over, as every client does.

    :arg source: Where it came from, for the error messages.
    :raises CertificateError: for anything but certificates in PEM form, a private key among them.
    """
    ders = pem_to_ders(content, source)
    with _quietly():
        return tuple(_parse(der, _place(source, number, len(ders))) for number, der in enumerate(ders, 1))


def _place(source: str, number: int, total: int) -> str:
    return f"{source} (certificate {number} of {total})"


def pem_to_ders(content: bytes, source: str) -> tuple[bytes, ...]:
    """The DER of each certificate of a PEM file; whether it is one is not looked at.

    :arg source: Where it came from, for the error messages.
    :raises CertificateError: as parse_pem.
    """
    if not content.strip():
        raise CertificateError(f"{source} is empty: expected CA certificates in PEM form.")
    begins = [match.group("label") for match in _PEM_BEGIN.finditer(content)]
    for label in begins:
        if b"PRIVATE KEY" in label:
            raise CertificateError(
                f"{source} holds a private key, which does not belong into a CA bundle; nothing of it was kept."
            )
        if label not in _CERTIFICATE_LABELS:
            raise CertificateError(
                "{} holds a PEM block that is not a certificate: {}.".format(source, label.decode("ascii"))
            )
    if not begins:
        raise CertificateError(f"{source} holds no PEM certificate; it looks like {_guess(content)}.")
    blocks = list(_PEM_BLOCK.finditer(content))
    if len(blocks) != len(begins) or any(b"-----BEGIN" in block.group("body") for block in blocks):
        raise CertificateError(
            f"{source} is truncated: it begins {len(begins)} certificates, but ends only some of them."
        )
    ders = []
    for number, block in enumerate(blocks, 1):
        try:
            ders.append(base64.b64decode(b"".join(block.group("body").split()), validate=True))
        except (binascii.Error, ValueError) as e:
            raise CertificateError(f"{_place(source, number, len(blocks))} is not valid base64: {e}") from e
    return tuple(ders)


def _guess(content: bytes) -> str:
    start = content.lstrip()[:200].lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if start.startswith((b"<?xml", b"<error")):
        return "an XML document, such as S3's error answers"
    if start.startswith((b"{", b"[")):
        return "JSON"
    if start.startswith(b"\x30\x82"):
        return "a certificate in DER form"
    return "something else"


def check_bundle(
    certificates: t.Sequence[Certificate],
    source_of: t.Mapping[bytes, str],
    left_out: t.Sequence[Certificate] = (),
) -> None:
    """Check that a bundle is one: CA certificates only, each chaining to a root that is in it.

    :arg source_of: For each certificate's DER, where it came from, for the error messages.
    :arg left_out: Certificates left out of the bundle because they have expired, for the error messages.
    :raises CertificateError: naming the certificate, its source and the reason.
    """
    with _quietly():
        loaded = {c.der: _load(c.der, source_of[c.der]) for c in certificates}
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
        signers = {other.der for other in issuers if _signed_by(loaded[certificate.der], loaded[other.der])}
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
    certificate: Certificate, source: str, issuer_is_there: bool, left_out: t.Sequence[Certificate]
) -> str:
    if issuer_is_there:
        return (
            f"{source} holds {certificate.subject}, whose signature does not verify with the key of its issuer "
            f"{certificate.issuer}."
        )
    expired = any(other.subject == certificate.issuer for other in left_out)
    reason = "has expired and was left out" if expired else "is not in the bundle"
    return f"{source} holds {certificate.subject}, whose issuer {certificate.issuer} {reason}."


# The names that OpenSSL writes for the attributes of a name, by OID. Others it may write as numbers, or not.
_ATTRIBUTE_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}
# What every OpenSSL writes as it is; some put a backslash before a slash and a plus sign.
_PLAIN_VALUE = re.compile(r"[ -*,-.0-\[\]-~]*\Z")


def names_as_required(pem: bytes, source: str) -> tuple[str | None, str | None]:
    """Subject and issuer of a PEM file's first certificate, as REQUIRE SUBJECT and ISSUER have to have them.

    That is the form ``/C=DE/O=Example/CN=app`` of OpenSSL's ``X509_NAME_oneline``. None stands for a name that has
    something in it whose form there is not certain.

    :raises CertificateError: when the file holds no certificate.
    """
    block = next((found for found in _PEM_BLOCK.finditer(pem) if found.group("label") in _CERTIFICATE_LABELS), None)
    if block is None:
        raise CertificateError(f"{source} holds no PEM certificate.")
    loaded = load(base64.b64decode(b"".join(block.group("body").split())), source)
    return _oneline(loaded.subject), _oneline(loaded.issuer)


def _oneline(name: x509.Name) -> str | None:
    parts = []
    for attribute in name:
        key, value = _ATTRIBUTE_NAMES.get(attribute.oid.dotted_string), attribute.value
        if key is None or not isinstance(value, str) or not _PLAIN_VALUE.match(value):
            return None
        parts.append(f"/{key}={value}")
    return "".join(parts)


def matches_host(certificate: Certificate, host: str) -> bool:
    """Whether the certificate names the host, by OpenSSL's rules (RFC 6125).

    DNS names compare without case, a wildcard stands for exactly one whole left-most label, an address matches only an
    address entry, and the common names count only where there is no DNS entry at all. A dot at the end is part of the
    name, as OpenSSL has it.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        entries = [entry[len("IP:") :] for entry in certificate.san if entry.startswith("IP:")]
        return any(ipaddress.ip_address(entry) == address for entry in entries)
    names = [entry[len("DNS:") :] for entry in certificate.san if entry.startswith("DNS:")]
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    return any(_dns_name_matches(name, host) for name in names or certificate.common_names)


def _dns_name_matches(pattern: str, host: str) -> bool:
    if _WEAK_NAME_CHARACTERS.search(pattern):
        return False
    pattern, host = pattern.lower(), host.lower()
    if "*" not in pattern:
        return pattern == host
    label, _dot, parent = host.partition(".")
    return (
        _WILDCARD_NAME.match(pattern) is not None
        and _WILDCARD_STANDS_FOR.match(label) is not None
        and pattern[len("*.") :] == parent
    )


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
