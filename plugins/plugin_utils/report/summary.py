# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report in numbers."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import SEVERITIES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import (
    COMPLIANT,
    NON_COMPLIANT,
    UNDECIDED,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    CHECKED,
    NOT_CHECKED,
    UNREACHABLE,
    Finding,
    FindingCounts,
    Server,
    Summary,
    Worst,
)


def summarize(servers: t.Sequence[Server]) -> Summary:
    """The numbers of these servers, and up to five kinds of findings of severity medium or high, most severe first."""

    def having(attribute: str, value: str) -> int:
        return sum(getattr(server, attribute) == value for server in servers)

    owners = _owners_of_accounts(servers)
    exposed = [len(server.exposed()) for server in owners]
    return Summary(
        servers=len(servers),
        checked=having("state", CHECKED),
        compliant=having("verdict", COMPLIANT),
        non_compliant=having("verdict", NON_COMPLIANT),
        undecided=having("verdict", UNDECIDED),
        unreachable=having("state", UNREACHABLE),
        not_checked=having("state", NOT_CHECKED),
        accounts=sum(not account.is_role for server in owners for account in server.accounts or ()),
        exposed_accounts=sum(exposed),
        exposed_servers=sum(len(server.exposed()) > 0 for server in servers),
        plaintext_clients=sum(len(server.plaintext_clients()) for server in servers),
        certificates=sum(server.certificate is not None for server in servers),
        certificates_expiring=sum(server.expires_soon() for server in servers),
        findings=FindingCounts(
            **{severity: sum(server.count(severity) for server in servers) for severity in SEVERITIES}
        ),
        worst=tuple(kind for kind in kinds_of_findings(servers) if kind.severity in ("high", "medium"))[:5],
        compliant_with_waivers=sum(server.verdict == COMPLIANT and server.waived() > 0 for server in servers),
        waived=sum(server.waived() for server in servers),
        earlier=sum(not server.in_run for server in servers),
        oldest_check=min((server.checked_at for server in servers if server.checked_at), default=None),
    )


def _owners_of_accounts(servers: t.Sequence[Server]) -> list[Server]:
    """The servers without the further members of a cluster, which have the same accounts."""
    owners: dict[tuple[str | None, ...], Server] = {}
    for server in servers:
        one = (
            (server.aws_account, server.region, server.cluster)
            if server.cluster and server.accounts
            else (server.name,)
        )
        known = owners.get(one)
        # The writer, where there is one: what it says of an account is of the moment.
        if known is None or (known.server and known.server.read_only and server.server and not server.server.read_only):
            owners[one] = server
    return list(owners.values())


def kinds_of_findings(servers: t.Sequence[Server]) -> list[Worst]:
    """Findings that are not waived by id and severity: the most severe first, then those on most servers."""
    groups: dict[tuple[str, str], list[tuple[str, Finding]]] = {}
    for server in servers:
        for finding in server.findings:
            if finding.waiver is not None:
                continue
            groups.setdefault((finding.severity, finding.id), []).append((server.name, finding))
    kinds = [
        Worst(name, severity, len(group), len({server for server, _finding in group}), group[0][1].message)
        for (severity, name), group in groups.items()
    ]
    return sorted(kinds, key=lambda kind: (SEVERITIES.index(kind.severity), -kind.servers, kind.id))
