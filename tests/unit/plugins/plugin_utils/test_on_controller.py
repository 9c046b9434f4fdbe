# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an action publishes is rendered by the next job, and is no template."""

from __future__ import annotations

import pytest
from ansible.template import Templar, trust_as_template
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import without_templates
from hypothesis import given
from hypothesis import strategies as st

RUNS = "{{ 7 * 191 }}"


@given(st.text(alphabet="{}%# a", max_size=20))
def test_no_text_is_a_template(text: str) -> None:
    inert = without_templates(text)
    assert Templar(loader=None).template(trust_as_template(inert)) == inert
    assert inert.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("value", [1, None, True, 1.5, "app@%", "{", "a { b }}"])
def test_the_rest_stays(value: object) -> None:
    assert without_templates({"a": [value]}) == {"a": [value]}


def test_all_the_way_down() -> None:
    assert Templar(loader=None).template(trust_as_template(RUNS)) == 1337
    assert without_templates({RUNS: ({"x": [RUNS]},)}) == {"{ { 7 * 191 }}": [{"x": ["{ { 7 * 191 }}"]}]}
