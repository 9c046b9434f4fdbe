# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a change: clients that are refused are shown, stop the roll-out where asked for, and nothing is rolled back."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator

import pymysql
import pytest

from .database import Account, Database
from .plays import Ansible, Run
from .servers import Servers


@contextlib.contextmanager
def stubborn(db: Database, app: Account) -> Iterator[None]:
    """A client that tries to log in without TLS again and again, as a job does."""
    ended = threading.Event()

    def knock() -> None:
        while not ended.wait(0.1):
            with contextlib.suppress(pymysql.err.OperationalError), db.login(app, None):
                pass

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def enforce(ansible: Ansible, db: Database, app: Account, *arguments: str) -> Run:
    login = db.administrator()
    ansible.secrets.append(login.password)
    variables = {
        "ansible_host": "127.0.0.1",
        "mysql_tls_login_port": db.server.port,
        "mysql_tls_login_user": login.user,
        "mysql_tls_login_password": login.password,
        "mysql_tls_ca_cert": str(db.pki.bundle),
        "mysql_tls_accounts": [f"{app.user}@*"],
        # The client is mostly between two attempts; whether it is seen right now is not the matter.
        "mysql_tls_plaintext_sessions": "allow",
        "mysql_tls_state_dir": str(ansible.directory / "state"),
    }
    inventory = ansible.directory / "databases.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"db1": variables}}}))
    return ansible.run("ansible-playbook", "-i", str(inventory), "dbtls.rds_mysql.enforce", *arguments)


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-11.8"])
def test_refused_logins_stop_the_roll_out_and_nothing_is_rolled_back(
    servers: Servers, ansible: Ansible, name: str
) -> None:
    db = servers.get(name)
    if db.mariadb:
        db.query("SET GLOBAL userstat = ON")
    try:
        app = db.create(db.name_of("app"))
        with db.login(app, None):
            pass  # MariaDB counts per user only from a successful login on
        with stubborn(db, app):
            run = enforce(ansible, db, app, "-e", "mysql_tls_observe_for=3", "-e", "mysql_tls_stop_on_refusals=true")
    finally:
        if db.mariadb:
            db.query("SET GLOBAL userstat = OFF")
    assert run.status == 2, run.output
    assert "Logins of 1 changed account are being refused." in run.output
    assert f"db1: {app.user}@%: " in run.output
    assert "from 127.0.0.1" in run.output
    # It still has to use TLS.
    assert db.ssl_type(app) == "ANY"


def test_without_a_refusal_the_roll_out_goes_on(new_db: Database, ansible: Ansible) -> None:
    app = new_db.create(new_db.name_of("app"))
    run = enforce(ansible, new_db, app, "-e", "mysql_tls_observe_for=1", "-e", "mysql_tls_stop_on_refusals=true").ok()
    assert "are being refused" not in run.output
    assert new_db.ssl_type(app) == "ANY"
