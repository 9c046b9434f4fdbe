# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrap the text of the guides: paragraphs and list items, and nothing that reStructuredText takes as it stands."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 120
# Their content is text; that of every other directive, and of a comment, is left as it is.
TEXT = re.compile(r"\.\. (?:note|tip|warning|important|seealso|list-table)::")
MARKER = re.compile(r"(?:[-*] |\d+\. |#\. )+ *")
OPTION = re.compile(r":[\w-]+:(?: |$)")
UNDERLINE = re.compile(r"([=\-~^])\1+$")
# Literals, references and roles stay on one line.
WORD = re.compile(r"(?:``.+?``|`[^`]+`|[^\s`]|`)+", re.DOTALL)


def guides() -> list[Path]:
    return [*sorted((ROOT / "docs" / "docsite" / "rst").glob("*.rst")), ROOT / "docs" / "site" / "index.rst"]


def _filled(words: list[str], first: str, indent: str) -> t.Iterator[str]:
    together: list[str] = []
    for word in words:
        if together and MARKER.fullmatch(word + " "):  # would start an item at the start of a line
            together[-1] += f" {word}"
        else:
            together.append(word)
    line = first + together[0]
    for word in together[1:]:
        if len(line) + 1 + len(word) > WIDTH:
            yield line
            line = indent + word
        else:
            line += f" {word}"
    yield line


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def wrapped(text: str) -> str:
    lines, done = text.split("\n"), []
    at = 0
    while at < len(lines):
        line = lines[at]
        bare, depth = line.strip(), _depth(line)
        heading = at + 1 < len(lines) and UNDERLINE.match(lines[at + 1])
        kept = bare.startswith("..") and not TEXT.match(bare)
        if not bare or heading or OPTION.match(bare) or bare.startswith("..") or UNDERLINE.match(bare):
            done.append(line)
            at += 1
        else:
            marker = MARKER.match(bare)
            first = line[: depth + (marker.end() if marker else 0)]
            paragraph = [line[len(first) :]]
            at += 1
            while at < len(lines) and lines[at].strip() and _depth(lines[at]) == len(first):
                if MARKER.match(lines[at].strip()):
                    break
                paragraph.append(lines[at].strip())
                at += 1
            words = [" ".join(word.split()) for word in WORD.findall(" ".join(paragraph))]
            done += _filled(words, first, " " * len(first))
            kept = bool(words) and words[-1].endswith("::")
        while kept and at < len(lines) and (not lines[at].strip() or _depth(lines[at]) > depth):
            done.append(lines[at])
            at += 1
    return "\n".join(done)


def main() -> None:
    for page in guides():
        text = page.read_text("utf-8")
        if (better := wrapped(text)) != text:
            page.write_text(better, "utf-8")
            print(f"wrapped {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
