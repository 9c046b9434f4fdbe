# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the report of many checks, on the controller, from what each host has registered."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
import re
import socket
import typing as t
import uuid
from importlib import metadata
from pathlib import Path

from ansible.release import __version__ as ansible_core_version
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import SEVERITIES, at_least
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build, from_results, model
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.dataclass_json import clean, encode
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import all_visible, counted, visible

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
    "openmetrics": {"type": "path"},
    "ca_certs": {"type": "list", "elements": "path", "default": []},
    "tls_min_version": {"type": "str"},
    "fail_on": {"type": "str", "default": "none", "choices": ["none", "low", "medium", "high"]},
}

# "ARNs", Amazon RDS User Guide: arn:partition:rds:region:account:...
_ARN = re.compile(r"arn:[a-z-]+:rds:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):")


class ActionModule(ControllerAction):
    """``mysql_tls_report``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read what the hosts have registered, and write the report of it."""
        now = iso8601(utc_now())
        request = build.ReportRequest(
            dest=Path(options["dest"]).absolute(),
            title=clean(options["title"]),
            run=_run(options, variables, now),
            junit=options["junit"],
            openmetrics=Path(options["openmetrics"]).absolute() if options["openmetrics"] else None,
            merge=tuple(Path(path).absolute() for path in options["merge"]),
            previous=Path(options["previous"]).absolute() if options["previous"] else None,
            fail_on=None if options["fail_on"] == "none" else options["fail_on"],
        )
        result: dict[str, t.Any] = {}
        try:
            checked = _results(options, variables)
            result["found"] = {
                visible(name): all_visible(lines)
                for host, found in checked.items()
                for name, lines in from_results.summaries_of(host, found.result)
            }
            own = [
                server
                for host, found in checked.items()
                for server in from_results.servers_of(host, found.result, now, found.place)
            ]
            written = build.write_report(request, own)
        except RdsMysqlError as e:
            return {**result, "failed": True, "msg": visible(e.message)}
        result.update(_outcome(written))
        failure = _failure(written.report, request.fail_on)
        if failure:
            result.update(failed=True, msg=f"{failure} {result['msg']}")
        return result


# Evidence


def _run(options: dict[str, t.Any], variables: dict[str, t.Any], now: str) -> model.Run:
    """Who made the report, where, of what, and with which versions."""
    sources = plain(variables.get("ansible_inventory_sources")) or ()
    limit = plain(variables.get("ansible_limit"))
    job = plain(variables.get("awx_job_id", variables.get("tower_job_id")))
    return model.Run(
        RUN_ID,
        now,
        collection_version(),
        ansible_core_version,
        merged=len(options["merge"]),
        user=_user(),
        host=clean(socket.gethostname()),
        job=None if job is None else clean(str(job)),
        inventory=tuple(clean(str(source)) for source in ([sources] if isinstance(sources, str) else sources)),
        limit=clean(str(limit)) if limit else None,
        components=tuple(_components()),
        ca_bundles=tuple(_ca_bundle(path) for path in dict.fromkeys(options["ca_certs"])),
        tls_min_version=options["tls_min_version"],
    )


def _user() -> str | None:
    try:
        return clean(getpass.getuser())
    except (KeyError, OSError):  # no name for the number, as in a container
        return None


def _components() -> t.Iterator[model.Component]:
    yield model.Component("Python", platform.python_version())
    for name in ("PyMySQL", "cryptography"):
        try:
            yield model.Component(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            continue


def _ca_bundle(path: str) -> model.CaBundle:
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return model.CaBundle(clean(path), None)
    return model.CaBundle(clean(path), digest)


# Results


class _Checked(t.NamedTuple):
    """What a host has registered, None where it has nothing, and what the inventory says of where its server is."""

    result: t.Any
    place: from_results.Place


def _results(options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, _Checked]:
    hostvars = variables["hostvars"]
    found = {}
    for host in dict.fromkeys(hosts_of(options, variables, "ansible_play_hosts_all")):
        if host not in hostvars:
            raise RdsMysqlError(f"hosts: {host} is not in the inventory.")
        known = hostvars.raw_get(host)
        found[str(host)] = _Checked(_result(hostvars, known, host, options["variable"]), _place(known))
    return found


def _result(hostvars: t.Any, known: t.Mapping[str, t.Any], host: str, variable: str) -> t.Any:
    """What is registered for the host in plain types; None where nothing is.

    What a task has registered is data, and is not run through the templating engine, which would take its time for
    thousands of hosts. Only a text is a template that stands for something else.
    """
    value = known.get(variable)
    return plain(hostvars[host][variable] if isinstance(value, str) else value)


def _place(known: t.Mapping[str, t.Any]) -> from_results.Place:
    """Where the server is, as inventories of amazon.aws.aws_rds say it. Texts that are templates are not evaluated."""

    def text(name: str) -> str:
        value = plain(known.get(name))
        return clean(value) if isinstance(value, str) and "{" not in value else ""

    arn = _ARN.match(text("db_instance_arn") or text("db_cluster_arn"))
    groups = plain(known.get("group_names")) or []
    return from_results.Place(
        cluster=text("db_cluster_identifier") or None,
        region=(arn["region"] if arn else text("region")) or None,
        aws_account=arn["account"] if arn else None,
        groups=tuple(sorted(clean(str(group)) for group in groups if group not in ("all", "ungrouped"))),
    )


# What the task says


def _outcome(written: build.WrittenReport) -> dict[str, t.Any]:
    summary = all_visible(encode(written.report.summary))
    return {
        "changed": written.changed,
        "report": written.paths,
        "summary": summary,
        "msg": visible(f"{sentence(written.report.summary)} {written.paths['html']}"),
        "warnings": [visible(warning) for warning in written.warnings],
        "ansible_stats": {
            "data": {"mysql_tls": {**summary, "report": written.paths}},
            "per_host": False,
            "aggregate": True,
        },
    }


def sentence(summary: model.Summary) -> str:
    """The report in a sentence: ``4 servers: 1 compliant, 2 non-compliant, 1 unreachable.``"""
    counts = (
        (summary.compliant, "compliant"),
        (summary.non_compliant, "non-compliant"),
        (summary.undecided, "partially checked"),
        (summary.unreachable, "unreachable"),
        (summary.not_checked, "not checked"),
    )
    parts = [f"{count} {what}" for count, what in counts if count or what == "compliant"]
    return f"{counted(summary.servers, 'server')}: {', '.join(parts)}."


def _failure(report: model.Report, fail_on: str | None) -> str | None:
    """Why the task fails."""
    if fail_on is None:
        return None
    counts = encode(report.summary.findings)
    bad = sum(counts[severity] for severity in SEVERITIES if at_least(severity, fail_on))
    unchecked = report.summary.unreachable + report.summary.not_checked
    reasons = []
    if bad:
        reasons.append(f"{counted(bad, 'finding')} of severity {fail_on} or more")
    if unchecked:
        reasons.append(f"{counted(unchecked, 'server')} that could not be checked")
    return "There {} {}.".format("is" if bad + unchecked == 1 else "are", " and ".join(reasons)) if reasons else None


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
