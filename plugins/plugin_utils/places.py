# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What inventories of ``amazon.aws.aws_rds`` say about the server of each host: where it is, and its next CA."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import clean
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.from_results import Place

# "ARNs", Amazon RDS User Guide: arn:partition:rds:region:account:...
_ARN = re.compile(r"arn:[a-z-]+:rds:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):")


class Places:
    """Of each host. Texts that are templates are not evaluated.

    :arg hostvars: For hosts that were not shown to it: Ansible takes more than a millisecond for the variables of one.
    """

    def __init__(self, hostvars: t.Any) -> None:
        self._hostvars = hostvars
        self._places: dict[str, Place] = {}
        self._next_cas: dict[str, str] = {}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        self._add(host, variables.raw)

    def sentences(self) -> list[str]:
        """Nothing is wrong with a host whose place is not known."""
        return []

    def of(self, host: str) -> Place:
        """Where the server of a host is."""
        self._find(host)
        return self._places[host]

    def next_ca(self, host: str) -> str | None:
        """The CA that the server will use from its next maintenance window on, by AWS's name; None for no other."""
        self._find(host)
        return self._next_cas.get(host)

    def _find(self, host: str) -> None:
        if host not in self._places:
            self._add(host, self._hostvars.raw_get(host).get if host in self._hostvars else {}.get)

    def _add(self, host: str, raw: t.Callable[[str], t.Any]) -> None:
        def said(name: str) -> t.Any:
            # With the prefix of the inventory that this collection documents, or without one.
            value = raw(f"aws_{name}")
            return plain(raw(name) if value is None else value)

        def text(name: str) -> str:
            value = said(name)
            return clean(value) if isinstance(value, str) and "{" not in value else ""

        arn = _ARN.match(text("db_instance_arn") or text("db_cluster_arn"))
        groups = plain(raw("group_names")) or []
        self._places[host] = Place(
            cluster=text("db_cluster_identifier") or None,
            region=(arn["region"] if arn else text("region")) or None,
            aws_account=arn["account"] if arn else None,
            groups=tuple(sorted(clean(str(group)) for group in groups if group not in ("all", "ungrouped"))),
        )
        pending = said("pending_modified_values")
        following = pending.get("ca_certificate_identifier") if isinstance(pending, dict) else None
        if isinstance(following, str) and "{" not in following:
            self._next_cas[host] = clean(following)
