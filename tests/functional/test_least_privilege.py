# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements of the guide "Least privilege" are enough for each job, and none of them is too much."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import enforce
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import run as status
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sessions_only

from tests.servers import MATRIX

from .database import Account, Database, Tls
from .plays import Ansible
from .servers import Servers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "least_privilege.rst"
SECTION = re.compile(r"^(?P<title>\w+)\n-+\n(?P<text>.*?)(?=^[^\n]+\n-+\n|\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^(?P<server>\w.*)\n   \.\. code-block:: sql\n\n(?P<statements>(?:      .*\n)+)", re.MULTILINE)
STATEMENT = re.compile(r"^ +GRANT (?P<privileges>.+) ON (?P<level>\S+) TO 'tls_(?:audit|admin)'@'10\.0\.0\.%';$")
SERVERS = {"mysql-5.6": "MySQL 5.6", "mysql-9.7": "MySQL 5.7 and newer"}

# MariaDB as it comes, and with all it has to tell.
CONFIGURATIONS = [
    (name, options)
    for name in MATRIX
    for options in (((), ("--performance-schema=ON", "--userstat=1")) if name.startswith("mariadb") else ((),))
]
TELLING = [(name, options) for name, options in CONFIGURATIONS if options or name.startswith("mysql")]


def grants(job: str, name: str) -> list[str]:
    """What the page says for this job on this server, such as ``SELECT ON mysql.*``, one privilege each."""
    sections = {match["title"]: match["text"] for match in SECTION.finditer(PAGE.read_text("utf-8"))}
    blocks = {match["server"]: match["statements"] for match in BLOCK.finditer(sections[job])}
    assert set(blocks) == {*SERVERS.values(), "MariaDB"}
    found = []
    for line in blocks[SERVERS.get(name, "MariaDB")].splitlines():
        statement = STATEMENT.match(line)
        assert statement, line
        found += [f"{privilege} ON {statement['level']}" for privilege in statement["privileges"].split(", ")]
    return found


class Login:
    """An account with just these privileges."""

    def __init__(self, db: Database, job: str) -> None:
        self.db = db
        self.grants = grants(job, db.name)
        self.account = db.create(db.name_of("tls"), require="SSL")
        for grant in self.grants:
            self._run(f"GRANT {grant} TO %s@%s")

    def _run(self, statement: str) -> None:
        self.db.query(statement, self.account.user, self.account.host)

    @contextmanager
    def without(self, grant: str) -> Iterator[None]:
        """One of them is missing."""
        self._run(f"REVOKE {grant} FROM %s@%s")
        try:
            yield
        finally:
            self._run(f"GRANT {grant} TO %s@%s")

    def options(self, spec: dict[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
        defaults = {name: option.get("default") for name, option in spec.items()}
        return {**defaults, "config_file": "/dev/null", **self.db.options(self.account), **more}


def audit(login: Login) -> dict[str, Any]:
    seen: dict[str, Any] = status.run(login.options(STATUS.argument_spec))["mysql_ssl"]
    return seen


def not_visible(seen: dict[str, Any]) -> dict[str, str]:
    """What to do by finding, for those that name something the login does not see."""
    return {one["id"]: one["remediation"] for one in seen["findings"] if one["id"].endswith("-not-visible")}


@pytest.mark.parametrize(("name", "options"), TELLING)
def test_audit(servers: Servers, name: str, options: tuple[str, ...]) -> None:
    db = servers.get(name, options=options)
    login = Login(db, "Audit")
    app = db.create(db.name_of("app"))
    with db.login(app, Tls()):
        seen = audit(login)
        # MySQL 5.6 has nothing to tell of sessions, whoever asks.
        assert set(not_visible(seen)) == ({"sessions-not-visible"} if db.legacy else set())
        assert app.user in {account["user"] for account in seen["accounts"]}
        for grant in login.grants:
            with login.without(grant):
                less = audit(login)
            lost = {kind: todo for kind, todo in not_visible(less).items() if kind not in not_visible(seen)}
            assert len(lost) == 1, (grant, lost)
            (todo,) = lost.values()
            assert f"GRANT {grant} TO " in todo
            (finding,) = (one for one in less["findings"] if one["id"] in lost)
            assert finding["severity"] == "info"
            # The statement of the finding is enough.
            with login.without(grant):
                db.query(todo.partition("By hand: ")[2].rstrip(";"))
                assert not_visible(audit(login)) == not_visible(seen)


def watched(login: Login, app: Account) -> set[str]:
    """What a look shows of a client and of what was counted."""
    seen = sessions_only.run(login.options(STATUS.argument_spec, sessions_only=True))["mysql_ssl_sessions"]
    clients = [client for client in seen["clients"] if client["user"] == app.user]
    found = {"clients"} if clients else set()
    found |= {name for client in clients for name in ("transport", "driver") if client[name]}
    for name, counters in seen["counters"].items():
        found |= {name} if counters else set()
        found |= {f"{name} refused"} if any(one["refused"] is not None for one in counters or ()) else set()
    return found


@pytest.mark.parametrize(("name", "options"), TELLING)
def test_watch(servers: Servers, name: str, options: tuple[str, ...]) -> None:
    db = servers.get(name, options=options)
    login = Login(db, "Watch")
    app = db.create(db.name_of("app"))
    with db.login(app, None):
        seen = watched(login, app)
        expected = {"clients", "accounts"}
        if not db.legacy:
            expected |= {"transport", "driver"}
        if db.mariadb:
            expected |= {"users", "users refused", "hosts", "hosts refused"}
        elif not db.legacy:
            expected |= {"accounts refused"}
        assert seen == expected
        for grant in login.grants:
            with login.without(grant):
                assert watched(login, app) < seen, grant


def enforced(login: Login, *, client: bool) -> str | None:
    """None where a change is made and proven, else what is said.

    :arg client: One of the account is connected, over TLS.
    """
    app = login.db.create(login.db.name_of("app"))
    params = login.options(REQUIRE.argument_spec, user=app.user)
    try:
        with login.db.login(app, Tls()) if client else nullcontext():
            result = enforce.run(params, False)
        refused = ""
    except RdsMysqlError as e:
        result, refused = {}, e.message
    if refused:
        assert login.db.ssl_type(app) == "", refused
        return refused
    assert result["changed"]
    assert login.db.ssl_type(app) == "ANY"
    return None if result["verified"] else " ".join(result["warnings"])


def test_enforce(servers: Servers) -> None:
    needed: dict[str, set[str]] = {}
    listed: dict[str, set[str]] = {}
    for name, options in CONFIGURATIONS:
        db = servers.get(name, options=options)
        login = Login(db, "Enforce")
        tells = (name, options) in TELLING and not db.legacy
        assert enforced(login, client=tells) is None
        for grant in login.grants:
            with login.without(grant):
                said = enforced(login, client=tells)
            listed.setdefault(name, set()).add(grant)
            if said is not None:
                needed.setdefault(name, set()).add(grant)
                assert grant.split(" ON ")[0] in said or "denied" in said or "may not" in said, (grant, said)
    # Each is needed on some configuration of the server.
    assert needed == listed


def test_playbooks(servers: Servers, ansible: Ansible) -> None:
    """All servers at once, each with the account for the job."""
    databases = {name: servers.get(name) for name in MATRIX}
    apps = {name: db.create(db.name_of("app")) for name, db in databases.items()}

    def run(playbook: str, *jobs: str) -> Any:
        hosts = {}
        for name, db in databases.items():
            login = Login(db, jobs[0])
            for grant in (grant for job in jobs[1:] for grant in grants(job, name)):
                db.query(f"GRANT {grant} TO %s@%s", login.account.user, login.account.host)
            ansible.secrets.append(login.account.password)
            hosts[name] = {
                "ansible_host": db.server.host,
                "mysql_tls_login_port": db.server.port,
                "mysql_tls_login_user": login.account.user,
                "mysql_tls_login_password": login.account.password,
                "mysql_tls_ca_cert": str(db.pki.bundle),
                "mysql_tls_accounts": [f"{apps[name].user}@*"],
                **({"mysql_tls_min_version": "TLSv1"} if db.legacy else {}),
            }
        inventory = ansible.directory / "inventory.json"
        inventory.write_text(
            json.dumps({"all": {"hosts": hosts, "vars": {"mysql_tls_state_dir": str(ansible.directory / "state")}}})
        )
        return ansible.run("ansible-playbook", "-i", str(inventory), f"dbtls.rds_mysql.{playbook}")

    for playbook, jobs in {"audit": ["Audit"], "watch": ["Watch"], "enforce": ["Enforce", "Audit"]}.items():
        done = run(playbook, *jobs).ok()
        assert sum(counts["failed"] + counts["unreachable"] for counts in done.recap().values()) == 0, done.output
        assert {name for name, db in databases.items() if db.ssl_type(apps[name]) == "ANY"} == (
            set(MATRIX) if playbook == "enforce" else set()
        )
