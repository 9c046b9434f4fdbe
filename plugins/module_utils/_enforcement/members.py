# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of other servers that have the same accounts, and could not log in there again."""

from __future__ import annotations

import re
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.joining import joining_without_tls
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plaintext_sessions import (
    SessionCheck,
    WhoHasToUseTls,
    find_plaintext_sessions,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import Request
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import current_account, quote_account
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.cluster import (
    SERVER_IDS,
    Member,
    find_members,
    own_keys,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity, read_identity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.replication import read_role
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

_HARMLESS = re.compile(r"[^\s'\"{}@=]{0,255}")
_ENDPOINT = re.compile(r"(?:\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:@\[\]/]+))(?::(?P<port>[0-9]{1,5}))?\Z")


def parse_member(text: str) -> tuple[str, int | None]:
    """Host and port of ``host``, ``host:port``, ``[address]`` or ``[address]:port``.

    :raises OptionError: for anything else.
    """
    match = _ENDPOINT.match(text.strip())
    if match is None:
        # A dictionary with a password, or user:password@host, is not repeated.
        shown = repr(text) if _HARMLESS.fullmatch(text) else "an element"
        raise OptionError(f"members: {shown} is not a host, or host:port.")
    return match.group("address") or match.group("host"), int(match.group("port")) if match.group("port") else None


def with_members(
    control: Session, dialect: Dialect, who: WhoHasToUseTls, request: Request, check: SessionCheck
) -> SessionCheck:
    """The same check, with the clients of other members of the cluster, and with what members are to each other.

    :raises OptionError: for a member that is not an endpoint.
    """
    endpoints = [parse_member(text) for text in request.members]
    check = replace(check, joining=joining_without_tls(control, dialect, who))
    accounts = replace(who, everybody=False)
    if not accounts:
        return check
    found = _Cluster(control, dialect)
    for host, port in endpoints:
        options = replace(control.options.encrypted(), host=host, port=port or control.options.port, unix_socket=None)
        try:
            with open_session(options) as session:
                its_dialect = discover(session)
                identity = found.add(session, its_dialect)
                if identity is None:
                    continue
                counted = request.readiness.counted_on(identity.data)
                its = find_plaintext_sessions(session, its_dialect, accounts, counted)
                joining = joining_without_tls(session, its_dialect, accounts)
        except RdsMysqlError as e:
            found.unseen.append(f"The sessions of {options.endpoint} could not be checked: {e.message}")
            continue
        sessions, encrypted = (
            tuple(replace(session, server=options.endpoint) for session in sessions)
            for sessions in (its.sessions, its.encrypted)
        )
        check = replace(
            check,
            sessions=check.sessions + sessions,
            encrypted=check.encrypted + encrypted,
            joining=check.joining + joining,
        )
        if its.obstacle and (its.blind or sessions):
            found.unseen.append(f"{its.obstacle}. {its.remedy.rstrip(',')}.")
    return replace(check, unseen=(*found.unseen, *found.not_checked()), members=found.others())


class _Cluster:
    """The servers that have the accounts of one, as far as they know of each other: a replica has replicas, too."""

    def __init__(self, control: Session, dialect: Dialect) -> None:
        self._members: dict[str, Member] = {}
        self.unseen: list[str] = []
        self._endpoint = control.options.endpoint
        self._mine = read_identity(control, dialect)
        self._own = own_keys(control, dialect, read_role(control, dialect), self._mine)
        self._checked = set(self._own)
        self._blind: list[str] = []
        self._find(control, dialect)

    def add(self, session: Session, dialect: Dialect) -> ServerIdentity | None:
        """Another server, by its identity; None where it is the one itself."""
        identity = read_identity(session, dialect)
        if identity == self._mine:
            return None
        role = read_role(session, dialect)
        self._checked |= own_keys(session, dialect, role, identity)
        if role.unseen and dialect.is_mariadb:
            login = quote_account(current_account(session), dialect)
            grant = f"GRANT {dialect.replica_status_privilege} ON *.* TO {login}"
            self._blind.append(f"Whether {session.options.endpoint} is a replica could not be seen: {grant}.")
        self._find(session, dialect)
        return identity

    def others(self) -> tuple[Member, ...]:
        """Everybody but the server itself."""
        return tuple(member for member in self._members.values() if member.key not in self._own)

    def not_checked(self) -> tuple[str, ...]:
        """Sentences about who is known and was not checked."""
        others = [member for member in self._members.values() if member.key not in self._checked]
        if not others:
            return ()
        blind = self._blind if any(member.key.startswith(SERVER_IDS) for member in others) else ()
        names = ", ".join(member.name for member in others)
        told = f"The accounts of {self._endpoint} are also those of {names}, whose sessions were not checked."
        return (told, *blind)

    def _find(self, session: Session, dialect: Dialect) -> None:
        try:
            self._members.update((member.key, member) for member in find_members(session, dialect))
        except QueryFailed as e:
            if e.connection_lost:
                raise
            self.unseen.append(f"Which other servers have the accounts of {session.options.endpoint} is unknown: {e}.")
