# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates: ``nox -s unit -- -k name``, or ``make unit ARGS='-k name'``, which brings nox as well.

Of antsibull-nox these run license-check, extra-checks and build-import-check. Its docs-check and ansible-lint would
install what they need again in each clone, and its ansible-test sessions want containers or download pip's installer.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import sys
import typing as t
from pathlib import Path

import antsibull_nox
import nox

# nox loads this file without its directory on the path.
sys.path.insert(0, str(Path(__file__).parent))

from tests.tools.environments import CACHE, ROOT, EnvironmentFailed, environment, interpreter_links, interpreters
from tests.tools.staging import BUILD, COLLECTIONS, STAGE, files, stage

antsibull_nox.load_antsibull_nox_toml()
nox.options.envdir = str(BUILD / "nox")  # for temporary files: our environments are in the user's cache
COLLECTION, SERIES = "dbtls.rds_mysql", ["3.9", "3.10", "3.11", "3.12", "3.13"]
CORES = {"2.19.14": "3.11", "2.20.10": "3.12", "2.21.5": "3.13"}
OUTER = dict(os.environ)
UNWANTED = ("ANSIBLE_", "GIT_", "GALAXY_IMPORTER_", "MYPY", "PYTHON", "RUFF_")


def _terminated(*_: object) -> None:
    """End as on Ctrl-C: pytest stops the servers of its tests on SIGINT, but not on SIGTERM."""
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split():
        os.kill(int(child), signal.SIGINT)
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, _terminated)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored


def made(session: nox.Session, name: str, series: str | None = None, core: str | None = None) -> Path:
    """The environment, or one line that says why there is none."""
    try:
        return environment(name, series, core)
    except EnvironmentFailed as e:
        session.error(str(e))


def use(session: nox.Session, name: str, series: str | None = None, core: str | None = None, home: str = "") -> Path:
    """Run what follows in this environment on the staged collection, away from the user's own settings."""
    if series and series not in interpreters():
        (session.error if OUTER.get("CI") == "true" else session.skip)(f"Python {series} is not on this machine")
    venv, own = made(session, name, series, core), BUILD / "ansible"
    stage()
    session.chdir(STAGE)
    own.mkdir(exist_ok=True)
    (own / "ansible.cfg").touch()
    os.environ.clear()
    os.environ.update({key: value for key, value in OUTER.items() if not key.startswith(UNWANTED)})
    os.environ.update(ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), PYTHONPATH=str(COLLECTIONS), LC_ALL="C.UTF-8")
    os.environ.update(ANSIBLE_CONFIG=f"{own}/ansible.cfg", ANSIBLE_HOME=str(own), ANSIBLE_LOCAL_TEMP=str(own / "tmp"))
    os.environ.update(ANSIBLE_REMOTE_TMP=f"{own}/remote-tmp", VIRTUAL_ENV=str(venv))
    os.environ["PATH"] = os.pathsep.join([f"{venv}/bin", str(interpreter_links()), OUTER["PATH"]])
    if home:  # for tools that would leave a log or a cache there
        Path(home).mkdir(exist_ok=True)
        os.environ.update(HOME=home, XDG_CACHE_HOME=f"{home}/.cache")
    return venv


def run(session: nox.Session, *command: str | Path, cwd: Path = STAGE, **env: str) -> None:
    """A program, with time to stop what it started when we are interrupted."""
    with contextlib.nullcontext() if cwd == STAGE else session.chdir(cwd):
        session.run(*command, env=env, interrupt_timeout=60, terminate_timeout=30)


def pytest(session: nox.Session, *options: str) -> None:
    """Tests, with their times in build/results."""
    name = re.sub(r"[^\w.]+", "-", session.name).strip("-")
    results = ["-o", f"cache_dir={BUILD}/cache/pytest-{name}", f"--junitxml={BUILD}/results/{name}.xml"]
    hypothesis = f"{BUILD}/cache/hypothesis"
    command = ["python", "-m", "pytest", *results, *options, *session.posargs]
    run(session, *command, HYPOTHESIS_STORAGE_DIRECTORY=hypothesis)


def gate(function: t.Callable[..., None]) -> t.Any:
    """A session of ``make test``, which runs them in the order in which they stand here."""
    return nox.session(name=function.__name__.replace("_", "-"), python=False, tags=["gate"])(function)


def matrix(function: t.Callable[..., None]) -> t.Any:
    """A session that only ``make test-all`` adds."""
    return nox.session(name=function.__name__.replace("_", "-"), python=False, tags=["matrix"], default=False)(function)


@gate
def lint(session: nox.Session) -> None:
    """ruff (rules and format), mypy, and antsibull-nox's checks of licences, files and action groups."""
    use(session, "tools")
    ruff, plugins = f"--cache-dir={BUILD}/cache/ruff", STAGE.relative_to(COLLECTIONS) / "plugins"
    mypy = ["mypy", f"--config-file={STAGE}/pyproject.toml", f"--cache-dir={BUILD}/cache/mypy"]
    steps: list[t.Callable[[], object]] = [
        lambda: run(session, "ruff", "check", ruff, "."),
        lambda: run(session, "ruff", "format", "--check", "--diff", ruff, "."),
        lambda: run(session, *mypy, plugins, cwd=COLLECTIONS, MYPYPATH=str(COLLECTIONS)),  # by the name Ansible uses
        lambda: run(session, *mypy, "tests", "demo", "docs/tools", MYPYPATH=str(COLLECTIONS)),
        lambda: run(session, *mypy, "--python-executable", sys.executable, "noxfile.py"),
        lambda: nox.registry.get()["license-check"](session),
        lambda: nox.registry.get()["extra-checks"](session),
    ]
    failed = 0
    for step in steps:
        try:
            step()
        except Exception as e:  # noqa: BLE001  nox has an exception of its own for each way to fail
            session.warn(str(e))
            failed += 1
    if failed:
        session.error(f"{failed} of {len(steps)} checks failed")


def suite(name: str, venv: str, summary: str, *options: str) -> None:
    """A gate of tests."""

    def tests(session: nox.Session) -> None:
        use(session, venv)
        pytest(session, *options)

    tests.__name__, tests.__doc__ = name, summary
    gate(tests)


# Half of a test's time is waiting. At most four, as each has a dozen servers in the end.
WORKERS = str(min(os.cpu_count() or 1, 4))
BY_FILE = ["-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder"]
FUNCTIONAL = ["tests/functional", *BY_FILE]
suite("unit", "test", "Unit tests.", "tests/unit", "-n", WORKERS, "--dist", "worksteal")
suite("functional", "test", "Modules, role and playbooks against real database servers.", *FUNCTIONAL)
suite("browser", "browser", "The report in a browser, and against the schemas of its files.", "tests/browser")
suite("awx", "awx", "Jobs as AWX runs them, its setup, the inventory from AWS.", "tests/awx", *BY_FILE)


@gate
def sanity(session: nox.Session, series: str | None = None, core: str | None = None) -> None:
    """ansible-test sanity, every test of it."""
    home = CACHE / "ansible-test" / f"{use(session, 'sanity', series, core).name}-{interpreter_links().name}"
    home.mkdir(parents=True, exist_ok=True)
    run(session, "python", "-m", "tests.tools.sanity", HOME=str(home), ANSIBLE_HOME=f"{home}/.ansible")


@gate
def ansible_lint(session: nox.Session) -> None:
    """ansible-lint, profile production."""
    use(session, "tools", home=f"{BUILD}/home")
    run(session, "ansible-lint", "--strict", "--offline", "--nocolor")


@gate
def docs(session: nox.Session) -> None:
    """Check the documentation of plugins and the guides, and build their site in build/docsite/html."""
    use(session, "docs", home=f"{BUILD}/home")
    # Sphinx checks the reStructuredText.
    options = ["--plugin-docs", "--validate-collection-refs=all", "--check-extra-docs-refs", "--skip-rstcheck"]
    run(session, "antsibull-docs", "lint-collection-docs", *options, ".")
    source, html, settings = BUILD / "docsite" / "source", BUILD / "docsite" / "html", STAGE / "docs" / "site"
    shutil.rmtree(BUILD / "docsite", ignore_errors=True)
    source.mkdir(parents=True, mode=0o755)
    options = ["--use-current", "--squash-hierarchy", "--no-breadcrumbs", "--no-add-antsibull-docs-version"]
    run(session, "antsibull-docs", "collection", *options, "--fail-on-error", "--dest-dir", source, COLLECTION)
    (source / "environment_variables.rst").unlink()
    galaxy = re.compile(r"(?<=collection install )dbtls\.rds\\_mysql")
    for page in source.glob("*.rst"):  # antsibull-docs names what is on Galaxy
        page.write_text(galaxy.sub("git+https://github.com/dbtls/rds\\\\_mysql.git", page.read_text("utf-8")), "utf-8")
    shutil.copy(settings / "index.rst", source)
    for directory in ("images", "systemd"):  # antsibull-docs takes the pages alone
        shutil.copytree(STAGE / "docs" / "docsite" / "rst" / directory, source / "docsite" / directory)
    options = ["--nitpicky", "--fail-on-warning", "--keep-going", "--quiet", "-b", "html"]
    run(session, "sphinx-build", *options, "-c", settings, source, html)
    for page in html.rglob("*.html"):
        if "ERROR: Adding a table of contents" in page.read_text("utf-8"):
            session.error(f"the theme objects to {page.name}, without a warning of Sphinx")
    session.log(f"the site begins at {(html / 'index.html').relative_to(ROOT)}")


@gate
def changelog(session: nox.Session) -> None:
    """Changelog and its fragments."""
    use(session, "tools", home=f"{BUILD}/home")
    run(session, "antsibull-changelog", "lint")
    run(session, "antsibull-changelog", "lint-changelog-yaml", "--strict", "changelogs/changelog.yaml")


@gate
def build(session: nox.Session) -> None:
    """The tarball, and what is found in it once installed."""
    use(session, "test")
    release, installed = BUILD / "release", BUILD / "installed"
    for directory in (release, installed):
        shutil.rmtree(directory, ignore_errors=True)
    run(session, "ansible-galaxy", "collection", "build", "--output-path", release)
    (tarball,) = release.glob("*.tar.gz")
    os.environ.update(ANSIBLE_COLLECTIONS_PATH=str(installed), PYTHONPATH="")
    run(session, "ansible-galaxy", "collection", "install", tarball, "-p", installed, "--offline")
    run(session, "ansible-galaxy", "collection", "verify", "--offline", COLLECTION, cwd=installed)
    home = installed / "ansible_collections" / "dbtls" / "rds_mysql"
    packed = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    if stray := packed - files(ROOT) - {"MANIFEST.json", "FILES.json"}:
        session.error(f"in the tarball, but not in version control: {', '.join(sorted(stray))}")
    session.chdir(installed)
    plugins = {"module": "plugins/modules/[!_]*.py", "filter": "plugins/filter/[!_]*.py", "role": "roles/*"}
    for kind, pattern in plugins.items():
        names = [f"{COLLECTION}.{path.stem}" for path in ROOT.glob(pattern)]
        said = str(session.run("ansible-doc", "--json", "-t", kind, *names, silent=True))
        found = json.loads(said[said.index("{") :])
        if missing := [name for name in names if "error" in found.get(name, {"error": ""})]:
            session.error(f"ansible-doc -t {kind} does not find {', '.join(missing)}")
    for playbook in sorted(ROOT.glob("playbooks/*.yml")):
        name = f"{COLLECTION}.{playbook.stem}"
        run(session, "ansible-playbook", "-i", "localhost,", "--syntax-check", name, cwd=installed)


@gate
def galaxy_importer(session: nox.Session) -> None:
    """What Galaxy checks when a collection is uploaded; a warning is a failure."""
    use(session, "tools", home=f"{BUILD}/home")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        nox.registry.get()["build-import-check"](session)
    print(said.getvalue(), flush=True)
    # E203 and W503 ask for what ruff format, like black, does not do; pycodestyle's own defaults leave W503 out.
    if re.search(r"^(?:WARNING|ERROR|CRITICAL): (?!.* (?:E203|W503) )", said.getvalue(), re.MULTILINE):
        session.error("galaxy-importer has warnings or errors")


@matrix
@nox.parametrize("libraries", ["oldest", "newest"])
@nox.parametrize("series", SERIES)
def units(session: nox.Session, series: str, libraries: str) -> None:
    """Unit tests on every Python; those too old for a controller run modules only."""
    use(session, libraries, series)
    paths = ["tests/unit/plugins/module_utils", "tests/unit/plugins/modules"] if series in {"3.9", "3.10"} else []
    # Libraries warn about old Pythons, which is no fault of ours.
    pytest(session, "-W", "default", *(paths or ["tests/unit"]))


@matrix
def ansible_test_units(session: nox.Session) -> None:
    """Unit tests as ansible-test runs them."""
    use(session, "test")
    run(session, "ansible-test", "units", "--color", "no", "--python", f"3.{sys.version_info.minor}", *session.posargs)


@matrix
@nox.parametrize("core", list(CORES))
def functional_core(session: nox.Session, core: str) -> None:
    """Functional tests on every ansible-core."""
    use(session, "test", CORES[core], core)
    pytest(session, *FUNCTIONAL, "-W", "default")


@matrix
@nox.parametrize("core", list(CORES))
def sanity_core(session: nox.Session, core: str) -> None:
    """ansible-test sanity of every ansible-core."""
    sanity(session, CORES[core], core)


@matrix
def every_fault(session: nox.Session) -> None:
    """Thousands of faults in place of hundreds."""
    use(session, "test")
    pytest(session, "tests/functional/test_require_ssl_faults.py", "--every-fault")


@matrix
def every_schedule(session: nox.Session) -> None:
    """The simulation of mysql_require_ssl, ten times as long."""
    use(session, "test")
    os.environ["SIMULATED_SCHEDULES"] = "200000"
    pytest(session, "tests/unit/simulation", "-k", "test_schedules")


def _program(name: str, venv: str, *commands: str) -> None:
    @nox.session(name=name, python=False, default=False)
    def program(session: nox.Session) -> None:
        use(session, venv)
        for command in commands:
            run(session, *command.split(), *session.posargs, cwd=ROOT)


_program("demo", "runtime", "python -m demo")
_program("servers", "runtime", "python -m tests.servers")
_program("pictures", "browser", "python -m demo.pictures")
_program("bench", "bench", "python -m tests.bench.fleet")
_program("bench-bundle", "test", "python -m tests.bench.bundle")
_program("bench-require", "test", "python -m tests.bench.require_ssl")
_program("format", "tools", "ruff check --fix-only .", "ruff format .", "python -m docs.tools.wrapped")
_program("role-readme", "runtime", "python -m docs.tools.role_readme", "python -m docs.tools.playbook_variables")


@nox.session(python=False, default=False)
def environments(session: nox.Session) -> None:
    """Make the environments that the gates need."""
    for name in ("runtime", "test", "browser", "awx", "tools", "docs", "sanity"):
        session.log(str(made(session, name)))
