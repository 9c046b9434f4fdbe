# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line: ``python -m tests.servers list | fetch | run | mirror``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from .cache import cache_root, say
from .catalogue import CATALOGUE, MATRIX, ServerFailed, ServerUnavailable, entry_for
from .datadir import template
from .mirror import Mirror
from .packages import find_program, is_cached
from .pki import SERVER_VARIANTS, Pki, TlsFiles
from .server import provide


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; the exit status is 0, or 1 with a message on stderr."""
    # Signals end the program by an exception, so that every ``with`` block and atexit handler does its work.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ServerUnavailable, ServerFailed, OSError) as exc:
        say(f"error: {exc}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description="Real database servers for tests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="which servers there are, and which are fetched already")
    listing.set_defaults(run=_list)

    fetch = commands.add_parser("fetch", help="download, unpack and initialise servers")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="a name from the list, or all")
    fetch.add_argument("--again", action="store_true", help="download even what is there already")
    fetch.set_defaults(run=_fetch)

    run = commands.add_parser("run", help="run servers until SIGINT or SIGTERM")
    run.add_argument("names", nargs="+", metavar="NAME", help="a name from the list; the same one twice is two servers")
    run.add_argument("--no-tls", action="store_true", help="servers without TLS")
    run.add_argument("--pki", type=Path, metavar="DIR", help="keep the certificates here, and use those that are here")
    run.add_argument(
        "--variant", default="good", choices=SERVER_VARIANTS, help="kind of server certificate (default: good)"
    )
    run.add_argument("--option", action="append", default=[], metavar="=--X", help="a server option: --option=--x=y")
    run.add_argument(
        "--init-file", type=Path, metavar="SQL", help="statements to run first, each ended by ; at a line's end"
    )
    run.add_argument("--state", type=Path, metavar="FILE", help="write all servers as a JSON list here (mode 0600)")
    run.set_defaults(run=_run)

    mirror = commands.add_parser("mirror", help="serve a directory as a trust store until SIGINT or SIGTERM")
    mirror.add_argument("directory", type=Path, metavar="DIR")
    mirror.add_argument("--cert", type=Path, help="certificate chain; without it plain HTTP")
    mirror.add_argument("--key", type=Path, help="its private key")
    mirror.add_argument("--port", type=int, default=0, help="default: a free one")
    mirror.set_defaults(run=_mirror)
    return parser


def _list(options: argparse.Namespace) -> None:
    say(f"cache: {cache_root()}")
    for entry in CATALOGUE.values():
        if is_cached(entry):
            print(f"{entry.name:<14} {find_program(entry).version:<18} cached")
        else:
            print(f"{entry.name:<14} {entry.series + '.*':<18} about {entry.megabytes} MB to fetch")


def _fetch(options: argparse.Namespace) -> None:
    for name in MATRIX if options.names == ["all"] else options.names:
        entry = entry_for(name)
        program = find_program(entry, again=options.again)
        template(entry, program)
        print(f"{entry.name:<14} {program.version}")


def _run(options: argparse.Namespace) -> None:
    statements = _statements(options.init_file.read_text(encoding="utf-8")) if options.init_file else []
    for name in options.names:
        entry_for(name)
    with ExitStack() as stack:
        pki: Pki | None = None
        if not options.no_tls:
            pki = Pki(options.pki or stack.enter_context(tempfile.TemporaryDirectory(prefix="dbtls-pki-")))
        servers = []
        for name in options.names:
            tls = pki.server_for(name, options.variant) if pki else None
            server = provide(name, tls=tls, options=options.option, init_sql=statements)
            servers.append(stack.enter_context(server))
            print(json.dumps(servers[-1].describe()), flush=True)
        if options.state:
            _write_state(options.state, json.dumps([server.describe() for server in servers], indent=2) + "\n")
            stack.callback(options.state.unlink, missing_ok=True)
        say("running; end with Ctrl-C")
        threading.Event().wait()


def _mirror(options: argparse.Namespace) -> None:
    certificate = TlsFiles(options.cert, options.cert, options.key or options.cert) if options.cert else None
    with Mirror(options.directory, certificate=certificate, port=options.port) as mirror:
        print(json.dumps({"url": mirror.url}), flush=True)
        threading.Event().wait()


def _statements(text: str) -> list[str]:
    """SQL statements of a file: each ends with a semicolon at a line's end; lines that begin with -- are comments."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return [part.strip() for part in ("\n".join(lines) + "\n").split(";\n") if part.strip()]


def _write_state(path: Path, text: str) -> None:
    # Renamed into place, so that whoever waits for the file never reads half of it.
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
