# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stops the work before anything is written, because continuing could lock somebody out."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plaintext_sessions import (
    PlaintextSession,
    SessionCheck,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import EnforcementError, Request
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import ConnectionFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import require_server
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import NAME
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import names


def guard(control: Session, dialect: Dialect, plan: Plan, request: Request) -> None:
    """Stop before anything is written, where continuing could lock somebody out, or could not come to its end.

    :raises EnforcementError: naming the guard's reason.
    :raises AnotherServer: when a login that it tries leads elsewhere.
    """
    if not plan.writes:
        return
    endpoint = control.options.endpoint
    if plan.changes and dialect.read_only_variable:
        raise EnforcementError(
            f"{endpoint} is read-only ({dialect.read_only_variable} is on), as replicas are. Nothing was changed. "
            "Change the accounts on its source; they come here by replication."
        )
    if plan.switch and plan.switch.needed and dialect.managed_by:
        raise EnforcementError(
            f"{NAME} of {endpoint} cannot be set by a client. Nothing was changed. "
            f"{_rds.secure_transport_advice(dialect.managed_by, plan.switch.wanted)}"
        )
    if plan.enables_secure_transport or plan.tightens:
        guard_logins(control, dialect, plan, request)


def guard_logins(control: Session, dialect: Dialect, plan: Plan, request: Request) -> None:
    """Stop where somebody could not log in again once TLS is required.

    :raises EnforcementError: naming the guard's reason.
    :raises AnotherServer: when a login that it tries leads elsewhere.
    """
    endpoint = control.options.endpoint
    if not control.greeting.offers_tls:
        raise EnforcementError(
            f"{endpoint} does not offer TLS; accounts that require it could not log in. Nothing was changed. "
            "Set up TLS on the server first."
        )
    mine = plan.login_changes
    mine_tightens = mine is not None and mine.after.ssl_type != "NONE"
    if mine is not None:
        _guard_certificate(control, mine)
    if mine_tightens or plan.enables_secure_transport:
        _guard_login(control, dialect, plan)
    _guard_verified_logins(control, dialect, plan, request)
    _guard_sessions(control, plan, request)


def _guard_certificate(control: Session, mine: Change) -> None:
    if mine.after.ssl_type in ("X509", "SPECIFIED") and control.options.client_cert is None:
        raise EnforcementError(
            f"{mine.account}, the account of this login, would need a client certificate from now on, and client_cert "
            "is not set. Nothing was changed."
        )

    if mine.after.ssl_type == "SPECIFIED":
        _guard_names(control, mine)


def _guard_names(control: Session, mine: Change) -> None:
    """The proof afterwards would find it, too; but on a server that dies before the rollback nobody could log in."""
    path = str(control.options.client_cert)
    with open(path, "rb") as f:
        subject, issuer = names.names_as_required(f.read(), path)
    for part, wanted, present in (
        ("subject", mine.after.subject, subject),
        ("issuer", mine.after.issuer, issuer),
    ):
        if wanted and present is not None and wanted != present:
            raise EnforcementError(
                f"{mine.account}, the account of this login, would need a client certificate whose {part} is "
                f"{wanted!r} from now on, and that of client_cert is {present!r}, so that it would be locked out. "
                "Nothing was changed."
            )


def _guard_login(control: Session, dialect: Dialect, plan: Plan) -> None:
    options = control.options
    if control.encrypted:
        return
    if plan.enables_secure_transport and options.unix_socket is None:
        raise EnforcementError(
            f"This very session with {options.endpoint} does not use TLS, and with {NAME} it could not be had again. "
            "Nothing was changed. Set ca_cert, or ssl_mode to required, to connect with TLS."
        )
    try:
        with open_session(options.encrypted()) as session:
            require_server(session, dialect, plan.identity)
    except (ConnectionFailed, PasswordWithheld) as e:
        raise EnforcementError(
            f"{plan.login_account} is the account of this login, and it cannot log in with TLS now, so that it would "
            f"be locked out: {e.message} Nothing was changed."
        ) from e


def _guard_verified_logins(control: Session, dialect: Dialect, plan: Plan, request: Request) -> None:
    """A login that fails now cannot prove anything afterwards."""
    for login in request.verify:
        options = replace(control.options.encrypted(), user=login.user, password=login.password)
        try:
            with open_session(options) as session:
                require_server(session, dialect, plan.identity)
        except PasswordWithheld:
            continue  # The proof will say so.
        except ConnectionFailed as e:
            raise EnforcementError(
                f"verify: {login.user} cannot log in with TLS now, before any change: {e.message} Nothing was changed."
            ) from e


def _guard_sessions(control: Session, plan: Plan, request: Request) -> None:
    check = plan.session_check
    replicas = [session for session in check.sessions if session.replicates]
    if request.plaintext_sessions in ("fail", "kill") and check.obstacle and (check.blind or check.sessions):
        _refuse_unknown_sessions(check, request, bool(replicas))
    if request.plaintext_sessions in ("fail", "kill") and check.unseen:
        raise EnforcementError(
            f"{' '.join(check.unseen)} Clients that are connected there without TLS would be unable to reconnect. "
            "Nothing was changed. Name these servers in members, or make sure that all clients use TLS and set "
            "plaintext_sessions to warn."
        )
    if request.plaintext_sessions in ("fail", "kill") and check.joining:
        raise EnforcementError(f"{' '.join(check.joining)} Or set plaintext_sessions to warn. Nothing was changed.")
    elsewhere = [session for session in check.sessions if session.server]
    if request.plaintext_sessions == "kill" and elsewhere:
        raise EnforcementError(
            f"Clients are connected without TLS to other members of the cluster, where kill does not end them: "
            f"{list_sessions(elsewhere)}. Nothing was changed. Let them connect with TLS first."
        )
    if request.plaintext_sessions == "kill" and replicas:
        raise EnforcementError(
            f"Replicas of {control.options.endpoint} read its binary log without TLS and would be unable to reconnect: "
            f"{list_sessions(replicas)}. Nothing was changed, and no session was ended: replication would stop at "
            f"its next reconnect. {_REPLICAS}"
        )
    if request.plaintext_sessions == "fail" and check.sessions:
        raise EnforcementError(
            f"Clients are connected to {control.options.endpoint} without TLS and would be unable to reconnect: "
            f"{list_sessions(check.sessions)}. Nothing was changed. Let them connect with TLS first, or set "
            f"plaintext_sessions to warn, allow or kill.{' ' + _REPLICAS if replicas else ''}"
        )


def _refuse_unknown_sessions(check: SessionCheck, request: Request, replicates: bool) -> None:
    """A guard that cannot see does not let anybody through."""
    connected = f" These clients are connected: {list_sessions(check.sessions)}." if check.sessions else ""
    kill = ", which plaintext_sessions=kill needs" if request.plaintext_sessions == "kill" else ""
    raise EnforcementError(
        f"{check.obstacle}{kill}, so clients without TLS could be locked out.{connected} Nothing was changed. "
        f"{check.remedy} or make sure that all of them use TLS and set plaintext_sessions to warn."
        f"{' ' + _REPLICAS if replicates else ''}"
    )


_MOST_NAMED = 10
_REPLICAS = (
    "Make replication use TLS first, on the replica: CHANGE REPLICATION SOURCE TO SOURCE_SSL = 1 (CHANGE MASTER TO "
    "MASTER_SSL = 1 on MariaDB and before MySQL 8.0.23)."
)


def session_warnings(plan: Plan, request: Request) -> tuple[str, ...]:
    """What to say of clients that would be unable to reconnect, where they do not stop the work."""
    check = plan.session_check
    warnings = []
    # What is held back comes here by itself, and no guard of this server is asked then.
    warns = request.plaintext_sessions == "warn" or (plan.held_back and request.plaintext_sessions != "allow")
    if warns and check.obstacle:
        connected = f" These clients are connected: {list_sessions(check.sessions)}." if check.sessions else ""
        warnings.append(f"{check.obstacle}; plaintext clients could not be detected.{connected}")
    elif warns and check.sessions:
        listed = list_sessions(check.sessions)
        warnings.append(f"Clients that are connected without TLS will be unable to reconnect: {listed}.")
    if request.plaintext_sessions == "warn" and check.unseen:
        warnings.append(
            f"{' '.join(check.unseen)} Clients that are connected there without TLS will be unable to reconnect."
        )
    if warns and check.joining:
        warnings += check.joining
    if check.encrypted and request.plaintext_sessions != "allow":
        warnings.append(
            "Servers do not show which clients have a certificate. Clients that are connected with TLS will be unable "
            f"to reconnect without the one that is required: {list_sessions(check.encrypted)}."
        )
    replicas = [session for session in check.sessions if session.replicates]
    if request.plaintext_sessions == "allow" and replicas:
        how = ", perhaps without TLS," if check.obstacle else " without TLS"
        warnings.append(
            f"Replicas that read the binary log{how} will be unable to reconnect: {list_sessions(replicas)}."
        )
        warnings.append(_REPLICAS)
    return tuple(warnings)


def list_sessions(sessions: t.Sequence[PlaintextSession]) -> str:
    """The first of them for a message, and how many more."""
    rest = len(sessions) - _MOST_NAMED
    return ", ".join(str(session) for session in sessions[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
