# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line of the gates, behind ``make``."""

from __future__ import annotations

import argparse
import functools
import os
import signal
import sys
from collections.abc import Callable

from .environments import FORCED, EnvironmentFailed, environment
from .gates import GATES, format_checkout, run_gates
from .matrix import matrix
from .places import ROOT, say
from .running import CommandFailed, variables
from .staging import stage

_ENVIRONMENTS = ("runtime", "test", "browser", "awx", "tools", "docs", "sanity")


def main() -> int:
    """Run one subcommand and return its exit status."""
    # A shell's background job has SIGINT ignored, and hands that down; what we start is to end on it all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # SIGTERM ends what we started as Ctrl-C does, instead of leaving it behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    ours, passed_on = _split(sys.argv[1:])
    options = _parser().parse_args(ours)
    options.passed_on = passed_on
    try:
        return int(options.action(options) or 0)
    except (CommandFailed, EnvironmentFailed) as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What is for us, and what comes after ``--`` for the program that we run."""
    if "--" not in arguments:
        return arguments, []
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.tools", description="The gates behind make.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, action in (("test", _test), ("test-all", _test_all)):
        command = commands.add_parser(name, help=action.__doc__, epilog="Arguments after -- are pytest's.")
        command.add_argument("gates", nargs="+", choices=list(GATES), metavar="GATE", help=", ".join(GATES))
        command.set_defaults(action=action)
    runner = commands.add_parser("run", help=_run.__doc__, epilog="The command comes after --.")
    runner.add_argument("environment", choices=sorted({*_ENVIRONMENTS, *FORCED}))
    runner.set_defaults(action=_run)
    commands.add_parser("stage", help=_stage.__doc__).set_defaults(action=_stage)
    commands.add_parser("environments", help=_make_environments.__doc__).set_defaults(action=_make_environments)
    commands.add_parser("format", help=_format.__doc__).set_defaults(action=_format)
    return parser


def _gates(options: argparse.Namespace) -> list[tuple[str, Callable[[], None]]]:
    return [(name, functools.partial(GATES[name].run, options.passed_on)) for name in options.gates]


def _test(options: argparse.Namespace) -> int:
    """Run gates, all of them even if some fail."""
    return min(run_gates(_gates(options)), 1)


def _test_all(options: argparse.Namespace) -> int:
    """Run gates, then the matrix of Python and ansible-core versions."""
    return min(run_gates(_gates(options) + matrix()), 1)


def _run(options: argparse.Namespace) -> None:
    """Run a program of an environment from the root of the checkout, in place of this one."""
    python = environment(options.environment, forced=FORCED.get(options.environment, ()))
    stage()
    os.chdir(ROOT)
    sys.stdout.flush()
    settings = variables(python)
    command = options.passed_on
    os.execvpe(command[0], command, settings)


def _stage(options: argparse.Namespace) -> None:
    """Bring the staged copy up to date and print its path."""
    say(str(stage()))


def _make_environments(options: argparse.Namespace) -> None:
    """Make the virtual environments that the gates need."""
    for name in _ENVIRONMENTS:
        say(str(environment(name, forced=FORCED.get(name, ())).directory))


def _format(options: argparse.Namespace) -> None:
    """Let ruff put the checkout's code in order."""
    format_checkout()


if __name__ == "__main__":
    sys.exit(main())
