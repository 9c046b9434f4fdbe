# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at real servers, and many more made of them."""

from __future__ import annotations

import copy
import datetime as dt
import os
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pymysql
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import outcome
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sweep
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build

from tests.servers import Pki, Server

Look = dict[str, Any]
MakeReport = Callable[..., build.WrittenReport]

# What would run, or fetch something, if it became markup.
SCRIPT = "<script>document.pwned=1</script>"
IMAGE = "<img src=x onerror=document.pwned=1>"
BREAKOUT = "\"'></td></script></title><svg/onload=document.pwned=1>"
TEMPLATE = "{{ 7 * 191 }}"


def look_at(**options: Any) -> Look:
    """What mysql_ssl_status returns."""
    defaults = {name: option.get("default") for name, option in STATUS.argument_spec.items()}
    return outcome(lambda: sweep.run({**defaults, "connect_timeout": 10, "config_file": os.devnull, **options}))


def connect(server: Server, **more: Any) -> pymysql.connections.Connection[Any]:
    """As the server's administrator."""
    return pymysql.connect(
        **{"unix_socket": server.socket, "user": server.admin_user, "password": server.admin_password, **more},
        ssl_disabled=True,
    )


def create(server: Server, user: str, host: str, *, require: str = "NONE", grants: str = "USAGE ON *.*") -> None:
    """Make an account."""
    with closing(connect(server)) as connection, connection.cursor() as cursor:
        plugin = " WITH mysql_native_password" if "mariadb" in server.name else ""
        how = f"IDENTIFIED{' BY' if not plugin else ' VIA mysql_native_password USING PASSWORD(%s)'}"
        cursor.execute(
            f"CREATE USER %s@%s {how}{' %s' if not plugin else ''} REQUIRE {require}", (user, host, "pw-of-report")
        )
        cursor.execute(f"GRANT {grants} TO %s@%s", (user, host))


def look_inside(server: Server, pki: Pki) -> Look:
    """With the credentials of an auditor."""
    return look_at(
        login_host="127.0.0.1",
        login_port=server.port,
        login_user="auditor",
        login_password="pw-of-report",
        ca_cert=str(pki.bundle),
    )


def populate(server: Server) -> None:
    """Some accounts, of which three may log in without TLS."""
    create(server, "auditor", "%", require="SSL", grants="ALL PRIVILEGES ON *.*")
    for user in ("orders", "stock", "billing"):
        create(server, user, "%", require="SSL")
    create(server, "legacy_app", "%")
    create(server, "reporting", "10.%")
    create(server, "backup", "localhost")


def multiplied(looks: dict[str, Look | None], count: int) -> dict[str, Look | None]:
    """So many servers made of those few: each with a name, a place and a certificate of its own."""
    originals = list(looks.values())
    made: dict[str, Look | None] = {}
    for number in range(count):
        look = copy.deepcopy(originals[0 if number % 10 < 5 else number % len(originals)])
        if look is not None and look.get("mysql_ssl"):
            _vary(look["mysql_ssl"], number)
        made[f"db{number:05}.example.com"] = look
    return made


def _vary(status: dict[str, Any], number: int) -> None:
    status["endpoint"] = {"host": f"db{number:05}.example.com", "port": 3306, "socket": None}
    certificate = status["certificate"]
    days = certificate["days_left"] + number * 37 % 700
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    certificate.update(days_left=days, not_after=iso8601(end), rds_ca=f"rds-ca-rsa2048-g{number % 3}")
    for account in status["accounts"] or ():
        if account["user"] == "legacy_app":
            account["user"] = f"app{number % 60}"
    for finding in status["findings"]:
        for name in ("subject", "message", "remediation"):
            finding[name] = finding[name].replace("legacy_app", f"app{number % 60}")
        finding["commands"] = [text.replace("legacy_app", f"app{number % 60}") for text in finding["commands"]]
