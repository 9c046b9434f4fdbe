# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the servers of all hosts in one task, and writes the report of them."""

from __future__ import annotations

import typing as t
from contextlib import closing

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.deferred_signals import Interrupts
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_check, role_variables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.ca_bundles import CaBundles
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import REPORT_OPTIONS, report_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.login_secrets import LoginSecrets
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import (
    ControllerAction,
    hosts_of,
    show_progress,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.places import Places
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rds_audit import RdsAudit
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.console import grouped, servers_named
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.from_results import servers_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import counted
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.waivers import failing, read_waivers

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **REPORT_OPTIONS,
    "hosts": {"type": "list", "elements": "str"},
    "fetch": {"type": "bool", "default": True},
    "check": {"type": "bool", "default": True},
    "report": {"type": "bool", "default": True},
}


class ActionModule(ControllerAction):
    """``mysql_tls_fleet``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Check variables, fetch bundles, check servers, report."""
        hosts = hosts_of(options, variables, "ansible_play_hosts_all")
        fleet = Fleet(self._task, variables, self._loader)
        bundles, rds, places = CaBundles(), RdsAudit(), Places(variables["hostvars"])
        one_report = role_variables.OneReport()
        checks: tuple[role_variables.Check, ...] = (
            role_variables.UnknownVariables(role_variables.known()),
            role_variables.MissingCredentials(),
            role_variables.WrongValues(),
            role_variables.WrongWaivers(),
            one_report,
            rds,
            places,
        )
        prepared = fleet_check.prepare(
            fleet, hosts, fleet_check.STATUS_JOB, bundles.path_of, checks, LoginSecrets(self._loader)
        )
        sentences = [sentence for check in checks for sentence in check.sentences()]
        if sentences:
            return {"failed": True, "msg": " ".join(sentences)}
        if options["fetch"]:
            bundles.fetch(self.run_module(variables))
            prepared.refuse(bundles.errors)
        if options["check"]:
            rds.read(self.run_module(variables))
        seen = _Seen()
        # Modules do not know which findings are waived.
        limits = {host: given.pop("fail_on", "none") for host, given in prepared.options.items()}
        with Interrupts() as interrupts:

            def results() -> t.Iterator[tuple[str, t.Any]]:
                left = dict.fromkeys(hosts)
                if options["check"]:
                    found = fleet_check.run(
                        prepared, fleet_check.STATUS_JOB, show_progress, stopped=lambda: bool(interrupts.received)
                    )
                    with closing(found):
                        for host, checked in found:
                            result = rds.add_to(host, checked)
                            del left[host]
                            seen.add(host, result)
                            yield host, result
                yield from ((host, None) for host in left)
                if interrupts.received:
                    seen.interrupted(interrupts.received, len(left), len(hosts))

            if options["report"]:
                result = report_of(
                    {**options, "ca_certs": [*options["ca_certs"], *prepared.ca_certs()]},
                    variables,
                    results(),
                    places,
                    whole_fleet=options["hosts"] is None,
                    limits=limits,
                    same_waivers=lambda host: one_report.same_waivers(fleet.of(host)),
                    interrupted=lambda: bool(interrupts.received),
                )
            else:
                waivers, now = read_waivers(options["waivers"], utc_now().date()), iso8601(utc_now())
                failed: dict[str, str] = {}
                for host, checked in results():
                    failed.update(failing(waivers.apply(servers_of(host, checked, now)), limits))
                result = {"msg": "", "failing": failed}
        seen.fail(result.pop("failing", {}))
        lines = [*filter(None, [seen.partial, result["msg"]]), *seen.not_contacted(), *result.pop("lines", [])]
        result.pop("failure", None)
        failure = " ".join(filter(None, [result["msg"] if result.pop("failed", False) else "", seen.failure()]))
        return {
            **result,
            "changed": False,
            "lines": lines,
            "failure": failure,
            "hosts": seen.hosts,
            "warnings": [*bundles.warnings, *result.get("warnings", ())],
        }


class _Seen:
    """A few facts of each host, as its whole result would take a hundred times the memory."""

    def __init__(self) -> None:
        self.hosts: dict[str, dict[str, t.Any]] = {}
        self.partial = ""
        self._with_findings: set[str] = set()

    def add(self, host: str, result: t.Mapping[str, t.Any]) -> None:
        status = result.get("mysql_ssl") or {}
        self.hosts[host] = {
            "failed": bool(result.get("failed")),
            "refused": result.get("contacted") is False,
            "msg": result.get("msg"),
            "verdict": status.get("verdict"),
            "findings": sorted({finding["id"] for finding in status.get("findings", ())}),
            "server": status.get("server"),
        }

    def fail(self, failing: t.Mapping[str, str]) -> None:
        """These hosts have findings that are reason to fail."""
        for host, sentence in failing.items():
            if host in self.hosts:
                if not self.hosts[host]["failed"]:
                    self._with_findings.add(host)
                self.hosts[host].update(failed=True, msg=sentence)

    def interrupted(self, signal: str, left: int, total: int) -> None:
        self.partial = (
            f"Interrupted ({signal}): {counted(total - left, 'server')} of {total:,} checked. The report is partial."
        )

    def not_contacted(self) -> list[str]:
        """Lines about hosts whose servers were not contacted. The report may know them from earlier checks."""
        return grouped((host, f"not checked: {facts['msg']}") for host, facts in self.hosts.items() if facts["refused"])

    def failure(self) -> str:
        """Why the play fails, in a sentence; empty where it does not."""
        if self.partial:
            return self.partial
        found = self._with_findings
        failed = sorted(host for host, facts in self.hosts.items() if facts["failed"] and host not in found)
        told = [f"The check of {servers_named(failed)} failed."] if failed else []
        if found:
            told.append(f"Findings of {servers_named(sorted(found))} reach the severity in mysql_tls_fail_on.")
        return " ".join(told)
