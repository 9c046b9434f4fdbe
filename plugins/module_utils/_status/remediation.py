# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about findings: first what the collection does by itself, then statements for those who do it by hand."""

from __future__ import annotations

import json
import shlex
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import has_template
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    Requirement,
    quote_account,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, is_on
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import Unflushed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.requirements import require_statement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Command, Todo
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerStatus

OFFER_TLS = (
    "Set ssl_ca, ssl_cert and ssl_key under [mysqld] in the server's option file, remove skip_ssl and an empty "
    "tls_version, and restart the server."
)
LEAVE_ALONE = "Leave it as it is: it belongs to the server or to AWS."
ACCESS_CONTROL_ON = (
    "Remove skip_grant_tables from the server's option file and command line, and restart it. FLUSH PRIVILEGES ends it "
    "at once, also for this login. Until then anybody may have changed accounts: read them again."
)
FLUSH: Todo = (
    "Apply every pending change of the tables, after checking those that others have left there.",
    "By hand:",
    Command("FLUSH PRIVILEGES;"),
)
_SAFE_CIPHERS = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:"
_SAFE_CIPHERS += "ECDHE-RSA-AES128-GCM-SHA256"


def task(module: str, **options: t.Any) -> Command:
    """A task as people paste it into a playbook; JSON is YAML too, and quotes whatever needs it."""
    return Command(f"dbtls.rds_mysql.{module}: {json.dumps(options, ensure_ascii=False)}")


def playbook(name: str, **variables: t.Any) -> Command:
    """A playbook's command line, for a shell."""
    extra = shlex.quote(json.dumps(variables, ensure_ascii=False))
    return Command(f"ansible-playbook -i INVENTORY dbtls.rds_mysql.{name} --limit HOST -e {extra}")


def _require_by_playbook(user: str, host: str) -> tuple[Command, ...]:
    """Empty for a user that would be a pattern or a template there.

    :arg host: A pattern.
    """
    account = f"{user}@{host}"
    if "*" in user or has_template(account):
        return ()
    return (playbook("enforce", mysql_tls_accounts=[account]),)


def _by_hand(statements: str) -> tuple[str, ...]:
    return "By hand:", Command(statements)


def without_weak_protocols(status: ServerStatus) -> Todo:
    """How to stop accepting obsolete TLS versions."""
    dialect = status.dialect
    if dialect is not None and dialect.tls_versions is None:
        return f"Upgrade the server: {dialect.version} has no setting for its TLS versions."
    # With a version that it does not know an old server starts without TLS.
    known = [version for version in ("TLSv1.2", "TLSv1.3") if version in status.tls_versions]
    value = ",".join(known) or "TLSv1.2"
    if dialect is not None and status.options.unix_socket is None and dialect.is_admin_port(status.options.port):
        return _set_variable(status, "admin_tls_version", f"'{value}'", value, " FOR CHANNEL mysql_admin")
    return _set_variable(status, "tls_version", f"'{value}'", value, "")


def forward_secrecy(status: ServerStatus) -> Todo:
    """How to have a server choose better ciphers."""
    dialect = status.dialect
    if dialect is not None and dialect.tls_versions is None:
        return f"Upgrade the server: {dialect.version} knows no better cipher."
    if dialect is not None and dialect.managed_by:
        return _parameter(dialect.managed_by, "ssl_cipher", _SAFE_CIPHERS)
    return f"Set ssl_cipher={_SAFE_CIPHERS} under [mysqld] in the server's option file, and restart the server."


def require_transport(status: ServerStatus) -> Todo:
    """How to require TLS server-wide."""
    by_itself = _set_variable(status, "require_secure_transport", "ON", "ON")
    if status.managed_by is not None:
        return by_itself
    clients = sum(session.plaintext for session in status.sessions or ())
    first = (_could_not_reconnect(clients),) if clients else ()
    return *first, playbook("enforce", mysql_tls_require_secure_transport=True), *by_itself


def _set_variable(
    status: ServerStatus, name: str, literal: str, plain: str, channel: str | None = None
) -> tuple[str, ...]:
    """How to set a server variable for good.

    :arg literal: The value in a statement.
    :arg plain: The value in an option file or a parameter group.
    :arg channel: What follows RELOAD TLS, None for a variable that has nothing to do with that.
    """
    dialect = status.dialect
    if dialect is not None and dialect.managed_by:
        return _parameter(dialect.managed_by, name, plain)
    option_file = f"{name}={plain} under [mysqld] in the server's option file"
    if dialect is None or (channel is not None and not dialect.has_reload_tls):
        return (f"Set {option_file}, and restart the server.",)
    statement = f"SET {'PERSIST' if dialect.has_persist else 'GLOBAL'} {name} = {literal};"
    if channel is not None:
        statement = f"{statement} ALTER INSTANCE RELOAD TLS{channel};"
    keep = () if dialect.has_persist else (f"To keep it after a restart, also set {option_file}.",)
    return *_by_hand(statement), *keep


def drop(dialect: Dialect, account: Account) -> Todo:
    """How to remove an account."""
    if dialect.read_only_variable:
        return _on_its_source(dialect)
    return "First make sure that nobody uses it.", *_by_hand(f"DROP USER {quote_account(account, dialect)};")


def require_ssl(
    status: ServerStatus, dialect: Dialect, account: Account, users: t.Collection[str], *, by_playbook: bool = True
) -> Todo:
    """How to require TLS for an account.

    :arg users: Whose clients it concerns.
    :arg by_playbook: Whether that can do it: it changes no role.
    """
    return _require(status, dialect, account, Requirement("ANY"), users, by_playbook)


def require_again(status: ServerStatus, dialect: Dialect, account: Account, requirement: Requirement) -> Todo:
    """How to have a requirement both in force and in the table, where it is in one of them."""
    return _require(status, dialect, account, requirement, (account.user,))


def _require(
    status: ServerStatus,
    dialect: Dialect,
    account: Account,
    requirement: Requirement,
    users: t.Collection[str],
    by_playbook: bool = True,
) -> Todo:
    if dialect.read_only_variable:
        return _on_its_source(dialect)
    by_hand = _by_hand(f"{require_statement([account], requirement, dialect)};")
    first = _require_by_playbook(account.user, account.host) if by_playbook and requirement.ssl_type == "ANY" else ()
    return *_caution(status, users), *first, *by_hand


def _on_its_source(dialect: Dialect) -> str:
    return (
        f"This server is read-only ({dialect.read_only_variable} is on). Change the account on the server that it "
        "replicates from; the change comes here by replication."
    )


def _caution(status: ServerStatus, users: t.Collection[str]) -> tuple[str, ...]:
    """What has to be done first, where clients are connected without TLS."""
    if status.sessions is None:
        return ("First make sure that its clients use TLS, which this check could not see.",)
    # Which account a session has is not told; over a Unix socket the requirement counts as well.
    clients = sum(session.user in users and not session.encrypted for session in status.sessions)
    return (_could_not_reconnect(clients),) if clients else ()


def _could_not_reconnect(clients: int) -> str:
    what = "1 session is connected" if clients == 1 else f"{clients} sessions are connected"
    return f"First let its clients use TLS: {what} without, and could not be made again."


def encrypt_session(user: str, host: str) -> Todo:
    """What to do about a client without TLS."""
    then = _require_by_playbook(user, "*") or ("run dbtls.rds_mysql.enforce for its account.",)
    return f"Enable TLS in the client at {host} and reconnect it. Then require TLS:", *then


def encrypt_proxied(host: str) -> str:
    """The same, where a proxy hides it from the server."""
    return (
        f"Enable TLS in the client at {host} and reconnect it. Then set the proxy to require TLS for its clients; "
        "REQUIRE SSL for the account does not refuse them, because the proxy itself uses TLS."
    )


def require_at_proxy(status: ServerStatus) -> Todo:
    """How to set a proxy to require TLS for its clients."""
    endpoint = _rds.parse_endpoint(status.options.host)
    if endpoint is not None and endpoint.proxy is not None:
        command = f"aws rds modify-db-proxy --region {endpoint.region} --db-proxy-name {endpoint.proxy} --require-tls"
        return Command(command), "(clients without TLS are refused from then on)"
    return (
        "Set the proxy to require TLS for its clients. MySQL Router: client_ssl_mode=REQUIRED, or PASSTHROUGH, so "
        "that the server's requirements reach the clients. ProxySQL: mysql_users.use_ssl=1 for each user. MaxScale: "
        "ssl=true for the listener. RDS Proxy: --require-tls. Then run the check against the server itself."
    )


def show_sessions(dialect: Dialect, account: Account) -> Todo:
    """The statement that lets an account see how sessions are connected."""
    return _by_hand(f"GRANT SELECT ON performance_schema.threads TO {quote_account(account, dialect)};")


def show_all_sessions(dialect: Dialect, account: Account) -> Todo:
    """The statement that lets an account see the sessions of all others in the process list."""
    return _by_hand(f"GRANT PROCESS ON *.* TO {quote_account(account, dialect)};")


def show_proxies(dialect: Dialect, account: Account) -> Todo:
    """The statement that lets an account see what proxies tell of their clients."""
    return _by_hand(f"GRANT SELECT ON performance_schema.session_connect_attrs TO {quote_account(account, dialect)};")


def see_accounts(dialect: Dialect, account: Account) -> Todo:
    """The statement that lets an account read all others, and what the server has in memory of them."""
    return _by_hand(f"GRANT SELECT ON mysql.* TO {quote_account(account, dialect)};")


def see_replication(dialect: Dialect, account: Account) -> Todo:
    """The statement that lets an account see which source the server follows."""
    return _by_hand(f"GRANT {dialect.replica_status_privilege} ON *.* TO {quote_account(account, dialect)};")


def see_proxy_grants(dialect: Dialect, account: Account) -> Todo:
    """The statement that lets an account see who acts as another one."""
    return _by_hand(f"GRANT SELECT ON mysql.proxies_priv TO {quote_account(account, dialect)};")


def see_memory(status: ServerStatus, dialect: Dialect, memory: Unflushed) -> Todo:
    """What lets an account see what the server goes by."""
    if memory.remedy or status.account is None:
        return memory.remedy
    return see_accounts(dialect, status.account)


def performance_schema_on(dialect: Dialect) -> Todo:
    """How to switch it on; it is not dynamic. What can be had without a restart follows."""
    todo: tuple[str, ...] = (
        "Set performance_schema=ON under [mysqld] in the server's option file, and restart the server.",
    )
    if dialect.managed_by:
        todo = _parameter(dialect.managed_by, "performance_schema", "1")
    return *todo, *_count_logins(dialect)


def _count_logins(dialect: Dialect) -> tuple[str, ...]:
    """How to have each user's logins with and without TLS counted; nothing where that is not possible, or is on."""
    if not dialect.has_user_statistics or is_on(dialect.variables["userstat"]):
        return ()
    how = "SET GLOBAL userstat = ON; and, to keep it, userstat=ON under [mysqld]"
    if dialect.managed_by:
        how = "set userstat to 1 in the same parameter group (ApplyMethod=immediate)"
    return (f"Without a restart, it can count logins with and without TLS for the playbook watch: {how}.",)


def _parameter(managed_by: str, parameter: str, value: str) -> tuple[str, ...]:
    first, command, then = _rds.parameter_group_advice(managed_by, parameter, value)
    return first, Command(command), then
