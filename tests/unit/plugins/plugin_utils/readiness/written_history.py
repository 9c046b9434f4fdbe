# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Written observations: weeks of passes without waiting for them."""

from __future__ import annotations

import datetime as dt
import itertools
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.observed import Reading, ServerDay, add_pass

NOW = dt.datetime(2026, 11, 28, 12, 0, tzinfo=dt.UTC)
MONITOR = ("monitor", "10.0.0.9")

Session = tuple[str, str, str | None]
"""User, client host and transport."""
APP_TLS: Session = ("app", "10.0.0.7", "SSL/TLS")
APP_PLAIN: Session = ("app", "10.0.0.7", "TCP/IP")


class Server:
    """A server with clients, as ``sessions_only`` shows it.

    :arg counts: What it counts: ``users`` with userstat, ``accounts`` with performance_schema.
    """

    def __init__(self, *counts: str, tells: bool = True) -> None:
        self.counts = counts
        self.tells = tells
        self._numbers = itertools.count(1)
        self.open: dict[int, Session] = {}
        self.identity = "one"
        self.since_start = True
        self._counters: dict[str, dict[tuple[str | None, str | None], list[int]]] = {}

    def login(self, session: Session) -> int:
        """Somebody logs in, and stays."""
        number = next(self._numbers)
        self.open[number] = session
        self._count(session, 0)
        return number

    def visit(self, session: Session, times: int = 1) -> None:
        """Logs in and out again."""
        for _time in range(times):
            del self.open[self.login(session)]

    def refuse(self, session: Session) -> None:
        self._count(session, 2)

    def restart(self) -> None:
        """Everybody is out, and counting begins again, as numbers do."""
        self._numbers = itertools.count(1)
        self.open.clear()
        self._counters.clear()

    def flush(self) -> None:
        self._counters.clear()

    def _count(self, session: Session, what: int) -> None:
        user, host, transport = session
        for kind, name in (("users", (user, None)), ("hosts", (None, host)), ("accounts", (user, host))):
            if kind in self.counts:
                row = self._counters.setdefault(kind, {}).setdefault(name, [0, 0, 0])
                row[what] += 1
                if what == 0:
                    row[1] += transport == "SSL/TLS"
                elif kind == "accounts":
                    row[0] += 1  # MySQL counts refused logins as connections

    def look(self) -> dict[str, t.Any]:
        own = self.login((*MONITOR, "SSL/TLS"))
        clients: dict[Session, list[int]] = {}
        for number, session in self.open.items():
            if number != own:
                clients.setdefault(session, []).append(number)
        del self.open[own]
        return {
            "server": {"id": self.identity},
            "connection_id": own,
            "login": MONITOR[0],
            "client": MONITOR[1],
            "transport": "SSL/TLS",
            "source": "performance_schema.threads" if self.tells else "information_schema.processlist",
            "clients": [
                {
                    "user": user,
                    "host": host,
                    "transport": transport if self.tells else None,
                    "driver": "",
                    "program": "",
                    "connection_ids": numbers,
                }
                for (user, host, transport), numbers in clients.items()
            ],
            "counted_since_start": self.since_start,
            "counters": {kind: self._counter(kind) for kind in ("users", "hosts", "accounts")},
        }

    def _counter(self, kind: str) -> list[dict[str, t.Any]] | None:
        if kind not in self.counts:
            return None
        return [
            {
                "user": user,
                "host": host,
                "logins": row[0],
                "tls": None if kind == "accounts" else row[1],
                "refused": row[2],
            }
            for (user, host), row in self._counters.get(kind, {}).items()
        ]


class History:
    """Passes over a server, written as if time had passed."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.days: dict[str, ServerDay] = {}
        self._last: Reading | None = None

    def look(self, at: dt.datetime) -> None:
        day = self.days.setdefault(f"{at:%Y-%m-%d}", ServerDay("db:3306"))
        add_pass(day, self._last, self.server.look(), at)
        self._last = day.last

    def watch(
        self,
        begin: dt.datetime,
        end: dt.datetime,
        every: int = 5,
        event: t.Callable[[dt.datetime], object] | None = None,
    ) -> None:
        """A pass every few minutes from the beginning to the end.

        :arg event: What happens before each pass.
        """
        at = begin
        while at <= end:
            if event:
                event(at)
            self.look(at)
            at += dt.timedelta(minutes=every)
