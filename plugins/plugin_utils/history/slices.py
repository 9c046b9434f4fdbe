# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State directories of slices: what each job of a divided inventory has recorded, taken over and then removed.

Each slice has a directory of its own, named as the job, with ``history``, ``observations`` and a report. Nothing is
removed but what was taken over and what the report can be made from again.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import Untrusted, open_trusted
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history import storage
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import files, from_results, model

T = t.TypeVar("T")

HISTORY = "history"
# Where a slice has its report: in its state directory, or in this directory there.
_REPORTS = ("", "report")


@dataclass(frozen=True)
class Slice:
    """One directory, and what is of use in it.

    The history has every check, and ``report`` what could not be checked, and how the run was made.
    """

    path: Path
    history: tuple[Path, ...]
    observations: tuple[Path, ...]
    report: Path | None

    @property
    def files(self) -> set[Path]:
        """What is taken over."""
        return {*self.history, *self.observations, *([self.report] if self.report else [])}


def find(directory: Path) -> list[Slice]:
    """The slices that have recorded something, by name.

    :raises HistoryError: when the directory cannot be read.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.is_dir() and not path.is_symlink())
    except FileNotFoundError:
        return []
    except OSError as e:
        raise storage.HistoryError(f"slices: {directory} cannot be read: {e.strerror}.") from e
    found = []
    for path in paths:
        history = tuple(path / HISTORY / name for name in sorted(storage.names(path / HISTORY)))
        observations = tuple(store.paths(path / store.DIRECTORY))
        reports = [path / place / files.JSON for place in _REPORTS]
        report = next((each for each in reports if each.is_file()), None)
        if history or observations or report:
            found.append(Slice(path, history, observations, report))
    return found


class Merge:
    """What slices have recorded, copied into one history and what belongs to it.

    A file that is damaged is named in a warning of the history, and stays where it is. ``servers`` are as the slices
    know them: the newest check of each, or that it could not be checked after that, with the time of that report.
    ``left`` are the names of those that interrupted runs have not checked.

    :arg dest: Where the report will be.
    :raises OptionError: when this or the history would be among the slices, which are removed.
    :raises HistoryError: when something cannot be written.
    """

    def __init__(self, directory: Path, history: History, dest: Path) -> None:
        for kept in (history.directory.parent, dest):
            if kept.resolve().is_relative_to(directory.resolve()):
                raise OptionError(f"slices: {kept} is in {directory}, where everything is removed once it is merged.")
        self.history = history
        self.left: set[str] = set()
        self._taken: set[Path] = set()
        self._runs: list[model.Run] = []
        self.slices = find(directory)
        self.servers = tuple(from_results.newest(server for one in self.slices for server in self._take(one)).values())

    def run(self, run: model.Run) -> model.Run:
        """The run that merges, with what the checks of the slices were made of and with."""
        limits = [each.limit for each in self._runs]
        versions = [each.tls_min_version for each in self._runs]
        return replace(
            run,
            inventory=_each(run.inventory for run in self._runs) or run.inventory,
            limit="; ".join(dict.fromkeys(filter(None, limits))) if all(limits) else None,
            ca_bundles=_each(run.ca_bundles for run in self._runs),
            tls_min_version=min(filter(None, versions), default=None) if all(versions) else None,
        )

    @property
    def not_merged(self) -> list[Slice]:
        """Slices of which nothing could be read."""
        return [one for one in self.slices if self._taken.isdisjoint(one.files)]

    def _take(self, one: Slice) -> list[model.Server]:
        observations = self.history.directory.parent / store.DIRECTORY
        self._copy(one.observations, observations)
        names = self._copy(one.history, self.history.directory, storage.check_whole)
        # Of the same time what was recorded counts, which has no more than was found then.
        return [*self._reported(one, names), *self.history.of_files(names).values()]

    def _reported(self, one: Slice, names: t.Collection[str]) -> list[model.Server]:
        if not one.report:
            if any(name.endswith(storage.ending("audit")) for name in names):
                # Which ones that are, nobody knows.
                self.history.warn(
                    f"{one.path} has no report.json. Servers that it could not check are reported as last checked."
                )
            return []
        try:
            # It was found and not named, so it is trusted as the history is.
            report = files.read_part(one.report, "slices", anyones=False, group=self.history.access.trusted)
        except RdsMysqlError as e:
            self.history.warn(f"{e.message} It was not merged.")
            return []
        self._taken.add(one.report)
        self._runs.append(report.run)
        servers = [server for server in report.servers if server.in_run]
        if report.run.interrupted:
            self.left |= {server.name for server in servers if server.state == model.NOT_CHECKED}
        return servers

    def _copy(
        self, sources: t.Iterable[Path], directory: Path, check: t.Callable[[Path, storage.Access], None] | None = None
    ) -> list[str]:
        copied = []
        for source in sources:
            target = directory / source.name
            try:
                if check:
                    check(source, self.history.access)
                # What is copied is the user's own from then on.
                with open_trusted(str(source), self.history.access.trusted) as file:
                    content = file.read()
                self.history.access.make_directory(directory)
                if not target.exists() or target.read_bytes() != content:
                    self.history.access.write(target, content)
            except storage.Damaged as e:
                self.history.warn(f"{source} {e}. It was not merged.")
                continue
            except Untrusted as e:
                self.history.warn(f"{source} is not read: it {e}. It was not merged.")
                continue
            except OSError as e:
                reason = f"slices: {source} cannot be copied to {directory}: {e.strerror or e}."
                raise storage.HistoryError(reason) from e
            self._taken.add(source)
            copied.append(source.name)
        return copied

    def remove(self) -> t.Iterator[str]:
        """Remove what was taken over; a sentence for each directory that stays, as there is something else in it."""
        for one in self.slices:
            if one in self.not_merged:
                continue
            reports = [one.path / place / name for place in _REPORTS for name in files.NAMES]
            # A report can be made again from the history and what was not checked, but not from damaged ones.
            whole = self._taken.issuperset(one.files.difference(one.observations))
            done = [path for path in (*one.history, *one.observations) if path in self._taken]
            with contextlib.suppress(OSError):
                for path in [*done, one.path / store.DIRECTORY / store.ID, *(reports if whole else ())]:
                    path.unlink(missing_ok=True)
            for directory in (*(one.path / name for name in (HISTORY, store.DIRECTORY, *_REPORTS[1:])), one.path):
                with contextlib.suppress(OSError):
                    directory.rmdir()
            if one.path.exists():
                left = next((path for path in sorted(one.path.rglob("*")) if not path.is_dir()), one.path)
                yield f"{one.path} was merged and not removed, because of {left}."


def _each(values: t.Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    """What there is in any of them, once."""
    return tuple(dict.fromkeys(each for value in values for each in value))
