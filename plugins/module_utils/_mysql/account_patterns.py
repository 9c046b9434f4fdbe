# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts are meant: patterns that name them, and the hosts that an account admits."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, AccountState


@dataclass(frozen=True)
class Pattern:
    """``user@host`` where ``*`` in either part stands for any characters; everything else is literal."""

    text: str
    user: str
    host: str

    @classmethod
    def parse(cls, text: str, option: str) -> Pattern:
        """Split at the last ``@``, since a user name may hold one and a host may not; without one, every host.

        Or as SHOW GRANTS prints an account, both parts in quotes, which names with spaces around them need.

        :raises OptionError: naming the option, for an empty pattern, and for several in one or quotes around a part of
            it: such a pattern would match nothing, and so not exclude what it was written for.
        """
        quoted = _QUOTED.match(text)
        if quoted:
            mark, user, host = quoted.group(1, "user", "host")
            if f"{mark}@{mark}" not in user.replace(2 * mark, ""):
                return cls(text=text, user=user.replace(2 * mark, mark), host=host)
        text = text.strip()
        user, separator, host = text.rpartition("@")
        if not separator:
            user, host = text, "*"
        if quoted or not host or not text or _NO_USER.search(user) or _NO_HOST.search(host):
            raise OptionError(f"{option}: {text!r} is not a pattern of the form user@host.")
        return cls(text=text, user=user, host=host)

    def matches(self, account: Account) -> bool:
        """User names compare with case and host names without, as the server does."""
        return bool(
            _wildcards(self.user).match(account.user) and _wildcards(self.host.lower()).match(account.host.lower())
        )

    @property
    def names_hosts(self) -> bool:
        """Whether its host is a literal one, or only the user was given, by name."""
        return "*" not in self.host or ("@" not in self.text and "*" not in self.user)

    @property
    def names_accounts(self) -> bool:
        """Whether it has no wildcard, for the user neither."""
        return self.names_hosts and "*" not in self.user


# 'user'@'host', `user`@`host`; old servers print a quote in a name as it is.
_QUOTED = re.compile(r"""\s*(['"`])(?P<user>.*)\1@\1(?P<host>[^'"`]*)\1\s*\Z""", re.DOTALL)

# Without quotes around it: lines, a list, two accounts with a space between them, and quotes.
_NO_USER = re.compile(r"""[\n\r,]|@.*\s|\s.*@|^(['"`]).*\1$|^["`]""", re.DOTALL)
_NO_HOST = re.compile(r"""[\s'"`,]""")


def _wildcards(text: str) -> t.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", text)) + r"\Z", re.DOTALL)


@dataclass(frozen=True)
class Selection:
    """Which accounts are meant: by exact name (``user``, and ``host`` unless every host), by patterns, or all.

    Or those that are ``listed``, which may be the system's. ``include_local``: a wildcard stands also for accounts of
    the server's own machine.
    """

    user: str | None = None
    host: str | None = None
    patterns: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    include_system: bool = False
    include_local: bool = False
    listed: frozenset[Account] | None = None

    def describe(self) -> str:
        """For messages."""
        if self.user is not None:
            return "{!r}@{}".format(self.user, repr(self.host) if self.host is not None else "(every host)")
        return ", ".join(repr(pattern.text) for pattern in self.patterns) or "any account"

    def exclude_matches(self, known: t.Sequence[AccountState]) -> dict[str, int]:
        """How many of all accounts each pattern to leave out matches: none where it is misspelled."""
        return {pattern.text: sum(pattern.matches(state.account) for state in known) for pattern in self.exclude}

    def includes(self, state: AccountState) -> bool:
        """Roles never; system accounts only when asked for, and what a wildcard does not stand for only by name."""
        return self._matches(state) and self.why_left_out(state) is None

    def why_left_out(self, state: AccountState) -> str | None:
        """Why a wildcard, or everything, does not stand for an account that it matches: ``SOCKET`` or ``LOCAL``."""
        if self.listed is not None or self.user is not None or not self._matches(state):
            return None
        matching = [pattern for pattern in self.patterns if pattern.matches(state.account)]
        if state.by_socket and not any(pattern.names_accounts for pattern in matching):
            return SOCKET
        if state.local and not (self.include_local or any(pattern.names_hosts for pattern in matching)):
            return LOCAL
        return None

    def _matches(self, state: AccountState) -> bool:
        if self.listed is not None:
            return state.account in self.listed and not state.is_role
        if state.is_role or (state.system and not self.include_system):
            return False
        if any(pattern.matches(state.account) for pattern in self.exclude):
            return False
        if self.user is not None:
            return state.account.user == self.user and (
                self.host is None or state.account.host.lower() == self.host.lower()
            )
        return not self.patterns or any(pattern.matches(state.account) for pattern in self.patterns)


SOCKET, LOCAL = "socket_plugin", "local"

_LIKE = {"%": ".*", "_": "."}
_LIKE_PART = re.compile(r"\\?.", re.DOTALL)  # A backslash makes the next character an ordinary one.


def host_admits(account_host: str, client_host: str) -> bool:
    """Whether an account's host part admits a client: ``%`` and ``_`` as in LIKE, or an address with a netmask.

    Where servers differ, it admits: only MySQL from 8.0.23 on takes the length of a prefix for a netmask, and only the
    others take a netmask with gaps. Source: "Specifying Account Names", MySQL Reference Manual; measured.
    """
    address, slash, mask = account_host.partition("/")
    if slash:
        try:
            return _in_network(ipaddress.ip_address(address), mask.strip(), ipaddress.ip_address(client_host))
        except ValueError:
            return False
    translated = "".join(_LIKE.get(part) or re.escape(part[-1]) for part in _LIKE_PART.findall(account_host.lower()))
    return bool(re.match(translated + r"\Z", client_host.lower(), re.DOTALL))


_Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def _in_network(network: _Address, mask: str, client: _Address) -> bool:
    """As a server compares: the client's address under the mask is the network's, which so may have no host bits."""
    if network.version != client.version:
        return False
    if mask.isdigit():
        bits = int(ipaddress.ip_network(f"{network}/{mask}", strict=False).netmask)
    else:
        bits = int(ipaddress.ip_address(mask))
    return int(client) & bits == int(network)


# A host part that names addresses, which the server compares with a client's address, and not with its name.
_ADDRESSES = re.compile(r"[0-9.%_/]+\Z|.*:")


def host_may_admit(account_host: str, client_host: str) -> bool:
    """The same for a client as servers name it in lists of sessions and logins, by its name or by its address."""
    if host_admits(account_host, client_host):
        return True
    # A server that resolves names shows a client by its name, and admits it by its address as well.
    return bool(_ADDRESSES.match(account_host)) and not _is_address(client_host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
