# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mirror of AWS's trust store on this machine, over HTTPS or HTTP, which can also misbehave on request."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

from .pki import TlsFiles

_HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """One answered request; ``bytes`` is the length of the body that was sent, ``headers`` has names in lower case."""

    method: str
    path: str
    status: int
    bytes: int
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Response:
    """A special answer for one path.

    ``delay`` is in seconds; headers win over those the mirror would send. ``more``
    makes pieces that follow the body, slowly or without an end as it likes; the answer then says nothing of its length.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    more: Callable[[], Iterable[bytes]] | None = None


class Mirror:
    """Serves ``directory`` with ETag and Last-Modified, and answers conditional requests with 304.

    With ``certificate`` it speaks HTTPS, otherwise HTTP. ``requests`` lists what was asked, oldest first.
    Without ``send_validators`` it is a server that sends neither ETag nor Last-Modified::

        with Mirror(pki.write_trust_store(tmp_path), certificate=pki.server()) as mirror:
            fetch(f"{mirror.url}/eu-central-1/eu-central-1-bundle.pem")
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        certificate: TlsFiles | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.directory = Path(directory).resolve()
        self.requests: list[Request] = []
        self.send_validators = True
        self._special: dict[str, Response] = {}
        self._times: dict[str, int | None] = {}
        self._authorization: str | None = None
        context: ssl.SSLContext | None = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
        self._server = _HttpServer((host, port), self, context)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if context else 'http'}://{host}:{self.port}"

    def respond(
        self,
        path: str,
        *,
        status: int = 200,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        more: Callable[[], Iterable[bytes]] | None = None,
        times: int | None = None,
    ) -> None:
        """Answer ``path`` (with its leading slash) like this, from now on or so many ``times``.

        A Content-Length larger than the body makes a truncated download.
        """
        self._special[path] = Response(status, body, headers or {}, delay, more)
        self._times[path] = times

    def require(self, username: str, password: str) -> None:
        """From now on answer 401 to requests without this user name and password (HTTP basic authentication)."""
        token = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        self._authorization = f"Basic {token}"

    def reset(self) -> None:
        """Forget the special answers, the password and the recorded requests."""
        self._special.clear()
        self._times.clear()
        self._authorization = None
        self.requests.clear()

    def response_for(self, path: str, conditions: Mapping[str, str]) -> Response:
        """What to answer to ``path`` under the request headers ``conditions`` (names in lower case)."""
        if self._authorization and conditions.get("authorization") != self._authorization:
            return Response(401, b"Who are you?\n", {"WWW-Authenticate": 'Basic realm="mirror"'})
        times = self._times.get(path)
        if path in self._special and times != 0:
            self._times[path] = None if times is None else times - 1
            return self._special[path]
        target = (self.directory / path.lstrip("/")).resolve()
        if self.directory not in target.parents or not target.is_file():
            page = b"<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"
            return Response(404, page, {"Content-Type": "text/html"})
        body = target.read_bytes()
        modified = int(target.stat().st_mtime)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"Content-Type": "application/x-pem-file"}
        if not self.send_validators:
            return Response(200, body, headers)
        headers.update({"ETag": etag, "Last-Modified": email.utils.formatdate(modified, usegmt=True)})
        if _is_unchanged(conditions, etag, modified):
            return Response(304, b"", headers)
        return Response(200, body, headers)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Mirror:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _is_unchanged(conditions: Mapping[str, str], etag: str, modified: int) -> bool:
    # RFC 9110, 13.2.2: If-None-Match decides alone where it is given.
    if "if-none-match" in conditions:
        tags = [re.sub(r"^W/", "", tag.strip()) for tag in conditions["if-none-match"].split(",")]
        return etag in tags or "*" in tags
    if "if-modified-since" in conditions:
        try:
            return modified <= email.utils.parsedate_to_datetime(conditions["if-modified-since"]).timestamp()
        except ValueError:
            return False
    return False


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], mirror: Mirror, context: ssl.SSLContext | None) -> None:
        self.mirror = mirror
        self.context = context
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that break off and handshakes that fail are what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def setup(self) -> None:
        # Here, in the connection's own thread, so that a client that never finishes its handshake blocks nobody else.
        if self.server.context:
            self.request.settimeout(_HANDSHAKE_SECONDS)
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
            self.request.settimeout(None)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            if self.server.context:  # The server closes the socket it knows, which TLS has taken over.
                self.request.close()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        conditions = {name.lower(): value for name, value in self.headers.items()}
        response = self.server.mirror.response_for(path, conditions)
        if response.delay:
            time.sleep(response.delay)
        body = b"" if self.command == "HEAD" else response.body
        # Before the answer goes out, so that whoever has the answer finds the request recorded.
        self.server.mirror.requests.append(Request(self.command, path, response.status, len(body), conditions))
        self.send_response(response.status)
        headers = {"Content-Length": str(len(response.body)), **response.headers}
        if response.status == 304 or response.more:
            del headers["Content-Length"]
        for name, value in headers.items():
            self.send_header(name, value)
        if response.more or headers.get("Content-Length", "0") != str(len(response.body)):
            # A promised length that does not come: only the end of the connection tells the client.
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)
        for piece in response.more() if response.more else ():
            self.wfile.write(piece)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet; ``Mirror.requests`` has it all."""
