# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy between a client and a real server that does one thing wrong, at one packet.

It ends TLS on both sides, so that it sees packets of the MySQL protocol where others see TLS records; the greeting and
the SSLRequest pass through ("Connection Phase", MySQL Source Code Documentation). With ``raw`` it leaves TLS alone, and
what it counts after the SSLRequest are TLS records (RFC 8446, section 5.1).

A run without a fault shows which packets there are; the next one has a fault at one of them::

    with FaultProxy((server.host, server.port), certificate=pki.server(), upstream=context) as proxy:
        proxy.arm()
        work(proxy.host, proxy.port)
        for packet in proxy.packets:
            proxy.arm(Fault(packet.place, CUT_BEFORE))
            work(proxy.host, proxy.port)

It may also be an endpoint that stands for several servers, number connections in its own way, and pass on some answers
late: see :class:`FaultProxy`.
"""

from __future__ import annotations

import random
import selectors
import socket
import ssl
import struct
import threading
import time
import typing as t
from dataclasses import dataclass, field

from .pki import TlsFiles

REQUEST = "request"
ANSWER = "answer"

CUT_BEFORE = "cut before"
"""The packet does not arrive, and both sides lose the connection."""
CUT_WITHIN = "cut within"
"""Half of the packet arrives."""
CUT_AFTER = "cut after"
"""The packet arrives, and nothing after it."""
STALL = "stall"
"""Neither this packet nor any later one arrives, in either direction; nobody is told."""
LATE = "late"
"""As STALL, but :meth:`FaultProxy.heal` lets the packet through after all."""
NOISE = "noise"
"""Every byte of the packet is replaced."""
FLIP = "flip"
"""One bit of the packet is turned."""
TOO_LONG = "too long"
"""The packet says that it is longer than it is."""
TOO_SHORT = "too short"
"""The packet says that it is shorter than it is."""
SEQUENCE = "sequence"
"""The packet has the wrong sequence number."""
REFUSED = "refused"
"""An ERR packet comes in place of this packet and the rest of the answer."""
ACCEPTED = "accepted"
"""An OK packet comes in place of this packet and the rest of the answer."""
ACT = "act"
"""The fault's action is called; then the packet goes on its way, if it still can."""

CUTS = (CUT_BEFORE, CUT_WITHIN, CUT_AFTER)
SILENCES = (STALL, LATE)
GARBLES = (NOISE, FLIP, TOO_LONG, TOO_SHORT, SEQUENCE, REFUSED, ACCEPTED)

# "Protocol::SSLRequest": the first 32 bytes of a HandshakeResponse41, with this capability.
_CLIENT_SSL = 0x0800
_SSL_REQUEST_LENGTH = 32
# "Command Phase"
_COM_QUIT = 0x01
_COM_QUERY = 0x03
# "Protocol::ERR_Packet": header, error code, "#" and SQL state, message. ER_UNKNOWN_ERROR.
_ERR_PACKET = b"\xff" + struct.pack("<H", 1105) + b"#HY000Made by the proxy"
# "Protocol::OK_Packet": header, affected rows, last insert id, SERVER_STATUS_AUTOCOMMIT, warnings.
_OK_PACKET = b"\x00\x00\x00\x02\x00\x00\x00"

_PATIENCE_SECONDS = 10.0
_TICK_SECONDS = 0.02

# Close with RST in place of FIN (socket(7), SO_LINGER).
_RESET = struct.pack("ii", 1, 0)


class Place(t.NamedTuple):
    """Where a packet was seen, all counted from 0.

    Connections in the order of their start; in each the exchanges, of which the first is the server's greeting alone
    and every other one begins with a packet of the client; the packets of one direction in the exchange.
    """

    connection: int
    exchange: int
    direction: str
    packet: int

    def __str__(self) -> str:
        return f"{self.direction} packet {self.packet} of exchange {self.exchange} on connection {self.connection}"


class To(t.NamedTuple):
    """The first packet of a statement that begins with ``text``, or of what the server answers to it."""

    text: str
    direction: str = ANSWER


@dataclass(frozen=True)
class Packet:
    """A packet of the MySQL protocol, or in raw mode a TLS record; ``sequence`` is None for the latter."""

    place: Place
    sequence: int | None
    payload: bytes
    encrypted: bool

    @property
    def statement(self) -> str | None:
        """The text of a COM_QUERY. Packets of the login have higher sequence numbers."""
        if self.place.direction == REQUEST and self.sequence == 0 and self.payload[:1] == bytes([_COM_QUERY]):
            return self.payload[1:].decode("utf-8", "replace")
        return None

    @property
    def is_good_bye(self) -> bool:
        """Whether the client says COM_QUIT."""
        return self.place.direction == REQUEST and self.sequence == 0 and self.payload == bytes([_COM_QUIT])


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and where.

    ``reset``: cuts are made with RST. ``action`` belongs to ACT. ``seed`` decides how NOISE and FLIP come out.
    """

    place: Place | To
    kind: str
    reset: bool = False
    action: t.Callable[[], object] | None = None
    seed: int = 0

    def __str__(self) -> str:
        return "{}{}{}: {}".format(
            self.kind, " (RST)" if self.reset else "", f" ({self.seed})" if self.seed else "", self.place
        )


Address = tuple[str, int]


class FaultProxy:
    """Listens on a port of its own and passes everything to ``server``, a host and a port, but for one fault.

    :arg server: Or a function that says where each connection of a run leads, counted from 0.
    :arg certificate: What it shows to clients.
    :arg upstream: How it speaks TLS to the server; with a client certificate where the clients would have one.
    :arg raw: Leave TLS alone; the other two are not needed then.
    :ivar number: What greetings say that the connection's number is, if not what the server has said.
    :ivar late: Answers to statements that hold this text are passed on so many seconds late.
    """

    def __init__(
        self,
        server: Address | t.Callable[[int], Address],
        *,
        certificate: TlsFiles | None = None,
        upstream: ssl.SSLContext | None = None,
        raw: bool = False,
    ) -> None:
        self.server = server
        self.raw = raw
        self.number: int | None = None
        self.late: tuple[str, float] | None = None
        self.upstream = upstream
        self.downstream: ssl.SSLContext | None = None
        if certificate:
            self.downstream = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.downstream.load_cert_chain(certificate.cert, certificate.key)
        self._run = _Run(None)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()
        self._thread = threading.Thread(target=self._accept, name="fault-proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def packets(self) -> list[Packet]:
        """The packets of this run, in the order in which they came."""
        return list(self._run.packets)

    def fired(self, seconds: float = 1.0) -> bool:
        """Whether the fault has happened. The client's last words may still be on their way, so it waits this long."""
        return self._run.fired.wait(seconds)

    def address(self, number: int) -> Address:
        """Where the connection with this number leads."""
        return self.server(number) if callable(self.server) else self.server

    @property
    def connections(self) -> int:
        """How many connections this run has had."""
        return self._run.started

    def statements(self) -> list[str]:
        """What the clients of this run have asked for, whether it arrived or not."""
        return [packet.statement for packet in self.packets if packet.statement is not None]

    def arm(self, fault: Fault | None = None) -> None:
        """Begin a run: forget what was seen, drop connections that are left, and wait for this fault's place."""
        with self._lock:
            left, self._run = self._run, _Run(fault)
        left.end()

    def heal(self, seconds: float = 2.0) -> None:
        """Let the packet through that LATE holds back, and wait this long for the server to answer it."""
        self._run.healed.set()
        deadline = time.monotonic() + seconds
        for relay in list(self._run.relays):
            if relay.held:
                relay.join(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Drop all connections and listen no more."""
        # A listener that is only closed leaves accept() waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_PATIENCE_SECONDS)
        self._run.end()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._run.start(self, client)


class _Run:
    """What is seen and done between one arm() and the next."""

    def __init__(self, fault: Fault | None) -> None:
        self.fault = fault
        self.fired = threading.Event()
        self.healed = threading.Event()
        self.over = threading.Event()
        self.packets: list[Packet] = []
        self.relays: list[_Relay] = []
        self.started = 0

    def start(self, proxy: FaultProxy, client: socket.socket) -> None:
        relay = _Relay(self, self.started, proxy, client)
        self.started += 1
        self.relays.append(relay)
        relay.start()

    def end(self) -> None:
        self.over.set()
        for relay in self.relays:
            relay.join(_PATIENCE_SECONDS)

    def fault_at(self, place: Place, statement: str) -> Fault | None:
        if self.fault is None or self.fired.is_set():
            return None
        where = self.fault.place
        if isinstance(where, To):
            if place.packet or place.direction != where.direction or not statement.startswith(where.text):
                return None
        elif where != place:
            return None
        self.fired.set()
        return self.fault


class _Finished(Exception):
    """This connection has nothing more to pass on."""


@dataclass
class _Side:
    """One end of a connection: bytes come in, frames go out."""

    sock: socket.socket
    direction: str
    header_length: int = 4
    received: bytearray = field(default_factory=bytearray)
    outgoing: bytearray = field(default_factory=bytearray)
    open: bool = True

    def frames(self) -> t.Iterator[tuple[bytes, bytes]]:
        """Headers and payloads that have come in by now. Never reads beyond a frame, as TLS may begin there.

        :raises OSError: also when the peer has hung up.
        """
        while self.open:
            missing = self._missing()
            while missing:
                try:
                    chunk = self.sock.recv(missing)
                except (ssl.SSLWantReadError, BlockingIOError):
                    return
                if not chunk:
                    raise ConnectionResetError("the peer has hung up")
                self.received += chunk
                missing = self._missing()
            frame, self.received = bytes(self.received), bytearray()
            yield frame[: self.header_length], frame[self.header_length :]

    def _missing(self) -> int:
        header = bytes(self.received[: self.header_length])
        if len(header) < self.header_length:
            return self.header_length - len(header)
        return self.header_length + self._length(header) - len(self.received)

    def _length(self, header: bytes) -> int:
        if self.header_length == 4:
            return int.from_bytes(header[:3], "little")
        return int.from_bytes(header[3:5], "big")

    def count_tls_records(self) -> None:
        """From here on a frame is a TLS record: type (1), version (2), length (2)."""
        self.header_length = 5

    def flush(self) -> None:
        """Send what goes out, in one piece.

        The TLS of MySQL 5.6 breaks off if the end of the client's part of the handshake arrives in several.
        """
        data, self.outgoing = bytes(self.outgoing), bytearray()
        if not data:
            return
        self.sock.settimeout(_PATIENCE_SECONDS)
        try:
            self.sock.sendall(data)
        finally:
            self.sock.setblocking(False)

    def upgrade(self, context: ssl.SSLContext, peer: str | None) -> None:
        """Go over to TLS; ``peer`` is the name of the server, None where this is the server's end."""
        self.sock.settimeout(_PATIENCE_SECONDS)
        self.sock = context.wrap_socket(self.sock, server_side=peer is None, server_hostname=peer)
        self.sock.setblocking(False)

    def close(self, *, reset: bool = False) -> None:
        """Hang up, without TLS's good-bye."""
        if self.open:
            self.open = False
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.sock.close()


class _Relay(threading.Thread):
    """One client's connection, passed on by one thread: an SSLSocket is not made for two."""

    def __init__(self, run: _Run, number: int, proxy: FaultProxy, client: socket.socket) -> None:
        super().__init__(name=f"fault-proxy-{number}", daemon=True)
        self._run = run
        self._number = number
        self._proxy = proxy
        self._client = _Side(client, REQUEST)
        self._exchange = 0
        self._answers = 0
        self._encrypted = False
        self._silent = False
        self._swallow_answer = False
        self._statement = ""
        self._address = proxy.address(number)
        self.held: bytes | None = None

    def run(self) -> None:
        """Pass everything on until one side hangs up."""
        try:
            upstream = socket.create_connection(self._address, timeout=_PATIENCE_SECONDS)
        except OSError:
            # As close to a refused connection as a listening proxy can come.
            self._client.close(reset=True)
            return
        self._server = _Side(upstream, ANSWER)
        for side in (self._client, self._server):
            side.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            side.sock.setblocking(False)
        try:
            self._pass_on()
        except (_Finished, OSError):
            pass
        finally:
            self._client.close()
            self._server.close()

    def _pass_on(self) -> None:
        while not self._run.over.is_set():
            self._wait()
            self._serve(self._server)
            self._serve(self._client)
            if self.held and self._run.healed.is_set():
                self._deliver()
            if self._silent and not self._server.open and not self._client.open:
                return

    def _wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            for side in (self._client, self._server):
                if side.open:
                    selector.register(side.sock, selectors.EVENT_READ)
            selector.select(_TICK_SECONDS)

    def _serve(self, side: _Side) -> None:
        try:
            for header, payload in side.frames():
                self._frame(side, header, payload)
            self._flush()
        except OSError:
            if not self._silent:
                # Its last words.
                self._flush()
                raise
            # The network is down, so nobody tells the other side.
            side.close()

    def _frame(self, side: _Side, header: bytes, payload: bytes) -> None:
        if side.direction == REQUEST:
            self._exchange += 1
            self._answers = 0
            place = Place(self._number, self._exchange, REQUEST, 0)
        else:
            place = Place(self._number, self._exchange, ANSWER, self._answers)
            self._answers += 1
        sequence = header[3] if side.header_length == 4 else None
        packet = Packet(place, sequence, payload, self._encrypted)
        self._run.packets.append(packet)
        if side.direction == REQUEST:
            self._statement = packet.statement or ""
        if self._silent:
            return
        if side.direction == REQUEST:
            self._swallow_answer = False
        elif self._swallow_answer:
            return
        if place == Place(self._number, 0, ANSWER, 0) and self._proxy.number is not None:
            payload = renumbered(payload, self._proxy.number)
        if place.direction == ANSWER and place.packet == 0 and self._proxy.late:
            text, seconds = self._proxy.late
            time.sleep(seconds if text in self._statement else 0)
        fault = self._run.fault_at(place, self._statement)
        if fault:
            self._spoil(fault, header, payload)
        else:
            self._forward(side.direction, header + payload)
        if place == Place(self._number, 1, REQUEST, 0) and _is_ssl_request(payload):
            self._upgrade()

    def _forward(self, direction: str, data: bytes) -> None:
        side = self._server if direction == REQUEST else self._client
        side.outgoing += data

    def _flush(self) -> None:
        for side in (self._server, self._client):
            if side.open:
                side.flush()

    def _upgrade(self) -> None:
        self._encrypted = True
        self._flush()
        if self._proxy.raw:
            self._client.count_tls_records()
            self._server.count_tls_records()
            return
        assert self._proxy.downstream, "clients want TLS, and the proxy has no certificate"
        assert self._proxy.upstream
        if not self._silent:
            self._client.upgrade(self._proxy.downstream, peer=None)
            self._server.upgrade(self._proxy.upstream, peer=self._address[0])

    def _spoil(self, fault: Fault, header: bytes, payload: bytes) -> None:
        direction, frame = fault.place.direction, header + payload
        if fault.kind in CUTS:
            arriving = {CUT_BEFORE: 0, CUT_WITHIN: max(1, len(frame) // 2), CUT_AFTER: len(frame)}[fault.kind]
            self._forward(direction, frame[:arriving])
            self._flush()
            self._client.close(reset=fault.reset)
            self._server.close(reset=fault.reset)
            raise _Finished
        if fault.kind in SILENCES:
            self._flush()
            self._silent = True
            self.held = frame if fault.kind == LATE else None
            return
        if fault.kind == ACT:
            assert fault.action
            self._flush()
            fault.action()
            self._forward(direction, frame)
            return
        self._forward(direction, garbled(fault, header, payload))
        self._swallow_answer = fault.kind in (REFUSED, ACCEPTED)

    def _deliver(self) -> None:
        """Send what was held back, wait for the answer, and end."""
        assert self.held
        self._server.outgoing += self.held
        self._server.flush()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and not self._run.over.is_set():
            self._wait()
            for _frame in self._server.frames():
                raise _Finished


def _is_ssl_request(payload: bytes) -> bool:
    return len(payload) == _SSL_REQUEST_LENGTH and bool(int.from_bytes(payload[:4], "little") & _CLIENT_SSL)


def renumbered(greeting: bytes, number: int) -> bytes:
    """Protocol::HandshakeV10 with another connection number: version of the protocol, version of the server, number."""
    end = greeting.index(b"\0", 1) + 1
    return greeting[:end] + number.to_bytes(4, "little") + greeting[end + 4 :]


def garbled(fault: Fault, header: bytes, payload: bytes) -> bytes:
    """What arrives in place of a packet; the same in every run, so that a failure can be had again."""
    rng = random.Random(f"{fault.place} {fault.seed}")  # noqa: S311  nothing secret in it
    if fault.kind == NOISE:
        return header + bytes(rng.randrange(256) for _byte in payload)
    if fault.kind == FLIP:
        spoilt = bytearray(payload or b"\0")
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
        return header + bytes(spoilt)
    if fault.kind in (REFUSED, ACCEPTED):
        answer = _ERR_PACKET if fault.kind == REFUSED else _OK_PACKET
        return len(answer).to_bytes(3, "little") + header[3:] + answer
    if fault.kind == SEQUENCE:
        return header[:3] + bytes([(header[3] + 7) % 256]) + payload
    length = len(payload) + (5 if fault.kind == TOO_LONG else -1)
    return max(0, length).to_bytes(3, "little") + header[3:] + payload
