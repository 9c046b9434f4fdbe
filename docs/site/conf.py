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
    "ansible_collections.amazon.aws.rds_instance_info_module": "collections/amazon/aws/rds_instance_info_module.html",
    "ansible_collections.ansible.builtin.set_fact_module": "collections/ansible/builtin/set_fact_module.html",
    "ansible_collections.ansible.builtin.set_stats_module": "collections/ansible/builtin/set_stats_module.html",
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
highlight_language = "YAML+Jinja"
# Dashes between words, and nothing else.
smartquotes_action = "D"

html_theme = "furo"
html_title = "dbtls.rds_mysql"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
_TABLES = {
    "antsibull-table-border": "var(--color-background-border)",
    "antsibull-table-background-header": "var(--color-background-secondary)",
    "antsibull-table-background-odd": "var(--color-background-primary)",
    "antsibull-table-background-even": "var(--color-background-secondary)",
    "antsibull-table-background-other": "var(--color-background-primary)",
    "antsibull-narrowtable-background": "var(--color-background-secondary)",
    "antsibull-links-background": "var(--color-background-secondary)",
    "antsibull-links-background-active": "var(--color-background-hover)",
    "antsibull-links-text": "var(--color-brand-content)",
}
# The extension's own colours are for a white page.
_ON_DARK = {
    "antsibull-option-type": "#d8a8f0",
    "antsibull-option-elements": "#d8a8f0",
    "antsibull-option-required": "#ff8a80",
    "antsibull-option-version-added": "#9ccc9c",
    "antsibull-option-aliases": "#9ccc9c",
    "antsibull-option-default": "#8ab4f8",
    "antsibull-option-sample": "#8ab4f8",
    "antsibull-option-sample-header": "var(--color-foreground-primary)",
    "antsibull-attribute-support-none": "#ff8a80",
    "antsibull-attribute-support-partial": "#e0c060",
    "antsibull-attribute-support-full": "#9ccc9c",
    "antsibull-attribute-support-na": "var(--color-foreground-secondary)",
}
html_theme_options = {
    "source_repository": "https://github.com/dbtls/rds_mysql/",
    "top_of_page_buttons": [],
    "light_css_variables": _TABLES,
    "dark_css_variables": {**_TABLES, **_ON_DARK},
}
# The prompt, and what a command prints, stay where they are.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

_CONTENTS = re.compile(r"^\.\. contents::.*\n(?: +.*\n)*", re.MULTILINE)


def _without_contents(app: Sphinx, page: str, source: list[str]) -> None:
    # The theme shows each page's contents beside it.
    del app, page
    source[0] = _CONTENTS.sub("", source[0])


def setup(app: Sphinx) -> None:
    """Sphinx's entry point."""
    app.connect("source-read", _without_contents)
