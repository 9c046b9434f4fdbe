# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a finding is."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, at_least


class Command(str):
    """A part of what to do that is run as it is: a command line of a shell, a task of a playbook, or SQL statements."""

    __slots__ = ()


Todo = t.Union[str, tuple[str, ...]]
"""What to do, in parts that are read one after the other; those that a person runs are a Command."""


@dataclass(frozen=True)
class Finding:
    """Something that a person should know or fix.

    ``remediation`` is what to do; ``commands`` are the parts of it that are run as they are.
    """

    id: str
    severity: str
    subject: str
    message: str
    remediation: str
    commands: tuple[str, ...] = ()

    def at_least(self, severity: str) -> bool:
        """Whether it is as severe as that, or more."""
        return at_least(self.severity, severity)

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return {**vars(self), "commands": list(self.commands)}


def finding(kind: str, subject: str, message: str, todo: Todo, severity: str | None = None) -> Finding:
    """A finding of a registered kind.

    :arg severity: Where it is less than the kind's.
    """
    worst = BY_ID[kind].severity
    parts = (todo,) if isinstance(todo, str) else todo
    commands = tuple(str(part) for part in parts if isinstance(part, Command))
    return Finding(kind, severity or worst, subject, message, " ".join(parts), commands)
