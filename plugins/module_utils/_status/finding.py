# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a finding is."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, at_least


@dataclass(frozen=True)
class Finding:
    """Something that a person should know or fix. ``remediation`` is a statement, a command or a task to run."""

    id: str
    severity: str
    subject: str
    message: str
    remediation: str

    def at_least(self, severity: str) -> bool:
        """Whether it is as severe as that, or more."""
        return at_least(self.severity, severity)

    def describe(self) -> dict[str, str]:
        """The return value's form."""
        return dict(vars(self))


def finding(kind: str, subject: str, message: str, todo: str, severity: str | None = None) -> Finding:
    """A finding of a registered kind.

    :arg severity: Where it is less than the kind's.
    """
    worst = BY_ID[kind].severity
    return Finding(kind, severity or worst, subject, message, todo)
