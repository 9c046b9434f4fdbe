# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run schedules from a shell: one in all detail, or many with what was found, counted."""

from __future__ import annotations

import argparse
import collections
import sys

from .simulate import Directory, run_many, simulate, told


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tests.unit.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="the only, or the first")
    parser.add_argument("--count", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.count == 1:
        with Directory() as directory:
            report = simulate(arguments.seed or 0, directory)
        print(told(report))
        return 1 if report.broken else 0
    summary = run_many(arguments.seed or 0, arguments.count)
    kinds: collections.Counter[str] = collections.Counter()
    first: dict[str, tuple[int, str]] = {}
    for seed, broken in summary.failures:
        for sentence in broken:
            kind = sentence.split(" ")[0]
            kinds[kind] += 1
            first.setdefault(kind, (seed, sentence))
    print(
        f"{summary.schedules} schedules in {summary.seconds:.1f} s: {summary.schedules / summary.seconds:.0f} a second"
    )
    print(dict(summary.words))
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}: seed {first[kind][0]}: {first[kind][1][:260]}")
    return 1 if summary.failures else 0


if __name__ == "__main__":
    sys.exit(main())
