# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit, plan, enforce, rollback, on a real MySQL and a real MariaDB, as a user would do it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pymysql

from tests.servers import Mirror, Pki, Server, ServerFailed, ServerUnavailable, provide

CHECKOUT = Path(__file__).resolve().parent.parent
WORK = CHECKOUT / "build" / "demo"
REGION = "eu-central-1"
SERVERS = ("mysql-9.7", "mariadb-10.11")
ADMIN = "db_root"

SETTINGS = """\
[defaults]
collections_path = {work}/collections
home = {work}/ansible-home
remote_tmp = {work}/ansible-home/tmp
inventory = {work}/inventory.yml
callback_result_format = yaml
"""


class DemoFailed(Exception):
    """A step did not do what it says."""


def say(text: str) -> None:
    """One line of narration."""
    print(f"\n=== {text}", flush=True)


def inventory(servers: list[Server], password: str, base_url: str, mirror_ca: Path) -> str:
    """An inventory as a user writes it: one host for each server."""
    lines = ["all:", "  vars:", "    ansible_host: 127.0.0.1"]
    lines += [f"    mysql_tls_login_user: {ADMIN}", f"    mysql_tls_login_password: {password}"]
    lines += [f"    mysql_tls_region: {REGION}", f"    mysql_tls_base_url: {base_url}"]
    lines += [f"    mysql_tls_ca_path: {mirror_ca}", '    mysql_tls_bundle_dir: "{{ inventory_dir }}/bundles"']
    lines += ['    mysql_tls_state_dir: "{{ inventory_dir }}/state"', "  hosts:"]
    for server in servers:
        lines += [f"    {server.name}:", f"      mysql_tls_login_port: {server.port}"]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Refuse a second demo in this checkout, which would remove the first one's files."""
    WORK.parent.mkdir(exist_ok=True)
    with (WORK.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed(f"another demo is running in {CHECKOUT}.") from None
        yield


def prepare_directory() -> None:
    """The directory that is left behind for the user."""
    shutil.rmtree(WORK, ignore_errors=True)
    collections = WORK / "collections" / "ansible_collections" / "dbtls"
    collections.mkdir(parents=True)
    (collections / "rds_mysql").symlink_to(CHECKOUT, target_is_directory=True)
    (WORK / "ansible.cfg").write_text(SETTINGS.format(work=WORK), encoding="utf-8")


def write_inventory(text: str) -> None:
    """Readable by the user alone, as it holds a password."""
    path = WORK / "inventory.yml"
    path.touch(mode=0o600)
    path.write_text("---\n" + text, encoding="utf-8")


def ansible_playbook(*arguments: str, fails: bool = False) -> str:
    """Run ansible-playbook and return what it printed; the demo fails unless it ends as expected."""
    environment = dict(
        os.environ,
        ANSIBLE_CONFIG=str(WORK / "ansible.cfg"),
        ANSIBLE_NOCOWS="true",
        LC_ALL="C.UTF-8",
    )
    if not sys.stdout.isatty():
        environment["ANSIBLE_NOCOLOR"] = "true"
    print("$ ansible-playbook -i inventory.yml " + " ".join(arguments), flush=True)
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory.yml", *arguments]
    finished = subprocess.run(
        command, cwd=WORK, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    print("\n".join(line for line in finished.stdout.splitlines() if line.strip()), flush=True)
    if bool(finished.returncode) != fails:
        ended = "failed, as it says above" if finished.returncode else "was expected to fail"
        raise DemoFailed(f"ansible-playbook {' '.join(arguments)} {ended}.")
    return finished.stdout


def requirements(server: Server) -> dict[str, str]:
    """What the server itself says: the requirement of each of the demo's accounts."""
    with (
        pymysql.connect(
            host=server.host, port=server.port, user=server.admin_user, password=server.admin_password, autocommit=True
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT User, Host, ssl_type FROM mysql.user WHERE User IN ('app', 'db_root')")
        return {f"{user}@{host}": str(ssl_type) or "NONE" for user, host, ssl_type in cursor.fetchall()}


def expect(server: Server, account: str, wanted: str) -> None:
    """Fail unless the server itself says that an account of the demo has this requirement."""
    found = requirements(server).get(account)
    print(f"    {server.name} itself says: {account} {found}")
    if found != wanted:
        raise DemoFailed(f"{account} of {server.name} should have {wanted}.")


def client(server: Server, password: str, bundle: Path | None = None) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """An application's connection: without TLS, or with verified TLS."""
    tls = {"ssl_disabled": True} if bundle is None else {"ssl": ssl.create_default_context(cafile=str(bundle))}
    return pymysql.connect(host=server.host, port=server.port, user="app", password=password, **tls)


def prove(server: Server, password: str, bundle: Path) -> None:
    """Without the collection: refused without TLS, connected with verified TLS."""
    try:
        client(server, password).close()
    except pymysql.err.OperationalError as e:
        print(f"    {server.name}: a login without TLS is refused: {e.args[1]}")
    else:
        raise DemoFailed(f"{server.name} still lets app log in without TLS.")
    with client(server, password, bundle) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        row = cursor.fetchone()
    if not row or not row[1]:
        raise DemoFailed(f"{server.name}: no cipher in a session that should use TLS.")
    print(f"    {server.name}: a login with verified TLS works, with cipher {row[1]}")


def walk_through(servers: list[Server], password: str) -> None:
    """The story; ``password`` is the application's."""
    mysql, mariadb = servers
    accounts = ("-e", "mysql_tls_accounts=app@*")
    plan = ("-e", "mysql_tls_plan=mysql-tls-report/plan.json")

    say("1. Audit: fetch the region's CA bundle over https, log in over verified TLS, read what is open")
    # What make pictures makes a picture of.
    (WORK / "audit.txt").write_text(ansible_playbook("dbtls.rds_mysql.audit"), encoding="utf-8")
    bundle = next((WORK / "bundles").glob("*.pem"))

    say(f"2. Plan, with an application connected to {mysql.name} without TLS: it could not reconnect afterwards")
    with client(mysql, password):
        ansible_playbook("dbtls.rds_mysql.plan", *accounts, fails=True)
        say("3. Enforce that plan: only the other server is in it, so the application is not locked out")
        ansible_playbook("dbtls.rds_mysql.enforce", *plan)
    expect(mysql, "app@%", "NONE")
    client(mysql, password).close()
    print(f"    {mysql.name}: app can still log in as before")

    say("4. The application now uses TLS: plan and enforce again, each change proven by a second session")
    with client(mysql, password, bundle):
        ansible_playbook("dbtls.rds_mysql.plan", *accounts)
        ansible_playbook("dbtls.rds_mysql.enforce", *plan, "--diff")
    for server in servers:
        expect(server, "app@%", "ANY")
        prove(server, password, bundle)

    say(f"5. Roll back on {mariadb.name}: exactly the previous requirement, from the record on disk")
    ansible_playbook("dbtls.rds_mysql.rollback", "--limit", mariadb.name)
    expect(mariadb, "app@%", "NONE")
    expect(mysql, "app@%", "ANY")

    say(f"6. Audit again: {mysql.name} is compliant, {mariadb.name} is not")
    ansible_playbook("dbtls.rds_mysql.audit")


def run() -> None:
    """Set the stage, walk through, and take the stage down again."""
    prepare_directory()
    pki = Pki(WORK / "pki", region=REGION)
    password, of_app = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
    statements = [
        f"CREATE USER '{ADMIN}'@'127.0.0.1' IDENTIFIED BY '{password}'",
        f"GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'127.0.0.1' WITH GRANT OPTION",
        f"CREATE USER 'app'@'%' IDENTIFIED BY '{of_app}'",
    ]
    with contextlib.ExitStack() as stack:
        servers = []
        for name in SERVERS:
            say(f"Starting a real {name} with TLS (fetched the first time)")
            server = stack.enter_context(provide(name, tls=pki.server_for(name), init_sql=statements))
            print(f"    {server.version} on port {server.port}, certificate from a throw-away CA")
            servers.append(server)
        say("Serving a mirror of the RDS trust store over https, on this machine")
        mirror = stack.enter_context(Mirror(pki.write_trust_store(WORK / "mirror"), certificate=pki.server()))
        print(f"    {mirror.url}")
        write_inventory(inventory(servers, password, mirror.url, pki.root))
        walk_through(servers, of_app)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that the servers are stopped."""

    def stop(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main() -> int:
    """Exit code."""
    started = time.monotonic()
    try:
        with interruptible(), alone():
            run()
    except KeyboardInterrupt:
        print("\nInterrupted; the servers are stopped.", file=sys.stderr)
        return 130
    except (DemoFailed, ServerFailed, ServerUnavailable, pymysql.MySQLError, OSError) as e:
        print(f"\nThe demo failed: {e}", file=sys.stderr)
        return 1
    say(f"Done in {time.monotonic() - started:.0f} seconds; the servers are stopped.")
    print(
        f"""
The report: {(WORK / "mysql-tls-report" / "report.html").relative_to(CHECKOUT)}
The inventory, the plan and the rollback records are beside it in {WORK.relative_to(CHECKOUT)}.

Next, against your own database:

    python3 -m venv ~/dbtls && . ~/dbtls/bin/activate
    python3 -m pip install ansible-core PyMySQL cryptography
    ansible-galaxy collection install git+https://github.com/dbtls/rds_mysql.git
    export MYSQL_TLS_LOGIN_USER=admin MYSQL_TLS_LOGIN_PASSWORD=...
    ansible-playbook -i orders.abc123.eu-central-1.rds.amazonaws.com, dbtls.rds_mysql.audit \\
        -e mysql_tls_region=eu-central-1

The same with plan, enforce and rollback, for an inventory and for servers outside of AWS: README.md.
"""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
