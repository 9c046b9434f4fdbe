# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import misplaced_secrets


@pytest.mark.parametrize(
    ("params", "secrets"),
    [
        ({"login_host": "app:s3cret@db"}, {"app:s3cret", "s3cret"}),
        ({"login_host": "app:s3@cret@db"}, {"app:s3@cret", "s3@cret"}),
        ({"endpoints": [{"host": "app:s3cret@db"}, {"host": "other"}]}, {"app:s3cret", "s3cret"}),
        ({"login_host": "@db"}, set()),
        ({"login_host": "db", "user": "a@b"}, set()),
        ({"pasword": "s3cret", "verify": [[{"password": "other"}]]}, {"s3cret", "other"}),
    ],
)
def test_misplaced_secrets(params: dict[str, object], secrets: set[str]) -> None:
    assert misplaced_secrets(params) == secrets
