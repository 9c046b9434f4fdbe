# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages and diagrams that scripts make are what the scripts make now; what every page says alike is alike."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docs.tools import bench_page, diagrams, playbook_variables, wrapped

ROOT = Path(__file__).resolve().parents[3]
GUIDES = ROOT / "docs" / "docsite" / "rst"


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_a_diagram_is_what_its_script_makes(name: str) -> None:
    assert (ROOT / diagrams.IMAGES / f"{name}.svg").read_text("utf-8") == diagrams.picture(diagrams.DIAGRAMS[name])


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_a_page_shows_the_diagram_with_its_text(name: str) -> None:
    pages = [*GUIDES.glob("*.rst"), ROOT / "docs" / "site" / "index.rst"]
    alone = [page.name for page in pages if f"images/{name}.svg\n" in page.read_text("utf-8")]
    assert alone
    for page in pages:
        assert page.read_text("utf-8").count(f"images/{name}.svg\n   :alt: ") == (page.name in alone)


@pytest.mark.parametrize("page", wrapped.guides(), ids=lambda page: page.name)
def test_a_guide_is_wrapped(page: Path) -> None:
    """``make format`` does it."""
    text = page.read_text("utf-8")
    assert text.splitlines() == wrapped.wrapped(text).splitlines()


def test_what_is_wrapped_and_what_is_not() -> None:
    code = ".. code-block:: yaml\n   :caption: x\n\n   key: value\n   other: value\n\n"
    words = " ".join(["word"] * 22)
    text = f"Title\n=====\n\n{code}- one\n  two\n- {words} ``a literal`` - end\n"
    item = f"- {words}\n  ``a literal`` - end\n"
    assert wrapped.wrapped(text) == f"Title\n=====\n\n{code}- one two\n{item}"


def test_the_variables_of_the_playbooks_are_what_the_specs_say() -> None:
    assert (ROOT / playbook_variables.PAGE).read_text("utf-8") == playbook_variables.page(ROOT)


def test_no_playbook_and_no_variable_of_one_is_missing() -> None:
    page = (ROOT / playbook_variables.PAGE).read_text("utf-8")
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - {"awx_setup"}
    assert set(playbook_variables.ENTRIES) == playbooks
    # The role's action plugins have such names too.
    actions = {path.stem for path in (ROOT / "plugins" / "modules").glob("mysql_tls_*.py")}
    for playbook in playbooks:
        chapter = page.split(f"\n{playbook}\n{'-' * len(playbook)}\n")[1].split("\n---")[0]
        text = (ROOT / "playbooks" / f"{playbook}.yml").read_text("utf-8")
        used = set(re.findall(r"\bmysql_tls_\w+", text)) - actions
        assert {name for name in used if f"* - ``{name}``" not in chapter} == set()


INSTALL = (
    "python3 -m venv ~/dbtls && . ~/dbtls/bin/activate",
    "python3 -m pip install ansible-core PyMySQL cryptography",
    "ansible-galaxy collection install git+https://github.com/dbtls/rds_mysql.git",
)


def test_install_instructions_agree() -> None:
    """These pages have the same commands, and no page has others."""
    for page in (ROOT / "README.md", GUIDES / "getting_started.rst", ROOT / "docs" / "site" / "index.rst"):
        assert all(f"$ {command}\n" in page.read_text("utf-8") for command in INSTALL), page.name
    for page in [*GUIDES.glob("*.rst"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        text = page.read_text("utf-8")
        others = re.findall(
            r"^ *\$ (.*(?:pip install ansible-core|collection install \S*rds_mysql).*)$", text, re.MULTILINE
        )
        assert {other for other in others if not other.endswith("--offline")} <= set(INSTALL), page.name


def test_github_renders_the_links_of_markdown() -> None:
    """Guides are linked on the site: GitHub shows roles of reStructuredText as they are written."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "decisions").glob("*.md")]:
        text = page.read_text("utf-8")
        assert not re.search(r"\]\([^)]*\.rst[#)]|:ref:|:ansplugin:", text), page.name
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
        for guide in re.findall(r"dbtls\.github\.io/rds_mysql/docsite/(\w+)\.html", text):
            assert (GUIDES / f"{guide}.rst").is_file(), f"{page.name}: {guide}"


def test_the_figures_are_what_was_measured() -> None:
    text = (ROOT / bench_page.PAGE).read_text("utf-8")
    measured = json.loads((ROOT / bench_page.FIGURES).read_text("utf-8"))
    assert {row["hosts"] for row in measured["rows"]} == {200, 1000}
    assert text == bench_page.page(text, measured)
    assert text.count(bench_page.START) == text.count(bench_page.END) == 1
