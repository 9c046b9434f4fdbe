# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation, messages, task names and the changelog use the words of docs/writing.md."""

from __future__ import annotations

import re

import pytest

from . import word_list


@pytest.mark.parametrize("name", word_list.files())
def test_a_file_has_the_words_of_the_field(name: str) -> None:
    assert [said for line, text in word_list.texts(name) for said in word_list.replaced(line, text)] == []


def test_the_list_has_what_the_page_replaces() -> None:
    """So that the test above can fail, and the page and the list stay one."""
    page = (word_list.ROOT / "docs" / "writing.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", page.split("## Words")[1].split("## Task names")[0], re.MULTILINE)[2:]
    assert len(rows) > 20
    for wrong, right in rows:
        for each in wrong.split("; "):
            text = f"- name: {each.capitalize()}" if each.endswith("(in task names)") else each
            assert list(word_list.replaced(1, text)), each
        assert not list(word_list.replaced(1, right)), right
