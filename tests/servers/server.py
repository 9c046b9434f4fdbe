# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One running server: started from a copied data directory, watched until it answers, stopped and removed."""

from __future__ import annotations

import atexit
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .catalogue import Entry, ServerFailed, ServerUnavailable, entry_for
from .datadir import base_options, server_environment, template
from .packages import Program, find_program
from .pki import TlsFiles
from .process import free_port, spawn
from .rundir import RunDirectory

START_SECONDS = 300.0
"""How long a server may take from its start to its first greeting."""

_STOP_SECONDS = 30.0

# MySQL manual, "Protocol::HandshakeV10".
_CLIENT_SSL = 0x0800
_PROTOCOL_VERSION_10 = 10

# A server logs a failing statement of its init file, skips the rest and carries on. MySQL writes "[ERROR] ... 1064  You
# have", MariaDB "ERROR: 1064  You have".
_INIT_ERROR = re.compile(r"^(?:.*\[ERROR\].*?|ERROR:) *\b(\d{4}  .*)$", re.MULTILINE)

_WILDCARDS = {"*", "0.0.0.0", "::"}


@dataclass(frozen=True)
class Greeting:
    """What a server says first: its version, and whether it offers TLS."""

    version: str
    offers_tls: bool


class Server:
    """A database server of this machine in a temporary directory of its own.

    Its administrator ``root`` logs in with ``admin_password`` over TCP (``root@127.0.0.1``; host names are not
    resolved) and over the unix socket (``root@localhost``), with all privileges and the grant option. Apart from the
    server's own system accounts there is no other account.

    ``stop()`` and ``kill()`` leave the data, so that ``start()`` brings the same server back on the same port;
    ``close()`` stops it and removes everything. ``provide()`` closes.
    """

    admin_user = "root"

    def __init__(
        self,
        entry: Entry,
        program: Program,
        *,
        tls: TlsFiles | None,
        options: Sequence[str],
        init_sql: Sequence[str],
        environment: Mapping[str, str],
        bind_address: str,
    ) -> None:
        self.name = entry.name
        self.tls = tls
        self.admin_password = secrets.token_hex(16)
        self.host = "127.0.0.1" if bind_address in _WILDCARDS else bind_address
        self.version = program.version
        self.greeting: Greeting | None = None
        self._entry = entry
        self._program = program
        self._options = list(options)
        self._init_sql = list(init_sql)
        self._bind_address = bind_address
        self._process: subprocess.Popen[bytes] | None = None
        self._initialised = False
        self._owner = os.getpid()
        self._run_directory = RunDirectory()
        self._directory = self._run_directory.path
        self.datadir = self._directory / "data"
        self.socket = str(self._directory / "s")
        self.log_file = self._directory / "log"
        self.port = free_port(bind_address)
        self._environment = {**server_environment(program, self._directory), **environment}
        _open_servers.add(self)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def offers_tls(self) -> bool:
        """Whether the greeting at the last start had the CLIENT_SSL capability."""
        return self.greeting is not None and self.greeting.offers_tls

    def start(self) -> None:
        """Start and wait until the server answers on its TCP port; ServerFailed with the log's end if it does not."""
        if self.pid:
            return
        if not self.datadir.exists():
            shutil.copytree(template(self._entry, self._program), self.datadir, symlinks=True)
            self.datadir.chmod(0o700)
        for attempt in range(3):
            try:
                self._start_once()
                return
            except ServerFailed:
                # Another program took the port between our look and the server's bind.
                if attempt == 2 or self._initialised or "ddress already in use" not in self._log_text():
                    raise
                self.port = free_port(self._bind_address)
                self.log_file.unlink()

    def _start_once(self) -> None:
        init_file = self._directory / "init.sql"
        extra: list[str] = []
        if not self._initialised:
            _write_private(init_file, "".join(f"{statement};\n" for statement in self._first_statements()))
            extra.append(f"--init-file={init_file}")
        try:
            self._process = spawn(
                [*self._command(), *extra], log=self.log_file, cwd=self._directory, environment=self._environment
            )
            self.greeting = self._wait_for_greeting()
            if self.tls and not self.greeting.offers_tls:
                raise self._failure(f"does not offer TLS with {self.tls.cert}")
        except ServerFailed:
            self._halt(signal.SIGKILL)
            raise
        finally:
            init_file.unlink(missing_ok=True)
        self._initialised = True

    def stop(self) -> None:
        """Shut down in order and wait for it."""
        self._halt(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL)."""
        self._halt(signal.SIGKILL)

    def restart(self, *more_options: str) -> None:
        """Stop in order, and start again with the same data on the same port, from now on with more options."""
        self.stop()
        self._options += more_options
        self.start()

    def close(self) -> None:
        """Stop, and remove the server's directory."""
        if os.getpid() != self._owner:
            return
        # The data goes as well, so there is nothing to shut down in order, which takes MySQL 9.7 three seconds.
        self._halt(signal.SIGKILL)
        self._run_directory.remove()
        _open_servers.discard(self)

    def describe(self) -> dict[str, object]:
        """What a program needs to connect, ready for JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "host": self.host,
            "port": self.port,
            "socket": self.socket,
            "admin_user": self.admin_user,
            "admin_password": self.admin_password,
            "tls": self.offers_tls,
            "ca_cert": str(self.tls.ca) if self.tls else None,
            "pid": self.pid,
            "log_file": str(self.log_file),
        }

    def _command(self) -> list[str]:
        options = [
            *base_options(self._entry, self._program, self.datadir),
            f"--port={self.port}",
            f"--bind-address={self._bind_address}",
            f"--socket={self.socket}",
            f"--pid-file={self._directory / 'pid'}",
            f"--tmpdir={self._directory}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--max-connections=100",
            "--table-open-cache=200",
            "--innodb-flush-log-at-trx-commit=2",
        ]
        modern_mysql = self._entry.family == "mysql" and not self._entry.legacy_tls
        if modern_mysql:
            options += ["--mysqlx=OFF", "--secure-file-priv=NULL", "--auto-generate-certs=OFF"]
        if self.tls:
            options += [f"--ssl-ca={self.tls.ca}", f"--ssl-cert={self.tls.cert}", f"--ssl-key={self.tls.key}"]
        else:
            # MySQL 8.4 and newer have no --skip-ssl any more; with no protocol version allowed there is no TLS.
            options.append("--tls-version=" if modern_mysql else "--skip-ssl")
        if modern_mysql:
            # With --no-defaults it forgets at a restart what SET PERSIST has set.
            empty = self._directory / "my.cnf"
            _write_private(empty, "")
            options[options.index("--no-defaults")] = f"--defaults-file={empty}"
        return [*self._program.command, *options, *self._options]

    def _first_statements(self) -> list[str]:
        hosts = ["localhost", "127.0.0.1"]
        if ":" in self._bind_address or self._bind_address == "*":
            hosts.append("::1")
        statements = []
        for host in hosts:
            account, secret = f"'root'@'{host}'", f"IDENTIFIED BY '{self.admin_password}'"
            if self._entry.legacy_tls:
                statements.append(f"GRANT ALL PRIVILEGES ON *.* TO {account} {secret} WITH GRANT OPTION")
            else:
                statements.append(f"CREATE USER IF NOT EXISTS {account}")
                statements.append(f"ALTER USER {account} {secret}")
                statements.append(f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION")
        # An init file holds one statement a line.
        statements += [" ".join(statement.split("\n")).strip().rstrip(";") for statement in self._init_sql]
        return statements

    def _wait_for_greeting(self) -> Greeting:
        process = self._process
        assert process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise self._failure(f"ended with status {process.returncode} instead of starting")
            greeting = read_greeting(self.host, self.port)
            if not self._initialised and (problem := _INIT_ERROR.search(self._log_text())):
                raise self._failure(f"could not run the first statements ({problem.group(1)})")
            if greeting:
                return greeting
            time.sleep(0.03)
        raise self._failure(f"did not answer within {START_SECONDS:.0f} seconds")

    def _halt(self, number: int) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._process = None

    def _log_text(self) -> str:
        try:
            return self.log_file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _failure(self, what: str) -> ServerFailed:
        tail = "\n".join(self._log_text().splitlines()[-15:])
        return ServerFailed(f"{self.name} {what}; the end of its log:\n{tail}")


_open_servers: weakref.WeakSet[Server] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for server in list(_open_servers):
        server.close()


@contextmanager
def provide(
    name: str,
    *,
    tls: TlsFiles | None = None,
    options: Sequence[str] = (),
    init_sql: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    bind_address: str = "127.0.0.1",
) -> Iterator[Server]:
    """A running server called ``name`` (see MATRIX) for the length of a ``with`` block.

    ``tls``: the server's certificate; without it the server has no TLS at all. ``options``: more server options, which
    win over ours. ``init_sql``: statements run as root before the first client is let in, each without line breaks
    inside literals. ``environment``: more environment variables for the server.

    Raises ServerUnavailable if this machine cannot run it, ServerFailed if it does not start.
    """
    entry = entry_for(name)
    server: Server
    try:
        program = find_program(entry)
    except ServerUnavailable as exc:
        # Only now, because the module that knows containers builds on this one.
        from .container import ContainerServer, container_engine

        engine = container_engine()
        if not engine:
            raise ServerUnavailable(f"{exc}\nand neither docker nor podman answers, to run {entry.image}") from exc
        server = ContainerServer(
            entry, engine, tls=tls, options=options, init_sql=init_sql, environment=environment or {}
        )
    else:
        server = Server(
            entry,
            program,
            tls=tls,
            options=options,
            init_sql=init_sql,
            environment=environment or {},
            bind_address=bind_address,
        )
    try:
        server.start()
        yield server
    finally:
        server.close()


def read_greeting(host: str, port: int, timeout: float = 5.0) -> Greeting | None:
    """The greeting of the server at ``host`` and ``port``; None while nobody answers or the server turns us away."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            stream = connection.makefile("rb")
            header = stream.read(4)
            payload = stream.read(int.from_bytes(header[:3], "little"))
    except OSError:
        return None
    if not payload or payload[0] != _PROTOCOL_VERSION_10:
        return None
    version, _zero, rest = payload[1:].partition(b"\0")
    # After the version: thread id (4), first part of the scramble (8), filler (1), lower capability flags (2).
    capabilities = int.from_bytes(rest[13:15], "little")
    return Greeting(version.decode("utf-8", "replace"), bool(capabilities & _CLIENT_SSL))


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
