# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy between the tests and a server does what it is told to, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pymysql
import pytest

from tests.servers import fault_proxy as fp
from tests.servers.fault_proxy import Fault, FaultProxy, Place

from .database import Account, Database

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")

STATEMENT = "CREATE DATABASE made_through_a_proxy"


class Client:
    """Makes a database through a proxy."""

    def __init__(self, db: Database, proxy: FaultProxy) -> None:
        self.db = db
        self.proxy = proxy
        self.account: Account = db.administrator()

    def work(self) -> str:
        """Run the statement, and return what came of it: nothing, or the error's number."""
        try:
            with (
                pymysql.connect(
                    host=self.proxy.host,
                    port=self.proxy.port,
                    user=self.account.user,
                    password=self.account.password,
                    ssl=self.db.client_context(),
                    read_timeout=1,
                ) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute(STATEMENT)
                return ""
        except pymysql.MySQLError as e:
            return str(e.args[0])

    def made(self, seconds: float = 0.2) -> bool:
        """Whether the server has carried it out."""
        deadline = time.monotonic() + seconds
        while not self.db.query("SHOW DATABASES LIKE 'made\\_through\\_a\\_proxy'"):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def place(self, direction: str) -> Place:
        """Where the statement, or its answer, is."""
        # MySQL 9.7 asks for more the first time that it sees a password.
        for _time in range(2):
            self.proxy.arm()
            assert self.work() == ""
            self.db.query("DROP DATABASE made_through_a_proxy")
        request = next(packet for packet in self.proxy.packets if packet.statement == STATEMENT)
        assert request.encrypted is not self.proxy.raw
        return request.place._replace(direction=direction)


@pytest.fixture
def client(db: Database) -> Iterator[Client]:
    """On every server."""
    with FaultProxy(
        (db.server.host, db.server.port), certificate=db.pki.server(), upstream=db.client_context()
    ) as proxy:
        yield Client(db, proxy)
    db.query("DROP DATABASE IF EXISTS made_through_a_proxy")


CASES = [
    (fp.REQUEST, fp.CUT_BEFORE, False, "2013"),
    (fp.REQUEST, fp.CUT_WITHIN, False, "2013"),
    (fp.REQUEST, fp.STALL, False, "2013"),
    (fp.REQUEST, fp.LATE, False, "2013"),
    (fp.ANSWER, fp.CUT_BEFORE, True, "2013"),
    (fp.ANSWER, fp.CUT_WITHIN, True, "2013"),
    (fp.ANSWER, fp.CUT_AFTER, True, ""),
    (fp.ANSWER, fp.STALL, True, "2013"),
    (fp.ANSWER, fp.REFUSED, True, "1105"),
    (fp.ANSWER, fp.ACCEPTED, True, ""),
    (fp.ANSWER, fp.TOO_LONG, True, "2013"),
]


@pytest.mark.parametrize(
    ("direction", "kind", "made", "error", "reset"),
    [(*case, False) for case in CASES] + [(*case, True) for case in CASES if case[1] in fp.CUTS],
)
def test_statement(client: Client, direction: str, kind: str, made: bool, error: str, reset: bool) -> None:
    place = client.place(direction)
    client.proxy.arm(Fault(place, kind, reset=reset))
    assert client.work() == error
    assert client.proxy.fired()
    assert client.made() is made
    client.proxy.heal()
    assert client.made() is (made or kind == fp.LATE)


@pytest.mark.parametrize("kind", [fp.NOISE, fp.FLIP, fp.TOO_SHORT, fp.SEQUENCE])
def test_answer_that_is_not_the_server_s(client: Client, kind: str) -> None:
    fault = Fault(client.place(fp.ANSWER), kind)
    header, payload = b"\x07\x00\x00\x01", b"\x00\x00\x00\x02\x00\x00\x00"
    assert fp.garbled(fault, header, payload) not in (b"", header + payload)
    assert fp.garbled(fault, header, payload) == fp.garbled(fault, header, payload)
    client.proxy.arm(fault)
    client.work()
    assert client.proxy.fired()
    assert client.made()


def test_raw_sees_no_statement(db: Database) -> None:
    """And lets TLS from the one end to the other."""
    with FaultProxy((db.server.host, db.server.port), raw=True) as proxy:
        client = Client(db, proxy)
        assert client.work() == ""
        assert client.made()
        db.query("DROP DATABASE made_through_a_proxy")
        assert proxy.statements() == []
        assert all(packet.sequence is None for packet in proxy.packets if packet.encrypted)
        assert len([packet for packet in proxy.packets if packet.encrypted]) > 5


def test_action(client: Client) -> None:
    """It comes before the packet goes on its way."""
    seen: list[bool] = []
    place = client.place(fp.REQUEST)
    client.proxy.arm(Fault(place, fp.ACT, action=lambda: seen.append(client.made(0.0))))
    # The administrator's session is this thread's, which waits for the answer meanwhile.
    assert client.work() == ""
    assert seen == [False]
    assert client.made()
