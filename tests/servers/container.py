# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers in containers, for machines that have docker or podman and neither Debian packages nor the server itself.

This way has not been run: no machine that works on this collection has a container engine that answers. Differences
to the others: no unix socket, no process id, and ``root@'%'`` instead of ``root@127.0.0.1``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from .cache import say
from .catalogue import Entry, ServerFailed, ServerUnavailable
from .packages import Program
from .pki import TlsFiles
from .server import START_SECONDS, Server, read_greeting


def container_engine() -> str | None:
    """``docker`` or ``podman`` if it answers, else None."""
    for engine in ("docker", "podman"):
        if shutil.which(engine):
            try:
                done = subprocess.run([engine, "info"], capture_output=True, check=False, timeout=20)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                return engine
    return None


class ContainerServer(Server):
    """A server in a container from the official image, published on the loopback interface only."""

    def __init__(
        self,
        entry: Entry,
        engine: str,
        *,
        tls: TlsFiles | None,
        options: Sequence[str],
        init_sql: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(
            entry,
            Program((), entry.series, None),
            tls=tls,
            options=options,
            init_sql=init_sql,
            environment=environment,
            bind_address="127.0.0.1",
        )
        self.socket = ""
        self._engine = engine
        self._container = f"dbtls-{self._directory.name[-8:]}"

    def start(self) -> None:
        """Start the container, the first time with ``run``, and wait for the greeting."""
        if not self._initialised:
            say(f"starting {self._entry.image} with {self._engine}")
            self._run_container()
        else:
            self._call("start", self._container)
        deadline = time.monotonic() + 3 * START_SECONDS
        while time.monotonic() < deadline:
            # While the image initialises its data the server has no network, and the published port says nothing.
            self.greeting = read_greeting(self.host, self.port)
            if self.greeting:
                self._initialised = True
                self.version = self.greeting.version
                return
            time.sleep(0.2)
        logs = subprocess.run([self._engine, "logs", self._container], capture_output=True, text=True, check=False)
        raise ServerFailed(f"{self.name} in a container did not answer; the end of its log:\n{logs.stderr[-2000:]}")

    def close(self) -> None:
        """Remove the container with its data."""
        if os.getpid() == self._owner:
            subprocess.run([self._engine, "rm", "-f", "-v", self._container], capture_output=True, check=False)
        super().close()

    def _run_container(self) -> None:
        shared = self._directory / "shared"
        shared.mkdir(exist_ok=True)
        (shared / "init.sql").write_text("".join(f"{line};\n" for line in self._init_sql), encoding="utf-8")
        options = ["--skip-name-resolve"]
        if self.tls:
            for source, name in ((self.tls.ca, "ca.pem"), (self.tls.cert, "cert.pem"), (self.tls.key, "key.pem")):
                shutil.copyfile(source, shared / name)
                options.append(f"--ssl-{name.removesuffix('.pem')}=/shared/{name}")
        else:
            options.append("--tls-version=" if self._entry.series == "9.7" else "--skip-ssl")
        # The server in the container has another user id, and the directory above is closed to others.
        for path in (shared, *shared.iterdir()):
            path.chmod(0o755)
        self._call(
            "run",
            "--detach",
            f"--name={self._container}",
            f"--publish=127.0.0.1:{self.port}:3306",
            f"--volume={shared}:/shared:ro",
            f"--volume={shared / 'init.sql'}:/docker-entrypoint-initdb.d/init.sql:ro",
            # Named without a value: the engine takes it from our environment, so no password is on a command line.
            "--env=MYSQL_ROOT_PASSWORD",
            "--env=MARIADB_ROOT_PASSWORD",
            *(f"--env={name}={value}" for name, value in self._environment.items() if name.startswith("OPENSSL_")),
            self._entry.image,
            *options,
            *self._options,
        )

    def _halt(self, number: int) -> None:
        if self._initialised:
            verb = "kill" if number == signal.SIGKILL else "stop"
            subprocess.run([self._engine, verb, self._container], capture_output=True, check=False)

    def _call(self, *arguments: str) -> None:
        secrets = dict.fromkeys(("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"), self.admin_password)
        done = subprocess.run(
            [self._engine, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **secrets}
        )
        if done.returncode:
            raise ServerUnavailable(f"{self._engine} could not start {self._entry.image}: {done.stderr.strip()[-800:]}")
