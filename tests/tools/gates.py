# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked. Each gate is a function that raises, or returns when all is well."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .docsite import build_site, lint_docs
from .environments import FORCED, Environment, EnvironmentFailed, environment
from .packaging import build, check_installed
from .places import BUILD, COLLECTIONS, ROOT, STAGE, say
from .running import CommandFailed, run
from .sanity import sanity
from .staging import stage

CACHES = BUILD / "cache"

# E203 and W503 ask for what ruff format, like black, does not do; pycodestyle's own defaults leave W503 out.
_PROBLEM = re.compile(r"^(?:WARNING|ERROR|CRITICAL): (?!.* (?:E203|W503) )", re.MULTILINE)


@dataclass(frozen=True)
class Gate:
    """A check with a name."""

    summary: str
    run: Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Outcome:
    """How a gate went."""

    name: str
    failure: str | None
    seconds: float


def run_gates(gates: Sequence[tuple[str, Callable[[], None]]]) -> int:
    """Run gates one after the other whether they fail or not, show a table, and return how many failed."""
    outcomes = [_run_gate(name, gate) for name, gate in gates]
    width = max(len(outcome.name) for outcome in outcomes)
    say("\n== summary")
    for outcome in outcomes:
        state = f"FAILED  {outcome.failure}" if outcome.failure else "ok"
        say(f"   {outcome.name:<{width}}  {outcome.seconds:7.1f} s  {state}")
    failed = sum(outcome.failure is not None for outcome in outcomes)
    say(f"gates: {len(outcomes) - failed} passed, {failed} failed")
    return failed


def _run_gate(name: str, gate: Callable[[], None]) -> Outcome:
    say(f"\n== {name} ...")
    started = time.monotonic()
    failure = None
    try:
        stage()
        gate()
    except (CommandFailed, EnvironmentFailed) as exc:
        failure = str(exc).splitlines()[0]
        say(str(exc))
    seconds = time.monotonic() - started
    say(f"== {name}: {'FAILED' if failure else 'ok'} in {seconds:.1f} s")
    return Outcome(name, failure, seconds)


def pytest(python: Environment, paths: Sequence[str], arguments: Sequence[str], *, label: str = "") -> None:
    """Run tests of the staged collection; no tests at all is a failure."""
    cache = CACHES / f"pytest{label}"
    run(
        python,
        "python",
        "-m",
        "pytest",
        "-o",
        f"cache_dir={cache}",
        *paths,
        *arguments,
        at=STAGE,
        extra={"HYPOTHESIS_STORAGE_DIRECTORY": str(CACHES / "hypothesis")},
    )


def _lint(arguments: Sequence[str]) -> None:
    tools = environment("tools")
    failures = []
    for check in (_ruff_rules, _ruff_format, _mypy_plugins, _mypy_others):
        try:
            check(tools)
        except CommandFailed as failure:
            failures.append(str(failure))
    if failures:
        raise CommandFailed("; ".join(failures))


def _ruff_rules(tools: Environment) -> None:
    run(tools, "ruff", "check", "--cache-dir", CACHES / "ruff", ".", at=STAGE)


def _ruff_format(tools: Environment) -> None:
    run(tools, "ruff", "format", "--check", "--diff", "--cache-dir", CACHES / "ruff", ".", at=STAGE)


def _mypy_plugins(tools: Environment) -> None:
    """What is installed with the collection, under the name that Ansible imports it by."""
    _mypy(tools, COLLECTIONS, STAGE / "plugins")


def _mypy_others(tools: Environment) -> None:
    """What runs from the root of the checkout."""
    _mypy(tools, STAGE, STAGE / "tests", STAGE / "demo")


def _mypy(tools: Environment, base: Path, *directories: Path) -> None:
    paths = [path.relative_to(base) for path in directories if any(path.rglob("*.py"))]
    settings, cache = STAGE / "pyproject.toml", CACHES / "mypy"
    command: list[str | Path] = ["mypy", "--config-file", settings, "--cache-dir", cache, *paths]
    run(tools, *command, at=base, extra={"MYPYPATH": str(COLLECTIONS)})


def _home() -> dict[str, str]:
    """For tools that would leave a log or a cache in the user's home directory."""
    home = BUILD / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}


def _unit(arguments: Sequence[str]) -> None:
    pytest(environment("test"), ["tests/unit"], arguments)


def integration(python: Environment, arguments: Sequence[str], *, label: str = "") -> None:
    """Run the integration tests, with servers of its own for each core: half of a test's time is waiting.

    At most four, as each has a dozen servers in the end. ``-n 0`` among the arguments brings it back to one.
    """
    workers = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadfile"]
    pytest(python, ["tests/functional"], [*workers, *arguments], label=f"-integration{label}")


def _integration(arguments: Sequence[str]) -> None:
    integration(environment("test"), arguments)


def _browser(arguments: Sequence[str]) -> None:
    pytest(environment("browser"), ["tests/browser"], arguments, label="-browser")


def _awx(arguments: Sequence[str]) -> None:
    pytest(environment("awx", forced=FORCED["awx"]), ["tests/awx"], arguments, label="-awx")


def _sanity(arguments: Sequence[str]) -> None:
    sanity(environment("sanity"))


def _ansible_lint(arguments: Sequence[str]) -> None:
    run(environment("tools"), "ansible-lint", "--strict", "--offline", "--nocolor", at=STAGE, extra=_home())


def _docs(arguments: Sequence[str]) -> None:
    python = environment("docs")
    lint_docs(python, _home())
    build_site(python, _home())


def _changelog(arguments: Sequence[str]) -> None:
    tools = environment("tools")
    run(tools, "antsibull-changelog", "lint", at=STAGE, extra=_home())
    strictly = ["lint-changelog-yaml", "--strict", "changelogs/changelog.yaml"]
    run(tools, "antsibull-changelog", *strictly, at=STAGE, extra=_home())


def _build(arguments: Sequence[str]) -> None:
    python = environment("test")
    check_installed(python, build(python))


def _galaxy_importer(arguments: Sequence[str]) -> None:
    tarball = build(environment("test"))
    temporary = BUILD / "importer"
    temporary.mkdir(parents=True, exist_ok=True)
    output = run(
        environment("tools"),
        "python",
        "-m",
        "galaxy_importer.main",
        tarball,
        at=temporary,
        extra={
            **_home(),
            "GALAXY_IMPORTER_CONFIG": str(STAGE / "tests" / "tools" / "galaxy-importer.cfg"),
            "GALAXY_IMPORTER_TMP_ROOT_DIR": str(temporary),
            "GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP": str(temporary / "ansible"),
        },
    )
    problems = len(_PROBLEM.findall(output))
    if problems:
        raise CommandFailed(f"galaxy-importer has {problems} warnings or errors")


def format_checkout() -> None:
    """Let ruff rewrite the checkout itself."""
    tools = environment("tools")
    run(tools, "ruff", "check", "--fix-only", "--cache-dir", CACHES / "ruff", ".", at=ROOT)
    run(tools, "ruff", "format", "--cache-dir", CACHES / "ruff", ".", at=ROOT)


GATES = {
    "lint": Gate("ruff (rules and format) and mypy", _lint),
    "unit": Gate("unit tests", _unit),
    "integration": Gate("modules, role and playbooks against real database servers", _integration),
    "browser": Gate("the report in a browser, and against the schemas of its files", _browser),
    "awx": Gate("jobs as AWX runs them, its setup, the inventory from AWS", _awx),
    "sanity": Gate("ansible-test sanity, every test of it", _sanity),
    "ansible-lint": Gate("ansible-lint, profile production", _ansible_lint),
    "docs": Gate("documentation of plugins and guides, and the site of them", _docs),
    "changelog": Gate("changelog and its fragments", _changelog),
    "build": Gate("the tarball, and what is found in it once installed", _build),
    "galaxy-importer": Gate("what Galaxy checks when a collection is uploaded", _galaxy_importer),
}
