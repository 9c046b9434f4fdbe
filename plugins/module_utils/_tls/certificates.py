# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates described; chains.

Everything X.509 is left to the ``cryptography`` library, which is imported only when a certificate is read.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import typing as t
import warnings
from contextlib import contextmanager

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import MissingLibrary
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import (
    CERTIFICATE_LABELS,
    CertificateError,
    der_to_pem,
    pem_blocks,
    pem_to_ders,
    place,
)

if t.TYPE_CHECKING:
    from cryptography import x509


# A named tuple, as to define one takes a seventh of the time of a dataclass, and defining them is most of what it costs
# to import these modules.
class Certificate(t.NamedTuple):
    """A certificate described.

    ``not_before`` and ``not_after`` are aware datetimes in UTC; ``fingerprint_sha256`` is colon separated upper-case
    hex, as ``openssl x509 -fingerprint`` prints it; ``san`` holds entries such as ``DNS:db.example`` and
    ``IP:192.0.2.1``; ``common_name`` is for people (the subject where there is none), ``common_names`` are all of them;
    ``signature_hash`` is such as ``sha256``, empty for a signature without one.
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
    signature_hash: str = ""

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


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate in the form of ``Certificate.fingerprint_sha256``."""
    return hashlib.sha256(der).digest().hex(":").upper()


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
    known = _DESCRIBED.get(der)
    if known is None:
        with _quietly():
            known = _parse(der, source)
        if len(_DESCRIBED) < _MOST_DESCRIBED:
            _DESCRIBED[der] = known
    return known


# A fleet's servers have their authorities in common, and describing a certificate takes as long as two statements.
_DESCRIBED: dict[bytes, Certificate] = {}
_MOST_DESCRIBED = 256


def load(der: bytes, source: str) -> x509.Certificate:
    """The certificate as the library's object.

    :raises CertificateError: when it is not one.
    """
    with _quietly():
        return _load(der, source)


def load_first(pem: bytes, source: str) -> x509.Certificate:
    """The first certificate of a PEM file, whatever else is in it, as the library's object.

    :raises CertificateError: when it holds none.
    """
    for label, body in pem_blocks(pem):
        if label in CERTIFICATE_LABELS and body is not None:
            return load(base64.b64decode(body), source)
    raise CertificateError(f"{source} holds no PEM certificate.")


@contextmanager
def _quietly() -> t.Iterator[None]:
    """Some published RDS roots break rules that cryptography only warns about (a serial number that is not positive).

    The user can do nothing about it. Once around many certificates, since it is not for free.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _parse(der: bytes, source: str, is_root: t.Callable[[str], bool] | None = None) -> Certificate:
    loaded = _load(der, source)
    try:
        return _describe(loaded, der, is_root)
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


def _describe(loaded: x509.Certificate, der: bytes, is_root: t.Callable[[str], bool] | None) -> Certificate:
    # The aware attributes came with cryptography 42; the naive ones are UTC as well.
    if hasattr(loaded, "not_valid_after_utc"):
        not_before, not_after = loaded.not_valid_before_utc, loaded.not_valid_after_utc
    else:
        not_before = loaded.not_valid_before.replace(tzinfo=dt.timezone.utc)
        not_after = loaded.not_valid_after.replace(tzinfo=dt.timezone.utc)
    digest = fingerprint(der)
    known = is_root is not None and is_root(digest)
    return Certificate(
        common_name=_common_name(loaded),
        subject=_name(loaded.subject),
        issuer=_name(loaded.issuer),
        serial_number=f"{loaded.serial_number:X}",
        not_before=not_before,
        not_after=not_after,
        fingerprint_sha256=digest,
        key=_key(loaded),
        is_ca=_is_ca(loaded),
        self_signed=known or (loaded.subject == loaded.issuer and signed_by(loaded, loaded)),
        san=_subject_alternative_names(loaded),
        der=der,
        common_names=_common_names(loaded),
        signature_hash=_signature_hash(loaded),
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


def _signature_hash(loaded: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        algorithm = loaded.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return algorithm.name if algorithm else ""


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


def signed_by(loaded: x509.Certificate, issuer: x509.Certificate) -> bool:
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


def parse_pem(
    content: bytes, source: str, *, is_root: t.Callable[[str], bool] | None = None
) -> tuple[Certificate, ...]:
    """All certificates of a PEM file, in order; text between them is passed over, as every client does.

    :arg source: Where it came from, for the error messages.
    :arg is_root: Whether a fingerprint is that of a certificate that is known to have signed itself; to verify that
        takes two thirds of the time.
    :raises CertificateError: for anything but certificates in PEM form, a private key among them.
    """
    ders = pem_to_ders(content, source)
    with _quietly():
        return tuple(_parse(der, place(source, number, len(ders)), is_root) for number, der in enumerate(ders, 1))
