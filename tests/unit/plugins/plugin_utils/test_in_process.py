# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masking secrets as AnsibleModule does, whatever they are."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import members
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import in_process
from hypothesis import example, given
from hypothesis import strategies as st

# Few characters, so that secrets are often in what is told; those that JSON escapes are among them.
_TEXTS = st.text(alphabet="aTrue01\"\\\n/'é\u2028 ", max_size=6)
_PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-20, 120), st.floats(0, 2, width=16), _TEXTS)
_RESULTS = st.dictionaries(
    _TEXTS,
    st.recursive(_PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3)),
    max_size=4,
)
_SECRETS = st.sets(_TEXTS.filter(bool), max_size=3)


@given(secrets=_SECRETS, result=_RESULTS)
@example(secrets={'a"\\'}, result={"msg": 'x a"\\ y'})
@example(secrets={"1"}, result={"port": 3106})
@example(secrets={"a"}, result={"a": "b"})
def test_every_secret_is_masked(secrets: set[str], result: dict[str, t.Any]) -> None:
    assert in_process._without(secrets, result) == remove_values(result, secrets)


_PASSWORD = 'it\'s "quoted" \\ pw!'


@pytest.mark.parametrize(
    "member", [{"login_password": _PASSWORD}, [{"login_password": _PASSWORD}], f"me:{_PASSWORD}@db"]
)
def test_a_password_where_a_host_belongs(member: t.Any) -> None:
    """What is not a text becomes one, with the password in it."""
    given = {"login_host": "127.0.0.1", "login_user": "me", "all_accounts": True, "members": [member]}

    def check_members(options: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"endpoints": [members.parse_member(text) for text in options["members"]]}

    result, _params, secrets = in_process.as_module("mysql_require_ssl", REQUIRE, given, check_members)
    assert result == {"failed": True, "msg": "members: an element is not a host, or host:port."}
    assert any(_PASSWORD in secret for secret in secrets)


@pytest.mark.parametrize("value", [dt.date(2026, 11, 27), ("pw-app", b"pw-app"), {"pw-app": {1: "of pw-app"}}])
def test_what_json_does_not_have_is_masked_too(value: t.Any) -> None:
    result = {"msg": "refused pw-app", "value": value}
    assert in_process._without({"pw-app"}, result) == remove_values(result, {"pw-app"})
    assert "pw-app" not in str(in_process._without({"pw-app"}, result)["msg"])
