# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority modelled on the one of Amazon RDS, with good certificates and with every bad kind we test.

A root, a regional intermediate under it, and server certificates under the intermediate. The good ones pass OpenSSL's
strict checks (VERIFY_X509_STRICT, on by default in CPython 3.13).
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
_Key = t.Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of one certificate: ``ca`` verifies it, ``cert`` is the leaf followed by its intermediates."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True)
class _Variant:
    """How a server certificate differs from the good one. Days count from now."""

    issuer: str = "intermediate"
    starts: float = -1
    ends: float = 365
    dns_name: str = "localhost"
    addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    rsa_bits: int = 2048


_VARIANTS = {
    "good": _Variant(),
    "expiring": _Variant(ends=10),
    "expired": _Variant(starts=-60, ends=-1),
    "not-yet-valid": _Variant(starts=30),
    "wrong-name": _Variant(dns_name="elsewhere.example.com", addresses=("192.0.2.1",)),
    "wrong-ca": _Variant(issuer="other-root"),
    "noncritical-ca": _Variant(issuer="noncritical-root"),
    # yaSSL sends one certificate only, so this one hangs from the root.
    "legacy": _Variant(issuer="root"),
    "weak-key": _Variant(rsa_bits=1024),
}

SERVER_VARIANTS: tuple[str, ...] = tuple(_VARIANTS)


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: _Key


class Pki:
    """One authority in ``directory``; everything is made when first asked for, and found again by a later Pki there.

    ``key_type`` is ``rsa`` (2048 bits), ``ec`` (P-384) or ``ed25519``, for authorities and servers alike. The names may
    be given to look like those of a real authority, such as the retired ``Amazon RDS Root 2019 CA``.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        region: str = "eu-central-1",
        key_type: str = "rsa",
        root_name: str = "Amazon RDS Test Root 2026 CA",
        intermediate_name: str | None = None,
    ) -> None:
        if key_type not in ("rsa", "ec", "ed25519"):
            raise ValueError(f"key_type must be rsa, ec or ed25519, not {key_type!r}")
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.region = region
        self.key_type = key_type
        self.root_name = root_name
        self.intermediate_name = intermediate_name or f"Amazon RDS {region} Test CA"
        self._authorities: dict[str, _Authority] = {}

    @property
    def root(self) -> Path:
        """The root certificate."""
        self._authority("root")
        return self._path("root.pem")

    @property
    def intermediate(self) -> Path:
        """The regional intermediate certificate alone. As a bundle it lacks its issuer."""
        self._authority("intermediate")
        return self._path("intermediate.pem")

    @property
    def bundle(self) -> Path:
        """The region's bundle: intermediate, then root."""
        return self._join("bundle.pem", self.intermediate, self.root)

    @property
    def forged_bundle(self) -> Path:
        """A bundle whose intermediate names the true root as its issuer, but was signed by somebody else's key."""
        self._authority("forged-intermediate")
        return self._join("forged-bundle.pem", self._path("forged-intermediate.pem"), self.root)

    @property
    def expired_bundle(self) -> Path:
        """The region's bundle followed by a root that expired, as AWS's own bundles had."""
        self._authority("expired-root")
        return self._join("expired-bundle.pem", self.bundle, self._path("expired-root.pem"))

    @property
    def leaf(self) -> Path:
        """A server certificate alone, which has no place in a bundle of authorities."""
        self.server()
        return self._path("server-good.leaf.pem")

    def server(self, variant: str = "good", also: str | None = None) -> TlsFiles:
        """A server certificate: ``good`` (localhost, 127.0.0.1, ::1) or one of SERVER_VARIANTS.

        :arg also: One more name that it is for.
        """
        if variant == "legacy" and self.key_type != "rsa":
            raise ValueError("yaSSL knows RSA keys only; make a Pki with key_type='rsa' for it")
        how = _VARIANTS[variant]
        ca = self.bundle if how.issuer == "intermediate" else self._ca_file(how.issuer)
        chain = [self.intermediate] if how.issuer == "intermediate" else []
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in (how.dns_name, also) if name]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in how.addresses]
        return self._leaf(f"server-{variant}{'-' + also if also else ''}", ca, chain, how, how.dns_name, alternatives)

    def server_for(self, name: str, variant: str = "good") -> TlsFiles:
        """A server certificate that the server called ``name`` can use; MySQL 5.6 gets the legacy kind if good."""
        return self.server("legacy" if name == "mysql-5.6" and variant == "good" else variant)

    def client(self, common_name: str = "dbtls-client") -> TlsFiles:
        """A client certificate under the root, for accounts that require X509."""
        return self._leaf(f"client-{common_name}", self.bundle, [], _Variant(issuer="root"), common_name, None)

    def write_trust_store(self, directory: str | os.PathLike[str]) -> Path:
        """Lay the authority out as AWS's trust store does: the region's bundle, and the flat files of rds-ca-2019."""
        base = Path(directory)
        (base / self.region).mkdir(parents=True, exist_ok=True)
        (base / self.region / f"{self.region}-bundle.pem").write_bytes(self.bundle.read_bytes())
        (base / f"rds-ca-2019-{self.region}.pem").write_bytes(self.intermediate.read_bytes())
        (base / "rds-ca-2019-root.pem").write_bytes(self.root.read_bytes())
        return base

    def _path(self, name: str) -> Path:
        return self.directory / name

    def _join(self, name: str, *parts: Path) -> Path:
        path = self._path(name)
        if not path.exists():
            path.write_bytes(b"".join(part.read_bytes() for part in parts))
        return path

    def _ca_file(self, authority: str) -> Path:
        self._authority(authority)
        return self._path(f"{authority}.pem")

    def _authority(self, name: str) -> _Authority:
        # Reading a key takes 40 ms.
        if name not in self._authorities:
            self._authorities[name] = self._find_or_make(name)
        return self._authorities[name]

    def _find_or_make(self, name: str) -> _Authority:
        certificate_path, key_path = self._path(f"{name}.pem"), self._path(f"{name}.key")
        if certificate_path.exists():
            key = serialization.load_pem_private_key(key_path.read_bytes(), None)
            assert isinstance(key, _KEYS)
            return _Authority(x509.load_pem_x509_certificate(certificate_path.read_bytes()), key)
        new_key = self._new_key()
        intermediate = name in ("intermediate", "forged-intermediate")
        issuer = self._authority("root") if intermediate else None
        common_name = {
            "root": self.root_name,
            "intermediate": self.intermediate_name,
            "forged-intermediate": self.intermediate_name,
            "other-root": "Somebody Else's Root CA",
            "noncritical-root": "Amazon RDS Test Noncritical Root CA",
            "expired-root": "Amazon RDS Test Root 2015 CA",
        }[name]
        subject = _name(common_name)
        builder = _certificate(
            subject,
            issuer.certificate.subject if issuer else subject,
            new_key,
            starts=-3650 if name == "expired-root" else -400,
            ends=-30 if name == "expired-root" else 3650,
        )
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0 if intermediate else None),
            critical=name != "noncritical-root",
        )
        builder = builder.add_extension(_key_usage(authority=True), critical=True)
        if issuer:
            builder = builder.add_extension(_issuer_key(issuer), critical=False)
        signer = self._new_key() if name == "forged-intermediate" else issuer.key if issuer else new_key
        certificate = builder.sign(signer, _digest(signer))
        _write_key(key_path, new_key)
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return _Authority(certificate, new_key)

    def _leaf(
        self,
        name: str,
        ca: Path,
        chain: Sequence[Path],
        how: _Variant,
        common_name: str,
        alternatives: list[x509.GeneralName] | None,
    ) -> TlsFiles:
        files = TlsFiles(ca, self._path(f"{name}.pem"), self._path(f"{name}.key"))
        if files.cert.exists():
            return files
        issuer = self._authority(how.issuer)
        key = self._new_key(how.rsa_bits)
        builder = _certificate(_name(common_name), issuer.certificate.subject, key, starts=how.starts, ends=how.ends)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        builder = builder.add_extension(_issuer_key(issuer), critical=False)
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if alternatives else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        leaf = builder.sign(issuer.key, _digest(issuer.key)).public_bytes(serialization.Encoding.PEM)
        _write_key(files.key, key)
        self._path(f"{name}.leaf.pem").write_bytes(leaf)
        files.cert.write_bytes(leaf + b"".join(path.read_bytes() for path in chain))
        return files

    def _new_key(self, rsa_bits: int = 2048) -> _Key:
        if self.key_type == "ec":
            return ec.generate_private_key(ec.SECP384R1())
        if self.key_type == "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)


def _digest(key: _Key) -> hashes.SHA256 | None:
    """What to sign with; Ed25519 has a digest of its own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def account_names(certificate: Path) -> tuple[str, str]:
    """Subject and issuer of a certificate, written as ``REQUIRE SUBJECT`` and ``REQUIRE ISSUER`` want them."""
    parsed = x509.load_pem_x509_certificate(certificate.read_bytes())

    def slashes(name: x509.Name) -> str:
        return "".join(f"/{attribute.rfc4514_attribute_name}={attribute.value!s}" for attribute in name)

    return slashes(parsed.subject), slashes(parsed.issuer)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "dbtls tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: _Key, *, starts: float, ends: float
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=starts))
        # Half a day earlier, so that the number of whole days left does not change within a test.
        .not_valid_after(now + datetime.timedelta(days=ends - 0.5))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _issuer_key(issuer: _Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        # Without it TLS 1.0 clients may not use the RSA key exchange that MySQL 5.6 offers.
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: _Key) -> None:
    form = serialization.PrivateFormat.TraditionalOpenSSL  # because yaSSL reads no other
    if isinstance(key, ed25519.Ed25519PrivateKey):  # which has none
        form = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(text)
