# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where AWS publishes which CA certificates, and composing a CA bundle of them."""

from __future__ import annotations

import hashlib
import http.client
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

    urls: tuple[str, ...]
    timeout: int = 30
    validate_certs: bool = True
    ca_path: str | None = None


@dataclass(frozen=True)
class FetchedSource:
    """One source as it was read: its URL, what happened, and the size of its body in bytes."""

    url: str
    status: str
    bytes: int

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return {"url": self.url, "status": self.status, "bytes": self.bytes}


@dataclass(frozen=True)
class Bundle:
    """A checked CA bundle, ready to be written. ``content`` is PEM."""

    content: bytes
    certificates: tuple[x509.Certificate, ...]
    sources: tuple[FetchedSource, ...]
    dropped: tuple[x509.Certificate, ...] = ()

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
        base = base_url or next(url for prefix, url in _TRUST_STORES if prefix.match(region))
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
    match = _CHECKSUM.match(checksum)
    if match is None:
        raise OptionError(f"checksum: {checksum!r} is not of the form sha256:<64 hexadecimal digits>.")
    return match.group("hex").lower()


def compose(sources: Sources, expired: str = "keep", checksum: str | None = None) -> Bundle:
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
            raise OptionError(f"urls: {url!r} is not an http, https or file URL.")

    fetched = []
    found: dict[bytes, x509.Certificate] = {}
    source_of: dict[bytes, str] = {}
    for url in sources.urls:
        body = _read(url, sources)
        shown = without_credentials(url)
        fetched.append(FetchedSource(url=shown, status="fetched", bytes=len(body)))
        for certificate in x509.parse_pem(body, shown):
            found.setdefault(certificate.der, certificate)
            source_of.setdefault(certificate.der, shown)
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
            "checksum: the bundle made of {} has sha256:{}, not sha256:{}.".format(
                " and ".join(without_credentials(url) for url in sources.urls), bundle.checksum, wanted
            )
        )
    return bundle


def _sort_out_expired(
    found: tuple[x509.Certificate, ...], expired: str, source_of: t.Mapping[bytes, str]
) -> tuple[tuple[x509.Certificate, ...], tuple[x509.Certificate, ...]]:
    now = x509.utc_now()
    too_old = tuple(certificate for certificate in found if certificate.expired(now))
    if not too_old or expired == "keep":
        return found, ()
    names = ", ".join(
        f"{certificate.common_name} (expired {x509.iso8601(certificate.not_after)}, from {source_of[certificate.der]})"
        for certificate in too_old
    )
    if expired == "fail":
        raise x509.CertificateError(f"The bundle holds expired certificates: {names}.")
    kept = tuple(certificate for certificate in found if not certificate.expired(now))
    if not kept:
        raise x509.CertificateError(f"Every certificate has expired, so that dropping leaves none: {names}.")
    return kept, too_old


def expiry_warnings(bundle: Bundle, warn_days: int) -> list[str]:
    """A sentence for each certificate that has expired or will within ``warn_days`` days."""
    now = x509.utc_now()
    sentences = []
    for certificate in bundle.certificates:
        if certificate.expired(now):
            sentences.append(f"{certificate.common_name} expired on {x509.iso8601(certificate.not_after)}.")
        elif certificate.days_left(now) < warn_days:
            sentences.append(
                f"{certificate.common_name} expires on {x509.iso8601(certificate.not_after)}, in "
                f"{certificate.days_left(now)} days."
            )
    return sentences + [
        f"{certificate.common_name} expired on {x509.iso8601(certificate.not_after)} and was left out."
        for certificate in bundle.dropped
    ]


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
                f"{shown} redirects to {without_credentials(response.geturl())}, which is not https; refused."
            )
        body = response.read(MAX_SOURCE_BYTES + 1)
    except HTTPError as e:
        raise SourceError(f"{shown} answered {e.code} {e.reason}.") from e
    except (SSLValidationError, NoSSLError, UrlsConnectionError) as e:
        raise SourceError(f"{shown} cannot be read: {str(e).replace(url, shown)}") from e
    except URLError as e:
        raise SourceError(f"{shown} cannot be read: {e.reason}.") from e
    except socket.timeout as e:
        raise SourceError(f"{shown} did not answer within {sources.timeout} seconds.") from e
    except http.client.IncompleteRead as e:
        raise SourceError(f"{shown} broke off in the middle of its answer.") from e
    except http.client.HTTPException as e:
        raise SourceError(f"{shown} does not answer as a web server does ({type(e).__name__}).") from e
    except (OSError, ValueError) as e:
        raise SourceError(f"{shown} cannot be read: {e}.") from e
    promised = response.headers.get("Content-Length")
    if promised is not None and promised.isdigit() and len(body) < min(int(promised), MAX_SOURCE_BYTES):
        # http.client says nothing of it when a read asks for more than comes.
        raise SourceError(f"{shown} cannot be read: only {len(body)} of {promised} bytes came.")
    if len(body) > MAX_SOURCE_BYTES:
        raise SourceError(f"{shown} is larger than {MAX_SOURCE_BYTES} bytes, so not a CA bundle.")
    return t.cast("bytes", body)


def _read_file(url: str) -> bytes:
    path = url2pathname(urlsplit(url).path)
    try:
        with open(path, "rb") as f:
            body = f.read(MAX_SOURCE_BYTES + 1)
    except OSError as e:
        raise SourceError(f"{url} cannot be read: {e.strerror}.") from e
    if len(body) > MAX_SOURCE_BYTES:
        raise SourceError(f"{url} is larger than {MAX_SOURCE_BYTES} bytes, so not a CA bundle.")
    return body
