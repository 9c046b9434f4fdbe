# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names in certificates: which hosts a server's certificate is for, and a client's as accounts require them."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import Certificate, load_first

if t.TYPE_CHECKING:
    from cryptography import x509

_WEAK_NAME_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
# What OpenSSL takes for a wildcard, and what it lets one stand for: letters, digits and hyphens, but no underscores.
_WILDCARD_NAME = re.compile(r"\*(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?){2,}\Z")
_WILDCARD_STANDS_FOR = re.compile(r"[a-z0-9-]+\Z")

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
    loaded = load_first(pem, source)
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
