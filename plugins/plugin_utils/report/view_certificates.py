# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When certificates expire, and who issued them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import is_retired_authority
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import expiry
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Server
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_rows import Chips, Names, Rows, fold
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_servers import expires_kind, expires_note

_FEW_CERTIFICATES = 10


@dataclass(frozen=True)
class CertificateRow:
    """When a certificate, or all of a period, expires."""

    when: str
    kind: str
    note: str
    count: int
    servers: Chips


@dataclass(frozen=True)
class IssuerRow:
    """A CA, and whose certificates it has issued."""

    name: str
    kind: str
    retired: bool
    count: int
    first: str
    servers: Chips


@dataclass(frozen=True)
class Certificates:
    """When certificates expire, as a drawing unless there are few, and who issued them."""

    timeline: expiry.Timeline | None
    rows: tuple[CertificateRow, ...]
    issuers: Rows[IssuerRow]


def certificates_view(servers: t.Sequence[Server], made_at: str, shown: Names) -> Certificates | None:
    having = [server for server in servers if server.certificate is not None]
    if not having:
        return None
    issuers = _issuers(having, shown)
    if len(having) < _FEW_CERTIFICATES:
        ordered = sorted(having, key=lambda server: (_not_after(server), server.name))
        rows = tuple(
            CertificateRow(
                _not_after(server)[:10], expires_kind(server), expires_note(server), 1, shown.chips([server.name])
            )
            for server in ordered
        )
        return Certificates(None, rows, issuers)
    found = expiry.periods(having, made_at)
    rows = tuple(
        CertificateRow(
            period.label,
            {"expired": "high", "soon": "medium"}.get(period.kind, ""),
            "",
            len(period.servers),
            shown.chips(server.name for server in period.servers),
        )
        for period in found
        if period.servers
    )
    return Certificates(expiry.timeline(found, made_at), rows, issuers)


def _not_after(server: Server) -> str:
    return server.certificate.not_after if server.certificate else ""


def _issuers(servers: t.Sequence[Server], shown: Names) -> Rows[IssuerRow]:
    """RDS CAs by AWS's name for them, others as they call themselves."""
    found: dict[tuple[bool, str], list[Server]] = {}
    for server in servers:
        if server.certificate is not None:
            authority = server.certificate.rds_ca
            found.setdefault((authority is None, authority or server.certificate.issuer), []).append(server)
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1]))
    return fold(
        [
            IssuerRow(
                clip(name),
                "other" if other else "RDS CA",
                not other and is_retired_authority(name),
                len(group),
                min(map(_not_after, group))[:10],
                shown.chips(server.name for server in group),
            )
            for (other, name), group in ordered
        ]
    )
