# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide about messages has all of them, in their words, and no others."""

from __future__ import annotations

import re

import pytest

from . import messages

PAGE = messages.ROOT / "docs" / "docsite" / "rst" / "troubleshooting.rst"
ENTRY = re.compile(r"^``(?P<message>.+)``$", re.MULTILINE)


def quoted() -> list[str]:
    """The messages that have an entry."""
    return [match.group("message") for match in ENTRY.finditer(PAGE.read_text("utf-8"))]


def pattern(message: str) -> re.Pattern[str]:
    """What the quoted message matches: ``...`` stands for anything, and what comes after it may be left out."""
    return re.compile(".*".join(re.escape(part) for part in message.split("...")), re.DOTALL)


def test_the_guide_has_entries() -> None:
    assert len(quoted()) > 80


@pytest.mark.parametrize("message", quoted())
def test_a_quoted_message_is_in_the_code(message: str) -> None:
    assert any(pattern(message).search(text) for text in messages.texts()), message


def test_exit_codes_of_every_playbook() -> None:
    table = (
        PAGE.read_text("utf-8").partition("Exit codes of the playbooks")[2].partition("The server cannot be reached")[0]
    )
    named = re.findall(r"^   \* - ``(\w+)``$", table, re.MULTILINE)
    assert sorted(named) == sorted(path.stem for path in (messages.ROOT / "playbooks").glob("*.yml"))


def test_an_entry_is_there_once() -> None:
    assert len(set(quoted())) == len(quoted())


# Not sentences of their own: libraries, which Ansible makes a sentence of, and what is only passed on.
NO_SENTENCE = {"PyMySQL", "cryptography", messages.HOLE, messages.HOLE + " Nothing was changed."}


@pytest.mark.parametrize("text", sorted(messages.raised() - NO_SENTENCE))
def test_every_message_has_an_entry(text: str) -> None:
    assert any(pattern(message).search(text) for message in quoted() if len(message.replace(".", "")) > 12), text


def test_other_words_are_noticed() -> None:
    """So that the tests above can fail."""
    assert not any(pattern("Cannot arrive at ...: ...").search(text) for text in messages.texts())
