# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules about sessions: this one's way to the server, and those of other clients."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import WHY_HIDDEN
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import remediation
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Finding, finding
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerStatus

_MOST_CLIENTS = 5


def of_sessions(status: ServerStatus, dialect: Dialect) -> t.Iterator[Finding]:
    """What is wrong with them."""
    yield from _of_tls_ends(status)
    if status.sessions is None:
        yield _sessions_not_visible(status, dialect)
        return
    if status.hidden is None or status.hidden:
        yield _sessions_hidden(status, dialect)
    if not status.proxies_visible and status.account is not None:
        yield finding(
            "proxies-not-visible",
            status.options.endpoint,
            f"{status.account} may not see what proxies report about their clients. A client that reaches a proxy "
            "without TLS appears to use TLS.",
            remediation.show_proxies(dialect, status.account),
        )
    plaintext: dict[tuple[str, str, bool], int] = {}
    for session in status.sessions:
        if session.plaintext_to_client:
            key = session.user, session.client, session.client_host is not None
            plaintext[key] = plaintext.get(key, 0) + 1
    for (user, host, proxied), count in sorted(plaintext.items()):
        number = "1 session" if count == 1 else f"{count} sessions"
        through = ", through a proxy that itself connects with TLS" if proxied else ""
        yield finding(
            "plaintext-session",
            f"{user}@{host}",
            f"{number} of {user} from {host} without TLS{through}.",
            remediation.encrypt_proxied(host) if proxied else remediation.encrypt_session(user, host),
        )


def _of_tls_ends(status: ServerStatus) -> t.Iterator[Finding]:
    if status.tls_ends is not None:
        yield finding(
            "tls-ends-before-server",
            status.options.endpoint,
            f"TLS ends at a proxy before it reaches the server: {status.tls_ends}. What an account requires, the "
            "server requires of the proxy, and not of clients.",
            remediation.require_at_proxy(status),
        )
    hosts = {session.host for session in status.sessions or () if session.client_host is not None}
    for host in sorted(hosts):
        yield finding(
            "tls-ends-before-server",
            host,
            f"A proxy at {host} ends the TLS of clients. What an account requires, the server requires of the proxy, "
            "and not of clients.",
            remediation.require_at_proxy(status),
        )


def _sessions_hidden(status: ServerStatus, dialect: Dialect) -> Finding:
    if status.hidden is None:
        message = (
            f"performance_schema may not show all sessions ({WHY_HIDDEN}), and {status.account} may not see the others."
        )
        todo = remediation.show_all_sessions(dialect, status.account) if status.account is not None else ()
    else:
        clients = sorted({f"{session.user}@{session.host}" for session in status.hidden})
        more = f" and {len(clients) - _MOST_CLIENTS} more" if len(clients) > _MOST_CLIENTS else ""
        message = (
            f"performance_schema does not show {len(status.hidden)} of the sessions ({WHY_HIDDEN}), so it is unknown "
            f"whether they use TLS: {', '.join(clients[:_MOST_CLIENTS])}{more}."
        )
        todo = ("Set performance_schema_max_thread_instances=-1, and ask the clients that use X Protocol.",)
    return finding("sessions-not-visible", status.options.endpoint, message, todo)


def _sessions_not_visible(status: ServerStatus, dialect: Dialect) -> Finding:
    if dialect.sees_session_transport and status.account is not None:
        message = f"{status.account} may not see which sessions use TLS."
        todo = remediation.show_sessions(dialect, status.account)
    elif not dialect.has_session_transport:
        message = f"{dialect.version} does not record which sessions use TLS."
        todo = "Upgrade the server; until then, ask the clients."
    else:
        message = "The server does not record which sessions use TLS, because performance_schema is off."
        todo = remediation.performance_schema_on(dialect)
    return finding("sessions-not-visible", status.options.endpoint, message, todo)
