# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where AWS publishes which CA certificates, and composing a CA bundle of them."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import check, download
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.download import (
    SourceError,
    Validators,
    without_credentials,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.source_cache import Known, KnownSource
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError

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

# An area (eusc in the European Sovereign Cloud, else two letters), one or more words, a number: every region name so
# far, and surely the next ones.
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[1-9][0-9]?\Z")
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

    ``known`` is called while the sources are asked whether they have changed: what is known of each, and the
    certificates that the earlier run has made a bundle of (none where that is not known). Reading them takes a while.
    """

    validators: t.Mapping[str, Validators]
    known: t.Callable[[], tuple[Known, tuple[x509.Certificate, ...]]]


class Bundle(t.NamedTuple):
    """A checked CA bundle, ready to be written. ``content`` is PEM; ``known`` is for the record of the sources."""

    content: bytes
    certificates: tuple[x509.Certificate, ...]
    sources: tuple[FetchedSource, ...]
    dropped: tuple[x509.Certificate, ...] = ()
    known: Known = {}  # noqa: RUF012  never changed

    @property
    def checksum(self) -> str:
        """SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def source_urls(region: str, ca_set: str, base_url: str | None) -> tuple[str, ...]:
    """The URLs that make the bundle of a region, in the order of concatenation.

    :raises OptionError: when the region is not the name of one.
    """
    if region != GLOBAL and not _REGION.match(region):
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
    access: download.Access,
    *,
    expired: str = "keep",
    checksum: str | None = None,
    earlier: Earlier | None = None,
) -> Bundle:
    """Read every source, check everything, and put the bundle together; writes nothing.

    Text between certificates is left out and a certificate that was there already is not repeated.

    :arg expired: What to do with expired certificates: ``keep``, ``drop`` or ``fail``.
    :arg checksum: ``sha256:<hex>`` that the finished bundle has to have.
    :arg earlier: What an earlier run has left. Sources that have not changed are not read again, and certificates that
        it has made a bundle of are not checked again.
    :raises SourceError: when a source cannot be read.
    :raises CertificateError: when what it holds is not a CA bundle.
    """
    wanted = parse_checksum(checksum) if checksum else None
    for url in urls:
        download.check_url(url, "urls", access)

    validators = earlier.validators if earlier else {}
    readings = [download.Reading(url, access, validators.get(url)) for url in urls]
    known, checked = earlier.known() if earlier else ({}, ())
    fetched = []
    now_known: dict[str, KnownSource] = {}
    found: dict[bytes, x509.Certificate] = {}
    source_of: dict[bytes, str] = {}
    for url, reading in zip(urls, readings):
        status, source = _read(url, access, reading, known.get(url))
        now_known[url] = source
        shown = without_credentials(url)
        fetched.append(FetchedSource(url=shown, status=status, bytes=source.bytes))
        for certificate in source.certificates:
            found.setdefault(certificate.der, certificate)
            source_of.setdefault(certificate.der, shown)
    kept, dropped = _sort_out_expired(tuple(found.values()), expired, source_of)
    if kept != checked:
        check.check_bundle(kept, source_of, dropped)

    bundle = Bundle(
        content=b"".join(certificate.pem for certificate in kept),
        certificates=kept,
        sources=tuple(fetched),
        dropped=dropped,
        known=now_known,
    )
    if wanted and wanted != bundle.checksum:
        raise SourceError(
            "checksum: the bundle made of {} has sha256:{}, not sha256:{}.".format(
                " and ".join(without_credentials(url) for url in urls), bundle.checksum, wanted
            )
        )
    return bundle


def _read(
    url: str, access: download.Access, reading: download.Reading, known: KnownSource | None
) -> tuple[str, KnownSource]:
    """``fetched`` or ``not_modified``, and the source as it is now."""
    answer = reading.answer()
    if answer.body is None:
        if known:
            return "not_modified", known
        answer = download.read(url, access)
    body = answer.body or b""
    certificates = x509.parse_pem(body, without_credentials(url))
    return "fetched", KnownSource(answer.validators, len(body), certificates)


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
    """A sentence for each certificate that has expired or will within ``warn_days`` days."""
    now = utc_now()
    sentences = []
    for certificate in bundle.certificates:
        if certificate.expired(now):
            sentences.append(f"{certificate.common_name} expired on {iso8601(certificate.not_after)}.")
        elif certificate.days_left(now) < warn_days:
            sentences.append(
                f"{certificate.common_name} expires on {iso8601(certificate.not_after)}, in "
                f"{certificate.days_left(now)} days."
            )
    return sentences + [
        f"{certificate.common_name} expired on {iso8601(certificate.not_after)} and was left out."
        for certificate in bundle.dropped
    ]
