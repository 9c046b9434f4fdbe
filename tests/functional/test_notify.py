# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people are told after an audit: the examples of the guide, against a mail server and a webhook."""

from __future__ import annotations

import http.server
import json
import shutil
import socketserver
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .plays import Ansible
from .servers import Servers

_GUIDE = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "reading_the_report.rst"


class _Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            command = line[:4].upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                mail = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    mail.append(part)
                self.server.got.append(b"".join(mail).decode())  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
            if command == b"QUIT":
                return


class _Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body)["text"])  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextmanager
def _serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[tuple[int, list[str]]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        got: list[str] = []
        server.got = got  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], got
        server.shutdown()


def test_mail_and_webhook(servers: Servers, ansible: Ansible) -> None:
    """The first audit is told, the next only if it is always to be, and then what has changed."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    db = servers.get("mariadb-11.8")
    me, app = db.administrator(), db.create(db.name_of("told"))
    ansible.secrets.append(me.password)
    example = _GUIDE.read_text("utf-8").partition(":name: notify\n")[2].partition("\n``notify_webhook``")[0]
    (ansible.directory / "notify.yml").write_text(textwrap.dedent(example))
    host = {
        "mysql_tls_login_host": "127.0.0.1",
        "mysql_tls_login_port": db.server.port,
        "mysql_tls_login_user": me.user,
        "mysql_tls_login_password": me.password,
        "mysql_tls_ca_cert": str(servers.pki.bundle),
    }
    inventory = ansible.directory / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"shop": host}}}))
    with _serving(_Smtp) as (smtp, mails), _serving(_Webhook) as (webhook, posts):
        variables = {
            "mysql_tls_notify": "notify.yml",
            "notify_webhook": f"http://127.0.0.1:{webhook}/",
            "notify_smtp": f"smtp://127.0.0.1:{smtp}",
        }
        command = ("ansible-playbook", "-i", str(inventory), "dbtls.rds_mysql.audit", "-e", json.dumps(variables))
        ansible.run(*command).ok()
        assert (len(mails), len(posts)) == (1, 1)
        assert "Subject: MySQL TLS report: 1 server: 0 compliant, 1 non-compliant." in mails[0]
        # As a text, as the command line gives it.
        ansible.run(*command, "-e", "mysql_tls_notify_always=false").ok()
        assert (len(mails), len(posts)) == (1, 1)
        db.require(app.user, app.host, "SSL")
        ansible.run(*command).ok()
        assert f"Resolved: 1 (high: shop: No longer found: {app.user}@% " in posts[1]
        assert posts[1].splitlines()[-1].endswith("/mysql-tls-report/report.html")
        assert posts[1] in mails[1].replace("\r\n", "\n").replace("Subject: ", "").replace("\n\n", "\n")
