# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords in options of the wrong type."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import misplaced_elements, misplaced_secrets
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS

PASSWORD = 'it\'s "quoted" \\ pw!'
ENDPOINT = {"host": "db", "login_password": PASSWORD}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([[ENDPOINT]], "endpoints: element 1 is a list and has to be a dictionary. Is the list one level too deep?"),
        ([ENDPOINT, [[ENDPOINT]]], "endpoints: element 2 is a list and has to be a dictionary"),
        ([PASSWORD], "endpoints: element 1 is a str and has to be a dictionary."),
        ([7], "endpoints: element 1 is a int and has to be a dictionary."),
        (f'[{{"host": "db", "login_password": "{PASSWORD}"}}]', "endpoints: element 1 is a str"),
    ],
)
def test_what_is_no_dictionary(given: t.Any, sentence: str) -> None:
    said, texts = misplaced_elements(STATUS.argument_spec, {"endpoints": given})
    assert said.startswith(sentence)
    assert PASSWORD not in said
    secrets = texts | misplaced_secrets({"endpoints": given})
    assert given == [7] or any(PASSWORD in text for text in secrets)


@pytest.mark.parametrize("given", [None, [], [ENDPOINT], [ENDPOINT] * 2, ["host=db port=3306"], ['{"host": "db"}'], 7])
def test_what_is_good_or_for_ansible_to_say(given: t.Any) -> None:
    assert misplaced_elements(STATUS.argument_spec, {"endpoints": given}) == ("", set())


@pytest.mark.parametrize(
    ("params", "secrets"),
    [
        ({"login_host": "app:s3cret@db"}, {"app:s3cret", "s3cret"}),
        ({"login_host": "app:s3@cret@db"}, {"app:s3@cret", "s3@cret"}),
        ({"endpoints": [{"host": "app:s3cret@db"}, {"host": "other"}]}, {"app:s3cret", "s3cret"}),
        ({"members": ["app:s3cret@db", "other"]}, {"app:s3cret", "s3cret"}),
        ({"members": "app:s3cret@db,other"}, {"app:s3cret", "s3cret"}),
        ({"login_host": "@db"}, set()),
        ({"login_host": "db", "user": "a@b"}, set()),
        ({"pasword": "s3cret", "verify": [[{"password": "other"}]]}, {"s3cret", "other"}),
    ],
)
def test_misplaced_secrets(params: dict[str, object], secrets: set[str]) -> None:
    assert misplaced_secrets(params) == secrets
