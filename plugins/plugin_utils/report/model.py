# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of a report: what is known of each server, and when, where and by what it was made. Plain, frozen, typed.

The fields are those of ``report.json`` (see ``docs/report.schema.json``). Times are ISO 8601 in UTC, to the second.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import (
    BY_ID,
    DECISIVE_FROM,
    KINDS,
    SEVERITIES,
    at_least,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import VERDICTS
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import STATES as READINESS_STATES
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import Readiness
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.refused import RefusedLogins

FORMAT = "dbtls.rds_mysql/report"
FORMAT_VERSION = 2

CHECKED = "checked"
UNREACHABLE = "unreachable"
NOT_CHECKED = "not_checked"
STATES = (CHECKED, UNREACHABLE, NOT_CHECKED)

# The kinds of findings that the report counts.
ACCOUNT_WITHOUT_TLS = BY_ID["account-without-tls"].id
PLAINTEXT_SESSION = BY_ID["plaintext-session"].id
CERTIFICATE_EXPIRY = tuple(kind.id for kind in KINDS if kind.matter == BY_ID["certificate-expiring"].matter)

_TIME = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\Z")


@dataclass(frozen=True)
class Endpoint:
    """Where a server was checked: host and port, or a Unix socket."""

    host: str | None = None
    port: int | None = None
    socket: str | None = None

    def __str__(self) -> str:
        if self.socket is not None:
            return self.socket
        return "" if self.host is None else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class ServerSoftware:
    """Version, family (``mysql`` or ``mariadb``), and who manages it (``rds``, ``aurora`` or None).

    ``read_only`` is None without a login; ``replica_of`` is the source of its accounts, if there is one.
    """

    version: str
    family: str
    managed_by: str | None = None
    read_only: bool | None = None
    replica_of: str | None = None


@dataclass(frozen=True)
class Tls:
    """What the server offers; ``require_secure_transport`` is None where it is not known."""

    available: bool
    versions: tuple[str, ...] = ()
    require_secure_transport: bool | None = None


@dataclass(frozen=True)
class Session:
    """The session that checked."""

    user: str
    encrypted: bool
    via: str
    protocol: str | None = None
    cipher: str | None = None
    verified: bool = False


@dataclass(frozen=True)
class Certificate:
    """The server's certificate. ``days_left`` counts from the check."""

    subject: str
    issuer: str
    not_before: str
    not_after: str
    days_left: int
    expired: bool
    common_name: str | None = None
    key: str | None = None
    fingerprint_sha256: str | None = None
    self_signed: bool = False
    san: tuple[str, ...] = ()
    trusted: bool | None = None
    trust_error: str | None = None
    hostname_matches: bool | None = None
    rds_ca: str | None = None


@dataclass(frozen=True)
class Account:
    """An account or a role, and what is required of it: ``NONE``, ``ANY``, ``X509`` or ``SPECIFIED``."""

    user: str
    host: str
    ssl_type: str
    locked: bool = False
    is_role: bool = False
    system: bool = False
    local: bool = False
    plugin: str | None = None

    @property
    def name(self) -> str:
        """``user@host``."""
        return f"{self.user}@{self.host}"

    @property
    def admits_plaintext(self) -> bool:
        """Whether somebody can log in with it, and may do so without TLS."""
        return self.ssl_type == "NONE" and not self.locked and not self.is_role


@dataclass(frozen=True)
class Proxied:
    """An account, and those that act as it by GRANT PROXY, where its requirement is the one that counts."""

    account: str
    by: tuple[str, ...]


@dataclass(frozen=True)
class AccountSessions:
    """How many sessions an account has from a client host."""

    user: str
    host: str
    encrypted: int
    plaintext: int


@dataclass(frozen=True)
class Sessions:
    """The other clients' sessions."""

    total: int
    encrypted: int
    plaintext: int
    by_account: tuple[AccountSessions, ...] = ()


@dataclass(frozen=True)
class RdsApi:
    """What the RDS API says of a database.

    ``ca`` is the CA of its certificate, ``pending`` are the changes that wait for ``window``. ``apply_status`` is that
    of its parameter group; ``require_secure_transport`` is the group's value, None where it is not set or not told.
    ``version_available`` is whether AWS still offers the version of the engine, None where that is not known.
    """

    region: str
    instance: str
    engine: str
    engine_version: str | None = None
    ca: str | None = None
    pending: tuple[str, ...] = ()
    window: str | None = None
    parameter_group: str | None = None
    apply_status: str | None = None
    require_secure_transport: bool | None = None
    publicly_accessible: bool | None = None
    version_available: bool | None = None


@dataclass(frozen=True)
class Waiver:
    """Who accepts a finding, why, and until which day (ISO 8601), on which it counts again."""

    owner: str
    reason: str
    expires: str


@dataclass(frozen=True)
class Finding:
    """An issue of a server, and what a person can do about it.

    ``commands`` are the parts of ``remediation`` that are run as they are.
    ``first_seen`` is the time of the first of the consecutive checks that had it; None where that is not known.
    ``waiver`` is None unless somebody accepts it.
    """

    id: str
    severity: str
    subject: str
    message: str
    remediation: str = ""
    commands: tuple[str, ...] = ()
    first_seen: str | None = None
    waiver: Waiver | None = None

    @property
    def decides(self) -> bool:
        """Whether it makes its server non-compliant."""
        return self.waiver is None and at_least(self.severity, DECISIVE_FROM)


@dataclass(frozen=True)
class Server:
    """One server, checked or not.

    ``name`` is its inventory name, or ``host:port`` of an endpoint of a sweep; ``inventory_hostname`` the inventory
    host that ran the check. ``message`` says why the check failed, None when it did not. ``cluster``, ``region`` and
    ``aws_account`` come from the inventory, ``groups`` are its inventory groups. Everything below ``endpoint`` is None
    where it was not checked. ``in_run`` is whether the run that made the report was to check it; one that was not is as
    its last check has found it. ``last_good_at`` is the time of the last check that could be made, where
    this one could not. ``proxied`` is None where the login may not see who acts as another account.
    """

    name: str
    inventory_hostname: str
    state: str
    verdict: str | None = None
    checked_at: str | None = None
    message: str | None = None
    warnings: tuple[str, ...] = ()
    cluster: str | None = None
    region: str | None = None
    aws_account: str | None = None
    groups: tuple[str, ...] = ()
    in_run: bool = True
    last_good_at: str | None = None
    endpoint: Endpoint = field(default_factory=Endpoint)
    server: ServerSoftware | None = None
    tls: Tls | None = None
    session: Session | None = None
    certificate: Certificate | None = None
    accounts: tuple[Account, ...] | None = None
    proxied: tuple[Proxied, ...] | None = ()
    sessions: Sessions | None = None
    rds_api: RdsApi | None = None
    findings: tuple[Finding, ...] = ()

    def count(self, severity: str) -> int:
        """How many findings of that severity it has, without those that are waived."""
        return sum(finding.severity == severity and finding.waiver is None for finding in self.findings)

    def waived(self) -> int:
        """How many findings that would make it non-compliant are waived."""
        return sum(
            finding.waiver is not None and at_least(finding.severity, DECISIVE_FROM) for finding in self.findings
        )

    def exposed(self) -> set[str]:
        """The accounts that accept plaintext over a network: neither local ones nor those that the server protects."""
        return self._subjects(ACCOUNT_WITHOUT_TLS)

    def plaintext_clients(self) -> set[str]:
        """The clients that are connected without TLS."""
        return self._subjects(PLAINTEXT_SESSION)

    def expires_soon(self) -> bool:
        """Whether its certificate has expired, or will soon."""
        return any(finding.id in CERTIFICATE_EXPIRY for finding in self.findings)

    def _subjects(self, kind: str) -> set[str]:
        return {finding.subject for finding in self.findings if finding.id == kind and finding.decides}


@dataclass(frozen=True)
class Component:
    """A program or library that took part, and its version."""

    name: str
    version: str


@dataclass(frozen=True)
class CaBundle:
    """A CA bundle that servers were verified with. ``sha256`` is None where the file could not be read."""

    path: str
    sha256: str | None


@dataclass(frozen=True)
class Run:
    """When a report was made, by whom and where, by which versions, and what it covers.

    ``merged`` counts the other reports in it. ``inventory`` and ``limit`` are those of the play, or of slices that it
    has merged, ``job`` is its number in AWX. ``tls_min_version`` is the oldest TLS version that the checks accepted for
    their own sessions, if known. ``started_at`` is when the run of Ansible began. One that was interrupted may not have
    checked all that it covers.
    """

    id: str
    made_at: str
    collection_version: str
    ansible_core_version: str
    merged: int = 0
    user: str | None = None
    host: str | None = None
    job: str | None = None
    inventory: tuple[str, ...] = ()
    limit: str | None = None
    components: tuple[Component, ...] = ()
    ca_bundles: tuple[CaBundle, ...] = ()
    tls_min_version: str | None = None
    started_at: str | None = None
    interrupted: bool = False


@dataclass(frozen=True)
class FindingCounts:
    """Findings of all servers that are not waived, by severity."""

    high: int = 0
    medium: int = 0
    low: int = 0
    info: int = 0


@dataclass(frozen=True)
class Worst:
    """One kind of finding: on how many servers it was found, how often, and the message of one of them."""

    id: str
    severity: str
    findings: int
    servers: int
    example: str


@dataclass(frozen=True)
class ReadinessCounts:
    """Accounts that may log in without TLS, by whether TLS can be required for them."""

    ready: int = 0
    not_ready: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Summary:
    """The report in numbers. ``servers`` is the sum of the three states, ``checked`` that of the three verdicts.

    ``exposed_accounts`` accept plaintext over a network, on ``exposed_servers`` servers; ``plaintext_clients`` are
    connected without TLS. Accounts and clients are counted on each server. ``certificates_expiring`` have expired or
    will soon. ``compliant_with_waivers`` of the compliant ones are so because findings are waived; ``waived`` counts
    waived findings of severity medium and high. ``earlier`` servers were not to be checked by this run and are as their
    last check has found them, the oldest at ``oldest_check``. ``readiness`` is None where nobody has watched.
    """

    servers: int
    checked: int
    compliant: int
    non_compliant: int
    undecided: int
    unreachable: int
    not_checked: int
    accounts: int
    exposed_accounts: int
    exposed_servers: int
    plaintext_clients: int
    certificates: int
    certificates_expiring: int
    findings: FindingCounts
    worst: tuple[Worst, ...] = ()
    compliant_with_waivers: int = 0
    waived: int = 0
    earlier: int = 0
    oldest_check: str | None = None
    readiness: ReadinessCounts | None = None


@dataclass(frozen=True)
class Change:
    """One thing that was resolved or is worse. ``id`` is a finding's, or ``server`` for whether it could be checked."""

    server: str
    id: str
    severity: str
    subject: str
    message: str


@dataclass(frozen=True)
class Regression:
    """An account that required TLS at ``since``, and does not now. ``severity`` is that of the finding about it."""

    server: str
    user: str
    host: str
    before: str
    after: str
    since: str | None = None
    severity: str = "low"


@dataclass(frozen=True)
class Changes:
    """What is different from each server's own last good check, or from the report that was named.

    Those checks were made between ``since`` and ``until``; ``before`` has their numbers. ``first_seen`` are findings
    that they could not have shown, because they did not see that far. ``servers_added`` had no check before.
    """

    since: str | None
    until: str | None
    before: Summary
    resolved: tuple[Change, ...] = ()
    worse: tuple[Change, ...] = ()
    first_seen: tuple[Change, ...] = ()
    regressions: tuple[Regression, ...] = ()
    servers_added: tuple[str, ...] = ()
    servers_gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything, servers by name.

    ``readiness`` is about accounts that may log in without TLS, None where no playbook has watched.
    ``refused_logins`` are of accounts for which TLS was required.
    """

    title: str
    run: Run
    summary: Summary
    servers: tuple[Server, ...]
    changes: Changes | None = None
    readiness: tuple[Readiness, ...] | None = None
    refused_logins: tuple[RefusedLogins, ...] = ()
    format: str = FORMAT
    format_version: int = FORMAT_VERSION


def readiness_problem(found: Readiness) -> str | None:
    """The same of an account's readiness."""
    if found.state not in READINESS_STATES:
        return f"has the readiness {found.state!r}"
    times = [found.last_plaintext, *(one.last for one in found.sightings), *(one.first for one in found.sightings)]
    return next((f"has the time {text!r}" for text in times if text is not None and not is_time(text)), None)


def is_time(text: str) -> bool:
    """Whether it is a time as reports have it."""
    return bool(_TIME.match(text)) and _is_date(text[:10])


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def problem_of(server: Server) -> str | None:
    """Which word or time of it no report can have, continuing its name; None when all is well."""
    if server.verdict not in VERDICTS and (server.verdict is not None or server.state == CHECKED):
        return f"has the verdict {server.verdict!r}"
    for finding in server.findings:
        if finding.severity not in SEVERITIES:
            return f"has a finding of severity {finding.severity!r}"
        if finding.waiver is not None and not _is_date(finding.waiver.expires):
            return "has a waiver that expires on no date"
    times = [server.checked_at, server.last_good_at, *(finding.first_seen for finding in server.findings)]
    if server.certificate is not None:
        times += [server.certificate.not_before, server.certificate.not_after]
    return next((f"has the time {text!r}" for text in times if text is not None and not is_time(text)), None)
