# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checking many servers in one task, several at a time."""

from __future__ import annotations

import time
import typing as t
from contextlib import closing

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import outcome
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.pool import Pool
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import without_user_information
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.run import run as check_one

_PROGRESS_SECONDS = 2.0

Progress = t.Callable[[str], None]
# The number of an endpoint and its entry; None in between says that there is none yet.
_Result = tuple[int, dict[str, t.Any]]
_Results = t.Generator[t.Optional[_Result], None, None]


def run(params: t.Mapping[str, t.Any], progress: Progress | None = None) -> dict[str, t.Any]:
    """The work of ``mysql_ssl_status``: one server, or with ``endpoints`` each of them.

    :arg progress: Called every few seconds with a message about the progress.
    :raises RdsMysqlError: or one of its kinds.
    """
    if params.get("endpoints") is None:
        return check_one(params)
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
            f"{len(bad)} of {len(entries)} endpoints could not be checked or have findings of severity {fail_on} or "
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
    """Check endpoints, so many at a time; what was found, in their order.

    Each entry has ``host``, ``port``, ``failed``, ``msg`` (None unless failed), ``mysql_ssl`` (None where nothing was
    seen) and ``warnings``.

    Threads of one process, of which Python runs one at a time. A process for each of 2 busy cores would not gain 30 %:
    3,000 endpoints on loopback took 7.4 s in place of 9.8 s without a login, and 12.4 s in place of 16.3 s with one
    (medians of 3 rounds).
    """
    entries: list[dict[str, t.Any]] = [{}] * len(endpoints)
    pool: Pool[int, dict[str, t.Any]] = Pool(lambda number: _check(endpoints[number]), min(concurrency, len(endpoints)))
    with closing(pool.run(range(len(endpoints)))) as found:
        for number, entry in _telling(found, len(endpoints), progress):
            entries[number] = entry
    return entries


def _telling(found: _Results, total: int, progress: Progress | None) -> t.Iterator[_Result]:
    started = told = time.monotonic()
    done = 0
    for one in found:
        if one is not None:
            done += 1
            yield one
        now = time.monotonic()
        if progress and now - told >= _PROGRESS_SECONDS:
            told = now
            progress(f"{done} of {total} endpoints, {done / (now - started):.0f} a second")


def _check(params: dict[str, t.Any]) -> dict[str, t.Any]:
    try:
        result = outcome(lambda: check_one(params))
    except Exception as e:  # noqa: BLE001  one endpoint's error must not lose the results of the others
        result = {"failed": True, "msg": f"Internal error; please report it: {type(e).__name__}: {e}"}
    return _entry(params, result)


def _entry(params: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        "host": without_user_information(str(params["login_host"])),
        "port": params["login_port"],
        "failed": bool(result.get("failed")),
        "msg": result.get("msg"),
        "mysql_ssl": result.get("mysql_ssl"),
        **({"mysql_ssl_sessions": result.get("mysql_ssl_sessions")} if params.get("sessions_only") else {}),
        "warnings": list(result.get("warnings", ())),
    }
