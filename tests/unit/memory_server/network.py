# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies between a client and servers: an endpoint that leads to one of them, faults, and who listens."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from pymysql.converters import escape_string

from . import core
from .clock import Clock
from .model import ServerSession
from .server import US, MemoryServer
from .sql import ServerError

CLIENT_SSL = 0x00000800
CR_CONN_HOST_ERROR = 2003
CR_SERVER_LOST = 2013
ER_CON_COUNT_ERROR = 1040
ER_LOCK_WAIT_TIMEOUT = 1205
ER_QUERY_INTERRUPTED = 1317
_EXCHANGE_SECONDS = 0.001
_WRITING = ("ALTER", "GRANT", "UPDATE", "FLUSH", "SET GLOBAL", "SET PERSIST", "RESET")


class Fault(t.NamedTuple):
    """What goes wrong in one exchange.

    :ivar seconds: How long it takes, or until a statement is carried out after all.
    :ivar lingers: How long the server takes to notice that its client has gone.
    """

    kind: str
    seconds: float = 0.0
    lingers: float = 0.0


# Statements
CUT_BEFORE = "connection lost before the server has it"
CUT_AFTER = "connection lost after the server has done it"
DELAYED = "arrives at the server after the client has given up"
HUNG = "waits for a lock in the server"
SLOW = "answered slowly"
LATE = "answered too late"
KILLED = "its session is killed by somebody else"
LOCKED_OUT = "refused, as a lock was not to be had"
# Statements and logins
RESTART_BEFORE = "the server crashes before it"
RESTART_AFTER = "the server crashes after it"
MOVED = "the endpoint leads to another server from now on"
MOVED_AND_CUT = "the endpoint leads to another server from now on, and connections are cut"
# Logins
UNREACHABLE = "no connection"
SILENT = "no answer"
TOO_MANY = "too many connections"
ATTACKED = "somebody on the path answers in the server's place"

STATEMENT_FAULTS = (CUT_BEFORE, CUT_AFTER, DELAYED, HUNG, SLOW, LATE, KILLED, LOCKED_OUT)
EITHER_FAULTS = (RESTART_BEFORE, RESTART_AFTER, MOVED, MOVED_AND_CUT)
LOGIN_FAULTS = (UNREACHABLE, SILENT, TOO_MANY, CUT_BEFORE, CUT_AFTER, SLOW, ATTACKED)


@dataclass(frozen=True)
class Exchange:
    """What is about to be sent. ``statement`` is None for a login."""

    number: int
    statement: str | None

    @property
    def writes(self) -> bool:
        """Whether it is a statement that changes accounts or the switch."""
        return self.statement is not None and self.statement.lstrip().upper().startswith(_WRITING)


@dataclass(frozen=True)
class Login:
    """A login as somebody on the path has seen it.

    :ivar answered: Whether an answer to an authentication challenge has left.
    :ivar mode: The ssl_mode of the login.
    """

    user: str
    mode: str
    over_socket: bool
    encrypted: bool
    verified: bool
    answered: bool


class MemorySession:
    """A session of the code under test."""

    def __init__(self, network: Network, options: t.Any, server: MemoryServer, inner: ServerSession) -> None:
        self.options = options
        self.network = network
        self.server = server
        self.inner = inner
        self.warnings: tuple[str, ...] = ()
        self.encrypted = inner.transport == "SSL/TLS"
        self.protocol = "TLSv1.3" if self.encrypted else None
        self.cipher = "TLS_AES_256_GCM_SHA384" if self.encrypted else None
        self.certificate = b"" if self.encrypted else None
        self.chain: tuple[bytes, ...] = ()
        self.verified = self.encrypted and options.verifies
        self.connection_id = inner.number if network.numbers_are_the_servers else 7_000_000 + len(network.logins)
        self.greeting = network.greeting(server)
        self._open = True

    def __enter__(self) -> MemorySession:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """As that of the real one."""
        if self._open:
            self._open = False
            if not self.inner.gone:
                self.server.end(self.inner)

    @property
    def usable(self) -> bool:
        """As that of the real one."""
        return self._open

    def abandon(self, lingers: float = 0.0) -> None:
        """As that of the real one; the server notices it later."""
        self._open = False
        server, inner = self.server, self.inner
        if not inner.waits:
            self.network.clock.at(self.network.clock.now + lingers, lambda: server.end(inner))

    def mogrify(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> str:
        """As that of the real one."""
        if not arguments:
            return statement
        return statement % tuple(
            f"'{escape_string(argument)}'" if isinstance(argument, str) else str(argument) for argument in arguments
        )

    def query(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> list[tuple[t.Any, ...]]:
        """As that of the real one."""
        if not self._open:
            raise self._failed(statement, 0, "")
        return self.network.query(self, statement, tuple(arguments))

    def _failed(self, statement: str, code: int, text: str) -> Exception:
        return t.cast("Exception", core.mysql_errors.QueryFailed(statement, code, text, connection_lost=not self._open))

    def lost(self, statement: str, lingers: float, text: str = "Lost connection to MySQL server") -> Exception:
        """The client has given up."""
        self.abandon(lingers)
        return self._failed(statement, CR_SERVER_LOST, text)


class Network:
    """Everything outside of the code under test.

    :arg clock: Of all its servers.
    :arg server: Where the endpoint leads at first.
    """

    def __init__(self, clock: Clock, server: MemoryServer) -> None:
        self.clock = clock
        self.server = server
        self.other: MemoryServer | None = None
        self.client_host = "10.0.0.5"
        self.certificate: tuple[str, str] | None = None  # subject and issuer of the client's
        # Where a proxy greets, with its own numbers, and may answer this question of its own as well.
        self.numbers_are_the_servers = True
        self.proxy_answers = False
        self.logins: list[Login] = []
        self.first_secret = 0
        self.exchanges: list[str] = []
        self.fault: t.Callable[[Exchange], Fault | None] = lambda exchange: None
        self.between: t.Callable[[Exchange], None] = lambda exchange: None
        self.happened: list[tuple[int, str]] = []
        # Exchanges in which accounts were read, and the answer came.
        self.reads: list[int] = []
        # What the code under test must not send, or the servers have not been taught.
        self.mistakes: list[str] = []
        # The first exchange that was a statement which writes, in ``exchanges``.
        self.first_write: int | None = None

    @staticmethod
    def greeting(server: MemoryServer) -> t.Any:
        """As the server greets."""
        return core.handshake.Greeting(server.release.raw_version, CLIENT_SSL if server.offers_tls else 0)

    def _begin(self, statement: str | None, told: str) -> Fault | None:
        exchange = Exchange(len(self.exchanges), statement)
        self.between(exchange)
        self.exchanges.append(told)
        if exchange.writes and self.first_write is None:
            self.first_write = exchange.number
        self.clock.sleep(_EXCHANGE_SECONDS)
        fault = self.fault(exchange)
        if fault is not None:
            self.happened.append((exchange.number, fault.kind))
        return fault

    # Statements

    def query(self, session: MemorySession, statement: str, arguments: tuple[t.Any, ...]) -> list[tuple[t.Any, ...]]:
        """One statement of the code under test."""
        fault = self._begin(statement, session.mogrify(statement, arguments))
        if self.proxy_answers and statement == "SELECT CONNECTION_ID()":
            return [(session.connection_id,)]
        server, inner, timeout = session.server, session.inner, session.options.timeout
        inner.exchange = len(self.exchanges) - 1
        kind = fault.kind if fault else ""
        if fault and kind in EITHER_FAULTS and not kind.endswith("after it"):
            self._disturb(fault)
        if inner.gone or inner.killed:
            raise session.lost(statement, 0.0)
        if fault is None or kind in EITHER_FAULTS:
            rows = self._run(session, statement, arguments)
            if fault and kind == RESTART_AFTER:
                self._disturb(fault)
                raise session.lost(statement, 0.0)
            return rows
        if kind == CUT_BEFORE:
            raise session.lost(statement, fault.lingers)
        if kind in (CUT_AFTER, LATE):
            self._quietly(session, statement, arguments)
            if kind == LATE:
                self.clock.sleep(timeout)
            raise session.lost(statement, fault.lingers)
        if kind == SLOW:
            self.clock.sleep(min(fault.seconds, timeout * 0.9))
            if inner.gone:
                raise session.lost(statement, 0.0)
            return self._run(session, statement, arguments)
        if kind == KILLED:
            server.kill(inner)
            raise session._failed(statement, ER_QUERY_INTERRUPTED, "Query execution was interrupted")
        if kind == LOCKED_OUT:
            raise session._failed(statement, ER_LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded")
        assert kind in (HUNG, DELAYED), kind
        return self._later(session, statement, arguments, fault)

    def _later(
        self, session: MemorySession, statement: str, arguments: tuple[t.Any, ...], fault: Fault
    ) -> list[tuple[t.Any, ...]]:
        inner, timeout = session.inner, session.options.timeout
        inner.waits = True
        if fault.kind == HUNG:
            inner.command, inner.info = "Query", session.mogrify(statement, arguments)
            if fault.seconds < timeout:
                self.clock.sleep(fault.seconds)
                inner.waits = False
                if inner.gone or inner.killed:
                    raise session.lost(statement, 0.0)
                return self._run(session, statement, arguments)

        def carry_out() -> None:
            inner.waits = False
            if not inner.gone and not inner.killed:
                self._quietly(session, statement, arguments)
                self.happened.append((len(self.exchanges), f"carried out late: {statement}"))
            session.server.end(inner)

        self.clock.at(self.clock.now + fault.seconds, carry_out)
        if fault.kind == HUNG or fault.lingers:
            self.clock.sleep(timeout)
        raise session.lost(statement, 0.0, "Lost connection to MySQL server during query (timed out)")

    def _run(self, session: MemorySession, statement: str, arguments: tuple[t.Any, ...]) -> list[tuple[t.Any, ...]]:
        inner = session.inner
        inner.command, inner.info = "Query", session.mogrify(statement, arguments)
        try:
            rows = session.server.execute(inner, statement, arguments)
        except ServerError as e:
            raise session._failed(statement, e.code, e.text) from e
        except AssertionError as e:
            # The code under test may take it for an interruption.
            self.mistakes.append(str(e))
            raise
        finally:
            inner.command, inner.info = "Sleep", None
        if inner.gone:
            raise session.lost(statement, 0.0)
        if "FROM mysql.user" in statement:
            self.reads.append(inner.exchange)
        return rows or []

    def _quietly(self, session: MemorySession, statement: str, arguments: tuple[t.Any, ...]) -> None:
        with contextlib.suppress(ServerError):
            session.server.execute(session.inner, statement, arguments)

    def _disturb(self, fault: Fault) -> None:
        if fault.kind in (RESTART_BEFORE, RESTART_AFTER):
            self.server.restart(fault.seconds)
        elif self.other is not None:
            if fault.kind == MOVED_AND_CUT:
                for session in [found for found in self.server.sessions.values() if found.author == US]:
                    if not session.waits:
                        self.server.end(session)
            self.server, self.other = self.other, self.server

    # Logins

    def connect(self, options: t.Any, deadline: float | None = None) -> MemorySession:
        """What stands in the place of the code's own way to log in."""
        fault = self._begin(None, f"login of {options.user}, {options.ssl_mode}")
        end = self.clock.now + options.timeout if deadline is None else deadline
        kind = fault.kind if fault else ""
        if fault and kind in EITHER_FAULTS:
            self._disturb(fault)
        errors = core.mysql_errors
        server = self.server
        if kind == UNREACHABLE or self.clock.now < server.down_until:
            raise errors.ConnectionFailed(f"Cannot reach {options.endpoint}: Connection refused.", CR_CONN_HOST_ERROR)
        if kind == SILENT:
            self.clock.sleep(max(0.0, end - self.clock.now))
            raise errors.ConnectionFailed(
                f"{options.endpoint} accepts connections, but did not answer within {options.timeout} seconds.",
                CR_SERVER_LOST,
            )
        if kind == TOO_MANY:
            raise errors.ConnectionFailed(
                f"{options.endpoint}: login of {options.user!r} refused (error 1040: Too many connections).",
                ER_CON_COUNT_ERROR,
            )
        if fault and kind == SLOW:
            self.clock.sleep(min(fault.seconds, max(0.0, end - self.clock.now) * 0.9))
        login = self._transport(options, server, attacked=kind == ATTACKED)
        if kind == CUT_BEFORE:
            self.logins.append(login)
            raise errors.ConnectionFailed(f"{options.endpoint} closed the connection during the login.", 2013)
        self.logins.append(replace(login, answered=bool(options.password)))
        if kind == ATTACKED:
            raise errors.LoginRefused(f"{options.endpoint}: login of {options.user!r} refused (error 1045).", 1045)
        session = self._authenticate(options, server, login)
        if fault and kind == CUT_AFTER:
            session.abandon(fault.lingers)
            raise errors.ConnectionFailed(f"{options.endpoint} closed the connection during the login.", 2013)
        return session

    def _transport(self, options: t.Any, server: MemoryServer, *, attacked: bool) -> Login:
        """What the client does before it answers anything."""
        login = Login(options.user, options.ssl_mode, bool(options.unix_socket), False, False, False)
        if options.ssl_mode == "disabled" or (options.ssl_mode == "preferred" and not server.offers_tls):
            return login
        if not server.offers_tls:
            self.logins.append(login)
            raise core.mysql_errors.TlsNotOffered(
                f"{options.endpoint} does not offer TLS, and ssl_mode is {options.ssl_mode}; no credentials were sent.",
                2026,
            )
        login = replace(login, encrypted=True)
        if not options.verifies:
            return login
        if attacked or not server.certificate_is_good:
            self.logins.append(login)
            raise core.mysql_errors.CertificateRejected(
                f"The certificate of {options.endpoint} was rejected. No credentials were sent."
            )
        return replace(login, verified=True)

    def _authenticate(self, options: t.Any, server: MemoryServer, login: Login) -> MemorySession:
        self._port = getattr(self, "_port", 40_000) + 1
        host = "localhost" if login.over_socket else f"{self.client_host}:{self._port}"
        transport = "SSL/TLS" if login.encrypted else "Socket" if login.over_socket else "TCP/IP"
        key = server.find_account(options.user, host.rpartition(":")[0] or host)
        plugin = server.accounts.memory[key].plugin if key else ""
        in_full = plugin == "sha256_password" or (plugin == "caching_sha2_password" and key not in server.cached)
        if transport == "TCP/IP" and in_full and options.password:
            raise core.authentication.PasswordWithheld(
                f"{options.endpoint} asks for full authentication ({plugin}). It was not sent."
            )
        certificate = self.certificate if login.encrypted and options.client_cert else None
        try:
            inner = server.log_in(options.user, options.password, host, transport, certificate)
        except ServerError as e:
            message = f"{options.endpoint}: login of {options.user!r} refused (error {e.code}: {e.text})."
            kind = core.mysql_errors.LoginRefused
            if e.code not in (1045, 1698, 3118, 3159, 4151):
                kind = core.mysql_errors.ConnectionFailed
            raise kind(message, e.code) from e
        return MemorySession(self, options, server, inner)
