# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings that somebody accepts for a time: they are reported as such and do not count for the verdict."""

from __future__ import annotations

import datetime as dt
import fnmatch
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import clean
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    Untrusted,
    open_trusted,
    read_bounded,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, at_least
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import verdict
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import CHECKED, Finding, Server, Waiver
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import counted, visible

_WARN_DAYS = 14
_MAX_BYTES = 16 * 1024 * 1024
_REQUIRED = ("finding", "owner", "reason", "expires")
_OPTIONAL = ("server", "account")


@dataclass(frozen=True)
class Rule:
    """A waiver as it is written: patterns of the finding, the server and the account, with ``*`` and ``?``."""

    finding: str
    server: str
    account: str
    waiver: Waiver

    def fits(self, server: Server, finding: Finding) -> bool:
        """Whether the finding is meant."""
        if not (_fits(finding.id, self.finding) and _fits(server.name, self.server)):
            return False
        kind = BY_ID.get(finding.id)
        about_account = kind is None or kind.requires in ("accounts", "sessions")
        return self.account == "*" or (about_account and _fits(finding.subject, self.account))

    def __str__(self) -> str:
        what = f"{self.finding} on {self.server}" + ("" if self.account == "*" else f" for {self.account}")
        return f"{what} ({self.waiver.owner})"


def _fits(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


@dataclass
class Waivers:
    """All waivers, with what they came to when they were applied.

    ``used`` match a finding, ``lapsed`` one that counts again. ``unseen`` are servers whose findings are not all known.
    """

    rules: tuple[Rule, ...]
    today: dt.date
    used: set[Rule] = field(default_factory=set)
    lapsed: set[Rule] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)

    def apply(self, servers: t.Sequence[Server], *, keep: bool = False) -> list[Server]:
        """The servers with their waived findings, and the verdict without those.

        :arg keep: Whether a waiver that another report has applied stays, until it expires.
        """
        return [self._applied(server, keep) for server in servers]

    def _applied(self, server: Server, keep: bool) -> Server:
        if server.state != CHECKED or server.accounts is None:
            self.unseen.add(server.name)
        findings = tuple(self._waived(server, finding, keep) for finding in server.findings)
        if findings == server.findings and not any(finding.waiver for finding in findings):
            return server
        if server.state != CHECKED:
            return replace(server, findings=findings)
        decision = verdict(
            (finding.severity for finding in findings if finding.waiver is None),
            accounts_known=server.accounts is not None,
            require_secure_transport=server.tls.require_secure_transport if server.tls else None,
        )
        return replace(server, findings=findings, verdict=decision)

    def _waived(self, server: Server, finding: Finding, keep: bool) -> Finding:
        fitting = [rule for rule in self.rules if rule.fits(server, finding)]
        self.used.update(fitting)
        for rule in fitting:
            if self._holds(rule.waiver):
                return finding if finding.waiver == rule.waiver else replace(finding, waiver=rule.waiver)
        self.lapsed.update(fitting)
        if finding.waiver is None or (keep and self._holds(finding.waiver)):
            return finding
        return replace(finding, waiver=None)

    def _holds(self, waiver: Waiver) -> bool:
        return self.today < dt.date.fromisoformat(waiver.expires)

    def warnings(self) -> t.Iterator[str]:
        """A sentence for each waiver that matches nothing, has expired, or expires soon."""
        for rule in self.rules:
            left = (dt.date.fromisoformat(rule.waiver.expires) - self.today).days
            if rule not in self.used:
                if not any(_fits(name, rule.server) for name in self.unseen):
                    yield f"waivers: The waiver of {rule} matches no finding. Remove it, or correct its patterns."
            elif left <= 0:
                ended = f"{rule} expired on {rule.waiver.expires}"
                yield (
                    f"waivers: The waiver of {ended}. Its findings count again."
                    if rule in self.lapsed
                    else f"waivers: The waiver of {ended}. Others cover its findings; remove it."
                )
            elif left <= _WARN_DAYS:
                yield f"waivers: The waiver of {rule} expires in {counted(left, 'day')}, on {rule.waiver.expires}."


def failing(servers: t.Iterable[Server], limits: t.Mapping[str, str]) -> dict[str, str]:
    """A sentence for each inventory host whose server has findings that are not waived, of this severity or more.

    :arg limits: The severity by host, ``none`` for no such limit.
    """
    found: dict[str, str] = {}
    for server in servers:
        limit = limits.get(server.inventory_hostname, "none")
        if limit == "none" or not server.in_run:
            continue
        bad = [each for each in server.findings if each.waiver is None and at_least(each.severity, limit)]
        if bad:
            told = " ".join(f"[{each.id}] {each.message}" for each in bad)
            found[server.inventory_hostname] = visible(
                f"{server.name} has {counted(len(bad), 'finding')} of severity {limit} or more: {told}"
            )
    return found


def read_waivers(value: t.Any, today: dt.date) -> Waivers:
    """From a list, or the path of a YAML file with one.

    :raises RdsMysqlError: naming the option, and the waiver that is incomplete.
    """
    place = "waivers"
    if isinstance(value, str) and value:
        path = Path(value).expanduser()
        place = f"waivers: {path}"
        try:
            # People write it and keep it in checkouts, so any owner is right.
            with open_trusted(str(path), anyones=True) as file:
                content = read_bounded(file.read, _MAX_BYTES)
            value = plain(yaml_load(content.decode("utf-8")))
        except Untrusted as e:
            raise RdsMysqlError(f"waivers: {path} is not read: it {e}.") from e
        except OSError as e:
            raise RdsMysqlError(f"{place} cannot be read: {e.strerror}.") from e
        except Exception as e:  # whatever PyYAML raises, and texts that are not UTF-8
            # Of a date PyYAML says what it lacks; its other messages quote the file.
            is_date = isinstance(e, ValueError) and not isinstance(e, UnicodeError)
            reason = f", or has a date that does not exist: {e}" if is_date else ""
            raise RdsMysqlError(f"{place} is not a YAML file{reason}.") from e
    if value in (None, ""):
        value = []
    if not isinstance(value, list):
        raise RdsMysqlError(f"{place} has to be a list of waivers.")
    return Waivers(tuple(_rule(f"{place}, number {number}", each) for number, each in enumerate(value, 1)), today)


def _rule(place: str, value: t.Any) -> Rule:
    if not isinstance(value, dict):
        raise RdsMysqlError(f"{place}: a waiver has to be a dictionary.")
    unknown = set(value) - {*_REQUIRED, *_OPTIONAL}
    if unknown:
        raise RdsMysqlError(f"{place}: the waiver has an unknown key: {', '.join(sorted(map(str, unknown)))}.")
    for name, each in value.items():
        if isinstance(each, (list, dict)):
            raise RdsMysqlError(f"{place}: {name} has to be one text; write a waiver for each.")
    texts = {name: clean(str(each)).strip() for name, each in value.items() if each is not None}
    # What is there and empty is not everything.
    missing = [
        name for name in (*_REQUIRED, *_OPTIONAL) if (name in _REQUIRED or name in value) and not texts.get(name)
    ]
    if missing:
        raise RdsMysqlError(f"{place}: the waiver has no {' and no '.join(missing)}.")
    try:
        day, rest = texts["expires"][:10], texts["expires"][10:11]
        # A time may follow, and no further digit.
        expires = dt.date.fromisoformat(day if rest in ("", " ", "T") else "").isoformat()
    except ValueError as e:
        raise RdsMysqlError(
            f"{place}: the waiver expires on {texts['expires']!r}, which is not a date such as 2027-03-31."
        ) from e
    kinds = list(BY_ID)
    if not any(_fits(kind, texts["finding"]) for kind in kinds):
        raise RdsMysqlError(
            f"{place}: the waiver is for the finding {texts['finding']!r}. Findings are {', '.join(kinds)}."
        )
    return Rule(
        texts["finding"],
        texts.get("server", "*"),
        texts.get("account", "*"),
        Waiver(texts["owner"], texts["reason"], expires),
    )
