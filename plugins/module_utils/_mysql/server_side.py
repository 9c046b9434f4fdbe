# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session as its server has it, and whether the TLS of this client reaches that server."""

from __future__ import annotations

import datetime as dt
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# A greeting has room for the lower half of a connection number.
_GREETING_NUMBERS = 1 << 32
# As OpenSSL prints it: Nov 27 23:11:03 2027 GMT. strptime() would take a process that checks one server 2.5 of 26 ms.
_NOT_AFTER = re.compile(r"([A-Z][a-z]{2}) +([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([0-9]{4}) GMT", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class ServerSide:
    """This session by the server's own words.

    ``cipher`` is empty for a session without TLS. ``tls_versions`` is the status variable Current_tls_version, None
    where the server has none, and ``certificate_not_after`` Ssl_server_not_after, None where there is none to compare.
    """

    connection_id: int
    cipher: str
    tls_versions: str | None = None
    certificate_not_after: dt.datetime | None = None


def read_server_side(session: Session) -> ServerSide | None:
    """Ask the server; None where it does not answer that.

    :raises QueryFailed: when the session is lost.
    """
    try:
        number = session.query("SELECT CONNECTION_ID()")[0][0]
        rows = session.query(
            "SHOW SESSION STATUS WHERE Variable_name IN ('Current_tls_version', 'Ssl_cipher', 'Ssl_server_not_after')"
        )
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return None
    values = {_text(name).lower(): _text(value) for name, value in rows}
    if "ssl_cipher" not in values:
        return None
    return ServerSide(
        connection_id=int(number),
        cipher=values["ssl_cipher"],
        tls_versions=values.get("current_tls_version"),
        certificate_not_after=_moment(values.get("ssl_server_not_after", "")),
    )


def tls_ends_elsewhere(
    session: Session, server: ServerSide | None, certificate_not_after: dt.datetime | None = None
) -> str | None:
    """What shows that a proxy ends this client's TLS and connects to the server by itself; None where nothing does.

    Measured with MySQL Router 9: the number in its greeting is 0, and the server sees TLS whatever the client uses.
    One that passes TLS through shows the server's own greeting, cipher and certificate.

    :arg certificate_not_after: The end of the certificate that this client was shown, where it has to be compared.
    """
    if server is None:
        return None
    if not session.encrypted:
        return f"the server has this session with TLS ({server.cipher}), and it uses none" if server.cipher else None
    if not server.cipher:
        return "the server has this session without TLS, and it uses TLS"
    if session.cipher != server.cipher:
        return f"this session uses {session.cipher}, and the server has it with {server.cipher}"
    if session.connection_id != server.connection_id % _GREETING_NUMBERS:
        return (
            f"the greeting gave this session the connection number {session.connection_id}, and the server "
            f"{server.connection_id}"
        )
    shown, own = certificate_not_after, server.certificate_not_after
    if shown is not None and own is not None and shown != own:
        return f"the certificate shown expires on {shown:%Y-%m-%d}, and the server's own on {own:%Y-%m-%d}"
    return None


def _moment(text: str) -> dt.datetime | None:
    found = _NOT_AFTER.fullmatch(text.strip())
    try:
        if found is None:
            return None
        day, hour, minute, second, year = map(int, found.groups()[1:])
        return dt.datetime(year, _MONTHS.index(found[1]) + 1, day, hour, minute, second, tzinfo=dt.timezone.utc)
    except ValueError:
        return None


def _text(value: t.Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
