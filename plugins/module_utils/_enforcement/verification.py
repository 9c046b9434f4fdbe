# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof of the result: fresh sessions that log in with TLS, and read what the server goes by.

No login is tried without TLS to see it refused. Somebody on the path could let TLS pass, wait for that one login, and
answer the real server's challenge with its answer: a session of this account, and a forged refusal for us.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import EnforcementError, Login
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountsNotReadable,
    login_account,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import ConnectionFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import require_server
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import has_in_memory
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

TLS_LOGIN = "tls_login"
PLAIN_LOGIN = "plain_login"
REQUIREMENT_IN_MEMORY = "requirement_in_memory"
VARIABLE_IN_MEMORY = "variable_in_memory"


@dataclass(frozen=True)
class Verification:
    """One thing that had to be proven.

    ``host`` is None where no login has told which account it is, and ``user`` too where it is not an account's.
    ``server_verified`` is whether the session that showed it was one with a server that is known to be the right one.
    """

    user: str | None
    host: str | None
    method: str
    verified: bool
    server_verified: bool
    reason: str | None = None

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return dict(vars(self))

    @property
    def doubt(self) -> str:
        """What could not be proven, as a sentence."""
        name = self.user if self.host is None else f"{self.user}@{self.host}"
        what = "has its requirement in the server's memory" if self.method == REQUIREMENT_IN_MEMORY else "can log in"
        return f"Whether {name} {what} could not be proven: {self.reason}"


class ChangeVerifier:
    """Proves one thing after the other, and keeps what came of it in ``done``.

    :arg control: The session whose options each login uses, with the user and password of its own account.
    """

    def __init__(self, control: Session, dialect: Dialect, plan: Plan) -> None:
        self._options = control.options
        self._dialect = dialect
        self._offers_tls = control.greeting.offers_tls
        self._plan = plan
        self.done: list[Verification] = []

    @property
    def verified(self) -> bool:
        """Whether there are proofs, and all have succeeded."""
        return bool(self.done) and all(proof.verified for proof in self.done)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What could not be proven, and what the proofs are worth, as sentences."""
        doubts = [proof.doubt for proof in self.done if not proof.verified]
        if len(doubts) > _MOST_DOUBTS:
            doubts[_MOST_DOUBTS:] = [f"{len(doubts) - _MOST_DOUBTS} more could not be proven; see verification."]
        if any(proof.verified and not proof.server_verified for proof in self.done):
            doubts.append(
                f"The certificate of {self._options.endpoint} was not verified, so this result is only worth "
                "something if nobody on the network answered in the server's place. Set ca_cert to verify it."
            )
        return tuple(doubts)

    def describe(self) -> list[dict[str, t.Any]]:
        """The return value's form."""
        return [proof.describe() for proof in self.done]

    def after_change(self, verify: t.Sequence[Login]) -> None:
        """The login account can log in with TLS and finds every change in the server's memory; so can the others.

        :raises EnforcementError: when one of them cannot, or the server goes by something else.
        """
        self._log_in(self._options, self._read_memory)
        for options in self._logins(verify):
            self._log_in(options)

    def without_change(self, control: Session, verify: t.Sequence[Login]) -> None:
        """The control session has proven already what it is; the others log in.

        :raises EnforcementError: when one cannot.
        """
        mine = self._plan.login_account
        if control.encrypted:
            self._note(control, mine, TLS_LOGIN)
        else:
            try:
                self._log_in(self._options)
            except EnforcementError as e:
                self.done[-1:] = [Verification(mine.user, mine.host, TLS_LOGIN, False, False, e.message)]
        for options in self._logins(verify):
            self._log_in(options)

    def _logins(self, verify: t.Sequence[Login]) -> list[ConnectionOptions]:
        return [replace(self._options, user=login.user, password=login.password) for login in verify]

    def _note(self, session: Session, account: Account | None, method: str, reason: str | None = None) -> None:
        user, host = (account.user, account.host) if account else (None, None)
        self.done.append(Verification(user, host, method, reason is None, server_is_known(session), reason))

    def _log_in(self, options: ConnectionOptions, then: t.Callable[[Session], None] | None = None) -> None:
        """A fresh session proves its login, and ``then`` reads in it."""
        method = TLS_LOGIN if self._offers_tls else PLAIN_LOGIN
        try:
            session = open_session(options.encrypted() if self._offers_tls else options)
        except (ConnectionFailed, PasswordWithheld) as e:
            self.done.append(Verification(options.user, None, method, False, False, e.message))
            # A password that was held back says nothing about the account; of the login itself nothing else is known.
            if isinstance(e, PasswordWithheld) and options is not self._options:
                return
            raise EnforcementError(self._locked_out(options, e.message)) from e
        with session:
            require_server(session, self._dialect, self._plan.identity)
            self._note(session, login_account(session, self._dialect), method)
            if then:
                then(session)
                require_server(session, self._dialect, self._plan.identity)

    def _locked_out(self, options: ConnectionOptions, reason: str) -> str:
        how = "with TLS" if self._offers_tls else "any more"
        when = "After the change " if self._plan.writes else ""
        return f"{when}{options.user} cannot log in to {options.endpoint} {how}: {reason}"

    def _read_memory(self, session: Session) -> None:
        if self._plan.switch and self._plan.changes_secure_transport:
            switch = secure_transport.read_switch(session, self._dialect)
            if switch != self._plan.switch.after:
                raise EnforcementError(f"{secure_transport.NAME} was set, and is not what it was set to.")
            self._note(session, None, VARIABLE_IN_MEMORY)
        for change in self._plan.changes:
            self._read_requirement(session, change)

    def _read_requirement(self, session: Session, change: Change) -> None:
        try:
            found = has_in_memory(session, self._dialect, change.account, change.after)
        except AccountsNotReadable as e:
            self._note(session, change.account, REQUIREMENT_IN_MEMORY, e.message)
            return
        reason = None if found else f"the server still goes by another requirement than {change.after.describe()}"
        self._note(session, change.account, REQUIREMENT_IN_MEMORY, reason)
        if reason:
            raise EnforcementError(f"After the change of {change.account} {reason}.")


def server_is_known(session: Session) -> bool:
    """Whether nobody can have answered in the server's place: its certificate was verified, or it is this machine."""
    return session.verified or session.options.unix_socket is not None


# A server without the privilege to read it doubts each account of thousands alike.
_MOST_DOUBTS = 3
