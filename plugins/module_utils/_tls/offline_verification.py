# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that a server presented, and what OpenSSL says of them without asking the server again.

A client that refuses a certificate in the middle of a TLS handshake is a failed connection to the server, and counts
towards max_connect_errors. So the handshake is made without verification, and the chain that came in it is put before a
verifying OpenSSL client afterwards, on this machine alone.
"""

from __future__ import annotations

import contextlib
import ssl
import struct
import typing as t

# RFC 5246, sections 6.2.1 (record layer), 7.4 (handshake messages), A.5 and RFC 5289 (cipher suites).
_HANDSHAKE_RECORD = 22
_SERVER_HELLO, _CERTIFICATE, _SERVER_KEY_EXCHANGE = 2, 11, 12
_TLS_1_2, _TLS_1_3 = 0x0303, 0x0304
_LONGEST_RECORD = 16384
_RECORD_HEADER = struct.Struct(">BHH")
_RANDOM = bytes(32)
# An empty renegotiation_info extension (RFC 5746), for clients that insist on it.
_RENEGOTIATION_INFO = b"\xff\x01\x00\x01\x00"


class _Suite(t.NamedTuple):
    """A cipher suite: OpenSSL's name for it and its number, and a signature algorithm that goes with it."""

    name: str
    number: int
    signature_algorithm: int


# For each kind of key.
_SUITES = {
    "EC": _Suite("ECDHE-ECDSA-AES128-GCM-SHA256", 0xC02B, 0x0403),
    "RSA": _Suite("ECDHE-RSA-AES128-GCM-SHA256", 0xC02F, 0x0401),
}
# A named curve, x25519 (RFC 8422, sections 5.4 and 5.11), the length of a point on it, and one.
_POINT = b"\x03\x00\x1d\x20\x09" + bytes(31)
_NO_SIGNATURE = bytes(64)
# What OpenSSL says of that, once it has accepted the certificate whose key should have made it.
_BAD_SIGNATURE = "BAD_SIGNATURE"
# The object identifier id-ecPublicKey (RFC 5480) as it is in a certificate with such a key.
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")


class RecordingContext(ssl.SSLContext):
    """A client's context for one connection, which remembers the chain that the server presents."""

    def __init__(self) -> None:
        super().__init__()
        self.chain: tuple[bytes, ...] = ()
        # Python has a public way to the chain since 3.13. This one is there from 3.8 on, for debugging.
        if not hasattr(ssl.SSLSocket, "get_unverified_chain"):
            self._msg_callback: t.Callable[..., None] | None = self._note

    def __new__(cls) -> RecordingContext:
        """ssl.SSLContext takes its protocol here."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def _note(self, _connection: object, direction: str, version: int, kind: int, message: int, data: bytes) -> None:
        if direction == "read" and kind == _HANDSHAKE_RECORD and message == _CERTIFICATE:
            self.chain = parse_certificate_message(data, in_tls_1_3=version == _TLS_1_3)


def presented_chain(connection: ssl.SSLSocket) -> tuple[bytes, ...]:
    """What the server presented in this handshake, its own certificate first, in DER form."""
    get_unverified_chain = getattr(connection, "get_unverified_chain", None)
    if get_unverified_chain is not None:
        return tuple(get_unverified_chain() or ())
    context = connection.context
    if not isinstance(context, RecordingContext):
        return ()
    # Python would go on telling it of every packet of the connection, at the price of the packet.
    context._msg_callback = None
    return context.chain


def parse_certificate_message(message: bytes, *, in_tls_1_3: bool) -> tuple[bytes, ...]:
    """The certificates of a TLS handshake message of type certificate (RFC 5246, 7.4.2; RFC 8446, 4.4.2).

    Empty for a message that is not well formed; OpenSSL refuses such a handshake by itself.
    """
    position = 4  # type and length of the message
    if in_tls_1_3:
        position += 1 + int.from_bytes(message[position : position + 1], "big")  # certificate_request_context
    position += 3  # length of the list
    chain = []
    while position < len(message):
        length = int.from_bytes(message[position : position + 3], "big")
        certificate = message[position + 3 : position + 3 + length]
        if len(certificate) < length or not length:
            return ()
        chain.append(certificate)
        position += 3 + length
        if in_tls_1_3:
            position += 2 + int.from_bytes(message[position : position + 2], "big")  # extensions
    return tuple(chain)


def verify(chain: t.Sequence[bytes], context: ssl.SSLContext, server_hostname: str | None) -> ssl.SSLError | None:
    """What OpenSSL objects to in a chain, as it would in a handshake with this context, or None.

    The chain is presented to an OpenSSL client by a server of TLS 1.2, up to a key exchange with a signature that is
    none. A client verifies the chain when it comes, and the signature after that, with the key of the certificate: only
    that complaint, and no other and no silence, says that the chain was accepted. That the server has the key of its
    certificate, the true handshake has shown.

    :arg chain: In DER form, the server's own certificate first.
    :arg context: Verifies, and is not used for anything else.
    :returns: ``ssl.SSLCertVerificationError`` where the chain is refused, another ``ssl.SSLError`` where OpenSSL cannot
        be brought to a verdict in this way, such as for kinds of keys that are rare.
    """
    return Verifier(context).verify(chain, server_hostname)


class Verifier:
    """Verifies any number of chains by the same rules, from several threads at once.

    Reading the certificates of a CA like AWS's takes longer than all else that is done for a server.

    :arg context: Verifies, and is not used for anything else.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(":".join(suite.name for suite in _SUITES.values()))  # leaves the security level as it is
        self._context = context

    def verify(self, chain: t.Sequence[bytes], server_hostname: str | None) -> ssl.SSLError | None:
        """As the function of that name."""
        suite = _SUITES["EC" if chain and _EC_PUBLIC_KEY in chain[0] else "RSA"]
        return _verdict(chain, suite, self._context, server_hostname)


def _verdict(
    chain: t.Sequence[bytes], suite: _Suite, context: ssl.SSLContext, server_hostname: str | None
) -> ssl.SSLError | None:
    to_client, from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, from_client, server_hostname=server_hostname)
    try:
        for flight in (b"", _server_hello_and_certificate(chain, suite.number)):
            to_client.write(flight)
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
    except ssl.SSLError as e:
        return e
    # From here on OpenSSL has either accepted the chain or is still waiting for more of it.
    to_client.write(_records(_key_exchange(suite.signature_algorithm)))
    try:
        client.do_handshake()
    except ssl.SSLError as e:
        return None if e.reason == _BAD_SIGNATURE else e
    return ssl.SSLError("no verdict")


def _server_hello_and_certificate(chain: t.Sequence[bytes], suite_number: int) -> bytes:
    compression = session_id = b"\0"
    extensions = struct.pack(">H", len(_RENEGOTIATION_INFO)) + _RENEGOTIATION_INFO
    hello = struct.pack(">H", _TLS_1_2) + _RANDOM + session_id + struct.pack(">H", suite_number)
    messages = _message(_SERVER_HELLO, hello + compression + extensions)
    messages += _message(_CERTIFICATE, _counted(b"".join(_counted(certificate) for certificate in chain)))
    return _records(messages)


def _key_exchange(algorithm: int) -> bytes:
    signature = struct.pack(">HH", algorithm, len(_NO_SIGNATURE)) + _NO_SIGNATURE
    return _message(_SERVER_KEY_EXCHANGE, _POINT + signature)


def _records(messages: bytes) -> bytes:
    records = b""
    for start in range(0, len(messages), _LONGEST_RECORD):
        fragment = messages[start : start + _LONGEST_RECORD]
        records += _RECORD_HEADER.pack(_HANDSHAKE_RECORD, _TLS_1_2, len(fragment)) + fragment
    return records


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _counted(body)


def _counted(data: bytes) -> bytes:
    """With the length in front, in three bytes."""
    return len(data).to_bytes(3, "big") + data
