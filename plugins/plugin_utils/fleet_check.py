# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One job on the server of every host, in one task of Ansible.

A task for each host costs Ansible 15 milliseconds before anything is done in it. An action that calls this has one
for all of them::

    fleet = Fleet(self._task, task_vars, self._loader)
    prepared = prepare(fleet, hosts, STATUS_JOB, ca_cert)        # evaluates variables, contacts nobody
    with closing(run(prepared, STATUS_JOB, display.display)) as found:
        for host, result in found:                               # as they finish, each with its own deadline
            ...                                                  # take what is needed, and let go of the result

``result`` is what the job's module would have returned for that host, in plain types: ``failed`` and ``msg`` where it
failed, ``warnings``, and its return values. A host whose variables cannot be evaluated, or whose options the module
refuses, fails alone. Where nothing was sent to its server, ``contacted`` is false.

Another job is another :class:`Job`: how the role's variables become options, and the work itself, which has to be safe
in threads and must write nothing but what is about its own server.
"""

from __future__ import annotations

import collections
import threading
import time
import typing as t
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, field

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.pool import Pool
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS, ModuleSpec
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import run as status
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import NON_COMPLIANT
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import (
    processes,
    role_options,
    role_variables,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet, HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import as_module
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.login_secrets import LoginSecrets
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import reworded

Options = dict[str, t.Any]
Result = dict[str, t.Any]
CaCert = t.Callable[[HostVariables], str]

# Servers that a process works on at a time: with how many it begins, and how many there are where it has time left, as
# with servers that are far away. With 32 from the beginning, checking 1,000 servers takes 10 to 17 % longer (2 cores).
_FEW = 8
_AT_ONCE = 32
# Those that do not answer, besides, in all processes.
_MOST_WAITING = 1000
# Hosts of one server or proxy that a process checks at a time. Hundreds would take the connections of its clients.
_AT_ONE_SERVER = 8
# Files that the process has open for other reasons.
_OTHER_FILES = 64
_PROGRESS_SECONDS = 5.0
# Who is waited for is said of servers that take longer than that.
_LONG_SECONDS = 3.0
_MOST_NAMES = 3


@dataclass(frozen=True)
class Job:
    """What is done on each server.

    ``module`` is its module's name, for messages; ``options`` makes its options from a host's variables and the file
    with CA certificates; ``work`` takes them validated.
    """

    module: str
    specification: ModuleSpec
    options: t.Callable[[HostVariables, str], Options]
    work: t.Callable[[Options], Result]


STATUS_JOB = Job("mysql_ssl_status", STATUS, role_options.status, status.run)
SESSIONS_JOB = Job("mysql_ssl_status", STATUS, role_options.sessions, status.run)


@dataclass
class Prepared:
    """What is known before a server is contacted: options by host, and results of hosts that have none.

    Passwords are in the options.
    """

    options: dict[str, Options] = field(default_factory=dict, repr=False)
    failed: dict[str, Result] = field(default_factory=dict)

    def ca_certs(self) -> list[str]:
        """The files with CA certificates that servers are verified with, each once."""
        return list(dict.fromkeys(options["ca_cert"] for options in self.options.values() if options["ca_cert"]))

    def refuse(self, ca_certs: t.Mapping[str, str]) -> None:
        """Fail the hosts whose file with CA certificates is one of these, each with its reason."""
        for host in [host for host, options in self.options.items() if options["ca_cert"] in ca_certs]:
            reason = ca_certs[self.options.pop(host)["ca_cert"]]
            self.failed[host] = {"failed": True, "contacted": False, "msg": printable(reason)}


def prepare(
    fleet: Fleet,
    hosts: t.Iterable[str],
    job: Job,
    ca_cert: CaCert,
    checks: t.Iterable[role_variables.Check] = (),
    secrets: LoginSecrets | None = None,
) -> Prepared:
    """Evaluate the variables of each host.

    :arg ca_cert: The file with CA certificates for a host. It may raise AnsibleError or RdsMysqlError.
    :arg checks: They read each host's variables.
    :arg secrets: Fetches logins from AWS Secrets Manager, where the role's tasks have not done that.
    """
    prepared = Prepared()
    for host in hosts:
        variables = fleet.of(host)
        for check in checks:
            check.look(host, variables)
        try:
            if secrets:
                secrets.add_to(variables)
            prepared.options[host] = job.options(variables, ca_cert(variables))
        except AnsibleError as e:
            prepared.failed[host] = {"failed": True, "contacted": False, "msg": printable(to_text(e))}
        except RdsMysqlError as e:
            prepared.failed[host] = {"failed": True, "contacted": False, "msg": printable(e.message), **e.details}
    return prepared


def run(
    prepared: Prepared,
    job: Job,
    progress: t.Callable[[str], None] | None = None,
    *,
    stopped: t.Callable[[], bool] = lambda: False,
) -> t.Generator[tuple[str, Result], None, None]:
    """Do the job on each server; hosts and results as they finish, those that failed before first.

    A server that hangs takes its own deadline and holds up nobody else.

    :arg progress: Called every few seconds with a message about the progress and what it waits for.
    :arg stopped: Asked several times a second. Once it is true, there are no further results.
    """
    told = _Progress(len(prepared.options) + len(prepared.failed), progress)
    for host, result in prepared.failed.items():
        told.count(result)
        yield host, result

    shared = _shared(prepared.options.values())

    def work(host: str) -> Result:
        options = prepared.options[host]
        with shared.get(_server(options), nullcontext()):
            return _done(job, options)

    pool = _pool(len(prepared.options), work)
    with closing(pool.run(prepared.options)) as found:
        for one in found:
            if stopped():
                return
            if one is not None:
                told.count(one[1])
                yield one
            told.tell(pool.waiting(_LONG_SECONDS) if told.due() else [])


def _pool(servers: int, work: t.Callable[[str], Result]) -> Pool[str, Result] | processes.Processes[str, Result]:
    count = processes.how_many(servers)
    most = _most(count * _AT_ONCE)
    if count == 1:
        return Pool(work, _AT_ONCE, most, _FEW)
    return processes.Processes(work, _lost, _AT_ONCE, most, _FEW, count)


def _server(options: Options) -> tuple[str, ...]:
    return str(options.get("login_host")).lower(), str(options.get("login_port"))


def _shared(hosts: t.Iterable[Options]) -> dict[tuple[str, ...], AbstractContextManager[t.Any]]:
    """What lets only so many hosts of a server be checked at a time, where it has more than that."""
    counts = collections.Counter(map(_server, hosts))
    return {server: threading.BoundedSemaphore(_AT_ONE_SERVER) for server, n in counts.items() if n > _AT_ONE_SERVER}


def _lost(host: str) -> Result:
    return {"failed": True, "msg": f"The process that checked {host} was killed before it had a result."}


def _done(job: Job, options: Options) -> Result:
    begun: list[Options] = []

    def work(validated: Options) -> Result:
        begun.append(validated)
        return job.work(validated)

    try:
        result, _params, _secrets = as_module(job.module, job.specification, options, work)
    except Exception as e:  # noqa: BLE001  one server's error must not lose the results of the others
        return {"failed": True, "msg": printable(f"Internal error; please report it: {type(e).__name__}: {e}")}
    if not begun:
        result["contacted"] = False
    # It has all that is in the result once more.
    result.pop("ansible_facts", None)
    return reworded(result)


def _most(at_once: int) -> int:
    """How many servers there may be at a time with those that do not answer: each takes a file."""
    files = _MOST_WAITING
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * _MOST_WAITING + _OTHER_FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        files = _MOST_WAITING if soft == resource.RLIM_INFINITY else (soft - _OTHER_FILES) // 2
    return at_once + max(0, min(_MOST_WAITING, files - at_once))


class _Progress:
    """Every few seconds a line: how many are checked, how many of them are bad, and who is waited for."""

    def __init__(self, total: int, tell: t.Callable[[str], None] | None) -> None:
        self._total = total
        self._tell = tell
        self._told = time.monotonic()
        self._done = self._bad = 0

    def count(self, result: Result) -> None:
        self._done += 1
        self._bad += bool(result.get("failed") or (result.get("mysql_ssl") or {}).get("verdict") == NON_COMPLIANT)

    def due(self) -> bool:
        return self._tell is not None and time.monotonic() - self._told >= _PROGRESS_SECONDS

    def tell(self, waiting: t.Sequence[str]) -> None:
        if self._tell is None or not self.due():
            return
        self._told = time.monotonic()
        said = f"{self._done:,} of {self._total:,} servers checked, {self._bad:,} failed or non-compliant"
        if waiting:
            rest = len(waiting) - _MOST_NAMES
            said += f"; waiting for {', '.join(waiting[:_MOST_NAMES])}" + (f" and {rest:,} more" if rest > 0 else "")
        self._tell(printable(said))
