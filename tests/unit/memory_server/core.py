# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that knows what the code under test is called, and how it gets its sessions and its time."""

from __future__ import annotations

import contextlib
import importlib
import secrets
import sys
import time
import typing as t

_PACKAGE = "ansible_collections.dbtls.rds_mysql.plugins.module_utils"


def find(*names: str) -> t.Any:
    """The first of these modules that there is."""
    for name in names:
        try:
            return importlib.import_module(f"{_PACKAGE}.{name}")
        except ModuleNotFoundError as e:
            if not str(e.name).startswith(_PACKAGE):
                raise
    raise ModuleNotFoundError(names)


enforce = find("_enforcement.enforce")
guards = find("_enforcement.guards")
change_log = find("_enforcement.change_log")
plaintext_sessions = find("_enforcement.plaintext_sessions")
parameter_group = find("_enforcement.parameter_group")
plan = find("_enforcement.plan")
rollback = find("_enforcement.rollback")
verification = find("_enforcement.verification")
accounts = find("_mysql.accounts")
authentication = find("_mysql.authentication")
dialect = find("_mysql.dialect")
handshake = find("_mysql.handshake")
login = find("_mysql.login")
mysql_errors = find("_mysql.errors", "_mysql.login")
options = find("_mysql.options")
sessions = find("_mysql.sessions")
errors = find("_core.errors")
argument_spec = find("_enforcement.argument_spec")


class _Time:
    """The module ``time``, with a clock of our own for the two things that the code asks of it."""

    def __init__(self, clock: t.Any) -> None:
        self.monotonic = clock.monotonic
        self.sleep = clock.sleep

    def __getattr__(self, name: str) -> t.Any:
        return getattr(time, name)


class _Secrets:
    """The module ``secrets``, with numbers that are the same in every run; they mark statements."""

    def __init__(self, first: int) -> None:
        self._next = first

    def token_hex(self, length: int) -> str:
        """As that of ``secrets``, one after the other."""
        self._next += 1
        return f"{self._next:0{2 * length}x}"


_open_session = login.open_session


def _places() -> list[tuple[t.Any, str]]:
    """Every name in the code under test that stands for logging in, for the time, or for chance."""
    found = []
    for name, module in list(sys.modules.items()):
        if name.startswith(_PACKAGE) and module is not None:
            found += [(module, at) for at in ("open_session", "secrets", "time") if _is_real(getattr(module, at, None))]
    return found


def _is_real(value: t.Any) -> bool:
    return value is _open_session or value is secrets or value is time


_PLACES = _places()


@contextlib.contextmanager
def at_work_on(network: t.Any) -> t.Iterator[None]:
    """While this lasts, the code under test logs in over this network, and time is its clock's."""
    instead = {
        "open_session": network.connect,
        "secrets": _Secrets(network.first_secret),
        "time": _Time(network.clock),
    }
    before = [(module, name, getattr(module, name)) for module, name in _PLACES]
    try:
        for module, name in _PLACES:
            setattr(module, name, instead[name])
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def defaults() -> dict[str, t.Any]:
    """The module's options, where nobody has set any."""
    return {name: option.get("default") for name, option in argument_spec.REQUIRE.argument_spec.items()}


def run(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """The module's work, from options to return values.

    :raises errors.RdsMysqlError: as the module fails.
    """
    return t.cast("dict[str, t.Any]", enforce.run(dict(defaults(), **params), check_mode))
