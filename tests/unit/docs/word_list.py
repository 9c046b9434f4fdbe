# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words that docs/writing.md replaces, as patterns, and the texts that they are looked up in."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

WORDS = {
    r"\blook(?:s|ed|ing)?\b(?! up\b| like\b)": "check, checked; search for; see",
    r"\b(?:requir\w+ (?:TLS|SSL|x509|(?:a )?client certificates?)|TLS is required) of\b": "require TLS for",
    r"\b(?:put|puts|putting)(?: \w+){0,3} back\b": "restored, rolled back",
    r"\bwhat (?:was|is) there\b": "the previous requirement; what exists",
    r"\b(?:get|gets|got|let|lets)(?: (?:them|us|nobody))? in\b(?! (?:the|a|an|this|its)\b)": (
        "can log in; would be unable to reconnect"
    ),
    r"\bone's own\b|\bof (?:your|his|our) own\b": "self-managed, custom",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bfrom outside\b": "unauthenticated, without a login",
    r"\b(?:seen|checked) in part\b": "partially checked",
    r"\bnot seen\b|\bnot reached\b": "not checked; unreachable",
    r"(?<!Root\sCertificate\s)\b[Aa]uthorit(?:y|ies)\b": "CA",
    r"\b(?:is|are|was|were) to be\b": "will be",
    r"\btyping errors?\b": "typo",
    r"\b(?:take|takes|taking|took)(?: (?:it|them|TLS|the requirement))? off\b|\btaken off\b": "remove",
    r"\bway back\b": "rollback",
    r"\bsurprises?\b": "if anything unexpected happens",
    r"\bgrave\b|\bthe worst\b|\bworst (?:first|servers?)\b|\bis worst\b": "severe; most severe; top",
    r"\bdrift\b|\bslipped\b": "regression; no longer requires TLS",
    r"(?<![Tt]here\s)\b(?:is|are) no (?!longer\b|more\b|less\b|[a-z]+er than\b)": "is not a",
    r"\bbegin of\b": "start of",
    r"\bmade out to\b": "valid for",
    r"\boffer(?:s|ed)? no TLS\b": "does not offer TLS",
    r"\b(?:broken?|breaks?) (?:the connection |handshakes )?off\b|\bnot greet\b": (
        "closed the connection; sent no handshake"
    ),
    r"\brefused the login\b": "login refused, with a likely cause",
    r"\b[Ss]omebody else\b|\b[Ww]hoever\b": "someone else; anyone who",
    r"\b[Aa]s above\b|\b[Ss]ee above\b": "repeat it, or link to it",
    r"\b(?:go|goes|went|going) on\b(?! (?:the|a)\b)": "continue",
    r"\bnot tell\b": "does not expose; does not show",
    r"\bin words\b": "with a message",
    r"\banew\b": "again",
    r"\bthat should not be\b|\bproven so\b": "see docs/writing.md",
    r"\bsimply\b": "leave it out",
}
TASK_NAMES = {
    r"^ *(?:- )?name: \"?(?:Have|Say|Know|Look|Let|Make) ": "an imperative: Create, Fetch, Install, Show, Check"
}
# Lines are wrapped anywhere.
PATTERNS = {re.compile(pattern.replace(" ", r"\s+")): better for pattern, better in WORDS.items()}
PATTERNS |= {re.compile(pattern, re.MULTILINE): better for pattern, better in TASK_NAMES.items()}

_TEXTS = {".md", ".rst", ".yml", ".yaml", ".json", ".j2", ".html", ".js"}
_APART = ("tests/", "build/", "LICENSES/", ".")
_QUOTES = re.compile(r"^\|.*$", re.MULTILINE)
"""The tables of docs/writing.md hold the words that it replaces."""


def files() -> list[str]:
    """The files of the product, by their names in the repository."""
    found = (path for path in ROOT.rglob("*") if path.suffix in _TEXTS | {".py"} and path.is_file())
    names = (path.relative_to(ROOT).as_posix() for path in found)
    return sorted(name for name in names if not name.startswith(_APART))


def texts(name: str) -> t.Iterator[tuple[int, str]]:
    """The texts of a file that people read, each with the line where it starts; of code, its string literals."""
    content = (ROOT / name).read_text("utf-8")
    if name.endswith(".py"):
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value
    else:
        yield 1, _QUOTES.sub("", content) if name == "docs/writing.md" else content


def replaced(line: int, text: str) -> t.Iterator[str]:
    """The words in a text that the list replaces, a sentence each."""
    for pattern, better in PATTERNS.items():
        for match in pattern.finditer(text):
            yield f"line {line + text.count(chr(10), 0, match.start())}: {match.group().strip()!r}; write: {better}"
