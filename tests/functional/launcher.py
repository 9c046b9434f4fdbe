# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that has imported what modules import, and forks itself for each module run.

Most of a module run's time is the import of ansible-core and cryptography. Here each run still has a process of its
own, but only the first pays for that. Talks in lines of JSON over standard input and output.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLLECTION = "ansible_collections.dbtls.rds_mysql"
_IMPORTS = (
    f"{COLLECTION}.plugins.module_utils._enforcement.enforce",
    f"{COLLECTION}.plugins.module_utils._status.sweep",
    f"{COLLECTION}.plugins.module_utils._status.tls_versions",
    f"{COLLECTION}.plugins.module_utils._core.module",
    f"{COLLECTION}.plugins.module_utils._bundle.run",
    "cryptography.x509",
    "http.client",
    "pymysql.connections",
    "urllib.request",
)
# Of Ansible itself. A process that has imported these is no place for modules: their warnings would go elsewhere.
_CONTROLLER_IMPORTS = (
    f"{COLLECTION}.plugins.plugin_utils.in_process",
    "ansible.parsing.dataloader",
    "ansible.playbook.task",
    "ansible.plugins.loader",
    "ansible.template",
)
_SECONDS = 900


class Launcher:
    """The side of the tests. It runs modules, or as ``controller`` what runs in Ansible's own process."""

    def __init__(self, environment: Mapping[str, str], *, controller: bool = False, prefix: Sequence[str] = ()) -> None:
        """``prefix``: a command that runs the one after it, somewhere else."""
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", __name__, *_IMPORTS, *(_CONTROLLER_IMPORTS if controller else ())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "PYTHONPATH": os.pathsep.join([os.getcwd(), environment["PYTHONPATH"]])},
        )
        self._lock = threading.Lock()

    def run(
        self, program: str, arguments: str, *, directory: Path, environment: Mapping[str, str]
    ) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of a run of ``program``, the name of a Python module."""
        request = {
            "module": program,
            "directory": str(directory),
            "environment": dict(environment),
        }
        streams = {name: directory / f"module.{name}" for name in ("in", "out", "err")}
        streams["in"].write_text(arguments, encoding="utf-8")
        with self._lock:
            assert self._process.stdin
            assert self._process.stdout
            print(json.dumps(request), file=self._process.stdin, flush=True)
            status = int(self._process.stdout.readline())
        out, err = (streams[name].read_text("utf-8") for name in ("out", "err"))
        for path in streams.values():
            path.unlink()
        return status, out, err

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(_SECONDS)
        self._process.stdout.close()


def _serve() -> None:
    for name in sys.argv[1:]:
        __import__(name)
    del sys.argv[1:]  # in which a module would look for its options
    requests, replies = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in requests:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        _pid, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=replies, flush=True)


def _run(request: dict[str, Any]) -> None:
    """Become the module; never returns."""
    status = 1
    try:
        signal.alarm(_SECONDS)
        os.chdir(request["directory"])
        for number, name, flags in (
            (0, "in", os.O_RDONLY),
            (1, "out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (2, "err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            os.dup2(os.open(f"module.{name}", flags, 0o600), number)
        os.environ.clear()
        os.environ.update(request["environment"])
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
    except BaseException:  # noqa: BLE001  as the interpreter itself does at the end of a program
        sys.excepthook(*sys.exc_info())
    finally:
        # AnsibleModule removes its temporary directory then.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
