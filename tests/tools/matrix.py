# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The long form: every Python that modules may meet, every ansible-core that the collection supports, every fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .environments import environment
from .gates import integration, pytest
from .interpreters import Interpreter, interpreters
from .places import REQUIREMENTS, STAGE, say
from .running import CommandFailed
from .sanity import sanity

_MODULE_PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_CONTROLLER_MINIMUM = (3, 10)

# ansible-core does not install on a Python too old for a controller, but its module_utils are what Ansible sends to
# such a machine, and they run there.
_FORCED_CORE = ("ansible-core==2.17.14",)
_TARGET_TESTS = ("tests/unit/plugins/module_utils", "tests/unit/plugins/modules")


@dataclass(frozen=True)
class Core:
    """A release of ansible-core, and the series of Python that it runs on as a controller."""

    release: str
    pythons: tuple[str, ...]

    @property
    def series(self) -> str:
        """Such as 2.19."""
        return ".".join(self.release.split(".")[:2])


_CORES = (
    Core("2.17.14", ("3.10", "3.11", "3.12")),
    Core("2.18.19", ("3.11", "3.12", "3.13")),
    Core("2.19.14", ("3.11", "3.12", "3.13")),
    Core("2.20.10", ("3.12", "3.13", "3.14")),
    Core("2.21.5", ("3.12", "3.13", "3.14")),
)


def matrix() -> list[tuple[str, Callable[[], None]]]:
    """The gates of the matrix; what this machine has no interpreter for is said and left out."""
    found = interpreters()
    gates: list[tuple[str, Callable[[], None]]] = []
    for series in _MODULE_PYTHONS:
        if series not in found:
            say(f"left out: unit tests on Python {series}, which is not on this machine")
            continue
        gates += [
            (f"unit, Python {series}, {libraries} libraries", _unit(found[series], libraries))
            for libraries in ("oldest", "newest")
        ]
    for core in _CORES:
        usable = [found[series] for series in core.pythons if series in found]
        if not usable:
            say(f"left out: ansible-core {core.series}, which needs Python {' or '.join(core.pythons)}")
            continue
        label = f"ansible-core {core.series}, Python {usable[0].series}"
        gates.append((f"integration, {label}", _integration(core, usable[0])))
        gates.append((f"sanity, {label}", _sanity(core, usable[0])))
    gates.append(("integration, every fault", _every_fault))
    return gates


def _every_fault() -> None:
    """What ansible-core is there makes no difference to these."""
    tests = ["tests/functional/test_require_ssl_faults.py"]
    pytest(environment("test"), tests, ["--every-fault"], label="-integration-faults")


def _unit(interpreter: Interpreter, libraries: str) -> Callable[[], None]:
    def gate() -> None:
        controller = interpreter.number >= _CONTROLLER_MINIMUM
        python = environment(libraries, interpreter=interpreter, forced=() if controller else _FORCED_CORE)
        paths: Sequence[str] = ["tests/unit"]
        if not controller:
            paths = [path for path in _TARGET_TESTS if (STAGE / path).is_dir()]
            if not paths:
                raise CommandFailed(f"none of {', '.join(_TARGET_TESTS)} exists")
            say(f"Python {interpreter.series} runs modules only: {', '.join(paths)}")
        # Libraries warn about old Pythons, which is no fault of ours.
        pytest(python, paths, ["-W", "default"], label=f"-{libraries}-{interpreter.series}")

    return gate


def _integration(core: Core, interpreter: Interpreter) -> Callable[[], None]:
    def gate() -> None:
        python = environment(f"core{core.series}", interpreter=interpreter, requirements=_with_core("test", core))
        integration(python, ["-W", "default"], label=f"-{core.series}")

    return gate


def _sanity(core: Core, interpreter: Interpreter) -> Callable[[], None]:
    def gate() -> None:
        requirements = _with_core("sanity", core)
        sanity(environment(f"sanity{core.series}", interpreter=interpreter, requirements=requirements))

    return gate


def _with_core(name: str, core: Core) -> str:
    """A requirements file with its choice of ansible-core replaced."""
    lines: list[str] = []
    pending = (REQUIREMENTS / f"{name}.txt").read_text("utf-8").splitlines()
    while pending:
        line = pending.pop(0)
        if line.startswith("-r "):
            pending[:0] = (REQUIREMENTS / line[3:].strip()).read_text("utf-8").splitlines()
        elif not line.startswith("ansible-core=="):
            lines.append(line)
    return "\n".join([f"ansible-core=={core.release}", *lines]) + "\n"
