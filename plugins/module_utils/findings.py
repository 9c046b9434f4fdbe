# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a server's status, how bad that is, and what a person can run to mend it."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import accounts, certificates, rds_authorities

if t.TYPE_CHECKING:
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils.status import ServerStatus

# The most severe last.
SEVERITIES = ("info", "low", "medium", "high")
_WEAK_PROTOCOLS = ("TLSv1", "TLSv1.1")

# "Finding the connection information for a DB instance", Amazon RDS User Guide. Names of Aurora clusters have
# "cluster-" before the second part, and stand for several instances.
_RDS_ENDPOINT = re.compile(
    r"(?P<instance>[a-z][a-z0-9-]*)\.(?P<account>[a-z0-9-]+)\.(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9])\.rds\.amazonaws\.com"
    r"(?:\.cn)?\.?\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Finding:
    """Something that a person should know or mend. ``remediation`` is a statement, a command or a task to run."""

    id: str
    severity: str
    subject: str
    message: str
    remediation: str

    def at_least(self, severity: str) -> bool:
        """Whether it is as severe as that, or more."""
        return SEVERITIES.index(self.severity) >= SEVERITIES.index(severity)

    def describe(self) -> dict[str, str]:
        """The return value's form."""
        return dict(vars(self))


def findings(status: ServerStatus, expiry_warn_days: int) -> tuple[Finding, ...]:
    """What is wrong, the most severe first.

    :arg expiry_warn_days: Days before its expiry from which a certificate is reported.
    """
    found = list(_transport_findings(status))
    found += _certificate_findings(status, expiry_warn_days)
    found += _account_findings(status)
    found += _session_findings(status)
    return tuple(sorted(found, key=lambda finding: -SEVERITIES.index(finding.severity)))


def task(module: str, **options: t.Any) -> str:
    """A task as people paste it into a playbook; JSON is YAML too, and quotes whatever needs it."""
    return f"dbtls.rds_mysql.{module}: {json.dumps(options, ensure_ascii=False)}"


def _transport_findings(status: ServerStatus) -> t.Iterator[Finding]:
    endpoint = status.options.endpoint
    if not status.available:
        yield Finding(
            "tls-unavailable",
            "high",
            endpoint,
            "The server offers no TLS, so that nobody can connect encrypted.",
            "Set ssl_ca, ssl_cert and ssl_key under [mysqld] in the server's option file, take out skip_ssl and an "
            "empty tls_version, and restart the server.",
        )
    weak = [version for version in status.versions if version in _WEAK_PROTOCOLS]
    if weak:
        yield Finding(
            "weak-protocol",
            "medium",
            endpoint,
            "The server accepts obsolete versions of TLS: {}.".format(", ".join(weak)),
            _without_weak_protocols(status),
        )
    if status.available and status.require_secure_transport is False:
        yield Finding(
            "transport-not-required",
            "low",
            endpoint,
            "The server does not require TLS of every connection (require_secure_transport is OFF).",
            _set_variable(status, "require_secure_transport", "ON", "1"),
        )


def _without_weak_protocols(status: ServerStatus) -> str:
    if status.dialect is not None and status.dialect.tls_versions is None:
        return f"Upgrade the server: {status.dialect.version} has no setting for its TLS versions."
    return _set_variable(status, "tls_version", "'TLSv1.2,TLSv1.3'", "TLSv1.2,TLSv1.3", reload_tls=True)


def _set_variable(status: ServerStatus, name: str, literal: str, plain: str, *, reload_tls: bool = False) -> str:
    """How to set a server variable for good.

    :arg literal: The value in a statement.
    :arg plain: The value in an option file or a parameter group.
    """
    dialect = status.dialect
    if dialect is not None and dialect.managed_by:
        return (
            "aws rds modify-db-parameter-group --db-parameter-group-name GROUP --parameters "
            f"\"ParameterName={name},ParameterValue='{plain}',ApplyMethod=pending-reboot\" with the parameter group of "
            "the instance (of the cluster: modify-db-cluster-parameter-group), and reboot it."
        )
    option_file = f"{name}={plain} under [mysqld] in the server's option file"
    if dialect is None or (reload_tls and not dialect.has_reload_tls):
        return f"Set {option_file}, and restart the server."
    statement = f"SET {'PERSIST' if dialect.has_set_persist else 'GLOBAL'} {name} = {literal};"
    if reload_tls:
        statement += " ALTER INSTANCE RELOAD TLS;"
    return statement if dialect.has_set_persist else f"{statement} For good: {option_file}."


def _certificate_findings(status: ServerStatus, expiry_warn_days: int) -> t.Iterator[Finding]:
    if status.certificate is None:
        return
    endpoint, shown = status.options.endpoint, status.certificate
    certificate = shown.certificate
    not_after = certificates.iso8601(certificate.not_after)
    if shown.trusted is False:
        yield Finding(
            "certificate-untrusted",
            "high",
            endpoint,
            f"The certificate issued by {certificate.issuer} does not verify with {status.options.ca_cert}: "
            f"{shown.trust_error}.",
            _trust_it(status, certificate),
        )
    if shown.hostname_matches is False:
        names = certificate.san or certificate.common_names
        yield Finding(
            "certificate-hostname-mismatch",
            "high",
            endpoint,
            "The certificate is made out to {}, not to {}.".format(
                ", ".join(names) or certificate.subject, status.options.host
            ),
            "Set login_host to a name that the certificate holds{}, or renew the certificate with the name {}.".format(
                f" ({names[0].partition(':')[2] or names[0]})" if names else "", status.options.host
            ),
        )
    if certificate.expired(status.now):
        yield Finding(
            "certificate-expired",
            "high",
            endpoint,
            f"The certificate expired on {not_after}.",
            _renew(status, certificate),
        )
    elif certificate.days_left(status.now) < expiry_warn_days:
        yield Finding(
            "certificate-expiring",
            "medium",
            endpoint,
            f"The certificate expires on {not_after}, in {certificate.days_left(status.now)} days.",
            _renew(status, certificate),
        )
    authority = rds_authorities.rds_authority(certificate)
    if rds_authorities.is_retired_authority(authority):
        yield Finding(
            "rds-ca-retired",
            "medium",
            endpoint,
            f"The certificate was issued under {authority}, which AWS has retired.",
            "After every client has the current CA bundle: " + _renew(status, certificate),
        )


def _trust_it(status: ServerStatus, certificate: certificates.Certificate) -> str:
    if "amazon rds" not in certificate.issuer.lower():
        return (
            f"Put the certificate of the authority that issued it ({certificate.issuer}) into "
            f"{status.options.ca_cert}, or give the server a certificate of an authority that is in there."
        )
    endpoint = _RDS_ENDPOINT.match(status.options.host)
    region = endpoint.group("region").lower() if endpoint else rds_authorities.rds_region(certificate) or "global"
    return task("rds_ca_bundle", dest=status.options.ca_cert, region=region)


def _renew(status: ServerStatus, certificate: certificates.Certificate) -> str:
    if status.managed_by is None and rds_authorities.rds_authority(certificate) is None:
        return f"Put a new certificate and its key into the server's ssl_cert and ssl_key files, and {_reload(status)}"
    endpoint = _RDS_ENDPOINT.match(status.options.host)
    instance, region = "NAME", ""
    if endpoint is not None:
        region = " --region " + endpoint.group("region").lower()
        if not endpoint.group("account").lower().startswith("cluster-"):
            instance = endpoint.group("instance").lower()
    return (
        f"aws rds modify-db-instance{region} --db-instance-identifier {instance} --ca-certificate-identifier "
        "rds-ca-rsa2048-g1 --apply-immediately"
    )


def _reload(status: ServerStatus) -> str:
    if status.dialect is None:
        return "restart the server, or run ALTER INSTANCE RELOAD TLS; or FLUSH SSL; where it has that."
    if status.dialect.has_reload_tls:
        return "run ALTER INSTANCE RELOAD TLS;"
    return "run FLUSH SSL;" if status.dialect.has_flush_ssl else "restart the server."


def _account_findings(status: ServerStatus) -> t.Iterator[Finding]:
    if status.accounts is None:
        yield from _own_account_findings(status)
    for state in status.accounts or ():
        name = str(state.account)
        if state.is_role or state.locked:
            continue
        if state.anonymous:
            yield Finding(
                "anonymous-account",
                "high",
                name,
                f"Anybody may log in from {state.account.host} without naming a user.",
                f"DROP USER {_quoted(status, state.account)};",
            )
        if state.requirement.ssl_type == "NONE":
            yield Finding(
                "account-without-tls",
                _severity_without_tls(status, state),
                name,
                f"{name} may log in without TLS.",
                "Leave it as it is: it belongs to the server or to AWS."
                if state.system
                else _require_ssl(status, state.account),
            )


def _own_account_findings(status: ServerStatus) -> t.Iterator[Finding]:
    """Of a login that may see no account but its own."""
    if status.account is None or status.session is None or status.session.ssl_type != "NONE":
        return
    state = accounts.AccountState(status.account, accounts.Requirement(), "", locked=False, is_role=False)
    yield Finding(
        "account-without-tls",
        _severity_without_tls(status, state),
        str(state.account),
        f"{state.account} may log in without TLS.",
        _require_ssl(status, state.account),
    )


def _severity_without_tls(status: ServerStatus, state: accounts.AccountState) -> str:
    if status.require_secure_transport or state.system:
        return "info"
    return "low" if state.local else "high"


def _require_ssl(status: ServerStatus, account: accounts.Account) -> str:
    name = _quoted(status, account)
    if status.dialect is None or status.dialect.has_alter_user_require:
        return f"ALTER USER {name} REQUIRE SSL;"
    return f"GRANT USAGE ON *.* TO {name} REQUIRE SSL;"


def _quoted(status: ServerStatus, account: accounts.Account) -> str:
    if status.dialect is None:
        raise AssertionError("Accounts are known after a login only")
    return accounts.quote_account(account, status.dialect)


def _session_findings(status: ServerStatus) -> t.Iterator[Finding]:
    if status.session is None:
        return
    if status.sessions is None:
        yield _sessions_not_visible(status)
        return
    plaintext: dict[tuple[str, str], int] = {}
    for session in status.sessions:
        if session.plaintext:
            plaintext[session.user, session.host] = plaintext.get((session.user, session.host), 0) + 1
    for (user, host), count in sorted(plaintext.items()):
        yield Finding(
            "plaintext-session",
            "high",
            f"{user}@{host}",
            "{} {} of {} from {} without TLS.".format(count, "session" if count == 1 else "sessions", user, host),
            f"Switch TLS on in the client at {host}, and let it connect again; then "
            + task("mysql_require_ssl", user=user),
        )


def _sessions_not_visible(status: ServerStatus) -> Finding:
    dialect = status.dialect
    if dialect is not None and dialect.sees_session_transport and status.account is not None:
        message = f"{status.account} may not see which sessions use TLS."
        remediation = f"GRANT SELECT ON performance_schema.threads TO {_quoted(status, status.account)};"
    elif dialect is not None and not dialect.has_session_transport:
        message = f"{dialect.version} does not record which sessions use TLS."
        remediation = "Upgrade the server; until then, ask the clients."
    else:
        message = "The server does not record which sessions use TLS, because performance_schema is off."
        remediation = _performance_schema_on(status)
    return Finding("sessions-not-visible", "info", status.options.endpoint, message, remediation)


def _performance_schema_on(status: ServerStatus) -> str:
    if status.managed_by:
        return _set_variable(status, "performance_schema", "ON", "1")
    return "Set performance_schema=ON under [mysqld] in the server's option file, and restart the server."
