# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others put in front of databases: HAProxy and MySQL Router, from Debian packages as the servers are."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import debian
from .cache import build_once, say
from .catalogue import DebianPackage, ServerFailed
from .pki import TlsFiles
from .process import free_port, spawn
from .rundir import RunDirectory

_HAPROXY = DebianPackage("trixie", "haproxy")
_ROUTER = DebianPackage("sid", "mysql-router")
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0

_HAPROXY_CONFIGURATION = """\
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client {timeout}s
    timeout server {timeout}s
listen databases
    bind 127.0.0.1:{port}
    balance roundrobin
"""

_ROUTER_CONFIGURATION = """\
[DEFAULT]
name = test
logging_folder =
runtime_folder = {directory}
data_folder = {directory}
config_folder = {directory}
plugin_folder = {tree}/usr/lib/mysqlrouter/plugin
[logger]
level = WARNING
[routing:databases]
bind_address = 127.0.0.1
bind_port = {port}
destinations = {destinations}
routing_strategy = round-robin
protocol = classic
client_ssl_mode = {client}
client_ssl_cert = {tls.cert}
client_ssl_key = {tls.key}
server_ssl_mode = {server}
server_ssl_verify = DISABLED
"""


@contextmanager
def haproxy(ports: Sequence[int], *, timeout: int = 60) -> Iterator[int]:
    """The port where connections lead to one of ``ports`` after the other; the next one to the first of them.

    :arg timeout: Seconds without a packet after which HAProxy hangs up on both sides.
    """
    tree = _unpacked(_HAPROXY)
    with _directory() as directory:
        port = free_port("127.0.0.1")
        configuration = directory / "haproxy.cfg"
        servers = "".join(f"    server s{number} 127.0.0.1:{target}\n" for number, target in enumerate(ports))
        configuration.write_text(_HAPROXY_CONFIGURATION.format(port=port, timeout=timeout) + servers)
        command = [*debian.loader(tree), str(tree / "usr/sbin/haproxy"), "-db", "-f", str(configuration)]
        with _running("haproxy", command, directory, port):
            # The look whether it is there was a connection, too.
            for _connection in range(len(ports) - 1):
                socket.create_connection(("127.0.0.1", port), _START_SECONDS).close()
            yield port


@contextmanager
def mysql_router(ports: Sequence[int], tls: TlsFiles, *, client_ssl_mode: str = "REQUIRED") -> Iterator[int]:
    """The port of a Router that ends TLS on both sides, with ``tls`` for clients, in front of these ports.

    :arg client_ssl_mode: ``PREFERRED`` lets clients without TLS in as well. With ``PASSTHROUGH`` it ends no TLS.
    """
    tree = _unpacked(_ROUTER)
    with _directory() as directory:
        port = free_port("127.0.0.1")
        configuration = directory / "mysqlrouter.conf"
        destinations = ",".join(f"127.0.0.1:{number}" for number in ports)
        configuration.write_text(
            _ROUTER_CONFIGURATION.format(
                directory=directory,
                tree=tree,
                port=port,
                destinations=destinations,
                tls=tls,
                client=client_ssl_mode,
                server="AS_CLIENT" if client_ssl_mode == "PASSTHROUGH" else "REQUIRED",
            )
        )
        loader, option, path = debian.loader(tree)
        places = f"{path}:{tree / 'usr/lib/mysql-router'}"
        command = [loader, option, places, str(tree / "usr/bin/mysqlrouter"), "-c", str(configuration)]
        with _running("mysqlrouter", command, directory, port):
            yield port


def _unpacked(source: DebianPackage) -> Path:
    def fetch(destination: Path) -> None:
        say(f"fetching {source.package} (once)")
        debian.unpack(source, destination)

    return build_once("packages", f"{source.package}-{source.suite}", fetch)


@contextmanager
def _directory() -> Iterator[Path]:
    made = RunDirectory()
    try:
        yield made.path
    finally:
        made.remove()


@contextmanager
def _running(name: str, command: Sequence[str], directory: Path, port: int) -> Iterator[None]:
    log = directory / "log"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(directory)}
    process = spawn(command, log=log, cwd=directory, environment=environment)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), _START_SECONDS).close()
                break
            except OSError as e:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ServerFailed(f"{name} does not start: {log.read_text(errors='replace')[-2000:]}") from e
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
