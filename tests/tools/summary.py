# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of ``make test``: every gate with its time, the slowest tests, and one line that counts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

RESULTS = Path(__file__).parents[2] / "build" / "results"


def main() -> int:
    """Print it, write the slowest tests to build/results/slowest.txt, and return 1 unless all is well."""
    report = RESULTS / "report.json"
    if not report.exists():
        print("nox did not come to its end\ngates: 0 passed, 1 failed")
        return 1
    sessions = json.loads(report.read_text("utf-8"))["sessions"]
    for session in sessions:
        print(f"{float(session['duration']):8.1f} s  {session['result']:<8} {session['name']}")
    # pytest's own.
    cases = [case for path in RESULTS.glob("*.xml") for case in ElementTree.parse(path).iter("testcase")]  # noqa: S314
    cases.sort(key=lambda case: -float(case.get("time", 0)))
    slowest = [f"{float(case.get('time', 0)):8.1f} s  {case.get('classname')}.{case.get('name')}" for case in cases]
    print(f"\nThe slowest of {len(cases)} tests:", *slowest[:20], sep="\n")
    (RESULTS / "slowest.txt").write_text("\n".join(slowest[:20]) + "\n", "utf-8")
    count = [session["result"] for session in sessions].count
    failed = len(sessions) - count("success") - count("skipped")
    skipped = f", {count('skipped')} skipped" if count("skipped") else ""
    print(f"gates: {count('success')} passed, {failed} failed{skipped}")
    return int(bool(failed or not sessions))


if __name__ == "__main__":
    sys.exit(main())
