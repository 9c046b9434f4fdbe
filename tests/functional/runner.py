# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running modules as Ansible does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import Pki, TlsFiles

from .assertions import compare, judge
from .launcher import COLLECTION, Launcher
from .result import Result

_SECONDS = 900

# The modules that an action plugin can do the work of, in Ansible's own process.
IN_PROCESS = ("mysql_ssl_status", "mysql_require_ssl")


@dataclass(frozen=True)
class Modules:
    """Runs modules through their JSON interface, each in a process of its own, as Ansible does."""

    home: Path
    launcher: Launcher
    controller: Launcher | None = None

    def run(self, name: str, *, check: bool = False, **options: Any) -> Result:
        """Run a module to its end; never lets a password or a traceback through.

        With a ``controller`` its action plugin does the work, where there is one. What does not write is then done both
        ways, and both have to say the same.
        """
        module = f"{COLLECTION}.plugins.modules.{name}"
        if self.controller is None or name not in IN_PROCESS:
            return self._run(self.launcher, module, options, check=check)
        done = self._run(self.controller, "tests.functional.in_process", options, check=check, ACTION=name)
        if check or name == "mysql_ssl_status":
            compare(done, self._run(self.launcher, module, options, check=check))
        return done

    def _run(
        self, launcher: Launcher, program: str, options: Mapping[str, Any], *, check: bool, **variables: str
    ) -> Result:
        status, out, err = launcher.run(
            program,
            module_arguments(self.home, options, check=check),
            directory=self.home,
            environment={**module_environment(self.home), **variables},
        )
        return judge(status, out, err, options)

    def run_alone(self, name: str, *, environment: Mapping[str, str] | None = None, **options: Any) -> Result:
        """The same with nothing imported beforehand, and more environment variables."""
        done = subprocess.run(
            [sys.executable, "-m", f"{COLLECTION}.plugins.modules.{name}"],
            input=module_arguments(self.home, options),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            cwd=self.home,
            env={**module_environment(self.home), **(environment or {})},
        )
        return judge(done.returncode, done.stdout, done.stderr, options)

    def status(self, **options: Any) -> Result:
        """Run mysql_ssl_status."""
        return self.run("mysql_ssl_status", **options)

    def require(self, **options: Any) -> Result:
        """Run mysql_require_ssl."""
        return self.run("mysql_require_ssl", **options)

    def bundle(self, **options: Any) -> Result:
        """Run rds_ca_bundle."""
        return self.run("rds_ca_bundle", **options)


def module_arguments(home: Path, options: Mapping[str, Any], *, check: bool = False) -> str:
    """What Ansible gives to a module on its standard input."""
    arguments = dict(options, _ansible_check_mode=check, _ansible_diff=True, _ansible_remote_tmp=str(home))
    return json.dumps({"ANSIBLE_MODULE_ARGS": arguments})


def module_environment(home: Path) -> dict[str, str]:
    """Environment variables of a module run, with this home directory."""
    return {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.environ["PYTHONPATH"],
    }


def client_options(files: TlsFiles) -> dict[str, str]:
    """The modules' options for a client certificate."""
    return {"client_cert": str(files.cert), "client_key": str(files.key)}


def unmet(pki: Pki) -> dict[str, object]:
    """A requirement that this client certificate does not meet."""
    return {"ssl_type": "specified", "cipher": "NO-SUCH-CIPHER", **client_options(pki.client())}
