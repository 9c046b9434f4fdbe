# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where AWS publishes which CA certificates, and composing a CA bundle of them."""

from __future__ import annotations

import hashlib
import re
import socket
import typing as t
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ansible.module_utils.urls import ConnectionError as UrlsConnectionError
from ansible.module_utils.urls import NoSSLError, SSLValidationError, open_url

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import OptionError, RdsMysqlError

CA_SETS = ("current", "rds-ca-2015", "rds-ca-2019")
GLOBAL = "global"

# "Using SSL/TLS to encrypt a connection to a DB instance or cluster", Amazon RDS User Guide, and its counterparts for
# AWS GovCloud (US) and the China regions.
_TRUST_STORES = (
    (re.compile(r"us-gov-"), "https://truststore.pki.us-gov-west-1.rds.amazonaws.com"),
    (re.compile(r"cn-"), "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn"),
    (re.compile(r""), "https://truststore.pki.rds.amazonaws.com"),
)
_OLD_SETS_BASE_URL = "https://s3.amazonaws.com/rds-downloads"

# Two lower-case letters, one or more words, a number: every region name so far, and surely the next ones.
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[1-9][0-9]?\Z")
_CHECKSUM = re.compile(r"sha256:(?P<hex>[0-9a-f]{64})\Z", re.IGNORECASE)

# The global bundle, the largest that AWS publishes, has about 165 kB.
MAX_SOURCE_BYTES = 2 * 1024 * 1024


class SourceError(RdsMysqlError):
    """A source of the bundle cannot be read; the message names its URL and the reason."""


@dataclass(frozen=True)
class Sources:
    """How to reach the sources. ``timeout`` is in seconds and bounds each network wait."""

    urls: t.Tuple[str, ...]
    timeout: int = 30
    validate_certs: bool = True
    ca_path: t.Optional[str] = None


@dataclass(frozen=True)
class FetchedSource:
    """One source as it was read: its URL, what happened, and the size of its body in bytes."""

    url: str
    status: str
    bytes: int

    def describe(self) -> t.Dict[str, t.Any]:
        """The return value's form."""
        return {"url": self.url, "status": self.status, "bytes": self.bytes}


@dataclass(frozen=True)
class Bundle:
    """A checked CA bundle, ready to be written. ``content`` is PEM."""

    content: bytes
    certificates: t.Tuple[x509.Certificate, ...]
    sources: t.Tuple[FetchedSource, ...]
    dropped: t.Tuple[x509.Certificate, ...] = ()

    @property
    def checksum(self) -> str:
        """SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def source_urls(region: str, ca_set: str, base_url: t.Optional[str]) -> t.Tuple[str, ...]:
    """The URLs that make the bundle of a region, in the order of concatenation.

    :raises OptionError: when the region is not the name of one.
    """
    if region != GLOBAL and not _REGION.match(region):
        raise OptionError(
            "region: {0!r} is not an AWS region name such as 'eu-central-1', nor 'global'.".format(region)
        )
    if ca_set == "current":
        base = base_url or next(url for prefix, url in _TRUST_STORES if prefix.match(region))
        return ("{0}/{1}/{1}-bundle.pem".format(base.rstrip("/"), region),)
    if region == GLOBAL:
        raise OptionError(
            "region: ca_set {0} has an intermediate certificate for each region and none for 'global'; "
            "set region to the region of the database.".format(ca_set)
        )
    base = (base_url or _OLD_SETS_BASE_URL).rstrip("/")
    return ("{0}/{1}-{2}.pem".format(base, ca_set, region), "{0}/{1}-root.pem".format(base, ca_set))


def parse_checksum(checksum: str) -> str:
    """The hex of ``sha256:<64 hex>``.

    :raises OptionError: when it has another form.
    """
    match = _CHECKSUM.match(checksum)
    if match is None:
        raise OptionError("checksum: {0!r} is not of the form sha256:<64 hexadecimal digits>.".format(checksum))
    return match.group("hex").lower()


def compose(sources: Sources, expired: str = "keep", checksum: t.Optional[str] = None) -> Bundle:
    """Read every source, check everything, and put the bundle together; writes nothing.

    Text between certificates is left out and a certificate that was there already is not repeated.

    :arg expired: What to do with expired certificates: ``keep``, ``drop`` or ``fail``.
    :arg checksum: ``sha256:<hex>`` that the finished bundle has to have.
    :raises SourceError: when a source cannot be read.
    :raises CertificateError: when what it holds is not a CA bundle.
    """
    wanted = parse_checksum(checksum) if checksum else None
    for url in sources.urls:
        if urlsplit(url).scheme not in ("http", "https", "file"):
            raise OptionError("urls: {0!r} is not an http, https or file URL.".format(url))

    fetched = []
    found: t.Dict[bytes, x509.Certificate] = {}
    source_of: t.Dict[bytes, str] = {}
    for url in sources.urls:
        body = _read(url, sources)
        fetched.append(FetchedSource(url=url, status="fetched", bytes=len(body)))
        for certificate in x509.parse_pem(body, url):
            found.setdefault(certificate.der, certificate)
            source_of.setdefault(certificate.der, url)
    kept, dropped = _sort_out_expired(tuple(found.values()), expired, source_of)
    x509.check_bundle(kept, source_of)

    bundle = Bundle(
        content=b"".join(certificate.pem for certificate in kept),
        certificates=kept,
        sources=tuple(fetched),
        dropped=dropped,
    )
    if wanted and wanted != bundle.checksum:
        raise SourceError(
            "checksum: the bundle made of {0} has sha256:{1}, not sha256:{2}.".format(
                " and ".join(sources.urls), bundle.checksum, wanted
            )
        )
    return bundle


def _sort_out_expired(
    found: t.Tuple[x509.Certificate, ...], expired: str, source_of: t.Mapping[bytes, str]
) -> t.Tuple[t.Tuple[x509.Certificate, ...], t.Tuple[x509.Certificate, ...]]:
    now = x509.utc_now()
    too_old = tuple(certificate for certificate in found if certificate.expired(now))
    if not too_old or expired == "keep":
        return found, ()
    names = ", ".join(
        "{0} (expired {1}, from {2})".format(
            certificate.common_name, x509.iso8601(certificate.not_after), source_of[certificate.der]
        )
        for certificate in too_old
    )
    if expired == "fail":
        raise x509.CertificateError("The bundle holds expired certificates: {0}.".format(names))
    kept = tuple(certificate for certificate in found if not certificate.expired(now))
    if not kept:
        raise x509.CertificateError("Every certificate has expired, so that dropping leaves none: {0}.".format(names))
    return kept, too_old


def expiry_warnings(bundle: Bundle, warn_days: int) -> t.List[str]:
    """A sentence for each certificate that has expired or will within ``warn_days`` days."""
    now = x509.utc_now()
    sentences = []
    for certificate in bundle.certificates:
        if certificate.expired(now):
            sentences.append(
                "{0} expired on {1}.".format(certificate.common_name, x509.iso8601(certificate.not_after))
            )
        elif certificate.days_left(now) < warn_days:
            sentences.append(
                "{0} expires on {1}, in {2} days.".format(
                    certificate.common_name, x509.iso8601(certificate.not_after), certificate.days_left(now)
                )
            )
    for certificate in bundle.dropped:
        sentences.append(
            "{0} expired on {1} and was left out.".format(
                certificate.common_name, x509.iso8601(certificate.not_after)
            )
        )
    return sentences


def without_credentials(url: str) -> str:
    """The URL as it may be shown: a user name and password in it are left out."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _read(url: str, sources: Sources) -> bytes:
    if urlsplit(url).scheme == "file":
        return _read_file(url)
    shown = without_credentials(url)
    try:
        response = open_url(
            url,
            timeout=sources.timeout,
            validate_certs=sources.validate_certs,
            ca_path=sources.ca_path,
            follow_redirects="safe",
        )
        if urlsplit(url).scheme == "https" and urlsplit(response.geturl()).scheme != "https":
            raise SourceError(
                "{0} redirects to {1}, which is not https; refused.".format(
                    shown, without_credentials(response.geturl())
                )
            )
        body = response.read(MAX_SOURCE_BYTES + 1)
    except HTTPError as e:
        raise SourceError("{0} answered {1} {2}.".format(shown, e.code, e.reason)) from e
    except (SSLValidationError, NoSSLError, UrlsConnectionError) as e:
        raise SourceError("{0} cannot be read: {1}".format(shown, str(e).replace(url, shown))) from e
    except URLError as e:
        raise SourceError("{0} cannot be read: {1}.".format(shown, e.reason)) from e
    except socket.timeout as e:
        raise SourceError("{0} did not answer within {1} seconds.".format(shown, sources.timeout)) from e
    except (OSError, ValueError) as e:
        raise SourceError("{0} cannot be read: {1}.".format(shown, e)) from e
    if len(body) > MAX_SOURCE_BYTES:
        raise SourceError("{0} is larger than {1} bytes, so not a CA bundle.".format(shown, MAX_SOURCE_BYTES))
    return t.cast(bytes, body)


def _read_file(url: str) -> bytes:
    path = url2pathname(urlsplit(url).path)
    try:
        with open(path, "rb") as f:
            body = f.read(MAX_SOURCE_BYTES + 1)
    except OSError as e:
        raise SourceError("{0} cannot be read: {1}.".format(url, e.strerror)) from e
    if len(body) > MAX_SOURCE_BYTES:
        raise SourceError("{0} is larger than {1} bytes, so not a CA bundle.".format(url, MAX_SOURCE_BYTES))
    return body
