# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each test that the threat model names is there."""

from __future__ import annotations

import re

import pytest

from . import messages

PAGE = messages.ROOT / "docs" / "docsite" / "rst" / "threat_model.rst"
NAMED = sorted(set(re.findall(r"``(tests/[\w/]+\.py)::(\w+)``", PAGE.read_text("utf-8"))))


def test_every_chapter_names_tests() -> None:
    chapters = re.split(r"\n-{10,}\n", PAGE.read_text("utf-8"))[1:]
    assert len(chapters) == 9
    assert all("::test_" in chapter for chapter in chapters)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_it_is_there(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (messages.ROOT / file).read_text("utf-8"), re.MULTILINE)
