# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts TLS is required for, by what was observed of their clients over weeks."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account

READY, NOT_READY, UNKNOWN = "ready", "not_ready", "unknown"
STATES = (READY, NOT_READY, UNKNOWN)

_MOST_NAMED = 10


class Counted(t.NamedTuple):
    """What the server had counted of a user's logins some minutes ago, when none without TLS had been for weeks.

    ``since``: the number of the newest session that may be one without TLS.
    """

    since: int
    logins: int
    plaintext: int


@dataclass(frozen=True)
class Readiness:
    """``accounts``: of each account that was judged, as ``user@host``, its state and why.

    ``counted``: by account what servers had counted, and which servers these are. ``only_ready``: whether TLS is
    required for those alone that are ready.
    """

    only_ready: bool = False
    accounts: t.Mapping[str, tuple[str, str]] = field(default_factory=dict)
    counted: t.Mapping[str, t.Sequence[tuple[str, Counted]]] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Readiness:
        """From a module's validated parameters.

        :raises OptionError: when there is nothing to judge accounts by.
        """
        judged = params.get("readiness")
        if params.get("only_ready") and judged is None:
            raise OptionError(
                "only_ready: nothing is known about the clients of this server (readiness is not set). Run the "
                "playbooks audit and watch first."
            )
        accounts: dict[str, tuple[str, str]] = {}
        counted: dict[str, list[tuple[str, Counted]]] = {}
        for one in judged or ():
            account, state = str(one["account"]), str(one["state"])
            if account in accounts:
                raise OptionError(f"readiness: {account!r} is there twice.")
            accounts[account] = (state, str(one.get("reason") or ""))
            if state == READY:
                counted[account] = [
                    (str(each["server"]), Counted(*(int(each[name]) for name in Counted._fields)))
                    for each in one.get("counted") or ()
                ]
        return cls(bool(params.get("only_ready")), accounts, counted)

    def counted_on(self, server: str) -> dict[str, Counted]:
        """What this server had counted, by account. Nothing where it cannot be told from another one."""
        here = {account: [one for where, one in each if where == server] for account, each in self.counted.items()}
        return {account: found[0] for account, found in here.items() if len(found) == 1}

    def refused(self, accounts: t.Iterable[Account]) -> dict[Account, str]:
        """Those of these accounts that TLS is not required for, and why."""
        if not self.only_ready:
            return {}
        unknown = (UNKNOWN, "The last audit did not find this account.")
        judged = {account: self.accounts.get(str(account), unknown) for account in accounts}
        return {account: f"{state}: {reason}" for account, (state, reason) in judged.items() if state != READY}


def left_alone(endpoint: t.Any, refused: t.Mapping[Account, str]) -> tuple[str, ...]:
    """The warning for accounts that do not change, as they are not ready."""
    if not refused:
        return ()
    listed = list_refused(refused)
    return (f"TLS is not required for accounts of {endpoint} that are not ready (only_ready): {listed}.",)


def list_refused(refused: t.Mapping[Account, str]) -> str:
    """The first of them for a message, each with its reason, and how many more."""
    rest = len(refused) - _MOST_NAMED
    listed = [f"{account} is {because.rstrip('.')}" for account, because in refused.items()]
    return "; ".join(listed[:_MOST_NAMED]) + (f"; and {rest} more" if rest > 0 else "")
