# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading small files over http, https or from disk, conditionally, patiently, and never for ever.

The protocol is left to ansible's own ``urls``; redirects are followed here, so that none of them leaves https or takes
credentials to another server.
"""

from __future__ import annotations

import email.utils
import http.client
import netrc
import os
import re
import socket
import ssl
import stat
import threading
import time
import typing as t
from contextlib import closing, contextmanager
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

from ansible.module_utils.urls import ConnectionError as UrlsConnectionError
from ansible.module_utils.urls import open_url
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.access import (
    ATTEMPT_TIMEOUTS,
    Access,
    check_proxy,
    parsed,
    shown,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError

# The global bundle, the largest that AWS publishes, has about 165 kB.
MAX_SOURCE_BYTES = 2 * 1024 * 1024

_CHUNK_BYTES = 64 * 1024
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_OK = 200
_NOT_MODIFIED = 304
_UNAUTHORIZED = 401
# What a server answers when it may do better in a moment (RFC 9110, RFC 6585).
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0

_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,256}"\Z')  # RFC 9110, 8.8.3
_HTTP_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{16,40}\Z")


class SourceError(RdsMysqlError):
    """A source cannot be read; the message names its URL and the reason."""


class _TemporaryError(SourceError):
    """Trying again may help. ``pause`` is what the server asks for, in seconds."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


class Validators(t.NamedTuple):
    """What tells one version of a source from another: the values of ``ETag`` and ``Last-Modified``, verbatim."""

    etag: str | None = None
    last_modified: str | None = None

    def __bool__(self) -> bool:
        return bool(self.etag or self.last_modified)

    def conditions(self) -> dict[str, str]:
        """The request headers that ask for the source only if it is another version."""
        headers = {}
        if self.etag:
            headers["If-None-Match"] = self.etag
        if self.last_modified:
            headers["If-Modified-Since"] = self.last_modified
        return headers

    @classmethod
    def parse(cls, etag: t.Any, last_modified: t.Any) -> Validators:
        """Keep what is well formed, so that it can be sent back in a header, and nothing else."""
        dated = isinstance(last_modified, str) and _HTTP_DATE.match(last_modified)
        return cls(
            etag=etag if isinstance(etag, str) and _ENTITY_TAG.match(etag) else None,
            last_modified=last_modified if dated and email.utils.parsedate(last_modified) else None,
        )


class Answer(t.NamedTuple):
    """A source as it was read; ``body`` is None when it is still the version that ``validators`` describe."""

    body: bytes | None
    validators: Validators = Validators()


def read(url: str, access: Access, known: Validators | None = None) -> Answer:
    """Read a source, or learn that it is still the ``known`` version.

    :raises SourceError: naming the URL, without its query, and the reason.
    """
    if urlsplit(url).scheme == "file":
        return Answer(_read_file(url))
    attempts = access.retries + 1
    pause = _FIRST_PAUSE_SECONDS
    for attempt in range(1, attempts + 1):
        try:
            return _within(access, url, lambda: _attempt(url, access, known or Validators()))
        except _TemporaryError as e:
            if attempt == attempts:
                if attempts > 1:
                    raise SourceError(f"{e.message} That was attempt {attempt} of {attempts}.") from e
                raise
            time.sleep(min(max(pause, e.pause), _LONGEST_PAUSE_SECONDS))
            pause *= 2
    raise AssertionError("the loop returns or raises")


class Reading:
    """A source being read while the caller does something else."""

    def __init__(self, url: str, access: Access, known: Validators | None = None) -> None:
        self._work = _Work(lambda: read(url, access, known))

    def answer(self) -> Answer:
        """Wait for it; raises as ``read`` does."""
        self._work.thread.join()
        return self._work.result()


class _Work:
    """Something done in a thread, which is a daemon: it does not keep the process alive."""

    def __init__(self, work: t.Callable[[], Answer]) -> None:
        self.outcome: list[Answer | Exception] = []

        def run() -> None:
            try:
                self.outcome.append(work())
            except Exception as e:  # noqa: BLE001 (raised again where it can be seen)
                self.outcome.append(e)

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def result(self) -> Answer:
        outcome = self.outcome[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def _within(access: Access, url: str, work: t.Callable[[], Answer]) -> Answer:
    """Run the work in a thread and wait for it so long and no longer.

    Nothing else bounds name resolution, or a server that sends its headers at a byte a minute.
    """
    seconds = access.timeout * ATTEMPT_TIMEOUTS
    started = _Work(work)
    started.thread.join(seconds)
    if not started.outcome:
        raise _TemporaryError(f"{shown(url)} has not sent everything within {seconds} seconds.")
    return started.result()


def _attempt(url: str, access: Access, known: Validators) -> Answer:
    target = url
    redirects = 0
    while redirects <= _MAX_REDIRECTS:
        try:
            at_home = _origin(target) == _origin(url)
            with _reasons(target, access), closing(_request(target, access, known, at_home=at_home)) as response:
                return _body(target, response)
        except HTTPError as e:
            e.close()
            if e.code == _NOT_MODIFIED and known:
                return Answer(None, known)
            if e.code not in _REDIRECTS or not e.headers.get("Location"):
                raise _http_failure(target, e) from e
            target = _redirected(target, e.headers["Location"], access)
            redirects += 1
    raise SourceError(f"{shown(url)} redirects more than {_MAX_REDIRECTS} times.")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _redirected(url: str, location: str, access: Access) -> str:
    joined = urljoin(url, location.replace(" ", "%20"))
    parts = parsed(joined)
    if parts is None or "@" in parts.netloc:
        raise SourceError(f"{shown(url)} redirects to what is not a URL, or to one with a user name in it; refused.")
    scheme = parts.scheme
    if scheme != "https" and (scheme != "http" or urlsplit(url).scheme == "https"):
        raise SourceError(f"{shown(url)} redirects to {shown(joined)}, which is not https; refused.")
    check_proxy(parts, access)
    return joined


def _request(url: str, access: Access, known: Validators, *, at_home: bool) -> http.client.HTTPResponse:
    response = open_url(
        url,
        headers=known.conditions(),
        use_proxy=access.use_proxy,
        force=access.no_cache,
        timeout=access.timeout,
        validate_certs=access.validate_certs,
        ca_path=access.ca_path,
        url_username=access.username if at_home else None,
        url_password=access.password if at_home else None,
        http_agent=access.http_agent,
        force_basic_auth=access.force_basic_auth and at_home,
        follow_redirects="none",
        decompress=False,
        # A password of ~/.netrc is one as well.
        use_netrc=urlsplit(url).scheme == "https",
    )
    return t.cast("http.client.HTTPResponse", response)


def _body(url: str, response: http.client.HTTPResponse) -> Answer:
    where = shown(url)
    if response.status != _OK:
        # 206 in particular, which is a part of the file.
        raise SourceError(f"{where} answered {response.status} {response.reason}, which is not a whole file.")
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise SourceError(f"{where} answers in the encoding {encoding}, which was not asked for.")
    body = bytearray()
    while len(body) <= MAX_SOURCE_BYTES:
        chunk = response.read(_CHUNK_BYTES)
        if not chunk:
            break
        body += chunk
    if len(body) > MAX_SOURCE_BYTES:
        raise SourceError(f"{where} is larger than {MAX_SOURCE_BYTES} bytes, so not a CA bundle.")
    promised = response.headers.get("Content-Length", "")
    if promised.isdigit() and len(body) < int(promised):
        # http.client says nothing of it when a read asks for more than comes.
        raise _TemporaryError(f"{where} cannot be read: only {len(body)} of {promised} bytes came.")
    validators = Validators.parse(response.headers.get("ETag"), response.headers.get("Last-Modified"))
    return Answer(bytes(body), validators)


def _http_failure(url: str, error: HTTPError) -> SourceError:
    where = shown(url)
    said = f"{where} answered {error.code} {error.reason}"
    if error.code == _UNAUTHORIZED:
        return SourceError(f"{said}; url_username and url_password are what it has to accept.")
    if error.code in _TEMPORARY:
        asked = error.headers.get("Retry-After", "")
        return _TemporaryError(f"{said}.", float(asked) if asked.isdigit() else 0.0)
    return SourceError(f"{said}.")


@contextmanager
def _reasons(url: str, access: Access) -> t.Iterator[None]:
    """Turns what reading may raise into sentences; HTTPError, which has a meaning of its own, goes through."""
    try:
        yield
    except (HTTPError, SourceError):
        raise
    except (OSError, ValueError, http.client.HTTPException, UrlsConnectionError, netrc.NetrcParseError) as e:
        raise _explained(e, url, access) from e


def _explained(error: Exception, url: str, access: Access) -> SourceError:
    where = shown(url)
    reason = error.reason if isinstance(error, URLError) else error
    if access.ca_path and isinstance(reason, ssl.SSLError) and reason.library != "SSL":  # while reading the file
        return SourceError(f"ca_path: {access.ca_path} holds no CA certificates in PEM form.")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return SourceError(
            f"{where} cannot be read: its certificate does not verify ({reason.verify_message}). ca_path names the CA "
            "certificates to verify it with."
        )
    if isinstance(reason, netrc.NetrcParseError):  # its message repeats what it stumbles over, which may be a password
        return SourceError(
            f"{where} cannot be read: {reason.filename} has no user name and password to ask with, as line "
            f"{reason.lineno} is not in the form of a netrc file."
        )
    if isinstance(reason, socket.timeout):
        return _TemporaryError(f"{where} did not answer within {access.timeout} seconds.")
    if isinstance(reason, http.client.IncompleteRead):
        return _TemporaryError(f"{where} closed the connection before the end of its answer.")
    text = (getattr(reason, "strerror", None) or str(reason)).replace(url, where).rstrip(".")
    if isinstance(reason, http.client.HTTPException) and not isinstance(reason, http.client.InvalidURL):
        return _TemporaryError(f"{where} does not answer as a web server does ({type(reason).__name__}).")
    # A URL that cannot be one and a library that is missing are not fixed by waiting.
    lasting = isinstance(reason, (ValueError, UrlsConnectionError, http.client.InvalidURL))
    return (SourceError if lasting else _TemporaryError)(f"{where} cannot be read: {text}.")


def _read_file(url: str) -> bytes:
    path = url2pathname(urlsplit(url).path)
    try:
        # Opening a named pipe would wait for a writer, and reading a device may never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise SourceError(f"{url} is not a regular file.")
        with os.fdopen(descriptor, "rb") as f:
            body = f.read(MAX_SOURCE_BYTES + 1)
    except OSError as e:
        raise SourceError(f"{url} cannot be read: {e.strerror}.") from e
    except ValueError as e:  # which every Python says in other words
        raise SourceError(f"{url} cannot be read: there is a null byte in it.") from e
    if len(body) > MAX_SOURCE_BYTES:
        raise SourceError(f"{url} is larger than {MAX_SOURCE_BYTES} bytes, so not a CA bundle.")
    return body
