# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of each server from all runs: its last check, and what its last good checks have seen."""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape, decode, encode
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, Evidence
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history import storage
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.index import (
    CHECK,
    Index,
    Place,
    default_cache,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import model
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.compare import has_seen

T = t.TypeVar("T")

CHANGE, BUNDLE = "change", "bundle"
DAYS = 400

_EVIDENCE: tuple[Evidence, ...] = t.get_args(Evidence)
_FIELDS: dict[Evidence, str] = {
    "certificate_trust": "certificate",
    "secure_transport": "tls",
    "login": "session",
}


@dataclass
class History:
    """The history of a state directory. ``warnings`` collects what was wrong with it.

    :arg directory: ``history`` in the state directory.
    :arg cache: Where the index is.
    :arg days: How long runs are kept.
    """

    directory: Path
    cache: Path = field(default_factory=default_cache)
    access: storage.Access = field(default_factory=storage.Access)
    days: int = DAYS
    warnings: list[str] = field(default_factory=list)

    def last_good(
        self, servers: t.Iterable[model.Server], run_id: str, kind: str, *, same_time: bool
    ) -> dict[str, model.Server]:
        """What was known of these servers before, as one server each.

        That is the last check that could be made; what that one did not see, such as accounts for lack of a login, is
        from the last check that has.

        :arg run_id: The run that asks, whose own checks do not count.
        :arg same_time: Whether a check of another run at the same second is an earlier one.
        """
        wanted = {server.name: None if same_time else server.checked_at for server in servers}
        with self._index() as index:
            own = storage.of_run(self.directory, run_id, kind)
            places = index.last_with((model.CHECKED, *_EVIDENCE), wanted, own)
        read = self._servers({place for found in places.values() for place in found.values()})
        known: dict[str, model.Server] = {}
        for name, found in places.items():
            last = read.get(found[model.CHECKED]) if model.CHECKED in found else None
            if last:
                parts = {evidence: read.get(found[evidence]) if evidence in found else last for evidence in _EVIDENCE}
                known[name] = _complete(last, parts)
        return known

    def of_hosts(self, hosts: t.Container[str], without: t.Container[str] = ()) -> dict[str, model.Server]:
        """The last check of every server of these inventory hosts."""
        with self._index() as index:
            names = [
                name for name, host in index.names_of_hosts(CHECK).items() if host in hosts and host not in without
            ]
            places = index.last(CHECK, names)
        read = self._servers(set(places.values()))
        return {name: read[place] for name, place in places.items() if place in read}

    def hosts(self) -> frozenset[str]:
        """The inventory hosts of all servers that were ever checked."""
        with self._index() as index:
            return frozenset(index.names_of_hosts(CHECK).values())

    def gone(self, hosts: t.Container[str], inventory: t.Sequence[str], run_id: str, kind: str) -> set[str]:
        """Names of servers that runs on this inventory have checked, and whose hosts are not in it any more.

        Those that the last run without a limit has checked, or one after it. So each is told once.

        :arg run_id: The run that asks, whose own checks do not count.
        """
        found: set[str] = set()
        own = storage.of_run(self.directory, run_id, kind)
        for name in sorted(storage.names(self.directory), reverse=True):
            if name == own or not name.endswith(storage.ending(kind)):
                continue
            try:
                header = storage.read_header(self.directory / name, self.access)
            except storage.Damaged:
                continue
            checks = [about for about in header["entries"] if about.get("type") == CHECK]
            gone = [str(about["name"]) for about in checks if about.get("host") not in hosts]
            known = header["run"].get("inventory")
            # Its directory may be another one in each run, as one of the job's own. Most of its servers are not.
            same = _names_of(known) == _names_of(inventory) and 2 * len(gone) <= len(checks)
            if known != list(inventory) and not same:
                continue
            found.update(gone)
            if header["run"].get("limit") is None:
                break
        return found

    def of_run(self, run_id: str, kind: str) -> dict[str, model.Server]:
        """The checks that this run has already recorded, as with batches."""
        name = storage.of_run(self.directory, run_id, kind)
        return self.of_files([name]) if name else {}

    def of_files(self, names: t.Iterable[str]) -> dict[str, model.Server]:
        """The newest check of each server in these files."""
        places = set()
        for name in names:
            with contextlib.suppress(storage.Damaged):
                entries = storage.read_header(self.directory / name, self.access)["entries"]
                places |= {Place(name, line) for line, about in enumerate(entries) if about.get("type") == CHECK}
        found = sorted(self._servers(places).values(), key=lambda server: server.checked_at or "")
        return {server.name: server for server in found}

    def record(
        self,
        run: model.Run,
        kind: str,
        servers: t.Iterable[model.Server],
        others: t.Sequence[storage.Entry] = (),
    ) -> None:
        """Record the checks and other entries of a run, in place of what it has recorded before; remove old runs.

        :raises HistoryError: when that fails.
        """
        checks = [_check(server) for server in servers if server.state != model.NOT_CHECKED and server.in_run]
        if not checks and not others:
            return
        started = run.started_at or run.made_at
        file = storage.RunFile(run.id, started, kind, encode(run), (*checks, *others))
        storage.write(self.directory, file, self.access)
        storage.remove_older(self.directory, self.days, utc_now())

    def entries(self, kind: str) -> list[dict[str, t.Any]]:
        """The data of all entries of a type, the oldest first."""
        with self._index() as index:
            places = index.places(kind)
        lines = self._data(set(places))
        return [lines[place] for place in places if place in lines]

    def last_entries(self, kind: str) -> dict[str, dict[str, t.Any]]:
        """The data of the newest entry of a type about each name."""
        with self._index() as index:
            places = index.last(kind)
        lines = self._data(set(places.values()))
        return {name: lines[place] for name, place in places.items() if place in lines}

    def _index(self) -> _Open:
        return _Open(self)

    def _lines(
        self, places: t.Collection[Place], made_of: t.Callable[[Place, dict[str, t.Any]], T | None]
    ) -> dict[Place, T]:
        """What is made of the lines at these places, one at a time: their dictionaries take more memory."""
        lines: dict[str, set[int]] = {}
        for place in places:
            lines.setdefault(place.file, set()).add(place.line)
        found: dict[Place, T] = {}
        for name, wanted in lines.items():
            of_file = {}
            try:
                for line, value in storage.read_lines(self.directory / name, wanted, self.access):
                    of_file[Place(name, line)] = made_of(Place(name, line), value)
            except storage.Damaged as e:
                self.warn(f"{self.directory / name} {e}. It is ignored.")
                continue
            found.update((place, made) for place, made in of_file.items() if made is not None)
        return found

    def _data(self, places: t.Collection[Place]) -> dict[Place, dict[str, t.Any]]:
        return self._lines(places, lambda _place, value: value)

    def _servers(self, places: t.Collection[Place]) -> dict[Place, model.Server]:
        return self._lines(places, self._server)

    def _server(self, place: Place, value: dict[str, t.Any]) -> model.Server | None:
        try:
            server = decode(model.Server, value)
        except WrongShape as e:
            self.warn(f"{self.directory / place.file} holds a check that cannot be read: {e}.")
            return None
        problem = model.problem_of(server)
        if problem:
            self.warn(f"{self.directory / place.file} holds a check that {problem}.")
            return None
        return server

    def warn(self, sentence: str) -> None:
        """Add a warning, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)


class _Open:
    """An index while it is in use."""

    def __init__(self, history: History) -> None:
        found: list[str] = []
        self._index = Index(history.directory, history.cache, history.access, found)
        for warning in found:
            history.warn(warning)

    def __enter__(self) -> Index:
        return self._index

    def __exit__(self, *_error: object) -> None:
        self._index.close()


def default_state_directory() -> Path:
    """Where the state is unless something else was said."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(os.path.expanduser(home)) / "dbtls-rds-mysql"


def entry(kind: str, name: str, host: str, at: str, data: t.Mapping[str, t.Any]) -> storage.Entry:
    """An entry of another type than a check."""
    about = {"type": kind, "name": name, "host": host, "at": at}
    return storage.Entry(about, {**about, **data})


def _names_of(inventory: t.Any) -> list[str]:
    sources = inventory if isinstance(inventory, (list, tuple)) else ()
    return [str(source).rstrip("/").rpartition("/")[2] for source in sources]


def _check(server: model.Server) -> storage.Entry:
    seen = [evidence for evidence in _EVIDENCE if server.state == model.CHECKED and has_seen(server, evidence)]
    about = {
        "type": CHECK,
        "name": server.name,
        "host": server.inventory_hostname,
        "at": server.checked_at,
        "state": server.state,
        "verdict": server.verdict,
        "seen": [*([model.CHECKED] if server.state == model.CHECKED else []), *seen],
    }
    return storage.Entry(about, server)


def _complete(last: model.Server, parts: t.Mapping[Evidence, model.Server | None]) -> model.Server:
    """The last check, with what it did not see taken from the checks that did."""
    whole = last
    for evidence, older in parts.items():
        if older is None or older is last or has_seen(whole, evidence):
            continue
        part = _FIELDS.get(evidence, evidence)
        findings = [each for each in older.findings if each.id in BY_ID and BY_ID[each.id].requires == evidence]
        whole = replace(whole, **{part: getattr(older, part)}, findings=(*whole.findings, *findings))
    return whole
