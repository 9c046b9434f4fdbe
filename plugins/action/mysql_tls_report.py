# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the report of many looks, on the controller, from what each host has registered."""

from __future__ import annotations

import json
import typing as t
import uuid
from pathlib import Path

from ansible.release import __version__ as ansible_core_version
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.certificates import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build, from_results, model
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.dataclass_json import clean, encode

# Tells one run of Ansible from another: the main process imports this once, and each forked one inherits it.
RUN_ID = uuid.uuid4().hex

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "dest": {"type": "path", "required": True},
    "title": {"type": "str", "default": "MySQL TLS report"},
    "hosts": {"type": "list", "elements": "str"},
    "variable": {"type": "str", "default": "mysql_tls_look"},
    "merge": {"type": "list", "elements": "path", "default": []},
    "previous": {"type": "path"},
    "junit": {"type": "bool", "default": False},
    "fail_on": {"type": "str", "default": "none", "choices": ["none", "low", "medium", "high"]},
}


class ActionModule(ControllerAction):
    """``mysql_tls_report``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read what the hosts have registered, and write the report of it."""
        now = iso8601(utc_now())
        wanted = build.ReportRequest(
            dest=Path(options["dest"]).absolute(),
            title=clean(options["title"]),
            run=model.Run(RUN_ID, now, collection_version(), ansible_core_version, merged=len(options["merge"])),
            junit=options["junit"],
            merge=tuple(Path(path).absolute() for path in options["merge"]),
            previous=Path(options["previous"]).absolute() if options["previous"] else None,
            fail_on=None if options["fail_on"] == "none" else options["fail_on"],
        )
        result: dict[str, t.Any] = {}
        try:
            seen = _looks(options, variables)
            result["found"] = {
                name: words for host, look in seen.items() for name, words in from_results.words_of(host, look)
            }
            own = [server for host, look in seen.items() for server in from_results.servers_of(host, look, now)]
            made = build.write_report(wanted, own)
        except RdsMysqlError as e:
            return {**result, "failed": True, "msg": e.message}
        result.update(_outcome(made))
        failure = _failure(made.report, wanted.fail_on)
        if failure:
            result.update(failed=True, msg=f"{failure} {result['msg']}")
        return result


def _looks(options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
    """What each host has registered, None where it has nothing."""
    hostvars = variables["hostvars"]
    found = {}
    for host in dict.fromkeys(hosts_of(options, variables, "ansible_play_hosts_all")):
        if host not in hostvars:
            raise RdsMysqlError(f"hosts: {host} is not in the inventory.")
        found[str(host)] = _look(hostvars, host, options["variable"])
    return found


def _look(hostvars: t.Any, host: str, variable: str) -> t.Any:
    """What is registered for the host in plain types; None where nothing is.

    What a task has registered is data, and is not run through the templating engine, which would take its time for
    thousands of hosts. Only a text is a template that stands for something else.
    """
    value = hostvars.raw_get(host).get(variable)
    return plain(hostvars[host][variable] if isinstance(value, str) else value)


def _outcome(made: build.WrittenReport) -> dict[str, t.Any]:
    summary = encode(made.report.summary)
    return {
        "changed": made.changed,
        "report": made.paths,
        "summary": summary,
        "msg": f"{sentence(made.report.summary)} {made.paths['html']}",
        "ansible_stats": {
            "data": {"mysql_tls": {**summary, "report": made.paths}},
            "per_host": False,
            "aggregate": True,
        },
    }


def sentence(summary: model.Summary) -> str:
    """The report in a sentence."""
    parts = [f"{summary.compliant} of {summary.servers} servers are compliant"]
    for count, what in (
        (summary.not_compliant, "are not"),
        (summary.undecided, "could be seen in part only"),
        (summary.unreachable, "could not be reached"),
        (summary.not_looked_at, "were not looked at"),
    ):
        if count:
            parts.append(f"{count} {what}")
    return ", ".join(parts) + "."


def _failure(report: model.Report, fail_on: str | None) -> str | None:
    """Why the task fails."""
    if fail_on is None:
        return None
    severities = model.SEVERITIES[: model.SEVERITIES.index(fail_on) + 1]
    counts = encode(report.summary.findings)
    bad = sum(counts[severity] for severity in severities)
    unseen = report.summary.unreachable + report.summary.not_looked_at
    reasons = []
    if bad:
        reasons.append(f"{bad} {'finding' if bad == 1 else 'findings'} of severity {fail_on} or more")
    if unseen:
        reasons.append(f"{unseen} {'server' if unseen == 1 else 'servers'} that could not be looked at")
    return "There are {}.".format(" and ".join(reasons)) if reasons else None


def collection_version() -> str:
    """The version of this collection, from what it was installed with, or from its source."""
    root = Path(__file__).resolve().parents[2]
    manifest, source = root / "MANIFEST.json", root / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text("utf-8"))["collection_info"]["version"])
    for line in source.read_text("utf-8").splitlines() if source.is_file() else ():
        name, _colon, value = line.partition(":")
        if name == "version":
            return value.strip().strip("\"'")
    return "unknown"
