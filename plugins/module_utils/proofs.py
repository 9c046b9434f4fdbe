# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New logins that prove the result."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import accounts
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.accounts import Account
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection import (
    ConnectionFailed,
    LoginRefused,
    Session,
    open_session,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection_options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.planning import EnforcementError, Login, Plan

TLS_LOGIN = "tls_login"
PLAIN_LOGIN = "plain_login"
PLAIN_REFUSED = "plain_refused"


@dataclass(frozen=True)
class Verification:
    """One thing that was to be proven. ``host`` is None where no login has told which account it is."""

    user: str
    host: str | None
    method: str
    verified: bool
    reason: str | None = None

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return dict(vars(self))


class Proofs:
    """Proves, one login after the other, and keeps what came of it in ``done``.

    :arg control: The session whose options each login uses, with the user and password of its own account.
    """

    def __init__(self, control: Session, plan: Plan) -> None:
        self._options = control.options
        self._offers_tls = control.greeting.offers_tls
        self._plan = plan
        self.done: list[Verification] = []

    @property
    def verified(self) -> bool:
        """Whether there are proofs, and all have succeeded."""
        return bool(self.done) and all(proof.verified for proof in self.done)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What could not be proven, as sentences."""
        return tuple(
            "Whether {} {} could not be proven: {}".format(
                proof.user if proof.host is None else f"{proof.user}@{proof.host}",
                "is refused without TLS" if proof.method == PLAIN_REFUSED else "gets in",
                proof.reason,
            )
            for proof in self.done
            if not proof.verified
        )

    def describe(self) -> list[dict[str, t.Any]]:
        """The return value's form."""
        return [proof.describe() for proof in self.done]

    def after_change(self, verify: t.Sequence[Login]) -> None:
        """Everybody here gets in with TLS and, where it was to be required, no longer without.

        :raises EnforcementError: when somebody does not, or still does.
        """
        for options in self._logins(verify):
            account = self._get_in(options)
            if account is not None and self._has_to_use_tls(account, options):
                self._stay_out(options, account)

    def without_change(self, control: Session, verify: t.Sequence[Login]) -> None:
        """The control session has proven already what it is; the others log in.

        :raises EnforcementError: when somebody does not get in.
        """
        mine = self._plan.login_account
        if control.encrypted:
            self._note(mine.user, mine.host, TLS_LOGIN)
        else:
            try:
                self._get_in(self._options)
            except EnforcementError as e:
                self.done[-1:] = [Verification(mine.user, mine.host, TLS_LOGIN, False, e.message)]
        for options in self._logins(verify)[1:]:
            self._get_in(options)

    def _logins(self, verify: t.Sequence[Login]) -> list[ConnectionOptions]:
        return [self._options] + [replace(self._options, user=login.user, password=login.password) for login in verify]

    def _note(self, user: str | None, host: str | None, method: str, reason: str | None = None) -> None:
        self.done.append(Verification(str(user), host, method, reason is None, reason))

    def _get_in(self, options: ConnectionOptions) -> Account | None:
        method = TLS_LOGIN if self._offers_tls else PLAIN_LOGIN
        try:
            with open_session(options.encrypted() if self._offers_tls else options) as session:
                account = accounts.current_account(session)
        except PasswordWithheld as e:
            self._note(options.user, None, method, e.message)
            if options is self._options:
                raise EnforcementError(self._locked_out(options, e.message)) from e
            return None
        except ConnectionFailed as e:
            self._note(options.user, None, method, e.message)
            raise EnforcementError(self._locked_out(options, e.message)) from e
        self._note(account.user, account.host, method)
        return account

    def _locked_out(self, options: ConnectionOptions, reason: str) -> str:
        how = "with TLS" if self._offers_tls else "any more"
        when = "After the change " if self._plan.writes else ""
        return f"{when}{options.user} cannot log in to {options.endpoint} {how}: {reason}"

    def _has_to_use_tls(self, account: Account, options: ConnectionOptions) -> bool:
        if self._plan.switches_on and options.unix_socket is None:
            return True
        after = {change.account: change.after for change in self._plan.changes}
        return any(
            state.account == account and after.get(account, state.requirement).ssl_type != "NONE"
            for state in self._plan.targets
        )

    def _stay_out(self, options: ConnectionOptions, account: Account) -> None:
        try:
            open_session(options.plaintext()).close()
        except LoginRefused:
            self._note(account.user, account.host, PLAIN_REFUSED)
        except PasswordWithheld:
            reason = "the server asks for the password itself on that connection, and it was not sent."
            self._note(account.user, account.host, PLAIN_REFUSED, reason)
        except ConnectionFailed as e:
            self._note(account.user, account.host, PLAIN_REFUSED, e.message)
        else:
            self._note(account.user, account.host, PLAIN_REFUSED, "it gets in")
            raise EnforcementError(f"After the change {account} still gets in without TLS.")
