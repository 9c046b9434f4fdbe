# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that were refused since TLS was required for an account: clients that knock in vain.

A wrong password counts the same, so this is a hint and never a reason to take a requirement back: anybody outside could
have that done by guessing. An application that has given up is not in it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import may_be
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.observed import ServerDay


@dataclass(frozen=True)
class RefusedClient:
    """A client address, and how many of its logins were refused."""

    host: str
    logins: int


@dataclass(frozen=True)
class RefusedLogins:
    """Refused logins of a changed account.

    ``logins`` are those that the server counted for the user. ``clients`` are of this user where ``of_any_user`` is
    false. MariaDB counts those of all users of a client together, and for a user only after a successful login.
    """

    server: str
    account: str
    since: str
    last: str
    logins: int
    clients: tuple[RefusedClient, ...]
    of_any_user: bool = False

    def __str__(self) -> str:
        clients = ", ".join(f"{client.logins} from {client.host}" for client in self.clients[:5])
        rest = f" and {len(self.clients) - 5} more clients" if len(self.clients) > 5 else ""
        whose = " (of any user)" if self.of_any_user and clients else ""
        told = f"{self.logins} refused logins" if self.logins != 1 else "1 refused login"
        return f"{self.account}: {told} since {self.since}{': ' if clients else ''}{clients}{rest}{whose}"


def refused_since_changes(server: str, days: t.Iterable[tuple[str, ServerDay]]) -> list[RefusedLogins]:
    """What was refused of each changed account since its last change."""
    known = sorted(days, key=lambda item: item[0])
    changes: dict[str, str] = {}
    for _date, day in known:
        changes.update(day.changes)
    found = [refused_logins(server, *_split(account), since, known) for account, since in sorted(changes.items())]
    return [each for each in found if each is not None]


def _split(account: str) -> tuple[str, str]:
    user, _at, host = account.rpartition("@")
    return user, host


def refused_logins(
    server: str, user: str, host: str, since: str, days: t.Iterable[tuple[str, ServerDay]]
) -> RefusedLogins | None:
    """What was refused since a change of the account; None where nothing was.

    :arg since: The time of the change. What a pass after it was the first to know of may be some minutes older.
    """
    found = [one for _date, day in days for one in day.refused]
    after = [one for one in found if one.at > since]
    own = [one for one in after if may_be(user, host, one.user, one.host)]
    by_client = [one for one in own if one.host is not None]
    # Where the server counts per user and per client, and not per both.
    others = [one for one in after if one.user is None and may_be(user, host, user, one.host)]
    if not own and not others:
        return None
    clients: dict[str, int] = {}
    for one in by_client or others:
        clients[str(one.host)] = clients.get(str(one.host), 0) + one.logins
    return RefusedLogins(
        server,
        f"{user}@{host}",
        since,
        max(one.at for one in own or others),
        sum(one.logins for one in own),
        tuple(RefusedClient(*item) for item in sorted(clients.items(), key=lambda item: (-item[1], item[0]))),
        of_any_user=not by_client,
    )
