# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation site: reference, guides and changelog, in build/docsite/html."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping

from .environments import Environment
from .places import BUILD, ROOT, STAGE, say
from .running import CommandFailed, run

_COLLECTION = "dbtls.rds_mysql"
_SITE = BUILD / "docsite"
_SOURCE = _SITE / "source"
_HTML = _SITE / "html"
_SETTINGS = ROOT / "docs" / "site"
# What antsibull-docs writes and the site has in another form, or no use for.
_SUPERFLUOUS = ("index.rst", "environment_variables.rst")

# antsibull-docs writes the path of a directory of its own into what it checks; where that happens to end in an
# underscore, it is a reference in reStructuredText.
_UNLUCKY_NAME = re.compile(r'Unknown target name: "antsibull-docs-\w*"')
_ATTEMPTS = 3

# What the theme writes into a page, without a warning of Sphinx.
_THEME_OBJECTS = "ERROR: Adding a table of contents"


def lint_docs(python: Environment, extra: Mapping[str, str]) -> None:
    """Let antsibull-docs check the guides and the documentation of the plugins."""
    options = ["--plugin-docs", "--validate-collection-refs=all", "--check-extra-docs-refs"]
    for attempt in range(1, _ATTEMPTS + 1):
        said = run(
            python, "antsibull-docs", "lint-collection-docs", *options, ".", at=STAGE, extra=extra, accept=(0, 3)
        )
        if not said.strip():
            return
        if attempt == _ATTEMPTS or not all(_UNLUCKY_NAME.search(line) for line in said.splitlines()):
            raise CommandFailed("antsibull-docs has objections")
        say("once more, as that is no fault of the documentation")


def build_site(python: Environment, extra: Mapping[str, str]) -> None:
    """Build the site of the staged collection anew; a warning is a failure, and no network is needed."""
    shutil.rmtree(_SITE, ignore_errors=True)
    _SOURCE.mkdir(parents=True, mode=0o755)
    kind = ["--use-current", "--squash-hierarchy", "--no-breadcrumbs", "--no-add-antsibull-docs-version"]
    command = ["antsibull-docs", "collection", *kind, "--fail-on-error", "--dest-dir", str(_SOURCE), _COLLECTION]
    run(python, *command, extra=extra)
    for name in _SUPERFLUOUS:
        (_SOURCE / name).unlink(missing_ok=True)
    (_SOURCE / "index.rst").write_text((_SETTINGS / "index.rst").read_text("utf-8") + _contents(), encoding="utf-8")
    strictly = ["--nitpicky", "--fail-on-warning", "--keep-going", "--quiet"]
    run(python, "sphinx-build", *strictly, "-b", "html", "-c", _SETTINGS, _SOURCE, _HTML, extra=extra)
    pages = list(_HTML.rglob("*.html"))
    broken = [path.name for path in pages if _THEME_OBJECTS in path.read_text("utf-8")]
    if broken:
        raise CommandFailed(f"the theme objects to {', '.join(sorted(broken))}; look at these pages")
    say(f"the site has {len(pages)} pages and begins at {(_HTML / 'index.html').relative_to(ROOT)}")


def _contents() -> str:
    """The site's table of contents: sections of guides as extra-docs.yml has them, then the reference."""
    parts = [_toctree(title, (f"docsite/{guide}" for guide in guides)) for title, guides in _sections()]
    # Short enough for the sidebar: name and kind, as in mysql_ssl_status_module.
    stems = sorted((path.stem.rpartition("_") for path in _SOURCE.glob("*_*.rst")), key=lambda parts: parts[::-1])
    reference = [f"{name} ({kind}) <{name}_{kind}>" for name, _separator, kind in stems]
    if not reference:
        raise CommandFailed("antsibull-docs has written no reference")
    parts.append(_toctree("Reference", reference))
    parts.append(_toctree("Releases", ["Changelog <changelog>"]))
    return "".join(parts)


def _sections() -> list[tuple[str, list[str]]]:
    """Title and guides of each section, in order."""
    sections: list[tuple[str, list[str]]] = []
    for line in (ROOT / "docs" / "docsite" / "extra-docs.yml").read_text("utf-8").splitlines():
        name, separator, value = line.strip().removeprefix("- ").partition(":")
        if separator and name == "title":
            sections.append((value.strip(), []))
        elif line.strip().startswith("- ") and sections and not separator:
            sections[-1][1].append(name)
    return sections


def _toctree(caption: str, pages: Iterable[str]) -> str:
    """A part of the sidebar; an entry is a page, or ``title <page>``."""
    entries = "".join(f"   {page}\n" for page in pages)
    return f"\n.. toctree::\n   :maxdepth: 1\n   :caption: {caption}\n\n{entries}"
