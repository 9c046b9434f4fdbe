# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at many servers in one task, several at a time."""

from __future__ import annotations

import itertools
import queue
import threading
import time
import typing as t
import warnings

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import status
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.module_runner import outcome

_PROGRESS_SECONDS = 2.0
# How long the main thread sleeps at most before it can notice a signal.
_POLL_SECONDS = 0.2

Progress = t.Callable[[str], None]


def run(params: t.Mapping[str, t.Any], progress: Progress | None = None) -> dict[str, t.Any]:
    """The work of ``mysql_ssl_status``: one server, or with ``endpoints`` each of them.

    :arg progress: Told in words, every few seconds, how far it is.
    :raises RdsMysqlError: or one of its kinds.
    """
    if params.get("endpoints") is None:
        return status.run(params)
    concurrency = int(params["concurrency"])
    if concurrency < 1:
        raise OptionError(f"concurrency: {concurrency} is not a positive number.")
    entries = sweep([_params_of(endpoint, params) for endpoint in params["endpoints"]], concurrency, progress)
    result: dict[str, t.Any] = {"changed": False, "endpoints": entries}
    fail_on = str(params["fail_on"])
    bad = [entry for entry in entries if entry["failed"]]
    if fail_on != "none" and bad:
        names = ", ".join(f"{entry['host']}:{entry['port']}" for entry in bad[:10])
        more = f" and {len(bad) - 10} more" if len(bad) > 10 else ""
        raise RdsMysqlError(
            f"{len(bad)} of {len(entries)} endpoints could not be looked at or have findings of severity {fail_on} or "
            f"more: {names}{more}.",
            **result,
        )
    return result


def _params_of(endpoint: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of one endpoint: its own, and the task's for what it does not say."""
    own = {name: value for name, value in endpoint.items() if value is not None}
    own["login_host"] = own.pop("host")
    if "port" in own:
        own["login_port"] = own.pop("port")
    return {**params, **own}


def sweep(
    endpoints: t.Sequence[dict[str, t.Any]], concurrency: int, progress: Progress | None = None
) -> list[dict[str, t.Any]]:
    """Look at endpoints, so many at a time; what was found, in their order.

    Each entry has ``host``, ``port``, ``failed``, ``msg`` (None unless failed), ``mysql_ssl`` (None where nothing was
    seen) and ``warnings``. The threads are daemons: an interrupt does not wait for servers that don't answer.
    """
    entries: list[dict[str, t.Any] | None] = [None] * len(endpoints)
    finished: queue.SimpleQueue[int] = queue.SimpleQueue()
    numbers = iter(range(len(endpoints)))
    lock = threading.Lock()
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            entries[number] = _look(endpoints[number])
            finished.put(number)

    threads = [threading.Thread(target=work, daemon=True) for _index in range(min(concurrency, len(endpoints)))]
    # Filters of warnings belong to the process, so that no thread can have its own (see certificates).
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for thread in threads:
            thread.start()
        try:
            _wait(len(endpoints), finished, progress)
        finally:
            stopped.set()
    return [entry for entry in entries if entry is not None]


def _wait(total: int, finished: queue.SimpleQueue[int], progress: Progress | None) -> None:
    started = told = time.monotonic()
    for done in itertools.count(0):
        if done == total:
            break
        while True:
            try:
                finished.get(timeout=_POLL_SECONDS)
                break
            except queue.Empty:
                pass
        now = time.monotonic()
        if progress and now - told >= _PROGRESS_SECONDS:
            told = now
            progress(f"{done + 1} of {total} endpoints, {(done + 1) / (now - started):.0f} a second")


def _look(params: dict[str, t.Any]) -> dict[str, t.Any]:
    try:
        result = outcome(lambda: status.run(params))
    except Exception as e:  # noqa: BLE001  one endpoint's trouble is no reason to lose what was seen of the others
        result = {"failed": True, "msg": f"An error that should not be, please report it: {type(e).__name__}: {e}"}
    return {
        "host": params["login_host"],
        "port": params["login_port"],
        "failed": bool(result.get("failed")),
        "msg": result.get("msg"),
        "mysql_ssl": result.get("mysql_ssl"),
        "warnings": list(result.get("warnings", ())),
    }
