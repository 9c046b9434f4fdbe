# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person can run about a finding: a statement, a command or a task, made for that server."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, Requirement, quote_account
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, is_on
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.requirements import require_statement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerStatus
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import Certificate

OFFER_TLS = (
    "Set ssl_ca, ssl_cert and ssl_key under [mysqld] in the server's option file, remove skip_ssl and an empty "
    "tls_version, and restart the server."
)
LEAVE_ALONE = "Leave it as it is: it belongs to the server or to AWS."


def task(module: str, **options: t.Any) -> str:
    """A task as people paste it into a playbook; JSON is YAML too, and quotes whatever needs it."""
    return f"dbtls.rds_mysql.{module}: {json.dumps(options, ensure_ascii=False)}"


def without_weak_protocols(status: ServerStatus) -> str:
    """How to stop accepting obsolete TLS versions."""
    if status.dialect is not None and status.dialect.tls_versions is None:
        return f"Upgrade the server: {status.dialect.version} has no setting for its TLS versions."
    return _set_variable(status, "tls_version", "'TLSv1.2,TLSv1.3'", "TLSv1.2,TLSv1.3", reload_tls=True)


def require_transport(status: ServerStatus) -> str:
    """How to require TLS server-wide."""
    return _set_variable(status, "require_secure_transport", "ON", "ON")


def _set_variable(status: ServerStatus, name: str, literal: str, plain: str, *, reload_tls: bool = False) -> str:
    """How to set a server variable for good.

    :arg literal: The value in a statement.
    :arg plain: The value in an option file or a parameter group.
    """
    dialect = status.dialect
    if dialect is not None and dialect.managed_by:
        return _rds.parameter_group_advice(dialect.managed_by, name, plain)
    option_file = f"{name}={plain} under [mysqld] in the server's option file"
    if dialect is None or (reload_tls and not dialect.has_reload_tls):
        return f"Set {option_file}, and restart the server."
    statement = f"SET {'PERSIST' if dialect.has_persist else 'GLOBAL'} {name} = {literal};"
    if reload_tls:
        statement += " ALTER INSTANCE RELOAD TLS;"
    return statement if dialect.has_persist else f"{statement} To keep it after a restart, also set {option_file}."


def trust(status: ServerStatus, certificate: Certificate) -> str:
    """How to make the certificate verify."""
    if not _rds.is_issued_by_rds(certificate):
        return (
            f"Add the certificate of the CA that issued it ({certificate.issuer}) to {status.options.ca_cert}, or "
            "give the server a certificate of a CA that is in there."
        )
    endpoint = _rds.parse_endpoint(status.options.host)
    region = endpoint.region if endpoint else _rds.rds_region(certificate) or "global"
    return task("rds_ca_bundle", dest=status.options.ca_cert, region=region)


def renew(status: ServerStatus, certificate: Certificate) -> str:
    """How to give the server another certificate."""
    if status.managed_by is None and _rds.rds_authority(certificate) is None:
        reload = _reload(status.dialect)
        return f"Put a new certificate and its key into the server's ssl_cert and ssl_key files, and {reload}"
    endpoint = _rds.parse_endpoint(status.options.host)
    region = f" --region {endpoint.region}" if endpoint else ""
    instance = (endpoint.instance if endpoint else None) or "NAME"
    return (
        f"aws rds modify-db-instance{region} --db-instance-identifier {instance} --ca-certificate-identifier "
        "rds-ca-rsa2048-g1 --apply-immediately"
    )


def _reload(dialect: Dialect | None) -> str:
    if dialect is None:
        return "restart the server, or run ALTER INSTANCE RELOAD TLS; or FLUSH SSL; where it has that."
    if dialect.has_reload_tls:
        return "run ALTER INSTANCE RELOAD TLS;"
    return "run FLUSH SSL;" if dialect.has_flush_ssl else "restart the server."


def drop(dialect: Dialect, account: Account) -> str:
    """The statement that removes an account."""
    return f"DROP USER {quote_account(account, dialect)};"


def require_ssl(dialect: Dialect, account: Account) -> str:
    """The statement that requires TLS for an account."""
    return require_statement([account], Requirement("ANY"), dialect) + ";"


def show_sessions(dialect: Dialect, account: Account) -> str:
    """The statement that lets an account see how sessions are connected."""
    return f"GRANT SELECT ON performance_schema.threads TO {quote_account(account, dialect)};"


def performance_schema_on(dialect: Dialect) -> str:
    """How to switch it on; it is not dynamic. What can be had without a restart follows."""
    todo = "Set performance_schema=ON under [mysqld] in the server's option file, and restart the server."
    if dialect.managed_by:
        todo = _rds.parameter_group_advice(dialect.managed_by, "performance_schema", "1")
    return f"{todo}{_count_logins(dialect)}"


def _count_logins(dialect: Dialect) -> str:
    """How to have each user's logins with and without TLS counted; nothing where that is not possible, or is on."""
    if not dialect.has_user_statistics or is_on(dialect.variables["userstat"]):
        return ""
    how = "SET GLOBAL userstat = ON; and, to keep it, userstat=ON under [mysqld]"
    if dialect.managed_by:
        how = "set userstat to 1 in the same parameter group (ApplyMethod=immediate)"
    return f" Without a restart, it can count logins with and without TLS for the playbook watch: {how}."
