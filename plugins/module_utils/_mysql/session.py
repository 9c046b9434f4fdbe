# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login on a server, open until closed: what everybody else sees of it, and PyMySQL's."""

from __future__ import annotations

import ssl
import struct
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import authentication, handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed, is_from_server
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.offline_verification import presented_chain

# What PyMySQL's parser raises on bytes that are not the packet it expects, and what it raises for a request that it
# does not serve, such as an authentication plugin whose library is missing.
PARSER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
# What rows of another shape than a server's raise when they are taken apart.
NO_SUCH_ROWS = (LookupError, TypeError, ValueError)

_GOODBYE_SECONDS = 0.8
_ANSWERED_BY_ROWS = ("SELECT ", "SHOW ", "EXPLAIN ")


class Session(t.Protocol):
    """A login on a server. Use it as a context manager.

    :ivar warnings: Sentences for the user, about the login.
    :ivar certificate: The server's, and ``chain`` what it sent with it, in DER form.
    :ivar verified: Whether it uses TLS, and the server's certificate passed verification.
    :ivar connection_id: As in the greeting; what a proxy says there is not the server's.
    """

    options: ConnectionOptions
    warnings: tuple[str, ...]
    encrypted: bool
    protocol: str | None
    cipher: str | None
    certificate: bytes | None
    chain: tuple[bytes, ...]
    verified: bool
    connection_id: int
    greeting: handshake.Greeting

    def __enter__(self) -> Session:
        """The session itself."""

    def __exit__(self, *unused: object) -> None:
        """Close it."""

    def close(self) -> None:
        """Say good-bye to the server; never fails."""

    def query(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> list[tuple[t.Any, ...]]:
        """Run one statement and return its rows; the whole of it takes ``options.timeout`` at most.

        :arg arguments: Values for the ``%s`` in the statement; without any the statement goes as it is.
        :raises QueryFailed: with MySQL's error number.
        """

    @property
    def usable(self) -> bool:
        """Whether statements can be sent; the network may have gone for all that."""

    def abandon(self) -> None:
        """Hang up without a good-bye, as nobody knows any more what the next packet belongs to."""

    def mogrify(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> str:
        """The statement as it would be sent."""


class PyMySQLSession:
    """A session of PyMySQL's.

    :arg connection: Logged in.
    """

    def __init__(
        self,
        options: ConnectionOptions,
        connection: t.Any,
        greeting: handshake.Greeting,
        transport: authentication.Transport,
    ) -> None:
        self.options = options
        self.warnings: tuple[str, ...] = tuple(transport.warnings)
        self._connection = connection
        tls = connection._sock if isinstance(connection._sock, ssl.SSLSocket) else None
        cipher = tls.cipher() if tls else None
        self.encrypted = tls is not None
        self.protocol: str | None = tls.version() if tls else None
        self.cipher: str | None = cipher[0] if cipher else None
        self.certificate: bytes | None = tls.getpeercert(binary_form=True) if tls else None
        self.chain: tuple[bytes, ...] = presented_chain(tls) if tls else ()
        self.verified = self.encrypted and options.verifies
        self.connection_id = int(connection.server_thread_id[0])
        self.greeting = greeting

    def __enter__(self) -> PyMySQLSession:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """As the protocol has it."""
        if self._connection.open:
            self._connection.begin_statement(Deadline(_GOODBYE_SECONDS))
            self._connection.close()

    def query(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> list[tuple[t.Any, ...]]:
        """As the protocol has it."""
        import pymysql

        self._connection.begin_statement(self.options.deadline.within(self.options.timeout))
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, tuple(arguments) or None)
                if cursor.description is None and statement.startswith(_ANSWERED_BY_ROWS):
                    raise RuntimeError("rows were asked for, and none came")
                rows = list(cursor.fetchall())
                # PyMySQL makes a short row of one whose lengths are wrong.
                if any(len(row) != len(cursor.description) for row in rows):
                    raise RuntimeError("a row came with too few columns")
                return rows
        except pymysql.MySQLError as e:
            raise self._query_failed(statement, e) from e
        except (OSError, *PARSER_ERRORS) as e:
            self.abandon()
            raise QueryFailed(statement, 0, f"{type(e).__name__}: {e}", connection_lost=True) from e

    @property
    def usable(self) -> bool:
        """As the protocol has it."""
        return bool(self._connection.open)

    def abandon(self) -> None:
        """As the protocol has it."""
        self._connection._force_close()

    def mogrify(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> str:
        """As the protocol has it."""
        with self._connection.cursor() as cursor:
            return str(cursor.mogrify(statement, tuple(arguments) or None))

    def _query_failed(self, statement: str, error: t.Any) -> QueryFailed:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else str(error)
        if not is_from_server(code):
            self.abandon()
        return QueryFailed(statement, code, text, connection_lost=not self._connection.open)
