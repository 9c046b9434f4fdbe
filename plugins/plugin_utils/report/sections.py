# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sections of the page. Each is made from the servers alone, and says so where there is nothing to show."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils.rds_authorities import is_retired_authority
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import labels, timeline
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.markup import Child, Markup, clip, element
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    COMPLIANT,
    LOOKED_AT,
    NOT_COMPLIANT,
    NOT_LOOKED_AT,
    SEVERITIES,
    UNDECIDED,
    UNREACHABLE,
    Change,
    Changes,
    Report,
    Server,
    Summary,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.summary import kinds_of_findings

# What a page of thousands of servers shows of one list; all of it is in report.json.
_MOST_ROWS = 200
_MOST_NAMES = 100
_NAMES_AT_ONCE = 8

_Rows = t.Sequence[t.Sequence[Child]]


@dataclass(frozen=True)
class Section:
    """A part of the page, with its entry in the table of contents."""

    id: str
    title: str
    markup: Markup


def _section(name: str, title: str, *children: Child) -> Section:
    heading = element("h2", title, id=f"{name}-title")
    return Section(name, title, element("section", heading, children, id=name, aria_labelledby=f"{name}-title"))


def _table(caption: str, columns: t.Sequence[str], rows: _Rows, total: int | None = None) -> Child:
    """A table whose first column names the rows.

    :arg total: How many rows there would be, where not all of them are shown.
    """
    head = element("thead", element("tr", [element("th", column, scope="col") for column in columns]))
    body = element(
        "tbody",
        [element("tr", element("th", row[0], scope="row"), [element("td", cell) for cell in row[1:]]) for row in rows],
    )
    table = element("table", element("caption", caption), head, body)
    more = (total or 0) - len(rows)
    note = f"{more:,} more {'is' if more == 1 else 'are'} in report.json." if more > 0 else None
    return [_scrolling(caption, table), element("p", note, class_="note") if note else None]


def _scrolling(label: str, table: Markup) -> Markup:
    return element("div", table, class_="scroll", role="region", aria_label=f"{label} (table)", tabindex=0)


def _name(text: str) -> Markup:
    """A name that somebody else has chosen, in a direction of its own."""
    return element("bdi", clip(text))


def _code(text: str) -> Markup:
    return element("code", clip(text, 1000))


def _badge(text: str, kind: str) -> Markup:
    return element("span", text, class_=f"badge {kind}")


def _severity(severity: str) -> Markup:
    return _badge(severity, severity)


def _names(names: t.Sequence[str]) -> Child:
    """Names of servers, those beyond the first few folded away."""
    shown = ", ".join(map(clip, names[:_NAMES_AT_ONCE]))
    rest = names[_NAMES_AT_ONCE:_MOST_NAMES]
    if not rest:
        return element("bdi", shown)
    more = len(names) - _MOST_NAMES
    ending = f", and {more:,} more in report.json" if more > 0 else ""
    return [
        element("bdi", shown),
        element(
            "details",
            element("summary", f"and {len(names) - _NAMES_AT_ONCE:,} more"),
            element("bdi", ", ".join(map(clip, rest))),
            ending,
        ),
    ]


def _time(iso: str) -> Markup:
    return element("time", iso[:10], datetime=iso)


# The headline


def overview(report: Report) -> Section:
    """What a manager reads."""
    summary = report.summary
    return _section(
        "overview",
        "Overview",
        element("p", labels.headline(summary), class_="headline"),
        _proportions(summary) if summary.servers else None,
        _worst(summary),
        _changes_in_short(report.changes),
    )


def _outcome_counts(summary: Summary) -> list[tuple[str, int]]:
    names = (COMPLIANT, NOT_COMPLIANT, UNDECIDED, UNREACHABLE, NOT_LOOKED_AT)
    return [(name, int(getattr(summary, name))) for name in names]


def _proportions(summary: Summary) -> Child:
    """The outcomes as one bar, and in numbers."""
    left = 0.0
    bars = []
    for name, count in _outcome_counts(summary):
        width = 1000 * count / summary.servers
        if count:
            bars.append(element("rect", x=f"{left:.1f}", y=0, width=f"{width:.1f}", height=14, class_=name))
        left += width
    drawing = element(
        "svg", bars, viewBox="0 0 1000 14", preserveAspectRatio="none", class_="proportions", aria_hidden="true"
    )
    tiles = [
        element("div", element("dt", labels.OUTCOMES[name]), element("dd", count), class_=f"tile {name}")
        for name, count in _outcome_counts(summary)
    ]
    return [drawing, element("dl", tiles, class_="tiles")]


def _worst(summary: Summary) -> Child:
    if not summary.worst:
        text = "No finding of severity medium or high." if summary.looked_at else None
        return element("p", text) if text else None
    entries = [
        element(
            "li",
            _severity(kind.severity),
            element("a", labels.title_of(kind.id), href=f"#finding-{_anchor(kind.id)}"),
            f" on {labels.counted(kind.servers, 'server')}. ",
            element("span", "For example: ", _name(kind.example), class_="quiet"),
        )
        for kind in summary.worst
    ]
    return [element("h3", "What is worst"), element("ol", entries, class_="worst")]


def _changes_in_short(found: Changes | None) -> Child:
    if found is None:
        return None
    parts = [f"{len(found.better):,} better", f"{len(found.worse):,} worse"]
    if found.drift:
        parts.append(f"{labels.counted(len(found.drift), 'account')} slipped back to no TLS")
    return element("p", f"Since {labels.moment(found.since)}: ", element("a", ", ".join(parts), href="#changes"), ".")


# Since last time


def changes(found: Changes | None) -> Section | None:
    """What got better and worse; None where there is nothing to compare with."""
    if found is None:
        return None
    return _section(
        "changes",
        "Since last time",
        element("p", f"Compared with the report of {labels.moment(found.since)}."),
        _drift(found),
        _change_list("Worse", found.worse),
        _change_list("Better", found.better),
        _change_list("Seen for the first time, because the earlier look did not go that far", found.first_seen),
        _server_list("New in this report", found.servers_added),
        _server_list("No longer in it", found.servers_gone),
    )


def _drift(found: Changes) -> Child:
    if not found.drift:
        return element("p", "Every account that required TLS then, and is still there, requires it now.")
    rows = [
        (_name(f"{drift.user}@{drift.host}"), _name(drift.server), drift.before, drift.after)
        for drift in found.drift[:_MOST_ROWS]
    ]
    return [
        element("h3", "Drift"),
        _table(
            "Accounts that required TLS then and do not now",
            ("Account", "Server", "Required then", "Requires now"),
            rows,
            len(found.drift),
        ),
    ]


def _change_list(title: str, found: tuple[Change, ...]) -> Child:
    if not found:
        return element("p", f"{title}: nothing.") if title in ("Worse", "Better") else None
    rows = [
        (
            _name(change.server),
            _severity(change.severity),
            "Reachability" if change.id == "server" else labels.title_of(change.id),
            _name(change.message),
        )
        for change in found[:_MOST_ROWS]
    ]
    return [element("h3", title), _table(title, ("Server", "Severity", "What", "Details"), rows, len(found))]


def _server_list(title: str, names: tuple[str, ...]) -> Child:
    return element("p", f"{title} ({len(names):,}): ", _names(names)) if names else None


# Servers that were not seen


def unseen(servers: t.Sequence[Server]) -> Section | None:
    """Those that could not be reached or were not looked at; None where there are none."""
    found: dict[tuple[bool, str, str], list[str]] = {}
    for server in servers:
        if server.state != LOOKED_AT:
            key = server.state != UNREACHABLE, server.state, server.message or ""
            found.setdefault(key, []).append(server.name)
    if not found:
        return None
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0]))
    rows = [
        (_name(message), _badge(labels.OUTCOMES[state], state), len(names), _names(names))
        for (_last, state, message), names in ordered[:_MOST_ROWS]
    ]
    return _section(
        "unseen",
        "Not seen",
        element("p", "Nothing is known about these servers, which is not to say that they are in order."),
        _table(
            "Servers that could not be looked at", ("Why", "State", "How many servers", "Servers"), rows, len(ordered)
        ),
    )


# Servers

_COLUMNS = (
    "Server",
    "State",
    "Findings",
    "Version",
    "Session",
    "TLS required",
    "Accounts without TLS",
    "Sessions without TLS",
    "Certificate expires",
)


def table_of_servers(servers: t.Sequence[Server]) -> Section:
    """Every server in a line. Its script sorts and filters; without it the table is complete all the same."""
    if not servers:
        return _section("servers", "Servers", element("p", "None."))
    head = element("tr", [element("th", column, scope="col") for column in _COLUMNS])
    table = element(
        "table",
        element("caption", "Servers"),
        element("thead", head),
        element("tbody", [_server_row(server) for server in servers]),
        id="servers-table",
    )
    return _section("servers", "Servers", _filters(servers), _scrolling("Servers", table), _paging())


def _filters(servers: t.Sequence[Server]) -> Markup:
    """Shown by the script, without which they would do nothing."""
    present = {labels.outcome(server) for server in servers}
    ids = sorted({finding.id for server in servers for finding in server.findings})
    states = [(name, title) for name, title in labels.OUTCOMES.items() if name in present]
    return element(
        "div",
        element("label", "Find", element("input", type="search", id="filter-text", autocomplete="off")),
        _select("State", "filter-state", states),
        _select("Finding", "filter-finding", [(name, labels.title_of(name)) for name in ids]),
        element("button", "Reset", type="button", id="filter-reset"),
        element("p", id="filter-status", role="status"),
        id="filters",
        class_="filters",
        hidden=True,
    )


def _select(label: str, name: str, choices: t.Sequence[tuple[str, str]]) -> Markup:
    options = [element("option", "All", value="")]
    options += [element("option", title, value=value) for value, title in choices]
    return element("label", label, element("select", options, id=name))


def _paging() -> Markup:
    return element("p", element("button", "Show all", type="button", id="show-all"), id="paging", hidden=True)


def _server_row(server: Server) -> Markup:
    result = labels.outcome(server)
    certificate = server.certificate
    without = None if server.accounts is None else sum(account.admits_plaintext for account in server.accounts)
    plaintext = None if server.sessions is None else server.sessions.plaintext
    order = list(labels.OUTCOMES).index(result)
    return element(
        "tr",
        element("th", _name(server.name), _elsewhere(server), scope="row"),
        element("td", _badge(labels.OUTCOMES[result], result), data_v=order),
        _findings_cell(server),
        element("td", _software(server)),
        element("td", _session(server)),
        _tls_required(server),
        _number(without, bad=_has_open_account(server)),
        _number(plaintext, bad=bool(plaintext)),
        _expiry(server) if certificate else _unknown(),
        data_s=result,
    )


def _elsewhere(server: Server) -> Markup | None:
    """Where the server is, unless its name says that."""
    endpoint = str(server.endpoint)
    if not endpoint or server.name in (endpoint, server.endpoint.host):
        return None
    return element("small", _name(endpoint))


def _unknown() -> Markup:
    """Sorts after everything that is known."""
    return element("td", "\N{EN DASH}", data_v="")


def _has_open_account(server: Server) -> bool:
    """Whether an account can be used without TLS from elsewhere, and not on the server's own machine only."""
    return any(finding.id == "account-without-tls" and finding.severity == "high" for finding in server.findings)


def _number(count: int | None, *, bad: bool) -> Markup:
    if count is None:
        return _unknown()
    return element("td", count, data_v=count, class_="number bad" if bad else "number")


def _findings_cell(server: Server) -> Markup:
    if server.state != LOOKED_AT:
        return _unknown()
    counts = [(severity, server.count(severity)) for severity in SEVERITIES]
    weight = 0
    for _severity_name, count in counts:
        weight = weight * 1000 + min(count, 999)
    text = ", ".join(f"{count:,} {severity}" for severity, count in counts if count)
    ids = " ".join(dict.fromkeys(finding.id for finding in server.findings))
    # With the most severe first, where a click is expected to bring the worst to the top.
    return element("td", text or "none", element("small", ids) if ids else None, data_v=-weight)


def _software(server: Server) -> Child:
    if server.server is None:
        return "\N{EN DASH}"
    managed = f" ({server.server.managed_by})" if server.server.managed_by else ""
    return _name(f"{server.server.family} {server.server.version}{managed}")


def _session(server: Server) -> Child:
    if server.session is None:
        return "from outside only" if server.state == LOOKED_AT else "\N{EN DASH}"
    if not server.session.encrypted:
        return "without TLS"
    checked = "verified" if server.session.verified else "not verified"
    return f"{clip(server.session.protocol or 'TLS', 40)}, {checked}"


def _tls_required(server: Server) -> Markup:
    required = server.tls.require_secure_transport if server.tls else None
    if required is None:
        return _unknown()
    return element("td", "of all" if required else "by account", data_v=int(not required))


def _expiry(server: Server) -> Markup:
    if server.certificate is None:
        return _unknown()
    days = server.certificate.days_left
    text = "expired" if server.certificate.expired else f"in {labels.counted(days, 'day')}"
    kind = "bad" if server.certificate.expired else None
    return element("td", _time(server.certificate.not_after), element("small", text), data_v=days, class_=kind)


# Findings


def findings(servers: t.Sequence[Server]) -> Section:
    """By id, the most severe first; what can be done about each."""
    kinds = kinds_of_findings(servers)
    if not kinds:
        return _section("findings", "Findings", element("p", "None."))
    ids = list(dict.fromkeys(kind.id for kind in kinds))
    return _section("findings", "Findings and what to do", [_findings_of(name, servers) for name in ids])


def _anchor(name: str) -> str:
    """The id of a finding as that of an element; one of a report that somebody else has written may have anything."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in clip(name, 60))


def _findings_of(name: str, servers: t.Sequence[Server]) -> Child:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for server in servers:
        for finding in server.findings:
            if finding.id == name:
                found = groups.setdefault((finding.severity, finding.message, finding.remediation), [])
                found.append(server.name)
    ordered = sorted(groups.items(), key=lambda group: (SEVERITIES.index(group[0][0]), -len(group[1])))
    rows = [
        (_name(message), _severity(severity), _names(list(dict.fromkeys(names))), _code(remediation))
        for (severity, message, remediation), names in ordered[:_MOST_ROWS]
    ]
    affected = len({server for names in groups.values() for server in names})
    title = labels.title_of(name)
    return element(
        "section",
        element("h3", title, " ", element("small", f"{name}, on {labels.counted(affected, 'server')}")),
        _table(title, ("Finding", "Severity", "Servers", "What to do"), rows, len(ordered)),
        id=f"finding-{_anchor(name)}",
        class_="finding",
    )


# Accounts and sessions


def accounts(servers: t.Sequence[Server]) -> Section:
    """Accounts that may log in without TLS, by name."""
    found: dict[tuple[str, str], list[str]] = {}
    for server in servers:
        for account in server.accounts or ():
            if account.admits_plaintext and not account.system:
                key = account.name, _why_not_high(server, account.local)
                found.setdefault(key, []).append(server.name)
    known = sum(server.accounts is not None for server in servers)
    scope = element("p", f"The accounts of {labels.counted(known, 'server')} could be read.")
    if not found:
        return _section("accounts", "Accounts without TLS", scope, element("p", "None of them may log in without TLS."))
    ordered = sorted(found.items(), key=lambda item: (bool(item[0][1]), -len(item[1]), item[0]))
    rows = [
        (_name(name), remark or "may log in without TLS from elsewhere", len(names), _names(names))
        for (name, remark), names in ordered[:_MOST_ROWS]
    ]
    return _section(
        "accounts",
        "Accounts without TLS",
        scope,
        _table(
            "Accounts of which TLS is not required",
            ("Account", "What that means", "How many servers", "Servers"),
            rows,
            len(ordered),
        ),
    )


def _why_not_high(server: Server, local: bool) -> str:
    if server.tls is not None and server.tls.require_secure_transport:
        return "the server requires TLS of every connection"
    return "can be used on the server's own machine only" if local else ""


def sessions(servers: t.Sequence[Server]) -> Section:
    """Who is connected without TLS."""
    found: dict[tuple[str, str], list[str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for server in servers:
        for group in server.sessions.by_account if server.sessions else ():
            if group.plaintext:
                key = group.user, group.host
                found.setdefault(key, []).append(server.name)
                counts[key] = counts.get(key, 0) + group.plaintext
    known = sum(server.sessions is not None for server in servers)
    scope = element("p", f"{labels.counted(known, 'server')} told about the sessions.")
    if not found:
        text = "None of them had a session without TLS." if known else "So nothing can be said about sessions."
        return _section("sessions", "Sessions without TLS", scope, element("p", text))
    ordered = sorted(found.items(), key=lambda item: (-counts[item[0]], item[0]))
    rows = [
        (_name(key[0]), _name(key[1]), counts[key], len(names), _names(names)) for key, names in ordered[:_MOST_ROWS]
    ]
    columns = ("User", "From", "Sessions", "How many servers", "Servers")
    table = _table("Sessions without TLS, by client", columns, rows, len(ordered))
    return _section("sessions", "Sessions without TLS", scope, table)


# Certificates


def certificates(servers: t.Sequence[Server], made_at: str) -> Section:
    """When they expire."""
    if not any(server.certificate for server in servers):
        return _section("certificates", "Certificate expiry", element("p", "No server has shown a certificate."))
    found = timeline.periods(servers, made_at)
    rows = [
        (period.label, len(period.servers), _names([server.name for server in period.servers]))
        for period in found
        if period.servers
    ]
    columns = ("Expires", "How many certificates", "Servers")
    legend = [
        element("span", element("span", class_=f"swatch {kind}", aria_hidden="true"), title)
        for kind, title in (("expired", "expired"), ("soon", "within 90 days"), ("later", "later"))
    ]
    return _section(
        "certificates",
        "Certificate expiry",
        element("figure", timeline.drawing(found), element("figcaption", legend)),
        element("details", element("summary", "The same as a table"), _table("Certificates by expiry", columns, rows)),
    )


def authorities(servers: t.Sequence[Server]) -> Section:
    """Who issued the certificates: RDS authorities by AWS's name for them, others as they call themselves."""
    found: dict[tuple[str, str], list[Server]] = {}
    for server in servers:
        if server.certificate is not None:
            authority = server.certificate.rds_ca
            key = ("RDS", authority) if authority else ("other", server.certificate.issuer)
            found.setdefault(key, []).append(server)
    if not found:
        return _section("authorities", "Authorities", element("p", "No server has shown a certificate."))
    ordered = sorted(found.items(), key=lambda item: (item[0][0] != "RDS", -len(item[1]), item[0][1]))
    rows = [_authority(kind, name, group) for (kind, name), group in ordered[:_MOST_ROWS]]
    columns = ("Authority", "Kind", "How many servers", "First expiry", "Servers")
    table = _table("Authorities that issued the certificates", columns, rows, len(ordered))
    rds = any(kind == "RDS" for kind, _name_of in found)
    note = None if rds else element("p", "No certificate was issued by an authority of Amazon RDS.")
    return _section("authorities", "Authorities in use", note, table)


def _authority(kind: str, name: str, servers: t.Sequence[Server]) -> t.Sequence[Child]:
    retired = kind == "RDS" and is_retired_authority(name)
    first = min(server.certificate.not_after for server in servers if server.certificate)
    names = [server.name for server in servers]
    return (
        _code(name) if kind == "RDS" else _name(name),
        _badge("retired RDS authority", "medium") if retired else "RDS authority" if kind == "RDS" else "other",
        len(servers),
        _time(first),
        _names(names),
    )


# How to read it


def reading_guide() -> Section:
    """What the words mean."""
    in_part = (
        "Nothing was found against it, but its accounts are not known: the look was from outside, or its login may not "
        "read them."
    )
    meanings = (
        ("Compliant", "No finding of severity medium or high, and its accounts are known or TLS is required of all."),
        (labels.OUTCOMES[NOT_COMPLIANT], "At least one finding of severity medium or high."),
        ("Seen in part", in_part),
        ("Not reached", "It did not answer, or turned the look away before anything could be seen."),
        ("Not looked at", "The run ended for it before the look."),
    )
    return _section(
        "guide",
        "How to read this",
        element("dl", [[element("dt", term), element("dd", text)] for term, text in meanings], class_="guide"),
        element(
            "p",
            "Accounts that belong to the server or to AWS are not listed among those without TLS, and locked accounts "
            "and roles are not either. Times are in UTC; days are counted from the look.",
        ),
    )
