# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements that change requirements, several accounts in each."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import GRANT_TABLES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    Requirement,
    where_accounts,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.requirements import require_statement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

FLUSH_PRIVILEGES = "FLUSH PRIVILEGES"
# GRANT on an account that somebody has dropped meanwhile would create it, without a password.
NEVER_CREATE = "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_CREATE_USER')"

# A statement about more accounts is no faster (make bench-require), and longer to read and to put back.
_ACCOUNTS_PER_STATEMENT = 100
# The smallest max_allowed_packet that a server takes is 1024 bytes; a packet also holds more than the text.
_PACKET_HEADROOM = 512
_SMALLEST_PACKET = 1024


@dataclass(frozen=True)
class Change:
    """One account's requirement, before and after.

    ``in_table``: what the table of accounts has, where that is not flushed and the server goes by ``before``.
    ``only_table``: the server goes by ``after`` already, which the table has lost; so there is nothing to roll back.
    """

    account: Account
    before: Requirement
    after: Requirement
    in_table: Requirement | None = None
    only_table: bool = False

    @property
    def expected(self) -> Requirement:
        """What the table has until this is written."""
        return self.in_table or self.before

    @property
    def needs_certificate(self) -> bool:
        """Whether its clients need a certificate from now on, or another one."""
        return self.after.ssl_type in ("X509", "SPECIFIED")

    @property
    def needs_escaping(self) -> bool:
        """Whether a text of one of its requirements has a character that ends a string, or escapes one."""
        texts = [text for r in (self.before, self.after) for text in (r.cipher, r.issuer, r.subject)]
        return any(mark in text for text in texts for mark in "'\\")

    def reversed(self) -> Change:
        """The change that undoes this one."""
        return Change(self.account, before=self.after, after=self.before)


@dataclass(frozen=True)
class Statement:
    """A statement, its parameters, and the changes that it makes: of accounts, or of the server-wide switch."""

    text: str
    arguments: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    changes_secure_transport: bool = False

    def run(self, session: Session, nonce: str) -> None:
        """Execute it. The nonce is in a comment, by which the server's process list shows whose it is."""
        session.query(f"{self.text} /* {nonce} */", self.arguments)

    def shown(self, session: Session) -> str:
        """As it is sent, but for the comment. Requirements and names only: no statement here has a secret in it."""
        return session.mogrify(self.text, self.arguments)


def make_statements(method: str, changes: t.Sequence[Change], dialect: Dialect) -> list[Statement]:
    """The statements for these changes, several accounts in each where they are to get the same requirement."""
    by_requirement: dict[Requirement, list[Change]] = {}
    for change in changes:
        by_requirement.setdefault(change.after, []).append(change)
    return [
        _update(chunk) if method == GRANT_TABLES else _require(chunk, dialect)
        for same in by_requirement.values()
        for chunk in _chunks(same, dialect)
    ]


def _chunks(changes: t.Sequence[Change], dialect: Dialect) -> t.Iterator[tuple[Change, ...]]:
    """Groups whose statement surely fits into a packet, even with every byte escaped."""
    wanted = changes[0].after
    room = max(_SMALLEST_PACKET, dialect.max_allowed_packet) - _PACKET_HEADROOM
    room -= 2 * (_bytes(wanted.cipher) + _bytes(wanted.issuer) + _bytes(wanted.subject))
    chunk: list[Change] = []
    size = 0
    for change in changes:
        # Quotes, "@", separators, and in an UPDATE "(User = '' AND Host = '') OR ".
        needs = 2 * (_bytes(change.account.user) + _bytes(change.account.host)) + 32
        if chunk and (size + needs > room or len(chunk) == _ACCOUNTS_PER_STATEMENT):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(change)
        size += needs
    yield tuple(chunk)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _update(changes: tuple[Change, ...]) -> Statement:
    wanted = changes[0].after
    ssl_type = "" if wanted.ssl_type == "NONE" else wanted.ssl_type
    where, names = where_accounts([change.account for change in changes])
    return Statement(
        "UPDATE mysql.user SET ssl_type = %s, ssl_cipher = %s, x509_issuer = %s, x509_subject = %s WHERE " + where,
        (ssl_type, wanted.cipher, wanted.issuer, wanted.subject, *names),
        changes,
    )


def _require(changes: tuple[Change, ...], dialect: Dialect) -> Statement:
    targets = [change.account for change in changes]
    return Statement(require_statement(targets, changes[0].after, dialect), (), changes)
