# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Error numbers, and what the connection to a server fails with.

Numbers and names are those of "Server Error Message Reference" and "Client Error Message Reference", MySQL Reference
Manual, and of "MariaDB Error Codes".
"""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError

ER_DBACCESS_DENIED_ERROR = 1044
ER_ACCESS_DENIED_ERROR = 1045
ER_NO_SUCH_THREAD = 1094
ER_PASSWORD_NO_MATCH = 1133
ER_NONEXISTING_GRANT = 1141
ER_TABLEACCESS_DENIED_ERROR = 1142
ER_COLUMNACCESS_DENIED_ERROR = 1143
ER_SPECIFIC_ACCESS_DENIED_ERROR = 1227
ER_CANNOT_USER = 1396
ER_ACCESS_DENIED_NO_PASSWORD_ERROR = 1698
ER_MUST_CHANGE_PASSWORD = 1820
ER_MUST_CHANGE_PASSWORD_LOGIN = 1862
ER_ACCOUNT_HAS_BEEN_LOCKED = 3118
ER_SECURE_TRANSPORT_REQUIRED = 3159
ER_ACCOUNT_HAS_BEEN_LOCKED_MARIADB = 4151

CR_SERVER_GONE_ERROR = 2006
CR_SERVER_LOST = 2013
CR_NET_PACKET_TOO_LARGE = 2020
CR_SSL_CONNECTION_ERROR = 2026
CR_MALFORMED_PACKET = 2027

_FIRST_SERVER_ERROR = 1000
# What a client says of its own accord; a server's numbers begin again at 3000.
_CLIENT_ERRORS = range(2000, 3000)

LOGIN_REFUSED = (
    ER_ACCESS_DENIED_ERROR,
    ER_ACCESS_DENIED_NO_PASSWORD_ERROR,
    ER_ACCOUNT_HAS_BEEN_LOCKED,
    ER_SECURE_TRANSPORT_REQUIRED,
    ER_ACCOUNT_HAS_BEEN_LOCKED_MARIADB,
)
"""Answers to this login. Others, such as "Too many connections" or a lost connection, say nothing about it."""

TABLE_DENIED = (ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR)
READING_ACCOUNTS_DENIED = (*TABLE_DENIED, ER_DBACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR)
SETTING_VARIABLE_DENIED = (ER_ACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR)
# A statement's answer, for a client that says it can handle that, and a login's for any other.
PASSWORD_EXPIRED = (ER_MUST_CHANGE_PASSWORD, ER_MUST_CHANGE_PASSWORD_LOGIN)
NO_SUCH_ACCOUNT = (ER_NONEXISTING_GRANT, ER_PASSWORD_NO_MATCH, ER_CANNOT_USER)


def is_from_server(code: int) -> bool:
    """Whether the server has sent an error of this number, so that the session continues."""
    return code >= _FIRST_SERVER_ERROR and code not in _CLIENT_ERRORS


class ConnectionFailed(RdsMysqlError):
    """No session; the message names the endpoint and the reason. ``code`` is the error number that the server sent."""

    def __init__(self, message: str, code: int | None = None, **details: t.Any) -> None:
        super().__init__(message, **details)
        self.code = code


class CertificateRejected(ConnectionFailed):
    """The server's certificate did not pass verification; nothing but the greeting was exchanged."""


class TlsNotOffered(ConnectionFailed):
    """TLS is needed and the server offers none; no credentials were sent."""


class LoginRefused(ConnectionFailed):
    """The server was reached and turned this login down."""


class QueryFailed(RdsMysqlError):
    """A statement failed. ``code`` is MySQL's error number; ``connection_lost`` says that the session is gone."""

    def __init__(self, statement: str, code: int, text: str, connection_lost: bool) -> None:
        super().__init__(f"{statement} failed: ({code}) {text}")
        self.code = code
        self.connection_lost = connection_lost
