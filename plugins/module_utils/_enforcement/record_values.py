# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of rollback records and of plans that they share: accounts before and after, and the server-wide switch."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import LEVELS, Account, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchState


def describe_changes(changes: t.Iterable[Change]) -> list[dict[str, t.Any]]:
    """The form in a file, and the return value's."""
    return [
        {
            "user": change.account.user,
            "host": change.account.host,
            "before": asdict(change.before),
            "after": asdict(change.after),
        }
        for change in changes
    ]


@dataclass(frozen=True)
class RecordedRequirement:
    """A requirement, with nothing left to defaults: a part that is missing must not count as no requirement."""

    ssl_type: str
    cipher: str
    issuer: str
    subject: str

    def requirement(self) -> Requirement:
        """What it says.

        :raises WrongShape: when there is no such requirement.
        """
        if self.ssl_type not in LEVELS:
            raise WrongShape(f"{self.ssl_type[:20]!r} is not a requirement")
        return Requirement(**vars(self))


@dataclass(frozen=True)
class RecordedChange:
    """What :func:`describe_changes` has made of one change."""

    # As long as in mysql.user, MariaDB's having the longer names.
    user: t.Annotated[str, 128]
    host: t.Annotated[str, 255]
    before: RecordedRequirement
    after: RecordedRequirement

    def change(self) -> Change:
        """What it says.

        :raises WrongShape: when it is not a change.
        """
        account = Account(self.user, self.host)
        change = Change(account, self.before.requirement(), self.after.requirement())
        if change.before == change.after:
            raise WrongShape(f"{account} has the same requirement before and after")
        return change


def changes_of(recorded: t.Iterable[RecordedChange]) -> tuple[Change, ...]:
    """The changes of the accounts, each account once.

    :raises WrongShape: when one is not a change, or an account is there twice.
    """
    changes = tuple(each.change() for each in recorded)
    if len({change.account for change in changes}) != len(changes):
        raise WrongShape("an account is in a change twice")
    return changes


@dataclass(frozen=True)
class RecordedSwitch:
    """The server-wide switch before and after."""

    before: SwitchState
    after: SwitchState

    def states(self) -> tuple[SwitchState, SwitchState]:
        """Both."""
        return self.before, self.after
