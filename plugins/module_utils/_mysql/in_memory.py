# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server goes by at a login, which is not what its tables say until somebody flushes privileges."""

from __future__ import annotations

import itertools
import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountsNotReadable,
    AccountState,
    Requirement,
    quote_account,
    read_accounts,
    text_of,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    NO_SUCH_ACCOUNT,
    READING_ACCOUNTS_DENIED,
    QueryFailed,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

_PLAIN = (Requirement("NONE"), Requirement("ANY"), Requirement("X509"))


class NotInMemory(AccountsNotReadable):
    """The account has a row in the table and nobody can log in with it, as the server has not loaded it."""


@dataclass(frozen=True)
class Unflushed:
    """Accounts of which the server's memory has something else than its tables.

    ``requirements``: by which it goes; None where that is one that cannot be told exactly. ``absent``: not loaded at
    all. ``dropped``: in memory, and in no table. ``unread``: why some, or all, could not be compared, as a sentence;
    ``remedy``: what to do about it, where that is something else than a privilege.
    """

    requirements: t.Mapping[Account, Requirement | None] = field(default_factory=dict)
    absent: frozenset[Account] = frozenset()
    dropped: tuple[Account, ...] = ()
    unread: str | None = None
    remedy: str = ""


def find_unflushed(
    session: Session, dialect: Dialect, states: t.Sequence[AccountState], deadline: Deadline | None = None
) -> Unflushed:
    """Compare each account's row with what the server has in memory, one statement an account.

    :arg deadline: When to stop, as a slow link may take seconds for hundreds of accounts.
    """
    found: dict[Account, Requirement | None] = {}
    absent = set()
    unread, remedy = None, ""
    for number, state in enumerate(states):
        if deadline and deadline.left <= 0:
            unread = f"Comparing {len(states) - number} more accounts with the server's memory would take too long."
            remedy = "Set timeout to more seconds."
            break
        try:
            statement = show_account(session, dialect, state.account)
        except NotInMemory:
            absent.add(state.account)
            continue
        except AccountsNotReadable as e:
            unread, remedy = e.message, ""
            break
        shown = shows_requirement(statement, state.account, state.requirement)
        if shown is None:
            unread = f"What {session.options.endpoint} shows of {state.account} could not be read."
        elif not shown:
            found[state.account] = _requirement(statement, state.account)
    return Unflushed(found, frozenset(absent), (), unread, remedy)


def compare_all(session: Session, dialect: Dialect, known: t.Sequence[AccountState]) -> Unflushed:
    """Compare every account that people log in with, and search for accounts that have no row any more.

    Takes half of the time that is left at most. Those that claim a requirement come first.

    :raises QueryFailed: when the session is lost.
    """
    people = sorted((state for state in known if not state.is_role), key=lambda state: not state.requirement.level)
    until = session.options.deadline.within(session.options.deadline.left / 2)
    unflushed = find_unflushed(session, dialect, people, until)
    requirements = unflushed.requirements
    if requirements:
        # Somebody may have changed them for good between the two reads.
        before = {state.account: state.requirement for state in known}
        now = {state.account: state.requirement for state in read_accounts(session, dialect, list(requirements))}
        requirements = {a: found for a, found in requirements.items() if now.get(a) == before[a]}
    return replace(unflushed, requirements=requirements, dropped=_dropped(session, dialect, known))


def accounts_in_force(
    known: t.Sequence[AccountState] | None, unflushed: Unflushed | None
) -> tuple[AccountState, ...] | None:
    """The same accounts, with the requirements that the server goes by, as far as they were compared."""
    if known is None or unflushed is None:
        return None if known is None else tuple(known)
    found = unflushed.requirements
    return tuple(replace(state, requirement=found.get(state.account) or state.requirement) for state in known)


def _dropped(session: Session, dialect: Dialect, known: t.Sequence[AccountState]) -> tuple[Account, ...]:
    """Accounts that information_schema.USER_PRIVILEGES has, which servers make of their memory, and no table."""
    try:
        rows = session.query("SELECT DISTINCT GRANTEE FROM information_schema.USER_PRIVILEGES")
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return ()
    tables = {(state.account.user, state.account.host.lower()) for state in known}
    found = []
    for (grantee,) in rows:
        # As 'user'@'host', and nothing is escaped.
        user, separator, host = str(grantee)[1:-1].rpartition("'@'")
        if separator and host and (user, host.lower()) not in tables:
            found.append(Account(user, host))
    if not found:
        return ()
    created_meanwhile = {state.account for state in read_accounts(session, dialect, found)}
    return tuple(sorted(account for account in found if account not in created_meanwhile))


def _requirement(statement: str, account: Account) -> Requirement | None:
    """Not every server escapes what a SPECIFIED one consists of, so what was parsed has to show as it is shown."""
    for candidate in (*_PLAIN, parse_requirement(statement)):
        if shows_requirement(statement, account, candidate):
            return candidate
    return None


def own_requirement(
    session: Session, dialect: Dialect, account: Account, known: t.Sequence[AccountState] | None
) -> Requirement | None:
    """What the session's own account requires: from the accounts where they could be read, else as it may ask.

    None where the server does not expose it.
    """
    for state in known or ():
        if state.account == account:
            return state.requirement
    try:
        rows = session.query(dialect.own_requirement_query)
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return None
    return parse_requirement(text_of(rows[0][0])) if rows and rows[0] else None


# A string or a quoted name as the server writes them, or a word.
_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`]|``)*` | [A-Za-z_][A-Za-z0-9_]*""", re.DOTALL | re.VERBOSE
)


def parse_requirement(statement: str) -> Requirement:
    """The REQUIRE clause of what SHOW CREATE USER or SHOW GRANTS answers; without one, nothing is required.

    Only the kind and the texts of a SPECIFIED one are read; the password's hash in the statement is passed over.
    """
    tokens = _TOKEN.findall(statement)
    if "REQUIRE" not in tokens:
        return Requirement()
    clause = tokens[tokens.index("REQUIRE") + 1 :]
    if clause[:1] == ["SSL"]:
        return Requirement("ANY")
    if clause[:1] == ["X509"]:
        return Requirement("X509")
    parts = {}
    words = iter(word for word in clause if word != "AND")
    for word, value in zip(words, words):
        if word not in ("SUBJECT", "ISSUER", "CIPHER"):
            break
        parts[word.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1].replace("''", "'"))
    return Requirement("SPECIFIED", **parts) if parts else Requirement()


def show_account(session: Session, dialect: Dialect, account: Account) -> str:
    """What the server has in memory of an account, as a statement; it holds the hash of the password.

    :raises AccountsNotReadable: naming the privilege that is missing.
    :raises NotInMemory: when no such account is there.
    """
    verb = "SHOW CREATE USER" if dialect.has_show_create_user else "SHOW GRANTS FOR"
    try:
        rows = session.query(f"{verb} {quote_account(account, dialect)}")
    except QueryFailed as e:
        if e.code in NO_SUCH_ACCOUNT:
            # MySQL 5.6 with skip_name_resolve loads no account of a host name: nobody can log in with that.
            raise NotInMemory(f"{session.options.endpoint} has no {account} in memory.") from e
        if e.code not in READING_ACCOUNTS_DENIED:
            raise
        raise AccountsNotReadable(
            f"{session.options.user} may not see what {session.options.endpoint} has in memory of its accounts. Grant "
            "it SELECT on mysql.*."
        ) from e
    return text_of(rows[0][0]) if rows and rows[0] else ""


def has_in_memory(session: Session, dialect: Dialect, account: Account, requirement: Requirement) -> bool:
    """Whether the server goes by this requirement, which is not what its table says until privileges are flushed.

    The answer holds the hash of the account's password, and goes no further than here.

    :raises AccountsNotReadable: naming the privilege that is missing.
    :raises NotInMemory: when no such account is there.
    """
    shown = shows_requirement(show_account(session, dialect, account), account, requirement)
    if shown is None:
        raise AccountsNotReadable(f"What {session.options.endpoint} shows of {account} could not be read.")
    return shown


_AFTER_A_PART = re.compile(r"\Z|\s+(?!AND\b|SUBJECT\b|ISSUER\b|CIPHER\b)")


def shows_requirement(statement: str, account: Account, requirement: Requirement) -> bool | None:
    """Whether what SHOW CREATE USER or SHOW GRANTS answers of an account holds exactly this requirement.

    Most servers do not escape what a SPECIFIED one consists of (measured: of the tested ones only MariaDB 11.8 does),
    so it cannot be parsed, but it can be compared. None for a statement that is not about the account.
    """
    clause = _after_the_account(statement, account)
    if clause is None:
        return None
    if requirement.ssl_type != "SPECIFIED":
        tokens = _TOKEN.findall(clause)
        asked = tokens[tokens.index("REQUIRE") + 1 :][:1] if "REQUIRE" in tokens else ["NONE"]
        return asked == [{"NONE": "NONE", "ANY": "SSL", "X509": "X509"}[requirement.ssl_type]]
    parts = [
        (name, value)
        for name, value in (
            ("SUBJECT", requirement.subject),
            ("ISSUER", requirement.issuer),
            ("CIPHER", requirement.cipher),
        )
        if value
    ]
    for order in itertools.permutations(parts):
        for escaped in (str, _escaped):
            wanted = "REQUIRE " + " ".join(f"{name} '{escaped(value)}'" for name, value in order)
            _before, found, after = clause.partition(wanted)
            if found and _AFTER_A_PART.match(after):
                return True
    return False


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "''")


def _after_the_account(statement: str, account: Account) -> str | None:
    """The rest of the statement after the account's name, in whichever way a server quotes it."""
    user, host = account.user, account.host
    for mark in "`'\"":
        twice = 2 * mark
        for shown_user, shown_host in (
            (user.replace(mark, twice), host.replace(mark, twice)),
            (_escaped(user), _escaped(host)),
            (user, host),
        ):
            _before, found, after = statement.partition(f" {mark}{shown_user}{mark}@{mark}{shown_host}{mark}")
            if found:
                return after
    return None
