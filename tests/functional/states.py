# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""States of servers: how to make each, and what an audit, a login without TLS and a capture show.

The table of the guide "Reading the status" is made of this: ``python -m tests.functional.states``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docs.tools.wrapped import wrapped
from tests.servers import MATRIX, TlsFiles
from tests.servers.balancers import mysql_router
from tests.servers.pki import account_names

from .database import Account, Database
from .servers import Servers

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "reading_the_status.rst"
BEGIN, END = "..\n  Begin of the table of states\n\n", "..\n  End of the table of states\n"

OLD = "mysql-5.6"
NEW = tuple(name for name in MATRIX if name != OLD)
MARIADB = tuple(name for name in MATRIX if name.startswith("mariadb"))
NOTHING = "no finding"
READABLE, NONE, ENCRYPTED = "readable", "no session", "encrypted"


@dataclass
class Scene:
    """A server in its state: whose logins are tried, and how.

    ``ports`` are where clients connect, ``about`` are the findings of the state beside those about the account, and
    ``client`` the certificate of clients. ``owner`` is an account that the app acts as.
    ``live`` opens a session in plain text that is captured instead of a new one.
    """

    db: Database
    servers: Servers
    app: Account
    stack: ExitStack
    port: int
    client: TlsFiles | None = None
    owner: Account | None = None
    options: dict[str, Any] = field(default_factory=dict)
    live: Callable[[], None] = lambda: None


Make = Callable[[Scene], None]


@dataclass(frozen=True)
class Seen:
    """What the three show. ``plaintext`` and ``tls`` are captures of a client without and with TLS."""

    servers: tuple[str, ...]
    audit: str
    login: str
    plaintext: str
    tls: str = ENCRYPTED


@dataclass(frozen=True)
class State:
    """A state, the findings that are about the server in it, and what is seen on each server."""

    title: str
    make: Make
    seen: tuple[Seen, ...]
    kinds: tuple[str, ...] = ()
    server: Callable[[Servers, str], Database] = lambda servers, name: servers.get(name)

    def expected(self, name: str) -> Seen:
        """What is seen on this server."""
        (one,) = [seen for seen in self.seen if name in seen.servers]
        return one


def cases() -> list[tuple[State, str]]:
    """Every state on every server."""
    return [(state, name) for state in STATES for seen in state.seen for name in seen.servers]


def _telling(servers: Servers, name: str) -> Database:
    return servers.get(name, options=("--performance-schema=ON",) if name in MARIADB else ())


def _as_it_is(scene: Scene) -> None:
    pass


def _require(clause: str) -> Make:
    def make(scene: Scene) -> None:
        scene.db.require(scene.app.user, scene.app.host, clause)

    return make


def _with_certificate(clause: str) -> Make:
    def make(scene: Scene) -> None:
        scene.client = scene.db.pki.client()
        subject, _issuer = account_names(scene.client.cert)
        scene.db.require(scene.app.user, scene.app.host, clause.format(subject=subject))

    return make


def _account(statement: str) -> Make:
    def make(scene: Scene) -> None:
        scene.db.query(statement, scene.app.user, scene.app.host)

    return make


def _local(scene: Scene) -> None:
    scene.app = scene.db.create(scene.db.name_of("app"), "127.0.0.1")


def _anonymous(scene: Scene) -> None:
    scene.db.query("CREATE USER ''@'127.0.0.1'")
    scene.db.adopt("", "127.0.0.1")
    scene.app = Account("stranger", "127.0.0.1", "")


def _not_flushed(scene: Scene) -> None:
    if scene.db.mariadb:
        table = "mysql.global_priv SET Priv = JSON_SET(Priv, '$.ssl_type', 1)"
    else:
        table = "mysql.user SET ssl_type = 'ANY'"
    scene.db.query(f"UPDATE {table} WHERE User = %s", scene.app.user)


def _only_in_memory(scene: Scene) -> None:
    scene.db.require(scene.app.user, scene.app.host, "SSL")
    if scene.db.mariadb:
        table = "mysql.global_priv SET Priv = JSON_SET(Priv, '$.ssl_type', 0)"
    else:
        table = "mysql.user SET ssl_type = ''"
    scene.db.query(f"UPDATE {table} WHERE User = %s", scene.app.user)


def _deleted(scene: Scene) -> None:
    scene.db.query(f"DELETE FROM mysql.{'global_priv' if scene.db.mariadb else 'user'} WHERE User = %s", scene.app.user)
    scene.db.forget(scene.app.user, scene.app.host)
    scene.stack.callback(scene.db.query, "FLUSH PRIVILEGES")


def _role(scene: Scene) -> None:
    name = scene.db.name_of("role")
    scene.db.create_role(name)
    scene.db.query(f"GRANT {name} TO %s@%s", scene.app.user, scene.app.host)
    scene.db.require(scene.app.user, scene.app.host, "SSL")
    scene.app = Account(name, "" if scene.db.mariadb else "%", "")


def _switch_on(scene: Scene) -> None:
    scene.db.query("SET GLOBAL require_secure_transport = ON")
    scene.stack.callback(scene.db.query, "SET GLOBAL require_secure_transport = OFF")


def _switch_on_and_required(scene: Scene) -> None:
    _require("SSL")(scene)
    _switch_on(scene)


def _connected(scene: Scene) -> None:
    scene.live()


def _required_after_login(scene: Scene) -> None:
    scene.live()
    _require("SSL")(scene)


def _acts_as_another(own: str, others: str) -> Make:
    """By GRANT PROXY, which MySQL heeds for passwords that it keeps only with two variables."""

    def make(scene: Scene) -> None:
        scene.owner = scene.db.create(scene.db.name_of("owner"))
        scene.db.query(
            "GRANT PROXY ON %s@%s TO %s@%s", scene.owner.user, scene.owner.host, scene.app.user, scene.app.host
        )
        for name in ("check_proxy_users", "caching_sha2_password_proxy_users"):
            scene.db.query(f"SET GLOBAL {name} = ON")
            scene.stack.callback(scene.db.query, f"SET GLOBAL {name} = OFF")
        scene.db.require(scene.app.user, scene.app.host, own)
        scene.db.require(scene.owner.user, scene.owner.host, others)

    return make


def _without_access_control(scene: Scene) -> None:
    _require("SSL")(scene)
    scene.db.disconnect()
    scene.db.server.restart("--skip-grant-tables")
    # Which is over then, until this server is started again.
    scene.stack.callback(scene.db.query, "FLUSH PRIVILEGES")


def _unauthenticated(scene: Scene) -> None:
    """The audit does not log in where the certificate does not verify."""
    scene.options.update(login_user=None, login_password=None)
    _require("SSL")(scene)


def _with_server_certificate(certificate: str) -> Callable[[Servers, str], Database]:
    def get(servers: Servers, server: str) -> Database:
        return servers.get(server, files=servers.pki.server(certificate))

    return get


def _behind_router(mode: str) -> Make:
    def make(scene: Scene) -> None:
        _require("SSL")(scene)
        router = mysql_router([scene.db.server.port], scene.db.pki.server(), client_ssl_mode=mode)
        scene.port = scene.stack.enter_context(router)
        scene.options.update(login_port=scene.port)

    return make


def _of_its_own(servers: Servers, name: str) -> Database:
    """A server that no other test has, as it is started with other options."""
    return servers.get(name, options=("--skip-external-locking",))


def _without_tls(servers: Servers, name: str) -> Database:
    return servers.get(name, tls=False)


def _old_versions(servers: Servers, name: str) -> Database:
    return servers.get(name, options=("--tls-version=TLSv1.0,TLSv1.1,TLSv1.2",)) if name != OLD else servers.get(name)


REFUSED = "refused (1045)"
NO_TLS_NEEDED = "high: app@% may log in without TLS."
_NO_TLS = "high: The server does not offer TLS, so connections cannot be encrypted."
_ONE_SESSION = "high: 1 session of app from 127.0.0.1 without TLS."
_ONLY_THE_SWITCH = (
    "info: app@% does not require TLS itself. The server refuses it without TLS as long as require_secure_transport is "
    "ON, but over a Unix socket."
)
STATES = (
    State("Account that requires nothing", _as_it_is, (Seen(MATRIX, NO_TLS_NEEDED, "accepted", READABLE),)),
    State("Account with REQUIRE SSL", _require("SSL"), (Seen(MATRIX, NOTHING, REFUSED, NONE),)),
    State(
        "Account with REQUIRE X509; its client has a certificate",
        _with_certificate("X509"),
        (Seen(MATRIX, NOTHING, REFUSED, NONE),),
    ),
    State(
        "Account with REQUIRE X509; its client has no certificate",
        _require("X509"),
        (Seen(MATRIX, NOTHING, REFUSED, NONE, NONE),),
    ),
    State(
        "Account with REQUIRE SUBJECT; its client has that certificate",
        _with_certificate("SUBJECT '{subject}'"),
        (Seen(MATRIX, NOTHING, REFUSED, NONE),),
    ),
    State(
        "Account for the server's own machine that requires nothing",
        _local,
        (Seen(MATRIX, "low: app@127.0.0.1 may log in without TLS.", "accepted", READABLE),),
    ),
    State(
        "Anonymous account that requires nothing",
        _anonymous,
        (Seen(MATRIX, "high: Anybody may log in from 127.0.0.1 without naming a user.", "accepted", READABLE),),
        kinds=("anonymous-account",),
    ),
    State(
        "Locked account that requires nothing",
        _account("ALTER USER %s@%s ACCOUNT LOCK"),
        (
            Seen(("mysql-9.7",), NOTHING, "refused (3118)", NONE, NONE),
            Seen(MARIADB, NOTHING, "refused (4151)", NONE, NONE),
        ),
    ),
    State(
        "Account whose password has expired, and that requires nothing",
        _account("ALTER USER %s@%s PASSWORD EXPIRE"),
        (
            Seen((OLD, "mysql-9.7"), NO_TLS_NEEDED, "refused (1862)", NONE, NONE),
            Seen(MARIADB, NO_TLS_NEEDED, "accepted; statements refused (1820)", READABLE),
        ),
    ),
    State(
        "Server without access control (skip-grant-tables); account with REQUIRE SSL",
        _without_access_control,
        (
            Seen(
                (OLD, *MARIADB),
                "high: The server checks no user name and no password (skip-grant-tables): anybody who reaches it may "
                "do all.",
                "accepted",
                READABLE,
            ),
        ),
        kinds=("access-control-off",),
        server=_of_its_own,
    ),
    State(
        "Role that requires nothing",
        _role,
        (
            Seen(("mysql-9.7",), NOTHING, "refused (3118)", NONE, NONE),
            Seen(MARIADB, NOTHING, REFUSED, NONE, NONE),
        ),
    ),
    State(
        "Account with REQUIRE SSL that acts as another one, which requires nothing (GRANT PROXY; "
        "caching_sha2_password_proxy_users is on)",
        _acts_as_another("SSL", "NONE"),
        (
            Seen(
                ("mysql-9.7",),
                "high: owner@% may log in, and does not require TLS. By GRANT PROXY app@% can act as it without TLS: "
                "what they require themselves does not count.",
                "accepted",
                READABLE,
            ),
        ),
    ),
    State(
        "Account that requires nothing and acts as another one with REQUIRE SSL (GRANT PROXY; "
        "caching_sha2_password_proxy_users is on)",
        _acts_as_another("NONE", "SSL"),
        (
            Seen(
                ("mysql-9.7",),
                "info: app@% does not require TLS itself. By GRANT PROXY it acts as owner@%, whose requirement counts "
                "instead.",
                REFUSED,
                NONE,
            ),
        ),
    ),
    State(
        "REQUIRE SSL written to the table; privileges not flushed",
        _not_flushed,
        (
            Seen(
                MATRIX,
                "high: app@% has the requirement ANY in the table, and the server does not go by it: the table was "
                "changed, and privileges were not flushed.",
                "accepted",
                READABLE,
            ),
        ),
    ),
    State(
        "REQUIRE SSL removed from the table; privileges not flushed",
        _only_in_memory,
        (
            Seen(
                MATRIX,
                "medium: app@% has the requirement NONE in the table, and the server still goes by ANY: the table was "
                "changed, and privileges were not flushed. From the next FLUSH PRIVILEGES or restart on, NONE counts.",
                REFUSED,
                NONE,
            ),
        ),
    ),
    State(
        "Account deleted from the table; privileges not flushed",
        _deleted,
        (
            Seen(
                MATRIX,
                "high: app@% was deleted from the table and can still log in: privileges were not flushed.",
                "accepted",
                READABLE,
            ),
        ),
    ),
    State(
        "require_secure_transport is ON; account requires nothing",
        _switch_on,
        (
            Seen(("mysql-9.7", "mariadb-11.8"), _ONLY_THE_SWITCH, "refused (3159)", NONE),
            Seen(("mariadb-10.5", "mariadb-10.11"), _ONLY_THE_SWITCH, REFUSED, NONE),
        ),
    ),
    State(
        "require_secure_transport is ON; account with REQUIRE SSL",
        _switch_on_and_required,
        (
            Seen(("mysql-9.7", "mariadb-10.5", "mariadb-10.11"), NOTHING, REFUSED, NONE),
            Seen(("mariadb-11.8",), NOTHING, "refused (3159)", NONE),
        ),
    ),
    State(
        "Client connected without TLS; account requires nothing",
        _connected,
        (Seen(NEW, f"{_ONE_SESSION} {NO_TLS_NEEDED}", "accepted", READABLE),),
        server=_telling,
    ),
    State(
        "Client connected without TLS before REQUIRE SSL was set",
        _required_after_login,
        (Seen(NEW, _ONE_SESSION, REFUSED, READABLE),),
        server=_telling,
    ),
    State(
        "The same on a server that does not expose session TLS status (MySQL 5.6; performance_schema is off)",
        _required_after_login,
        (
            Seen((OLD,), "info: 5.6.24 does not record which sessions use TLS.", REFUSED, READABLE),
            Seen(
                MARIADB,
                "info: The server does not record which sessions use TLS, because performance_schema is off.",
                REFUSED,
                READABLE,
            ),
        ),
        kinds=("sessions-not-visible",),
    ),
    State(
        "Server without TLS; account requires nothing",
        _as_it_is,
        (Seen(MATRIX, f"{_NO_TLS} {NO_TLS_NEEDED}", "accepted", READABLE, NONE),),
        kinds=("tls-unavailable",),
        server=_without_tls,
    ),
    State(
        "Server without TLS; account with REQUIRE SSL",
        _require("SSL"),
        (Seen(MATRIX, _NO_TLS, REFUSED, NONE, NONE),),
        kinds=("tls-unavailable",),
        server=_without_tls,
    ),
    State(
        "Server that accepts TLSv1; account with REQUIRE SSL",
        _require("SSL"),
        (
            Seen((OLD,), "medium: The server accepts obsolete versions of TLS: TLSv1.", REFUSED, NONE),
            Seen(
                ("mariadb-10.5",),
                "medium: The server accepts obsolete versions of TLS: TLSv1, TLSv1.1.",
                REFUSED,
                NONE,
            ),
        ),
        kinds=("weak-protocol",),
        server=_old_versions,
    ),
    State(
        "Server certificate has expired; account with REQUIRE SSL",
        _unauthenticated,
        (Seen(("mysql-9.7", "mariadb-10.11"), "high: The certificate expired on DATE.", REFUSED, NONE, NONE),),
        server=_with_server_certificate("expired"),
        kinds=("certificate-expired",),
    ),
    State(
        "Server certificate is for another name; account with REQUIRE SSL",
        _unauthenticated,
        (
            Seen(
                ("mysql-9.7", "mariadb-10.11"),
                "high: The certificate is valid for DNS:elsewhere.example.com, IP:192.0.2.1, not for 127.0.0.1.",
                REFUSED,
                NONE,
                NONE,
            ),
        ),
        server=_with_server_certificate("wrong-name"),
        kinds=("certificate-hostname-mismatch",),
    ),
    State(
        "MySQL Router ends TLS (client_ssl_mode=PREFERRED); account with REQUIRE SSL",
        _behind_router("PREFERRED"),
        (
            Seen(
                ("mysql-9.7",),
                "medium: TLS ends at a proxy before it reaches the server. What an account requires, the server "
                "requires of the proxy, and not of clients.",
                "accepted",
                READABLE,
            ),
        ),
        kinds=("tls-ends-before-server",),
    ),
    State(
        "MySQL Router passes TLS through (client_ssl_mode=PASSTHROUGH); account with REQUIRE SSL",
        _behind_router("PASSTHROUGH"),
        (Seen(("mysql-9.7",), NOTHING, REFUSED, NONE),),
        kinds=("tls-ends-before-server",),
    ),
)
"""Every state, in the order of the guide."""


def table() -> str:
    """The table of the guide, in reStructuredText."""
    lines = [BEGIN, ".. list-table::", "   :header-rows: 1", "   :widths: 26 14 30 10 20", ""]
    lines += _row(
        "State", "Servers", "Audit", "Login without TLS", "Capture of a client without TLS; with verified TLS"
    )
    for state in STATES:
        for seen in state.seen:
            lines += _row(state.title, _names(seen.servers), seen.audit, seen.login, f"{seen.plaintext}; {seen.tls}")
    return wrapped("\n".join([*lines, "", END]))


def _row(*cells: str) -> list[str]:
    return [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(cells)]


def _names(servers: tuple[str, ...]) -> str:
    if set(servers) == set(MATRIX):
        return "all"
    versions: dict[str, list[str]] = {}
    for name in servers:
        family, _dash, version = name.partition("-")
        versions.setdefault({"mysql": "MySQL", "mariadb": "MariaDB"}[family], []).append(version)
    return "; ".join(f"{family} {', '.join(found)}" for family, found in versions.items())


def main() -> None:
    """Write the table into the guide."""
    text = GUIDE.read_text("utf-8")
    before, _begin, rest = text.partition(BEGIN)
    _table, _end, after = rest.partition(END)
    GUIDE.write_text(f"{before}{table()}{after}", "utf-8")


if __name__ == "__main__":
    main()
