# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The MySQL connection phase up to TLS, without logging in.

What is spoken here, and nothing more: the server's initial handshake packet, the client's SSLRequest, and the TLS
handshake that follows it. Packet and flag names are those of "Client/Server Protocol" in the MySQL Source Code
Documentation, chapter "Connection Phase".
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import RdsMysqlError

# Capability flags.
CLIENT_LONG_PASSWORD = 0x00000001
CLIENT_PROTOCOL_41 = 0x00000200
CLIENT_SSL = 0x00000800
CLIENT_SECURE_CONNECTION = 0x00008000
CLIENT_PLUGIN_AUTH = 0x00080000

PROTOCOL_VERSION_10 = 10
ERR_PACKET_HEADER = 0xFF
UTF8_GENERAL_CI = 33

# The length of a packet's payload, three bytes, and its sequence number.
_PACKET_HEADER = struct.Struct("<I")
# Capability flags, maximum packet size, character set, 23 bytes reserved.
_SSL_REQUEST = struct.Struct("<IIB23x")
# A greeting is about 80 bytes and an ERR packet a sentence; whatever claims more is not a MySQL server.
_MAX_PAYLOAD = 4096
_MAX_PACKET_SIZE = 0x01000000

# MariaDB before 11 puts this in front of its version, for replicas that take a first digit above 9 for an error.
_MARIADB_VERSION_PREFIX = "5.5.5-"


class HandshakeError(RdsMysqlError):
    """The other side does not speak the protocol, or cannot be reached."""


class ServerRefused(HandshakeError):
    """The server answered with an ERR packet before any login, such as "Host ... is blocked"."""

    def __init__(self, endpoint: str, code: int, text: str) -> None:
        super().__init__(f"{endpoint} refuses the connection: ({code}) {text}")
        self.code = code


class TlsHandshakeFailed(HandshakeError):
    """TLS is on offer, but its handshake failed. ``cause`` is the ssl module's exception."""

    def __init__(self, endpoint: str, cause: OSError) -> None:
        super().__init__(f"The TLS handshake with {endpoint} failed: {cause}")
        self.cause = cause


@dataclass(frozen=True)
class Greeting:
    """What the server says of itself in the initial handshake packet (Protocol::HandshakeV10)."""

    raw_version: str
    capabilities: int

    @property
    def version(self) -> str:
        """The version without MariaDB's compatibility prefix."""
        if self.raw_version.startswith(_MARIADB_VERSION_PREFIX):
            return self.raw_version[len(_MARIADB_VERSION_PREFIX) :]
        return self.raw_version

    @property
    def family(self) -> str:
        """``mariadb`` or ``mysql``."""
        return "mariadb" if "mariadb" in self.raw_version.lower() else "mysql"

    @property
    def offers_tls(self) -> bool:
        """Whether the server accepts an SSLRequest."""
        return bool(self.capabilities & CLIENT_SSL)


@dataclass(frozen=True)
class Handshake:
    """The connection phase up to TLS, as it went; the TLS fields are None where no TLS was asked for or offered."""

    greeting: Greeting
    protocol: str | None = None
    cipher: str | None = None
    certificate: bytes | None = None


def parse_greeting(payload: bytes, endpoint: str) -> Greeting:
    """Read Protocol::HandshakeV10.

    :raises ServerRefused: for an ERR packet.
    :raises HandshakeError: for anything that is not a greeting.
    """
    if not payload:
        raise HandshakeError(f"{endpoint} sent an empty packet instead of a MySQL greeting.")
    if payload[0] == ERR_PACKET_HEADER:
        raise _refusal(payload, endpoint)
    if payload[0] != PROTOCOL_VERSION_10:
        raise HandshakeError(
            f"{endpoint} does not greet as a MySQL server does (protocol version {payload[0]} instead of 10)."
        )
    version, terminator, rest = payload[1:].partition(b"\0")
    # thread id (4), first part of the nonce (8), filler (1), lower capability flags (2), character set (1),
    # status flags (2), upper capability flags (2)
    fixed = struct.Struct("<I8sxHBHH")
    lower_only = struct.Struct("<I8sxH")
    if not terminator or len(rest) < lower_only.size:
        raise HandshakeError(f"{endpoint} sent a greeting that ends too early.")
    if len(rest) >= fixed.size:
        lower, upper = fixed.unpack_from(rest)[2], fixed.unpack_from(rest)[5]
    else:
        lower, upper = lower_only.unpack_from(rest)[2], 0
    return Greeting(raw_version=version.decode("utf-8", "replace"), capabilities=lower | upper << 16)


def _refusal(payload: bytes, endpoint: str) -> HandshakeError:
    if len(payload) < 3:
        return HandshakeError(f"{endpoint} sent an error packet that ends too early.")
    code = struct.unpack_from("<H", payload, 1)[0]
    text = payload[3:].decode("utf-8", "replace")
    if text.startswith("#"):  # SQL state, after a client has said that it speaks 4.1
        text = text[6:]
    return ServerRefused(endpoint, code, text)


def ssl_request(greeting: Greeting) -> bytes:
    """The SSLRequest packet that answers a greeting, header included."""
    wanted = CLIENT_LONG_PASSWORD | CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH
    capabilities = (wanted & greeting.capabilities) | CLIENT_PROTOCOL_41 | CLIENT_SSL
    payload = _SSL_REQUEST.pack(capabilities, _MAX_PACKET_SIZE, UTF8_GENERAL_CI)
    sequence_number = 1
    return _PACKET_HEADER.pack(len(payload) | sequence_number << 24) + payload


def look(
    endpoint: str,
    address: tuple[str, int] | str,
    context: ssl.SSLContext | None,
    timeout: float,
    server_hostname: str | None = None,
) -> Handshake:
    """Greet a server, start TLS if it is on offer and a context is given, and leave.

    :arg endpoint: What to call the server in messages.
    :arg address: Host and port, or the path of a Unix socket.
    :arg timeout: Seconds for the whole of it.
    :raises HandshakeError: when the server cannot be reached or does not speak the protocol.
    :raises ServerRefused: when it answers with an error.
    :raises TlsHandshakeFailed: when TLS does not come up.
    """
    deadline = time.monotonic() + timeout
    try:
        connection = _connect(address, timeout)
    except OSError as e:
        raise HandshakeError(f"Cannot reach {endpoint}: {e.strerror or e}.") from e
    with connection:
        try:
            greeting = parse_greeting(_read_packet(connection, deadline, endpoint), endpoint)
            if context is None or not greeting.offers_tls:
                return Handshake(greeting=greeting)
            connection.sendall(ssl_request(greeting))
        except socket.timeout as e:
            raise HandshakeError(
                f"{endpoint} accepts connections, but did not greet within {timeout:g} seconds."
            ) from e
        except OSError as e:
            raise HandshakeError(f"{endpoint} broke the connection off: {e.strerror or e}.") from e
        return _start_tls(connection, context, deadline, endpoint, greeting, server_hostname)


def _start_tls(
    connection: socket.socket,
    context: ssl.SSLContext,
    deadline: float,
    endpoint: str,
    greeting: Greeting,
    server_hostname: str | None,
) -> Handshake:
    try:
        connection.settimeout(remaining(deadline))
        with context.wrap_socket(connection, server_hostname=server_hostname) as tls:
            cipher = tls.cipher()
            return Handshake(
                greeting=greeting,
                protocol=tls.version(),
                cipher=cipher[0] if cipher else None,
                certificate=tls.getpeercert(binary_form=True),
            )
    except OSError as e:  # ssl.SSLError and socket.timeout are OSErrors
        raise TlsHandshakeFailed(endpoint, e) from e


def _connect(address: tuple[str, int] | str, timeout: float) -> socket.socket:
    if not isinstance(address, str):
        return socket.create_connection(address, timeout)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def remaining(deadline: float) -> float:
    """Seconds until ``deadline`` (of ``time.monotonic()``); raises ``socket.timeout`` when there are none left."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise socket.timeout("timed out")
    return seconds


def _read_packet(connection: socket.socket, deadline: float, endpoint: str) -> bytes:
    header = _read_exactly(connection, _PACKET_HEADER.size, deadline, endpoint)
    length = _PACKET_HEADER.unpack(header)[0] & 0xFFFFFF
    if length > _MAX_PAYLOAD:
        raise HandshakeError(f"{endpoint} does not greet as a MySQL server does (a first packet of {length} bytes).")
    return _read_exactly(connection, length, deadline, endpoint)


def _read_exactly(connection: socket.socket, length: int, deadline: float, endpoint: str) -> bytes:
    received = b""
    while len(received) < length:
        connection.settimeout(remaining(deadline))
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise HandshakeError(f"{endpoint} closed the connection in the middle of its greeting.")
        received += chunk
    return received
