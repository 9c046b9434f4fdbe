# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of Sphinx for the documentation site; ``make docs`` runs it."""

from __future__ import annotations

import re
import tempfile
import zlib
from pathlib import Path

from sphinx.application import Sphinx

# Labels of Ansible's own documentation that pages here refer to, and where they are. The site is built without a
# network, so the whole inventory cannot be asked for; a label that is missing here is an error.
_ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
_ANSIBLE_LABELS = {
    "action_plugins": "plugins/action.html#action-plugins",
    "common_return_values": "reference_appendices/common_return_values.html#common-return-values",
}


def _inventory() -> str:
    """An inventory file of Sphinx, version 2, with these labels."""
    header = "# Sphinx inventory version 2\n# Project: Ansible\n# Version: latest\n# The rest is compressed by zlib.\n"
    entries = "".join(f"{label} std:label -1 {place} Ansible\n" for label, place in _ANSIBLE_LABELS.items())
    with tempfile.NamedTemporaryFile(suffix=".inv", delete=False) as file:
        file.write(header.encode() + zlib.compress(entries.encode()))
    return file.name


project = "dbtls.rds_mysql"
author = "dbtls contributors"
project_copyright = "2026, dbtls contributors"
extensions = ["sphinx.ext.intersphinx", "sphinx_antsibull_ext", "sphinx_copybutton"]
intersphinx_mapping = {"ansible": (_ANSIBLE, _inventory())}
default_role = "any"
nitpicky = True
suppress_warnings: list[str] = []
highlight_language = "YAML+Jinja"
smartquotes = False

html_theme = "furo"
html_title = "dbtls.rds_mysql"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
html_theme_options = {"source_repository": "https://github.com/dbtls/rds_mysql/", "top_of_page_buttons": []}
# The prompt, and what a command prints, stay where they are.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

_CONTENTS = re.compile(r"^\.\. contents::\n(?: +.*\n)*", re.MULTILINE)


def _without_contents(app: Sphinx, page: str, source: list[str]) -> None:
    # The theme shows each page's contents beside it.
    del app, page
    source[0] = _CONTENTS.sub("", source[0])


def setup(app: Sphinx) -> None:
    """Sphinx's entry point."""
    app.connect("source-read", _without_contents)
