# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Composing a CA bundle of what sources hold."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import check, download, known_roots
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.access import (
    Access,
    check_urls,
    shown,
    unprotected,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.download import SourceError, Validators
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.source_cache import Known, KnownSource
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError

# All of AWS's together are 120 in 165 kB.
MAX_CERTIFICATES = 500
MAX_BYTES = 4 * 1024 * 1024
ROOTS_AS_OF = known_roots.AS_OF

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # of UTF-8, with which some editors begin a file
_DER = b"\x30\x82"  # a sequence of 256 bytes or more
_TRUSTED = b"-----BEGIN TRUSTED CERTIFICATE-----"
_CHECKSUM = r"(?i)sha256:(?P<hex>[0-9a-f]{64})\Z"


class FetchedSource(t.NamedTuple):
    """One source: its URL, ``fetched`` or ``not_modified``, and the size of its body in bytes."""

    url: str
    status: str
    bytes: int

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return {"url": self.url, "status": self.status, "bytes": self.bytes}


class Earlier(t.NamedTuple):
    """What an earlier run has left.

    ``known`` is called while the sources are asked whether they have changed: what is known of each, the certificates
    that the earlier run has made a bundle of (none where that is not known), and what is weak about them. Reading them
    takes a while.
    """

    validators: t.Mapping[str, Validators]
    known: t.Callable[[], tuple[Known, tuple[x509.Certificate, ...], check.Weaknesses]]


class Bundle(t.NamedTuple):
    """A checked CA bundle, ready to be written. ``content`` is PEM; ``known`` is for the record of the sources."""

    content: bytes
    certificates: tuple[x509.Certificate, ...]
    sources: tuple[FetchedSource, ...]
    dropped: tuple[x509.Certificate, ...] = ()
    known: Known = {}  # noqa: RUF012  never changed
    weaknesses: check.Weaknesses = {}  # noqa: RUF012  never changed

    @property
    def checksum(self) -> str:
        """SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def parse_checksum(checksum: str) -> str:
    """The hex of ``sha256:<64 hex>``.

    :raises OptionError: when it has another form.
    """
    match = re.match(_CHECKSUM, checksum)
    if match is None:
        raise OptionError(f"checksum: {checksum!r} is not of the form sha256:<64 hexadecimal digits>.")
    return match.group("hex").lower()


def compose(
    urls: t.Sequence[str],
    access: Access,
    *,
    expired: str = "keep",
    checksum: str | None = None,
    earlier: Earlier | None = None,
    max_certificates: int = MAX_CERTIFICATES,
) -> Bundle:
    """Read every source, check everything, and put the bundle together; writes nothing.

    Text between certificates is left out and a certificate that was there already is not repeated.

    :arg expired: What to do with expired certificates: ``keep``, ``drop`` or ``fail``.
    :arg checksum: ``sha256:<hex>`` that the finished bundle has to have.
    :arg earlier: What an earlier run has left. Sources that have not changed are not read again, and certificates that
        it has made a bundle of are not checked again.
    :arg max_certificates: How many certificates the sources may have.
    :raises SourceError: when a source cannot be read.
    :raises CertificateError: when what it holds is not a CA bundle.
    """
    wanted = parse_checksum(checksum) if checksum else None
    check_urls(urls, "urls", access)
    # Whoever has sent another file once would have its entity tag asked for, and answered, for ever.
    asked = {
        url: validators
        for url, validators in (earlier.validators if earlier else {}).items()
        if wanted or not unprotected(url, access)
    }
    bundle = _compose(urls, access, expired, earlier, asked, max_certificates)
    if wanted and wanted != bundle.checksum and any(source.status == "not_modified" for source in bundle.sources):
        bundle = _compose(urls, access, expired, None, {}, max_certificates)
    if wanted and wanted != bundle.checksum:
        names = " and ".join(shown(url) for url in urls)
        raise SourceError(f"checksum: the bundle made of {names} has sha256:{bundle.checksum}, not sha256:{wanted}.")
    return bundle


def _compose(
    urls: t.Sequence[str],
    access: Access,
    expired: str,
    earlier: Earlier | None,
    asked: t.Mapping[str, Validators],
    max_certificates: int,
) -> Bundle:
    readings = [download.Reading(url, access, asked.get(url)) for url in urls]
    known, checked, weaknesses = earlier.known() if earlier else ({}, (), {})
    fetched = []
    now_known: dict[str, KnownSource] = {}
    found: dict[bytes, x509.Certificate] = {}
    source_of: dict[bytes, str] = {}
    size = 0
    for url, reading in zip(urls, readings):
        status, source = _read(url, access, reading, known.get(url), max_certificates)
        size += source.bytes
        now_known[url] = source
        fetched.append(FetchedSource(url=shown(url), status=status, bytes=source.bytes))
        for certificate in source.certificates:
            found.setdefault(certificate.der, certificate)
            source_of.setdefault(certificate.der, shown(url))
        if len(found) > max_certificates:
            raise _too_many(f"{shown(url)} and the sources before it hold", len(found), max_certificates)
        if size > MAX_BYTES:
            raise SourceError(f"{shown(url)} and the sources before it are larger than {MAX_BYTES} bytes.")
    kept, dropped = _sort_out_expired(tuple(found.values()), expired, source_of)
    if kept != checked:
        weaknesses = check.check_bundle(kept, source_of, dropped)
    return Bundle(
        content=b"".join(certificate.pem for certificate in kept),
        certificates=kept,
        sources=tuple(fetched),
        dropped=dropped,
        known=now_known,
        weaknesses=weaknesses,
    )


def _read(
    url: str,
    access: Access,
    reading: download.Reading,
    known: KnownSource | None,
    max_certificates: int,
) -> tuple[str, KnownSource]:
    """``fetched`` or ``not_modified``, and the source as it is now."""
    answer = reading.answer()
    if answer.body is None:
        if known:
            return "not_modified", known
        answer = download.read(url, access)
    body = answer.body or b""
    return "fetched", KnownSource(answer.validators, len(body), _certificates(body, shown(url), max_certificates))


def _certificates(body: bytes, source: str, max_certificates: int) -> tuple[x509.Certificate, ...]:
    body = body.removeprefix(_BYTE_ORDER_MARK)
    if body.startswith(_DER) and b"-----BEGIN " not in body:
        raise CertificateError(
            f"{source} is in DER form and not in PEM form. Convert a certificate with openssl x509 -inform DER."
        )
    if _TRUSTED in body:
        raise CertificateError(
            f"{source} holds a BEGIN TRUSTED CERTIFICATE block, which is a form of OpenSSL's own. Convert it with "
            "openssl x509."
        )
    count = body.count(b"-----BEGIN CERTIFICATE-----")
    if count > max_certificates:
        raise _too_many(f"{source} holds", count, max_certificates)
    return x509.parse_pem(body, source, is_root=known_roots.is_known)


def _too_many(held: str, count: int, limit: int) -> CertificateError:
    return CertificateError(f"{held} {count} certificates, and max_certificates permits {limit}.")


def _sort_out_expired(
    found: tuple[x509.Certificate, ...], expired: str, source_of: t.Mapping[bytes, str]
) -> tuple[tuple[x509.Certificate, ...], tuple[x509.Certificate, ...]]:
    now = utc_now()
    too_old = tuple(certificate for certificate in found if certificate.expired(now))
    if not too_old or expired == "keep":
        return found, ()
    names = ", ".join(
        f"{certificate.common_name} (expired {iso8601(certificate.not_after)}, from {source_of[certificate.der]})"
        for certificate in too_old
    )
    if expired == "fail":
        raise CertificateError(f"The bundle holds expired certificates: {names}.")
    kept = tuple(certificate for certificate in found if not certificate.expired(now))
    if not kept:
        raise CertificateError(f"Every certificate has expired, so that dropping leaves none: {names}.")
    return kept, too_old


def expiry_warnings(bundle: Bundle, warn_days: int) -> list[str]:
    """A sentence for each certificate that is not valid, or will expire within ``warn_days`` days."""
    now = utc_now()
    sentences = []
    for certificate in bundle.certificates:
        if certificate.expired(now):
            sentences.append(f"{certificate.common_name} expired on {iso8601(certificate.not_after)}.")
        elif certificate.not_before > now:
            sentences.append(f"{certificate.common_name} is not valid before {iso8601(certificate.not_before)}.")
        elif certificate.days_left(now) < warn_days:
            sentences.append(
                f"{certificate.common_name} expires on {iso8601(certificate.not_after)}, in "
                f"{certificate.days_left(now)} days."
            )
    return sentences + [
        f"{certificate.common_name} expired on {iso8601(certificate.not_after)} and was left out."
        for certificate in bundle.dropped
    ]


def protection_warnings(urls: t.Sequence[str], access: Access) -> list[str]:
    """A sentence for each source that anybody on the way to it can replace."""
    reasons = [(url, unprotected(url, access)) for url in urls]
    return [
        f"{shown(url)} {reason}, so anybody on the network path can choose the CAs that clients trust. Set checksum, "
        "or use https with validate_certs."
        for url, reason in reasons
        if reason
    ]


def unknown_roots(bundle: Bundle) -> list[str]:
    """The roots that are not among those of AWS that this collection knows, by name and fingerprint."""
    return [
        f"{c.common_name} (sha256 {c.fingerprint_sha256})"
        for c in bundle.certificates
        if c.self_signed and not known_roots.is_known(c.fingerprint_sha256)
    ]


def askable(bundle: Bundle, access: Access, *, checked: bool) -> Known:
    """The sources of the bundle with what they can be asked with next time.

    :arg checked: Whether the bundle has a checksum, so that it does not matter who has sent them.
    """
    return {
        url: source._replace(validators=Validators()) if unprotected(url, access) and not checked else source
        for url, source in bundle.known.items()
    }
