# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of other servers that have the same accounts, and could not log in there again."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plaintext_sessions import (
    SessionCheck,
    WhoHasToUseTls,
    find_plaintext_sessions,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import Request
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.cluster import find_members, own_keys
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import read_identity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

_HARMLESS = re.compile(r"[^\s'\"{}@=]{0,255}")
_ENDPOINT = re.compile(r"(?:\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:@\[\]/]+))(?::(?P<port>[0-9]{1,5}))?\Z")


def parse_member(text: str) -> tuple[str, int | None]:
    """Host and port of ``host``, ``host:port``, ``[address]`` or ``[address]:port``.

    :raises OptionError: for anything else.
    """
    match = _ENDPOINT.match(text)
    if match is None:
        # A dictionary with a password, or user:password@host, is not repeated.
        shown = repr(text) if _HARMLESS.fullmatch(text) else "an element"
        raise OptionError(f"members: {shown} is not a host, or host:port.")
    return match.group("address") or match.group("host"), int(match.group("port")) if match.group("port") else None


def with_members(
    control: Session, dialect: Dialect, who: WhoHasToUseTls, request: Request, check: SessionCheck
) -> SessionCheck:
    """The same check, with the clients of other members of the cluster.

    :raises OptionError: for a member that is not an endpoint.
    """
    endpoints = [parse_member(text) for text in request.members]
    accounts = replace(who, everybody=False)
    if not accounts:
        return check
    mine = read_identity(control, dialect)
    checked: set[str] = set()
    unseen: list[str] = []
    for host, port in endpoints:
        options = replace(control.options.encrypted(), host=host, port=port or control.options.port, unix_socket=None)
        try:
            with open_session(options) as session:
                its_dialect = discover(session)
                identity = read_identity(session, its_dialect)
                if identity == mine:
                    continue
                checked |= own_keys(session, its_dialect)
                counted = request.readiness.counted_on(identity.data)
                its = find_plaintext_sessions(session, its_dialect, accounts, counted)
        except RdsMysqlError as e:
            unseen.append(f"The sessions of {options.endpoint} could not be checked: {e.message}")
            continue
        found, encrypted = (
            tuple(replace(session, server=options.endpoint) for session in sessions)
            for sessions in (its.sessions, its.encrypted)
        )
        check = replace(check, sessions=check.sessions + found, encrypted=check.encrypted + encrypted)
        if its.obstacle and (its.blind or found):
            unseen.append(f"{its.obstacle}. {its.remedy.rstrip(',')}.")
    return replace(check, unseen=(*unseen, *_not_named(control, dialect, checked)))


def _not_named(control: Session, dialect: Dialect, checked: t.Collection[str]) -> tuple[str, ...]:
    endpoint = control.options.endpoint
    try:
        others = [member.name for member in find_members(control, dialect) if member.key not in checked]
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return (f"Somebody reads the binary log of {endpoint}, and whether these are replicas could not be seen: {e}.",)
    if not others:
        return ()
    return (f"The accounts of {endpoint} are also those of {', '.join(others)}, whose sessions were not checked.",)
