# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CA certificates as a PKCS#12 trust store, which Java reads.

Java takes a certificate of a PKCS#12 file for trusted only when its bag carries an attribute of Java's own
(2.16.840.1.113894.746875.1.1), which is why not any PKCS#12 file does.
"""

from __future__ import annotations

import typing as t
import warnings

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import MissingLibrary, OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError

_NEEDED = "cryptography >= 45.0.0"


def _pkcs12() -> t.Any:
    try:
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ImportError as e:
        raise MissingLibrary("cryptography", "read and write PKCS#12 files", e) from e
    return pkcs12


def check_support() -> None:
    """Fail early where the library is too old.

    :raises OptionError: naming the release that is needed.
    """
    if not hasattr(_pkcs12(), "serialize_java_truststore"):
        import cryptography

        raise OptionError(
            f"format: pkcs12 needs {_NEEDED} where the module runs, and {cryptography.__version__} is there."
        )


def dump(certificates: t.Sequence[x509.Certificate], passphrase: str) -> bytes:
    """The certificates as a trust store, in order. Not deterministic: salts differ each time.

    Each entry's alias is its common name, with the beginning of its fingerprint where two have the same; Java compares
    aliases without case.
    """
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

    pkcs12 = _pkcs12()
    entries, taken = [], set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in certificates.load
        for certificate in certificates:
            alias = certificate.common_name
            if alias.lower() in taken:
                alias = "{} {}".format(alias, certificate.fingerprint_sha256.replace(":", "")[:16])
            taken.add(alias.lower())
            loaded = x509.load(certificate.der, certificate.common_name)
            entries.append(pkcs12.PKCS12Certificate(loaded, alias.encode("utf-8")))
        content = pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(passphrase.encode("utf-8")))
    return t.cast("bytes", content)


def load(content: bytes, passphrase: str, source: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a trust store, in order.

    :raises CertificateError: when it is none, or has another passphrase.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bags = _pkcs12().load_pkcs12(content, passphrase.encode("utf-8")).additional_certs
            ders = [bag.certificate.public_bytes(Encoding.DER) for bag in bags]
    except (ValueError, TypeError) as e:
        raise CertificateError(f"{source} is not a PKCS#12 file with this passphrase.") from e
    return tuple(x509.parse_certificate(der, source) for der in ders)
