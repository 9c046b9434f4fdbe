# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The MySQL connection phase up to TLS, without credentials.

What is spoken here, and nothing more: the server's initial handshake packet, the client's SSLRequest, the TLS handshake
that follows it, and a handshake response that names neither a user nor a password, to leave by. Packet and flag names
are those of "Client/Server Protocol" in the MySQL Source Code Documentation, chapter "Connection Phase".

Why not just close the connection: MySQL and MariaDB take a client that goes before its handshake response for a failed
connection, count it in SUM_CONNECT_ERRORS of performance_schema.host_cache, and turn away every client of that host
once there are max_connect_errors of them. A login that is refused is not counted there ("The Host Cache", MySQL
Reference Manual; measured on the servers of the tests).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import ConnectionFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.name_lookup import NameLookupTimeout, look_up
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.offline_verification import presented_chain

# Capability flags.
CLIENT_LONG_PASSWORD = 0x00000001
CLIENT_PROTOCOL_41 = 0x00000200
CLIENT_SSL = 0x00000800
CLIENT_SECURE_CONNECTION = 0x00008000
CLIENT_PLUGIN_AUTH = 0x00080000
CLIENT_CONNECT_ATTRS = 0x00100000

PROTOCOL_VERSION_10 = 10
OK_PACKET_HEADER = 0x00
AUTH_SWITCH_REQUEST_HEADER = 0xFE
ERR_PACKET_HEADER = 0xFF
COM_QUIT = b"\x01"
UTF8_GENERAL_CI = 33

# The length of a packet's payload, three bytes, and its sequence number.
_PACKET_HEADER = struct.Struct("<I")
# Capability flags, maximum packet size, character set, 23 bytes reserved.
_SSL_REQUEST = struct.Struct("<IIB23x")
# Thread id, first part of the nonce, filler, lower capability flags, character set, status flags, upper capability
# flags, length of the nonce, 10 bytes reserved. Servers before 4.1 end after the lower capability flags.
_GREETING = struct.Struct("<I8sxHBHHB10x")
_SHORT_GREETING = struct.Struct("<I8sxH")
# The second part of the nonce takes at least this much.
_SHORTEST_NONCE_REST = 13
# A greeting is about 80 bytes and an ERR packet a sentence; whatever claims more is not a MySQL server.
_MAX_PAYLOAD = 4096
_MAX_PACKET_SIZE = 0x01000000
# Seconds to wait for the answer to the empty login. What the look was for is known by then.
_GOODBYE_SECONDS = 0.8

# MariaDB before 11 puts this in front of its version, for replicas that take a first digit above 9 for an error.
_MARIADB_VERSION_PREFIX = "5.5.5-"


class HandshakeError(ConnectionFailed):
    """The other side does not speak the protocol, or cannot be reached."""


class ServerRefused(HandshakeError):
    """The server answered with an ERR packet before any login, such as "Host ... is blocked"."""

    def __init__(self, endpoint: str, code: int, text: str) -> None:
        super().__init__(f"{endpoint} refuses the connection: ({code}) {text}", code)


@dataclass(frozen=True)
class Greeting:
    """What the server says of itself in the initial handshake packet (Protocol::HandshakeV10).

    ``auth_plugin`` is the authentication plugin that the server starts with, empty where it names none.
    """

    raw_version: str
    capabilities: int
    auth_plugin: str = ""

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


class TlsHandshakeFailed(HandshakeError):
    """TLS is on offer, but its handshake failed. ``cause`` is the ssl module's exception."""

    def __init__(self, endpoint: str, cause: OSError, greeting: Greeting) -> None:
        super().__init__(f"The TLS handshake with {endpoint} failed: {cause}")
        self.cause = cause
        self.greeting = greeting


@dataclass(frozen=True)
class Handshake:
    """The connection phase up to TLS, as it went; the TLS fields are None where no TLS was asked for or offered.

    ``chain`` holds the server's certificate and those that it sent with it, in DER form.
    """

    greeting: Greeting
    protocol: str | None = None
    cipher: str | None = None
    certificate: bytes | None = None
    chain: tuple[bytes, ...] = ()


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
        raise HandshakeError(f"{endpoint} is not a MySQL server (protocol version {payload[0]} instead of 10).")
    version, terminator, rest = payload[1:].partition(b"\0")
    if not terminator or len(rest) < _SHORT_GREETING.size:
        raise HandshakeError(f"{endpoint} sent a greeting that ends too early.")
    raw_version = version.decode("utf-8", "replace")
    if len(rest) < _GREETING.size:
        return Greeting(raw_version, capabilities=_SHORT_GREETING.unpack_from(rest)[2])
    lower, upper, nonce_length = (_GREETING.unpack_from(rest)[field] for field in (2, 5, 6))
    plugin = rest[_GREETING.size + max(_SHORTEST_NONCE_REST, nonce_length - 8) :].partition(b"\0")[0]
    return Greeting(raw_version, capabilities=lower | upper << 16, auth_plugin=plugin.decode("utf-8", "replace"))


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
    return _packet(request_payload(greeting, with_tls=True), 1)


def request_payload(greeting: Greeting, *, with_tls: bool) -> bytes:
    """What an SSLRequest consists of, and a login begins with."""
    flags = _flags(greeting) | (CLIENT_SSL if with_tls else 0)
    return _SSL_REQUEST.pack(flags, _MAX_PACKET_SIZE, UTF8_GENERAL_CI)


def is_ssl_request(payload: bytes) -> bool:
    """Whether it is the payload of an SSLRequest, and not of a login, which begins with the same bytes."""
    return len(payload) == _SSL_REQUEST.size and bool(int.from_bytes(payload[:4], "little") & CLIENT_SSL)


def empty_login(greeting: Greeting, sequence_number: int, request: bytes) -> bytes:
    """Protocol::HandshakeResponse41 without a user, without an authentication response and without a database.

    :arg request: The payload of the SSLRequest, or one like it where there was none. The login begins with the same
        bytes; one with another character set is a "Bad handshake".
    """
    flags = int.from_bytes(request[:4], "little")
    user, authentication_response = b"\0", b"\0"  # both of length 0
    payload = request + user + authentication_response
    if flags & CLIENT_PLUGIN_AUTH:
        payload += greeting.auth_plugin.encode("utf-8") + b"\0"
    if flags & CLIENT_CONNECT_ATTRS:
        payload += b"\0"
    return _packet(payload, sequence_number)


def _flags(greeting: Greeting) -> int:
    wanted = CLIENT_LONG_PASSWORD | CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH
    return (wanted & greeting.capabilities) | CLIENT_PROTOCOL_41


def _packet(payload: bytes, sequence_number: int) -> bytes:
    return _PACKET_HEADER.pack(len(payload) | (sequence_number & 0xFF) << 24) + payload


@dataclass(frozen=True)
class OpenConnection:
    """A connection whose server has greeted, and waits for an answer.

    ``packet`` is the greeting as it came, header included. A caller that takes over the socket closes it. As a context
    manager it disconnects where an error comes before that.
    """

    endpoint: str
    connection: socket.socket
    greeting: Greeting
    packet: bytes
    deadline: Deadline

    def __enter__(self) -> OpenConnection:
        return self

    def __exit__(self, error: object, *unused: object) -> None:
        if error is None:
            return
        # On a socket that is closed, or has become one for TLS, this does nothing.
        with contextlib.closing(self.connection):
            disconnect_uncounted(self.connection, self.greeting, self.deadline)

    def probe(self, context: ssl.SSLContext | None) -> Handshake:
        """Start TLS if it is on offer and a context is given, and leave without being counted.

        :raises HandshakeError: when the connection ends.
        :raises TlsHandshakeFailed: when TLS does not come up.
        """
        with contextlib.closing(self.connection):
            if context is None or not self.greeting.offers_tls:
                disconnect_uncounted(self.connection, self.greeting, self.deadline)
                return Handshake(greeting=self.greeting)
            try:
                self.connection.sendall(ssl_request(self.greeting))
            except OSError as e:
                raise HandshakeError(f"{self.endpoint} closed the connection: {e.strerror or e}.") from e
            try:
                self.connection.settimeout(self.deadline.remaining())
                with context.wrap_socket(self.connection) as tls:
                    seen = after_tls(self.greeting, tls)
                    disconnect_uncounted(tls, self.greeting, self.deadline)
                    return seen
            except OSError as e:  # ssl.SSLError and socket.timeout are OSErrors
                raise TlsHandshakeFailed(self.endpoint, e, self.greeting) from e


def greet(endpoint: str, address: tuple[str, int] | str, deadline: Deadline) -> OpenConnection:
    """Connect, and hear a server's greeting.

    :arg endpoint: What to call the server in messages.
    :arg address: Host and port, or the path of a Unix socket.
    :arg deadline: For this and what follows on the connection.
    :raises HandshakeError: when the server cannot be reached or does not speak the protocol.
    :raises ServerRefused: when it answers with an error.
    """
    try:
        connection = _connect(address, deadline)
    except OSError as e:
        if isinstance(e, NameLookupTimeout):
            raise HandshakeError(f"Cannot reach {endpoint}: its name was not resolved within {deadline}.") from e
        reason = f"no answer within {deadline}" if isinstance(e, socket.timeout) else e.strerror or e
        raise HandshakeError(f"Cannot reach {endpoint}: {reason}.") from e
    try:
        header, payload = _read_packet(connection, deadline, endpoint)
        return OpenConnection(endpoint, connection, parse_greeting(payload, endpoint), header + payload, deadline)
    except BaseException as e:
        connection.close()
        if isinstance(e, socket.timeout):
            raise HandshakeError(f"{endpoint} accepts connections, but sent no handshake within {deadline}.") from e
        if isinstance(e, OSError):
            raise HandshakeError(f"{endpoint} closed the connection: {e.strerror or e}.") from e
        raise


def probe(
    endpoint: str, address: tuple[str, int] | str, context: ssl.SSLContext | None, deadline: Deadline
) -> Handshake:
    """Greet a server, start TLS if it is on offer and a context is given, and leave without being counted.

    :raises HandshakeError: or one of its kinds, as ``greet`` and ``OpenConnection.probe`` do.
    """
    return greet(endpoint, address, deadline).probe(context)


def after_tls(greeting: Greeting, tls: ssl.SSLSocket) -> Handshake:
    """The connection phase with its TLS handshake done."""
    cipher = tls.cipher()
    return Handshake(
        greeting=greeting,
        protocol=tls.version(),
        cipher=cipher[0] if cipher else None,
        certificate=tls.getpeercert(binary_form=True),
        chain=presented_chain(tls),
    )


def disconnect_uncounted(
    connection: socket.socket, greeting: Greeting, deadline: Deadline, request: bytes | None = None
) -> None:
    """Go in the way that counts least: with an empty login, which the server refuses. Never fails.

    A server that asks for another authentication plugin gets an empty answer, because one that waits in vain counts
    that too. One that has an account for everybody accepts the login, and gets COM_QUIT.

    :arg request: The payload of the SSLRequest, if this module's ``ssl_request`` has not made it.
    """
    until = Deadline(min(deadline.left, _GOODBYE_SECONDS))
    in_tls = isinstance(connection, ssl.SSLSocket)
    if request is None:
        request = request_payload(greeting, with_tls=in_tls)
    with contextlib.suppress(OSError, HandshakeError):
        connection.settimeout(until.remaining())
        connection.sendall(empty_login(greeting, 2 if in_tls else 1, request))
        header, payload = _read_packet(connection, until, "")
        if payload[:1] == bytes([AUTH_SWITCH_REQUEST_HEADER]):
            connection.sendall(_packet(b"", header[3] + 1))
            _header, payload = _read_packet(connection, until, "")
        if payload[:1] == bytes([OK_PACKET_HEADER]):
            connection.sendall(_packet(COM_QUIT, 0))


def _connect(address: tuple[str, int] | str, deadline: Deadline) -> socket.socket:
    if isinstance(address, str):
        return _connect_to(socket.AF_UNIX, address, deadline)
    found = look_up(*address, deadline)
    for place, (family, socket_address) in enumerate(found, 1):
        try:
            # An address that does not answer leaves the others their share of the time.
            return _connect_to(family, socket_address, deadline.within(deadline.remaining() / (len(found) - place + 1)))
        except OSError:
            if place == len(found):
                raise
    raise OSError("it has no address")


def _connect_to(family: int, address: t.Any, deadline: Deadline) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(deadline.remaining())
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_packet(connection: socket.socket, deadline: Deadline, endpoint: str) -> tuple[bytes, bytes]:
    """A packet's header, and its payload."""
    header = _read_exactly(connection, _PACKET_HEADER.size, deadline, endpoint)
    length = _PACKET_HEADER.unpack(header)[0] & 0xFFFFFF
    if length > _MAX_PAYLOAD:
        raise HandshakeError(f"{endpoint} is not a MySQL server (a first packet of {length} bytes).")
    return header, _read_exactly(connection, length, deadline, endpoint)


def _read_exactly(connection: socket.socket, length: int, deadline: Deadline, endpoint: str) -> bytes:
    received = b""
    while len(received) < length:
        connection.settimeout(deadline.remaining())
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise HandshakeError(f"{endpoint} closed the connection in the middle of its greeting.")
        received += chunk
    return received
