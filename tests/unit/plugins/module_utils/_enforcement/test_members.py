# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Endpoints of members, as people write them."""

from __future__ import annotations

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.members import parse_member


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("reader", ("reader", None)),
        # The second of a list in a text.
        (" reader:3307 ", ("reader", 3307)),
        ("[::1]:3306", ("::1", 3306)),
        ("[::1]", ("::1", None)),
    ],
)
def test_an_endpoint(text: str, endpoint: tuple[str, int | None]) -> None:
    assert parse_member(text) == endpoint


@pytest.mark.parametrize("text", ["", " ", "a b", "a:b:c", "user:password@host", "reader:"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(OptionError, match=r"^members: ") as caught:
        parse_member(text)
    assert "password" not in caught.value.message
