# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that are made when a member joins its cluster, and that no list of sessions shows before.

A member of a replication group that comes back gets what it has missed from another one ("Distributed Recovery", MySQL
Reference Manual), on MySQL 8 by default without TLS. A Galera node gets all data from another one, where a program logs
in ("State Snapshot Transfers", MariaDB Documentation). Where that is refused, the member stays outside.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plaintext_sessions import WhoHasToUseTls
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, text_of
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, is_on
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

_MOST_NAMED = 10


def joining_without_tls(session: Session, dialect: Dialect, who: WhoHasToUseTls) -> tuple[str, ...]:
    """What would be refused from now on, and what to do about it.

    Which account is used is not visible, so that each counts that has the privilege for it.

    :raises QueryFailed: when the server does not answer.
    """
    if not who:
        return ()
    return (*_of_a_group(session, dialect, who), *_of_galera(session, dialect, who))


def _of_a_group(session: Session, dialect: Dialect, who: WhoHasToUseTls) -> t.Iterator[str]:
    if not dialect.variables.get("group_replication_group_name"):
        return
    values = _variables(
        session,
        *("group_replication_recovery_use_ssl", "group_replication_communication_stack", "group_replication_ssl_mode"),
    )
    settings = []
    if not is_on(values.get("group_replication_recovery_use_ssl")):
        settings.append("group_replication_recovery_use_ssl=ON")
    # Members then also talk to each other over logins as that account.
    if (
        values.get("group_replication_communication_stack") == "MYSQL"
        and values.get("group_replication_ssl_mode") == "DISABLED"
    ):
        settings.append("group_replication_ssl_mode=REQUIRED")
    if not settings:
        return
    able = [account for account in _with(session, "Repl_slave_priv") if not account.local]
    found = [account for account in able if who.everybody or account in who.accounts]
    if found:
        yield (
            f"{session.options.endpoint} joins its replication group without TLS, perhaps as {_listed(found)}, and "
            f"would be unable to join again. Set {' and '.join(settings)} on every member, and restart Group "
            "Replication there."
        )


def _of_galera(session: Session, dialect: Dialect, who: WhoHasToUseTls) -> t.Iterator[str]:
    if not is_on(dialect.variables.get("wsrep_on")):
        return
    values = _variables(session, "wsrep_sst_auth", "wsrep_sst_method")
    method = values.get("wsrep_sst_method", "")
    if not values.get("wsrep_sst_auth") or method.startswith("rsync"):
        return
    # Over the Unix socket, where the server-wide switch does not count.
    found = [account for account in _with(session, "Reload_priv") if account.local and account in who.accounts]
    if found:
        yield (
            f"wsrep_sst_method={method} of {session.options.endpoint} logs in without TLS, perhaps as "
            f"{_listed(found)}, and nodes would be unable to join. Leave that account out."
        )


def _variables(session: Session, *names: str) -> dict[str, str]:
    wanted = ", ".join(f"'{name}'" for name in names)
    rows = session.query(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({wanted})")
    return {str(name).lower(): str(value) for name, value in rows}


def _with(session: Session, privilege: str) -> list[Account]:
    rows = session.query(f"SELECT User, Host FROM mysql.user WHERE {privilege} = 'Y' ORDER BY User, Host")
    return [Account(text_of(user), text_of(host)) for user, host in rows]


def _listed(accounts: t.Sequence[Account]) -> str:
    rest = len(accounts) - _MOST_NAMED
    return ", ".join(map(str, accounts[:_MOST_NAMED])) + (f" or {rest} more" if rest > 0 else "")
