# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has come of a change that did not go as planned, as a message and return values."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.journal import Journal
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan, check_statements
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import EnforcementError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.rollback import Rollback, Situation, sentence
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# A sentence with the statements of thousands of accounts helps nobody; the return values have them all.
_LONGEST_LIST = 20000


def recover(
    plan: Plan,
    dialect: Dialect,
    sessions: t.Sequence[Session],
    journal: Journal,
    cause: str,
    details: t.Mapping[str, t.Any],
) -> EnforcementError:
    """Roll back, check it, and return the error to raise.

    :arg sessions: Open sessions, the control session first.
    :arg cause: What was the matter, as a sentence.
    :arg details: Return values that hold whatever comes of this.
    """
    cause = sentence(cause)
    common = dict(details, verified=False, statements=[statement.shown(sessions[0]) for statement in journal.sent])
    if not journal.wrote:
        told = dict(plan.describe({}, switched=False), changed=False, rolled_back=False)
        return EnforcementError(f"{cause} Nothing was changed.", **dict(common, **told))
    rollback = Rollback(plan, dialect, sessions, journal)
    situation = rollback.run()
    if situation is None:
        told = dict(plan.describe(), changed=True, rolled_back=False, state_unknown=True)
        checks = check_statements(plan, dialect)
        return EnforcementError(
            "{} The rollback failed as well: {} The state of {} on {} is unknown. Log in, check with {}, and "
            "restore by hand: {}".format(
                cause,
                rollback.problems,
                _list(_names(plan), ", "),
                sessions[0].options.endpoint,
                _list(checks, "; "),
                _list(details["rollback_statements"], "; "),
            ),
            **dict(common, check_statements=checks, **told),
        )
    foreign = _foreign(situation)
    changed = bool(situation.kept) or not situation.restored
    told = dict(plan.describe(_known(plan, situation), situation.switch_stuck), changed=changed)
    told["rolled_back"] = situation.undone and situation.restored
    if not situation.restored:
        left = [str(change.account) for change in situation.stuck]
        still = plan.rollback_statements(dialect, situation.stuck)
        if situation.switch_stuck:
            left.insert(0, secure_transport.NAME)
            still = plan.switch_rollback + still
        statements = _list([statement.shown(sessions[0]) for statement in still], "; ")
        rest = (_list(left, ", "), statements, foreign)
        if situation.refusals:
            why = " ".join(sentence(refusal) for refusal in dict.fromkeys(situation.refusals))
            message = "{} The rollback was refused: {} Still changed: {}. Restore by hand: {}{}".format(
                cause, why, *rest
            )
        else:
            message = "{} The rollback had no effect. Still changed: {}. Restore by hand: {}{}".format(cause, *rest)
        return EnforcementError(message, **dict(common, **told))
    end = "Everything was rolled back, and that was checked." if situation.undone else "Nothing was changed."
    if situation.kept:
        end = end.replace("Everything", "Everything else").replace("Nothing", "Nothing else")
        end += f" The table has again what the server went by: {_list([str(c.account) for c in situation.kept], ', ')}."
    if situation.vanished:
        return _vanished(dialect, situation, f"{cause} {end}{foreign}", dict(common, **told))
    return EnforcementError(f"{cause} {end}{foreign}", **dict(common, **told))


def _vanished(dialect: Dialect, situation: Situation, message: str, details: t.Mapping[str, t.Any]) -> EnforcementError:
    """Of accounts that are not there any more it is not known whether the change was made before they went."""
    names = [str(change.account) for change in situation.vanished]
    message = message.replace("Nothing was changed.", "Of the other accounts nothing was changed.", 1)
    return EnforcementError(
        f"{message} If {_list(names, ', ')} was renamed rather than dropped, it may have the new requirement under its "
        "new name. Check the accounts that are new.",
        **dict(details, changed=True, rolled_back=False, state_unknown=True, check_statements=[dialect.accounts_query]),
    )


def _names(plan: Plan) -> list[str]:
    switch = [secure_transport.NAME] if plan.changes_secure_transport else []
    return switch + [str(change.account) for change in plan.changes]


def _known(plan: Plan, situation: Situation) -> dict[Account, Requirement]:
    known = {}
    for change in plan.changes:
        found = situation.now.get(change.account, change.before)
        # What the table had before, where the server went by something else, was not written.
        known[change.account] = change.before if found == change.expected else found
    return {**known, **{change.account: change.after for change in situation.stuck}}


def _foreign(situation: Situation) -> str:
    if not situation.foreign:
        return ""
    told = []
    for change in situation.foreign:
        found = situation.now.get(change.account)
        told.append(f"{change.account} " + (f"has {found.describe()} now" if found else "is gone"))
    return f" Changed concurrently by someone else; left untouched: {_list(told, '; ')}."


def _list(texts: t.Sequence[str], separator: str) -> str:
    """All of them, unless that is too long."""
    listed: list[str] = []
    length = 0
    for number, text in enumerate(texts):
        length += len(text)
        if listed and length > _LONGEST_LIST:
            return separator.join([*listed, f"and {len(texts) - number} more"])
        listed.append(text)
    return separator.join(listed)
