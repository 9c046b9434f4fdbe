# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of the server's certificate, as the server prints it."""

from __future__ import annotations

import datetime as dt

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.server_side import _moment


@pytest.mark.parametrize("day", [1, 27])
@pytest.mark.parametrize("month", range(1, 13))
def test_each_month(month: int, day: int) -> None:
    """With the day as OpenSSL pads it, and as others do."""
    moment = dt.datetime(2027, month, day, 23, 11, 3, tzinfo=dt.timezone.utc)
    for padded in (f"{moment.day:2d}", f"{moment.day:02d}", str(moment.day)):
        assert _moment(f"{moment:%b} {padded} 23:11:03 2027 GMT ") == moment


@pytest.mark.parametrize(
    "text", ["", "Feb 30 00:00:00 2027 GMT", "Foo 01 00:00:00 2027 GMT", "Jan 01 25:00:00 2027 GMT", "Jan 01 2027"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert _moment(text) is None
