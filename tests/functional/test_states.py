# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An audit's words, a login without TLS and a capture agree, in every state of the guide's table."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

import pymysql
import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import CR_SSL_CONNECTION_ERROR
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import run as status

from tests.servers.proxy import Relay

from . import states
from .database import Account
from .servers import Servers
from .states import ENCRYPTED, NONE, NOTHING, READABLE, Scene, Seen, State

STATEMENT = "SELECT 'to be read on the way'"
# Protocol::SSLRequest with its header, MySQL Source Code Documentation.
_SSL_REQUEST_BYTES = 36
# Content types of TLS records, RFC 8446 5.1.
_RECORDS = range(20, 24)
# What is different each time.
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z"), "DATE"),
    (re.compile(r"before it reaches the server: .*?\. What"), "before it reaches the server. What"),
)


def is_tls(sent: bytes) -> bool:
    """Whether a client has sent records of TLS, and nothing else, after it had asked for it."""
    at = _SSL_REQUEST_BYTES
    while at + 5 <= len(sent):
        if sent[at] not in _RECORDS or sent[at + 1] != 3:
            return False
        at += 5 + int.from_bytes(sent[at + 3 : at + 5], "big")
    return at == len(sent) > _SSL_REQUEST_BYTES


def what_was_captured(sent: bytes) -> str:
    if STATEMENT.encode() in sent:
        return READABLE
    assert is_tls(sent)
    return ENCRYPTED


def connect(scene: Scene, port: int, *, tls: bool) -> Any:
    how: dict[str, Any] = {"ssl": scene.db.client_context(scene.client)} if tls else {"ssl_disabled": True}
    return pymysql.connect(host="127.0.0.1", port=port, user=scene.app.user, password=scene.app.password, **how)


def run_statement(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT)


def attempt(scene: Scene, *, tls: bool) -> tuple[str, str]:
    """A login, and what was captured of its session."""
    with Relay(scene.port) as relay:
        try:
            with connect(scene, relay.port, tls=tls) as connection:
                try:
                    run_statement(connection)
                except pymysql.err.OperationalError as e:
                    return f"accepted; statements refused ({e.args[0]})", what_was_captured(bytes(relay.sent))
        except pymysql.err.OperationalError as e:
            if tls and e.args[0] == CR_SSL_CONNECTION_ERROR:
                return "impossible", NONE
            return f"refused ({e.args[0]})", NONE
        finally:
            relay.settle()
        return "accepted", what_was_captured(bytes(relay.sent))


class Live:
    """A session in plain text that was there before anybody looked."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._session: Any = None
        self._relay: Any = None

    def open(self) -> None:
        self._relay = self._scene.stack.enter_context(Relay(self._scene.port))
        self._session = connect(self._scene, self._relay.port, tls=False)
        self._scene.stack.callback(self._session.close)

    def captured(self) -> str | None:
        if self._session is None:
            return None
        run_statement(self._session)
        return what_was_captured(bytes(self._relay.sent))


def audited(scene: Scene, me: Account, state: State) -> str:
    """The audit's words about the account, and about the server in this state."""
    options = {**scene.db.options(me), **scene.options}
    defaults = {name: option.get("default") for name, option in STATUS.argument_spec.items()}
    seen = status.run({**defaults, "config_file": "/dev/null", **options})["mysql_ssl"]
    names = [f"{scene.app.user}@{scene.app.host}", f"{scene.app.user}@127.0.0.1"]
    if scene.owner:
        names.append(f"{scene.owner.user}@{scene.owner.host}")
    words = sorted(
        f"{one['severity']}: {one['message']}"
        for one in seen["findings"]
        if one["subject"] in names or one["id"] in state.kinds
    )
    text = " ".join(words) or NOTHING
    for what, instead in _VARYING:
        text = what.sub(instead, text)
    if scene.owner:
        text = text.replace(scene.owner.user, "owner")
    return text.replace(scene.app.user, "app") if scene.app.user else text


@pytest.mark.parametrize(
    ("state", "name"), [pytest.param(*case, id=f"{case[0].title}-{case[1]}") for case in states.cases()]
)
def test_a_state(servers: Servers, state: State, name: str) -> None:
    db = state.server(servers, name)
    # Without TLS an audit logs in on the server's own machine only.
    me = db.administrator(require="SSL") if db.server.offers_tls else db.administrator(host="localhost")
    with ExitStack() as stack:
        scene = Scene(db, servers, db.create(db.name_of("app")), stack, db.server.port)
        live = Live(scene)
        scene.live = live.open
        if not db.server.offers_tls:
            scene.options.update(login_unix_socket=db.server.socket)
        state.make(scene)
        audit = audited(scene, me, state)
        login, plaintext = attempt(scene, tls=False)
        _login, tls = attempt(scene, tls=True)
        plaintext = live.captured() or plaintext
    expected = state.expected(name)
    assert Seen(expected.servers, audit, login, plaintext, tls) == expected


def test_there_are_many() -> None:
    assert len(states.cases()) >= 40


def test_the_guide_has_this_table() -> None:
    assert states.table() in states.GUIDE.read_text("utf-8")
