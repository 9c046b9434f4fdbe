# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures of the page Performance, from what ``make bench`` has measured: ``python -m docs.tools.bench_page``."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from .wrapped import wrapped

PAGE = Path("docs/docsite/rst/fleet_speed.rst")
FIGURES = Path("docs/bench.json")
START, END = "..\n  Figures: made from docs/bench.json.\n\n", "..\n  End of figures.\n"
_TITLES = ("Run", "Hosts", "Wall clock", "CPU time", "Largest process", "Relative to an empty playbook", "Target")


def figures(measured: t.Mapping[str, t.Any]) -> str:
    """A sentence about the machine, and a table."""
    machine = measured["machine"]
    about = (
        f"Python {machine['python']}, ansible-core {machine['ansible_core']}, cryptography {machine['cryptography']}, "
        f"PyMySQL {machine['PyMySQL']}, {machine['cores']} cores, {measured['rows'][0]['forks']} forks; medians of "
        f"{machine['rounds']} rounds. Servers: {machine['servers']}."
    )
    lines = [
        about,
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "",
        *_row(_TITLES),
    ]
    for row in measured["rows"]:
        target = f"at most {row['target']:.1f}" if row["target"] else "\\-"
        lines += _row(
            (
                row["way"],
                f"{row['hosts']:,}",
                f"{row['wall_seconds']:.1f} s",
                f"{row['cpu_seconds']:.1f} s",
                f"{row['memory_mib']:.0f} MiB",
                f"{row['times_the_floor']:.2f}",
                target,
            )
        )
    return wrapped("\n".join(lines)) + "\n\n"


def _row(cells: t.Iterable[str]) -> list[str]:
    return [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(cells)]


def page(text: str, measured: t.Mapping[str, t.Any]) -> str:
    """The page with these figures."""
    before, _start, rest = text.partition(START)
    _old, _end, after = rest.partition(END)
    return f"{before}{START}{figures(measured)}{END}{after}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text("utf-8"), json.loads(FIGURES.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
