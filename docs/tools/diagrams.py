# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diagrams of the guides, which are data here and SVG on the site: ``python -m docs.tools.diagrams``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

IMAGES = Path("docs/docsite/rst/images")
_FONT = 'font-family="system-ui, sans-serif" font-size="13"'
_LICENCE = "Copyright (c) 2026, dbtls contributors; GNU General Public License v3.0+"
_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 196, 62, 276, 104, 16
_GREEN, _RED, _GREY, _INK, _PALE = "#1a7f37", "#cf222e", "#6e7781", "#1f2328", "#f6f8fa"


@dataclass(frozen=True)
class Box:
    """What stands in one cell: a title, a line below it, and the colour of its border."""

    column: int
    row: int
    title: str
    text: str = ""
    colour: str = _GREY

    @property
    def x(self) -> int:
        """The left edge."""
        return _MARGIN + self.column * _ACROSS

    @property
    def y(self) -> int:
        """The upper edge."""
        return _MARGIN + self.row * _DOWN


@dataclass(frozen=True)
class Diagram:
    """Boxes by name, and arrows between neighbours in a row or a column, with a label."""

    title: str
    boxes: Mapping[str, Box]
    arrows: Sequence[tuple[str, str, str]]


DIAGRAMS = {
    "order_of_work": Diagram(
        "The order of work on one server: connect, read, plan, guard, record, apply, verify, or roll back",
        {
            "connect": Box(0, 0, "Connect", "control session, stays open"),
            "read": Box(1, 0, "Read and plan", "accounts, statements"),
            "guard": Box(2, 0, "Guard", "could anyone be locked out?"),
            "stop": Box(2, 1, "Stop", "nothing was changed", _GREEN),
            "record": Box(3, 0, "Record", "requirements before, on disk"),
            "apply": Box(3, 1, "Apply", "read again, ALTER USER"),
            "verify": Box(3, 2, "Verify", "new login, server memory"),
            "done": Box(2, 2, "Done", "verified: true", _GREEN),
            "rollback": Box(3, 3, "Roll back", "exactly what this run changed", _RED),
            "checked": Box(2, 3, "Check", "rolled_back: true", _GREEN),
            "unknown": Box(3, 4, "State unknown", "statements to run by hand", _RED),
        },
        [
            ("connect", "read", ""),
            ("read", "guard", ""),
            ("guard", "record", "no"),
            ("guard", "stop", "yes, or not known"),
            ("record", "apply", ""),
            ("apply", "verify", ""),
            ("verify", "done", "as planned"),
            ("verify", "rollback", "otherwise"),
            ("rollback", "checked", ""),
            ("rollback", "unknown", "no session"),
        ],
    ),
    "trust_chain": Diagram(
        "The trust chain: the CA bundle holds the root that issued the CA of the server certificate",
        {
            "root": Box(0, 0, "Root CA", "Amazon RDS ... Root CA G1"),
            "intermediate": Box(1, 0, "Intermediate CA", "sent by the server"),
            "server": Box(2, 0, "Server certificate", "valid for the endpoint name"),
            "bundle": Box(0, 1, "CA bundle", "rds_ca_bundle, one per region"),
            "clients": Box(1, 1, "Clients and controller", "ca_cert, --ssl-ca, trust store"),
            "login": Box(2, 1, "Verified TLS login", "chain, dates and name checked", _GREEN),
        },
        [
            ("root", "intermediate", "issued"),
            ("intermediate", "server", "issued"),
            ("root", "bundle", "is in"),
            ("bundle", "clients", "installed on"),
            ("clients", "login", "verify"),
            ("server", "login", "shown before"),
        ],
    ),
    "fleet_pipeline": Diagram(
        "The fleet pipeline: bundle, audit, watch, plan, approve, enforce, and audit again",
        {
            "bundle": Box(0, 0, "bundle", "CA certificates to clients"),
            "audit": Box(1, 0, "audit", "findings, who is affected"),
            "watch": Box(2, 0, "watch", "who connects without TLS"),
            "plan": Box(2, 1, "plan", "every change in one document"),
            "approve": Box(1, 1, "A person approves", "plan.html, plan.json", _GREEN),
            "enforce": Box(0, 1, "enforce", "exactly that plan, canary first"),
            "again": Box(0, 2, "audit, every night", "fails on regressions", _GREEN),
            "rollback": Box(1, 2, "rollback", "from the records, if needed", _RED),
        },
        [
            ("bundle", "audit", ""),
            ("audit", "watch", ""),
            ("watch", "plan", "for some weeks"),
            ("plan", "approve", ""),
            ("approve", "enforce", ""),
            ("enforce", "again", ""),
            ("again", "rollback", ""),
        ],
    ),
    "files_on_disk": Diagram(
        "State and reports on disk: records and history last, reports are replaced, bundles are a cache",
        {
            "enforce": Box(0, 0, "enforce", "before the first statement"),
            "records": Box(1, 0, "rollback/HOST.json", "mysql_tls_state_dir"),
            "rollback": Box(2, 0, "rollback", "restores from it"),
            "every": Box(0, 1, "audit, watch, plan", "and what enforce changed"),
            "history": Box(1, 1, "history, observations", "mysql_tls_state_dir"),
            "compare": Box(2, 1, "Changes, readiness", "in the next report"),
            "made": Box(0, 2, "audit and plan"),
            "report": Box(1, 2, "report.html, plan.json", "mysql_tls_report_dir"),
            "people": Box(2, 2, "People, CI, enforce", "replaced by the next run"),
            "fetch": Box(0, 3, "every playbook"),
            "bundles": Box(1, 3, "CA bundles", "mysql_tls_bundle_dir, a cache"),
            "logins": Box(2, 3, "Verified logins", "fetched again if missing"),
        },
        [
            ("enforce", "records", ""),
            ("records", "rollback", ""),
            ("every", "history", ""),
            ("history", "compare", ""),
            ("made", "report", ""),
            ("report", "people", ""),
            ("fetch", "bundles", ""),
            ("bundles", "logins", ""),
        ],
    ),
}


def picture(diagram: Diagram) -> str:
    """The SVG."""
    width = max(box.x for box in diagram.boxes.values()) + _WIDTH + _MARGIN
    height = max(box.y for box in diagram.boxes.values()) + _HEIGHT + _MARGIN
    head = '<marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" {_FONT}>'
    parts = [
        opening,
        f"<!-- {_LICENCE}; made by docs/tools/diagrams.py -->",
        f"<title>{escape(diagram.title)}</title>",
        f'<defs>{head}<path d="M0 0L8 4L0 8z" fill="{_GREY}"/></marker></defs>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    for start, end, label in diagram.arrows:
        parts += _arrow(diagram.boxes[start], diagram.boxes[end], label)
    for box in diagram.boxes.values():
        parts += _box(box)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arrow(start: Box, end: Box, label: str) -> list[str]:
    if start.row == end.row:
        y = start.y + _HEIGHT // 2
        x1, x2 = (start.x + _WIDTH, end.x) if start.column < end.column else (start.x, end.x + _WIDTH)
        return [_line(x1, y, x2, y), *([_text((x1 + x2) // 2, y - 6, label, _GREY, "middle", 11)] if label else [])]
    x = start.x + _WIDTH // 2
    y1, y2 = (start.y + _HEIGHT, end.y) if start.row < end.row else (start.y, end.y + _HEIGHT)
    return [_line(x, y1, x, y2), *([_text(x + 6, (y1 + y2) // 2 + 4, label, _GREY, "start", 11)] if label else [])]


def _line(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{_GREY}" stroke-width="1.5" marker-end="url(#head)"/>'


def _box(box: Box) -> list[str]:
    middle = box.x + _WIDTH // 2
    title = box.y + (26 if box.text else 36)
    border = f'fill="{_PALE}" stroke="{box.colour}"'
    return [
        f'<rect x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" {border}/>',
        _text(middle, title, box.title, _INK, "middle", 13, bold=True),
        *([_text(middle, box.y + 45, box.text, _GREY, "middle", 12)] if box.text else []),
    ]


def _text(x: int, y: int, text: str, colour: str, anchor: str, size: int, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}" font-size="{size}"{weight}>{escape(text)}</text>'
    )


if __name__ == "__main__":
    for name, diagram in DIAGRAMS.items():
        (IMAGES / f"{name}.svg").write_text(picture(diagram), "utf-8")
