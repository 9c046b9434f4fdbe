# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans what would change on the servers of all hosts, in one task; or reads a plan that will be applied."""

from __future__ import annotations

import os
import typing as t
from contextlib import closing
from pathlib import Path

from ansible.utils.display import Display
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import enforce
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.account_changes import idle_exclusions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_check, fleet_readiness, role_options
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.ca_certs import ca_cert
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan import clusters, document, page, published
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.batches import batches
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.servers import (
    CHANGE,
    NOT_CHECKED,
    READ_ONLY,
    REFUSED,
    UNCHANGED,
    Server,
    servers_of,
    totals,
    unsafe_text,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet, HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import (
    ControllerAction,
    hosts_of,
    show_progress,
    without_templates,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import files
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.console import servers_named
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import counted, visible
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_variables import listed
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import (
    with_variables,
    without_idle_exclusions,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.run_identity import run_of

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **fleet_readiness.OPTIONS,
    "dest": {"type": "path"},
    "source": {"type": "path"},
    "sha256": {"type": "str", "default": ""},
    "max_age": {"type": "int", "default": 7},
    "hosts": {"type": "list", "elements": "str"},
    "bundles": {"type": "dict", "default": {}},
    "serial": {"type": "list", "elements": "str", "default": ["1", "25%"]},
    "max_fail_percentage": {"type": "float", "default": 0},
    "artifact_bytes": {"type": "int", "default": 262144},
    "lasting_dir": {"type": "path"},
}

_KEPT = (
    "accounts",
    "cluster",
    "exclude_matches",
    "failed",
    "left_out",
    "msg",
    "plan",
    "server",
    "skipped_reason",
    "statements",
    "warnings",
)
# On the console; all of them are in the plan.
_MOST_LINES = 25

_display = Display()


class ActionModule(ControllerAction):
    """``mysql_tls_plan``."""

    argument_spec = ARGUMENT_SPEC

    def is_path(self, value: str) -> bool:
        """What the playbook plan has published is a text."""
        return not published.is_published(value)

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Make a plan, or read one."""
        hosts = hosts_of(options, variables, "ansible_play_hosts_all")
        fleet = Fleet(self._task, variables, self._loader)
        try:
            if options["source"]:
                return self._read(options, variables, hosts, fleet)
            strict: set[str] = set()
            results = _results(options, hosts, fleet, strict)
            servers = servers_of(results, in_document=bool(options["dest"]))
            warnings = _idle_exclusions(results.values())
            for warning in warnings:
                _display.warning(warning)
            if options["dest"]:
                return _written(options, variables, servers, fleet, warnings)
        except RdsMysqlError as e:
            return {"changed": False, "failed": True, "msg": visible(e.message)}
        # Only a host whose findings may fail it is checked where nothing changes.
        unchanged = [each.name for each in servers if each.outcome == UNCHANGED and each.name not in strict]
        left = set(unchanged)
        order = [each.name for each in servers if each.outcome != READ_ONLY and each.name not in left]
        # Checked, and never the canary.
        others = [server.name for server in servers if server.outcome == READ_ONLY and server.plan is None]
        if all(server.outcome == READ_ONLY for server in servers):
            names = listed([server.name for server in servers])
            said = f"Nothing can be changed: every server is read-only ({names}). Name the source."
            return {"changed": False, "failed": True, "msg": visible(said)}
        return _described(servers, [*order, *others], totals(servers).sentence(), fleet, unchanged)

    def _read(
        self, options: dict[str, t.Any], variables: dict[str, t.Any], hosts: list[str], fleet: Fleet
    ) -> dict[str, t.Any]:
        """The plan of a file, as far as it is about these hosts."""
        source = options["source"]
        given = (
            published.PublishedPlan(source)
            if published.is_published(source)
            else document.PlanFile(Path(source).absolute())
        )
        read = given.read(options["max_age"], utc_now(), options["sha256"])
        known, selected = variables["hostvars"], set(hosts)
        missing = [s.name for s in read.servers if not any(name in known for name in (s.name, *s.aliases))]
        if missing:
            raise RdsMysqlError(f"mysql_tls_plan: the inventory has no {listed(missing)}, which the plan is about.")
        servers = []
        for server in read.servers:
            name = next((name for name in (server.name, *server.aliases) if name in selected), None)
            if name is not None:
                members = tuple(member for member in server.members if member in known)
                servers.append(Server(name, server.outcome, server.plan, server.reason, members=members))
        order = [server.name for server in servers if server.outcome == CHANGE]
        told = f"{totals(servers).sentence()} (plan {read.sha256[:12]}, made by {read.author} at {read.made_at})"
        if (not order and any(server.outcome != "unchanged" for server in servers)) or not servers:
            raise RdsMysqlError(f"mysql_tls_plan: the plan has no change for these hosts: {told}.")
        return {**_described(servers, order, told, fleet), "sha256": read.sha256}


def _results(
    options: dict[str, t.Any], hosts: list[str], fleet: Fleet, strict: set[str]
) -> dict[str, dict[str, t.Any]]:
    """What mysql_require_ssl would do on the server of each host, in the order of the hosts.

    :arg strict: Gets the hosts whose findings fail them.
    """
    readers: list[str] = []

    def any_bundle(values: HostVariables) -> str:
        return ca_cert(options["bundles"], str(values.value("inventory_hostname")))

    def bundle(values: HostVariables) -> str:
        host = str(values.value("inventory_hostname"))
        if values.value("mysql_tls_fail_on") not in (None, "none"):
            strict.add(host)
        role = values.value("mysql_tls_role")
        if role == "reader":
            readers.append(host)
        if role not in (None, "writer"):
            reason = f"mysql_tls_role is {role}; accounts are changed through a writer."
            raise RdsMysqlError(reason, failed=False, skipped_reason="read_only")
        return any_bundle(values)

    judged, warnings = fleet_readiness.readiness_of_hosts(options, hosts, fleet)
    for warning in warnings:
        _display.warning(visible(warning))

    def module_options(values: HostVariables, ca_certs: str) -> dict[str, t.Any]:
        known = judged.get(str(values.value("inventory_hostname")))
        return {**role_options.require(values, ca_certs), **({} if known is None else {"readiness": known})}

    # In check mode: what it would change, or why it refuses.
    job = fleet_check.Job("mysql_require_ssl", REQUIRE, module_options, lambda given: enforce.run(given, True))
    prepared = fleet_check.prepare(fleet, hosts, job, bundle)
    results = _run(prepared, job)
    known, endpoints = dict(results), _endpoints_of(prepared)
    if readers and clusters.wanted(results):
        # For which cluster they are of alone: what is said of them is what their variable says.
        others = fleet_check.prepare(fleet, readers, job, any_bundle)
        known.update(_run(others, job))
        endpoints.update(_endpoints_of(others))
    members = clusters.members_of({host: known[host] for host in endpoints}, endpoints)
    again = fleet_check.Prepared()
    for host in prepared.options.keys() & members.keys():
        results[host]["members"] = members[host]
        given = prepared.options[host].get("members")
        option = clusters.option(given, [endpoints[name] for name in members[host]])
        again.options[host] = {**prepared.options[host], "members": option}
    # What its members have counted is known by now, too.
    lists = {host: given["members"] for host, given in again.options.items()}
    by_members, _told = fleet_readiness.readiness_of_hosts({**options, "only_ready": False}, lists, fleet, lists)
    judged.update(by_members)
    for host in again.options.keys() & by_members.keys():
        again.options[host]["readiness"] = by_members[host]
    for host, result in _run(again, job).items():
        results[host] = {**result, "members": members[host]}
    for host in results.keys() & judged.keys():
        results[host]["readiness"] = judged[host]
    return {host: results[host] for host in hosts if host in results}


def _idle_exclusions(results: t.Iterable[dict[str, t.Any]]) -> tuple[str, ...]:
    """The warning for patterns of accounts to leave out that match on no server."""
    matches: dict[str, int] = {}
    for result in results:
        for pattern, count in result.get("exclude_matches", {}).items():
            matches[pattern] = matches.get(pattern, 0) + count
    found = idle_exclusions(matches, "any server that was checked")
    return tuple(visible(with_variables(warning)) for warning in found)


def _run(prepared: fleet_check.Prepared, job: fleet_check.Job) -> dict[str, dict[str, t.Any]]:
    with closing(fleet_check.run(prepared, job, show_progress)) as found:
        kept = ((host, without_idle_exclusions(result)) for host, result in found)
        return {host: {name: result[name] for name in _KEPT if name in result} for host, result in kept}


def _endpoints_of(prepared: fleet_check.Prepared) -> dict[str, clusters.Endpoint]:
    found = ((host, clusters.endpoint_of(options)) for host, options in prepared.options.items())
    return {host: endpoint for host, endpoint in found if endpoint}


def _described(
    servers: t.Sequence[Server], order: list[str], told: str, fleet: Fleet, unchanged: t.Sequence[str] = ()
) -> dict[str, t.Any]:
    """What a roll-out needs: the hosts in their order, those that follow, and exactly what changes on each.

    :arg unchanged: Hosts that it leaves out, as nothing changes on them.
    """
    followers = [server.name for server in servers if server.outcome == READ_ONLY]
    return {
        "changed": False,
        "msg": visible(told),
        "hosts": order,
        "read_only": followers,
        "unchanged": list(unchanged),
        "plans": {
            server.name: server.plan
            for server in servers
            if server.outcome in (CHANGE, READ_ONLY) and unsafe_text(server.plan) is None
        },
        "members": {server.name: _members_option(server, fleet) for server in servers if server.members},
    }


def _members_option(server: Server, fleet: Fleet) -> list[str]:
    """Its option members: what its variable lists, and where its cluster's other hosts are by now."""

    def endpoint(host: str) -> clusters.Endpoint | None:
        values = fleet.of(host)
        names = ("login_host", "login_port")
        return clusters.endpoint_of({name: values.value(f"mysql_tls_{name}") for name in names})

    return clusters.option(
        fleet.of(server.name).value("mysql_tls_members"), filter(None, map(endpoint, server.members))
    )


def _written(
    options: dict[str, t.Any],
    variables: dict[str, t.Any],
    servers: tuple[Server, ...],
    fleet: Fleet,
    warnings: tuple[str, ...],
) -> dict[str, t.Any]:
    run = run_of(variables, iso8601(utc_now()))
    changing = [server.name for server in servers if server.outcome == CHANGE]
    made = document.PlanDocument(
        made_at=run.made_at,
        author=document.Author(run.user, run.host, run.job),
        collection_version=run.collection_version,
        ansible_core_version=run.ansible_core_version,
        inventory=run.inventory,
        limit=run.limit,
        batches=tuple(tuple(batch) for batch in batches(changing, options["serial"])),
        servers=servers,
        warnings=tuple(map(without_templates, warnings)),
    )
    described = made.described()
    directory = Path(options["dest"]).absolute()
    files.make_directory(directory)
    files.write(directory / document.HTML, page.to_html(made, described["sha256"]).encode("utf-8"))
    # The JSON last: whoever finds it finds the page too.
    files.write(directory / document.JSON, document.to_json(described).encode("utf-8"))
    paths = {"json": str(directory / document.JSON), "html": str(directory / document.HTML)}
    told = totals(servers).sentence()
    readiness = totals(servers).of_accounts()
    bad = [server for server in servers if server.outcome in (REFUSED, NOT_CHECKED)]
    only_followers = bool(servers) and all(server.outcome == READ_ONLY for server in servers)
    lines = [
        " ".join(filter(None, [f"{told}." if readiness else told, readiness])),
        *_lines(servers),
        f"The plan is {paths['json']} (SHA-256 {described['sha256']}); to read: {paths['html']}",
    ]
    result = {
        **_described(servers, changing, told, fleet),
        "lines": [visible(line) for line in lines],
        "plan": paths,
        "sha256": described["sha256"],
        "summary": described["totals"],
    }
    lasting = Path(options["lasting_dir"]).absolute() if options["lasting_dir"] else None
    text = published.publish(described, options["artifact_bytes"], lasting)
    result["ansible_stats"] = {
        "data": {
            "mysql_tls_planned": {
                **described["totals"],
                "summary": told,
                # Whoever approves the plan in AWX reads these.
                "lines": [*warnings, *lines[1:-1]],
                "sha256": described["sha256"],
                **paths,
                **_job_link(variables),
            },
            **({published.VARIABLE: text} if text else {}),
        },
        "per_host": False,
        "aggregate": False,
    }
    if 100.0 * len(bad) > options["max_fail_percentage"] * len(servers) or only_followers:
        why = f"{counted(len(bad), 'server')} would not be changed: {listed([server.name for server in bad])}."
        said = visible(f"{told}. {why if bad else 'Every server is read-only.'} {paths['html']}")
        result.update(failed=True, msg=said, failure=said)
    elif text is None and "awx_workflow_job_id" in variables:
        said = (
            "The plan is too large to be published for the next job of the workflow (mysql_tls_artifact_bytes is "
            f"{options['artifact_bytes']}). Let AWX's jobs keep their state in a directory that lasts, or set a limit."
        )
        result.update(failed=True, msg=said, failure=said)
    return result


def _job_link(variables: dict[str, t.Any]) -> dict[str, str]:
    """Where AWX shows the output of this job, to the person who approves the plan."""
    awx, job = os.environ.get("AWX_HOST"), variables.get("awx_job_id")
    return {"job": f"{awx.rstrip('/')}/#/jobs/playbook/{job}"} if awx and job else {}


def _lines(servers: t.Sequence[Server]) -> list[str]:
    """The most severe first: what is refused, what is not known, and then what would change."""
    told = []
    for outcome in (REFUSED, NOT_CHECKED, READ_ONLY, CHANGE):
        # Those of which the same is said, in one line.
        names: dict[str, list[str]] = {}
        for server in servers:
            if server.outcome == outcome:
                names.setdefault(server.reason or ", ".join(page.changes(server)), []).append(server.name)
        what = outcome.replace("_", " ")
        told += [f"{servers_named(hosts)}: {what}: {reason}" for reason, hosts in names.items()]
    rest = len(told) - _MOST_LINES
    return told[:_MOST_LINES] + ([f"and {rest:,} more lines in the plan"] if rest > 0 else [])
