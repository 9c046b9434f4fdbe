# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user asks for, and whether it makes sense."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.readiness import Readiness
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import Pattern, Selection
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Requirement

ALTER_USER = "alter_user"
GRANT_TABLES = "grant_tables"
GRANT_USAGE = "grant_usage"
METHODS = ("auto", ALTER_USER, GRANT_TABLES)
FLUSH = ("auto", "always", "never")
PLAINTEXT_SESSIONS = ("fail", "warn", "allow", "kill")
UNCHANGEABLE = ("fail", "skip")


class EnforcementError(RdsMysqlError):
    """Nothing was changed, or everything was rolled back; ``details`` say which."""


@dataclass(frozen=True)
class Login:
    """An account whose login has to be proven."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Request:
    """What the user asks for; without ``selection`` it is about the server-wide switch alone."""

    selection: Selection | None
    requirement: Requirement
    exact: bool = False
    method: str = "auto"
    flush: str = "auto"
    plaintext_sessions: str = "fail"
    unchangeable: str = "fail"
    require_secure_transport: bool | None = None
    verify: tuple[Login, ...] = ()
    members: tuple[str, ...] = ()
    change_replicas: bool = False
    readiness: Readiness = field(default_factory=Readiness)


def request_from_params(params: t.Mapping[str, t.Any]) -> Request:
    """The user's request from a module's validated parameters.

    :raises OptionError: naming the option that is wrong.
    """
    given_otherwise = next((name for name in ("plan", "restore_file") if params.get(name)), None)
    ways = [name for name in ("user", "accounts", "all_accounts", "plan", "restore_file") if params.get(name)]
    switch = params.get("require_secure_transport")
    if len(ways) > 1 or (not ways and switch is None):
        raise OptionError(
            "Exactly one of user, accounts, all_accounts, plan and restore_file says which accounts are meant; "
            "{}.".format("none is given" if not ways else "given are {}".format(" and ".join(ways)))
        )
    if given_otherwise:
        _nothing_else(params, given_otherwise)
    ssl_type = str(params["ssl_type"]).upper()
    parts = {name: str(params.get(name) or "") for name in ("cipher", "issuer", "subject")}
    if ssl_type == "SPECIFIED" and not any(parts.values()):
        raise OptionError("ssl_type: specified needs at least one of subject, issuer and cipher.")
    if ssl_type != "SPECIFIED":
        given = sorted(name for name, value in parts.items() if value)
        if given:
            raise OptionError("{}: goes only with ssl_type: specified.".format(", ".join(given)))
    selection = Selection(
        user=_optional(params.get("user")),
        host=_optional(params.get("host")),
        patterns=tuple(Pattern.parse(str(text), "accounts") for text in params.get("accounts") or ()),
        exclude=tuple(Pattern.parse(str(text), "exclude") for text in params.get("exclude") or ()),
        include_system=bool(params["include_system"]),
        include_local=bool(params["include_local"]),
    )
    return Request(
        selection=selection if ways and not given_otherwise else None,
        requirement=Requirement(ssl_type, **parts),
        exact=bool(params["exact"]),
        method=str(params["method"]),
        flush=str(params["flush"]),
        plaintext_sessions=str(params["plaintext_sessions"]),
        unchangeable=str(params["unchangeable"]),
        require_secure_transport=None if switch is None else bool(switch),
        verify=tuple(
            Login(str(entry["user"]), str(entry.get("password") or "")) for entry in params.get("verify") or ()
        ),
        members=tuple(str(member) for member in params.get("members") or ()),
        change_replicas=bool(params.get("change_replicas")),
        # What is restored was there before.
        readiness=Readiness() if params.get("restore_file") else Readiness.from_params(params),
    )


# What the file, or the plan, says already, and the values that are as good as none.
_SAID_ALREADY: t.Mapping[str, t.Any] = {
    "cipher": None,
    "exact": False,
    "exclude": None,
    "host": None,
    "include_local": False,
    "include_system": False,
    "issuer": None,
    "require_secure_transport": None,
    "ssl_type": "any",
    "subject": None,
}


def _nothing_else(params: t.Mapping[str, t.Any], option: str) -> None:
    given = [name for name, none in _SAID_ALREADY.items() if params.get(name) not in (None, none)]
    if option == "restore_file" and params.get("rollback_file") is not None:
        given = sorted([*given, "rollback_file"])
    if given:
        raise OptionError(f"{option}: it says what is changed; {', '.join(given)} cannot go with it.")


def _optional(value: t.Any | None) -> str | None:
    return None if value is None else str(value)
