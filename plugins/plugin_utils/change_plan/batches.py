# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of a roll-out: which hosts are in which batch."""

from __future__ import annotations

import typing as t


def batches(hosts: t.Sequence[str], serial: t.Sequence[str]) -> list[list[str]]:
    """As Ansible makes them: the last size counts for all batches that follow."""
    made: list[list[str]] = []
    left = list(hosts)
    while left:
        size = _number(serial[min(len(made), len(serial) - 1)], len(hosts)) if serial else len(left)
        made.append(left[:size])
        left = left[size:]
    return made


def _number(size: str, total: int) -> int:
    if size.endswith("%"):
        return int(int(size[:-1]) / 100.0 * total) or 1
    return int(size) or total
