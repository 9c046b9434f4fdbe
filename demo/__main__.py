# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From "TLS is possible" to "TLS is required", on a real MySQL and a real MariaDB, as a user would go about it."""

from __future__ import annotations

import contextlib
import os
import re
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

PLAYBOOK_OF_ONE_ROLE = """\
- name: {name}
  hosts: all
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
{tasks}"""

SETTINGS = """\
[defaults]
collections_path = {work}/collections
home = {work}/ansible-home
remote_tmp = {work}/ansible-home/tmp
inventory = {work}/inventory.yml
callback_result_format = yaml
"""

STATUS_TASKS = """\
    - name: Look at the server, logged in, without a CA bundle yet
      dbtls.rds_mysql.mysql_ssl_status:
        login_host: "{{ ansible_host }}"
        login_port: "{{ mysql_tls_login_port }}"
        login_user: "{{ mysql_tls_login_user }}"
        login_password: "{{ mysql_tls_login_password }}"
        ssl_mode: required

    - name: Accounts that may log in without TLS
      ansible.builtin.debug:
        msg: >-
          {{ accounts | map(attribute='user') | zip(accounts | map(attribute='host')) | map('join', '@') | join(', ') }}
      vars:
        accounts: >-
          {{ ansible_facts.mysql_ssl.accounts | selectattr('ssl_type', 'eq', 'NONE') | rejectattr('locked') | list }}
"""

BUNDLE_TASKS = """\
    - name: Write the CA bundle of the region
      dbtls.rds_mysql.rds_ca_bundle:
        dest: "{{ playbook_dir }}/{{ mysql_tls_region }}-bundle.pem"
        region: "{{ mysql_tls_region }}"
        base_url: "{{ mysql_tls_base_url }}"
        ca_path: "{{ mysql_tls_ca_path }}"
        mode: "0644"
      register: bundle
      run_once: true

    - name: Certificates in it
      ansible.builtin.debug:
        msg: "{{ bundle.certificates | map(attribute='common_name') | zip(bundle.certificates | map(attribute='key'),
          bundle.certificates | map(attribute='not_after')) | map('join', ', ') | list }}"
      run_once: true
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
    lines += ["    # Every account but the demo's own login.", "    mysql_tls_all_accounts: true"]
    lines += ['    mysql_tls_exclude: ["root@*"]', "  hosts:"]
    for server in servers:
        lines += [f"    {server.name}:", f"      mysql_tls_login_port: {server.port}"]
    return "\n".join(lines) + "\n"


def prepare_directory() -> None:
    """The directory that is left behind to look at."""
    shutil.rmtree(WORK, ignore_errors=True)
    collections = WORK / "collections" / "ansible_collections" / "dbtls"
    collections.mkdir(parents=True)
    (collections / "rds_mysql").symlink_to(CHECKOUT, target_is_directory=True)
    (WORK / "ansible.cfg").write_text(SETTINGS.format(work=WORK), encoding="utf-8")
    for name, title, tasks in (
        ("status.yml", "Status", STATUS_TASKS),
        ("bundle.yml", "CA bundle", BUNDLE_TASKS),
    ):
        (WORK / name).write_text("---\n" + PLAYBOOK_OF_ONE_ROLE.format(name=title, tasks=tasks), encoding="utf-8")


def write_inventory(text: str) -> None:
    """Readable by the user alone, as it holds a password."""
    path = WORK / "inventory.yml"
    path.touch(mode=0o600)
    path.write_text("---\n" + text, encoding="utf-8")


def ansible_playbook(*arguments: str) -> str:
    """Run ansible-playbook and return what it printed; its failure is the demo's."""
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
    if finished.returncode:
        raise DemoFailed(f"ansible-playbook {' '.join(arguments)} failed, as it says above.")
    return finished.stdout


def changed_counts(output: str) -> list[int]:
    """The recap's ``changed=`` of every host."""
    return [int(count) for count in re.findall(r"changed=(\d+)", output)]


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


def expect(servers: list[Server], wanted: str, when: str) -> None:
    """Fail unless every account of the demo has this requirement."""
    for server in servers:
        found = requirements(server)
        print(f"    {server.name} itself says: " + ", ".join(f"{name} {kind}" for name, kind in sorted(found.items())))
        if not found or set(found.values()) != {wanted}:
            raise DemoFailed(f"{when}, every account of {server.name} should have {wanted}: {found}")


def prove(server: Server, password: str, bundle: Path) -> None:
    """From outside the collection: refused without TLS, let in with verified TLS."""
    try:
        pymysql.connect(host=server.host, port=server.port, user=ADMIN, password=password, ssl_disabled=True).close()
    except pymysql.err.OperationalError as e:
        print(f"    {server.name}: a login without TLS is refused: {e.args[1]}")
    else:
        raise DemoFailed(f"{server.name} still lets {ADMIN} in without TLS.")
    context = ssl.create_default_context(cafile=str(bundle))
    with (
        pymysql.connect(host=server.host, port=server.port, user=ADMIN, password=password, ssl=context) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        row = cursor.fetchone()
    if not row or not row[1]:
        raise DemoFailed(f"{server.name}: no cipher in a session that should use TLS.")
    print(f"    {server.name}: a verified TLS login works, with cipher {row[1]}")


def walk_through(servers: list[Server], password: str) -> None:
    """The five steps."""
    say("1. Where do the servers stand? (logged in; no CA bundle yet, so nothing is verified)")
    ansible_playbook("status.yml")

    say("2. The CA bundle of the region: fetched over https, every chain checked, then written")
    ansible_playbook("bundle.yml")

    say("3. What would be changed? (check mode with --diff; nothing is)")
    ansible_playbook("dbtls.rds_mysql.enforce", "--check", "--diff")
    expect(servers, "NONE", "After check mode")

    say("4. Require TLS")
    ansible_playbook("dbtls.rds_mysql.enforce", "--diff")
    expect(servers, "ANY", "After enforce")
    say("   and again: a second run has nothing to change")
    if any(changed_counts(ansible_playbook("dbtls.rds_mysql.enforce"))):
        raise DemoFailed("The second run of enforce changed something.")

    say("5. Proof from outside the collection, with a few lines of PyMySQL")
    for server in servers:
        prove(server, password, WORK / f"{REGION}-bundle.pem")


def run() -> None:
    """Set the stage, walk through, and take the stage down again."""
    prepare_directory()
    pki = Pki(WORK / "pki", region=REGION)
    password = secrets.token_urlsafe(12)
    statements = [
        f"CREATE USER '{ADMIN}'@'127.0.0.1' IDENTIFIED BY '{password}'",
        f"GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'127.0.0.1' WITH GRANT OPTION",
        f"CREATE USER 'app'@'%' IDENTIFIED BY '{secrets.token_urlsafe(12)}'",
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
        walk_through(servers, password)


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
        with interruptible():
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
The inventory and the playbooks are in {WORK.relative_to(CHECKOUT)}, to look at.

Next, against your own database (see README.md):

    python3 -m pip install ansible-core PyMySQL cryptography
    ansible-galaxy collection install git+https://github.com/dbtls/rds_mysql.git
    ansible-playbook -i databases.yml dbtls.rds_mysql.audit
    ansible-playbook -i databases.yml dbtls.rds_mysql.enforce -e 'mysql_tls_accounts=app@*' --check --diff
"""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
