# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation, messages, task names and the changelog use the words of docs/writing.md."""

from __future__ import annotations

import re

import pytest

from . import word_list

NOT_YET: set[str] = set()
PAGE = word_list.ROOT / "docs" / "writing.md"


@pytest.mark.parametrize("name", [name for name in word_list.files() if name not in NOT_YET])
def test_a_file_has_the_words_of_the_field(name: str) -> None:
    assert [said for line, text in word_list.texts(name) for said in word_list.replaced(line, text)] == []


def test_the_list_has_what_the_page_replaces() -> None:
    """So that the test above can fail, and the page and the list stay one."""
    words = PAGE.read_text("utf-8").split("## Words")[1].split("## Task names")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", words, re.MULTILINE)[2:]
    assert len(rows) > 15
    for wrong, right in rows:
        assert list(word_list.replaced(1, wrong)), wrong
        assert not list(word_list.replaced(1, right)), right


def test_task_names_are_imperatives() -> None:
    assert list(word_list.replaced(1, "- name: Have the bundle"))
    assert not list(word_list.replaced(1, "- name: Fetch the bundle"))
