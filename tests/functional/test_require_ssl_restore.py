# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rollback_file and restore_file: what a change has replaced, put back later."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Pki

from .assertions import writing
from .database import Account, Database, Tls
from .runner import Modules, client_options, unmet
from .switch import NAME, reset, state
from .under_way import held_at_the_first_statement

TLS = Tls()
SUBJECT = '/O=It\'s \\ an "Example"/CN=%s ü'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """In a directory that is not there yet."""
    return tmp_path / "rollback" / "db.json"


def changes(file: Path) -> list[dict[str, Any]]:
    """What the file holds."""
    found: list[dict[str, Any]] = json.loads(file.read_text())["changes"]
    return found


def states(file: Path) -> list[str]:
    return [change["state"] for change in changes(file)]


def requirements(db: Database, *accounts: Account) -> list[Any]:
    return [db.requirement(account.user, account.host) for account in accounts]


def same(db: Database, before: Any) -> bool:
    """MariaDB keeps an empty requirement in its JSON where there was none; what SHOW CREATE USER says is compared."""
    return db.mariadb or db.snapshot() == before


def test_there_and_back(db: Database, modules: Modules, file: Path) -> None:
    """Each kind of requirement, names and parts that need quoting, the login's own account."""
    me = db.administrator()
    kinds = {"NONE": "NONE", "ANY": "SSL", "X509": "X509"}
    apps = [db.create(db.name_of("o'a\\b"), require=clause) for clause in kinds.values()]
    apps.append(db.create(db.name_of("app"), "10.%"))
    quoted = SUBJECT.replace("\\", "\\\\").replace("'", "\\'")
    db.require(apps[3].user, apps[3].host, f"SUBJECT '{quoted}' AND ISSUER '/CN=Example CA'")
    everybody = [me, *apps]
    before, snapshot = requirements(db, *everybody), db.snapshot()
    assert before[-1] == ("SPECIFIED", "", "/CN=Example CA", SUBJECT)
    wanted = db.options(
        me, accounts=[account.user for account in everybody], ssl_type="any", exact=True, rollback_file=str(file)
    )
    modules.require(**wanted, check=True).ok()
    assert not file.parent.exists()
    done = modules.require(**wanted).ok()
    assert done["rollback_file"] == str(file)
    assert {ssl_type for ssl_type, *_rest in requirements(db, *everybody)} == {"ANY"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    (record,) = changes(file)
    assert record["state"] == "made"
    assert {**record, "ended_at": None} == done["rollback_record"]
    assert record["rollback_statements"] == done["rollback_statements"]
    assert (record["server"]["host"], record["server"]["port"]) == (db.server.host, db.server.port)
    assert len(record["accounts"]) == len(everybody) - 1
    assert me.password not in file.read_text()

    # Nothing to change: nothing to record.
    modules.require(**wanted).ok()
    assert changes(file) == [record]

    back = db.options(me, restore_file=str(file))
    promised = modules.require(**back, check=True).ok()
    assert states(file) == ["made"]
    restored = modules.require(**back).ok()
    assert promised["changed"]
    assert restored["changed"]
    assert restored["verified"]
    assert restored["statements"] == promised["statements"]
    # In another order: the account of the login comes last on each way there, and first on each way back.
    assert sorted(restored["statements"]) == sorted(done["rollback_statements"])
    (told,) = restored["restored"]
    assert restored["restored"] == promised["restored"]
    assert (told["id"], told["begun_at"], told["note"]) == (record["id"], record["begun_at"], None)
    assert told["made_by"]
    assert restored["left_alone"] == []
    assert restored["diff"]["before"] == done["diff"]["after"]
    assert restored["diff"]["after"] == done["diff"]["before"]
    assert restored.values.get("warnings", []) == done.values.get("warnings", [])
    assert requirements(db, *everybody) == before
    assert same(db, snapshot)
    assert states(file) == ["restored"]

    again = modules.require(**back).ok()
    assert not again["changed"]
    assert not writing(again["statements"])
    assert again["restored"] == []
    assert requirements(db, *everybody) == before


def test_last_and_all(db: Database, modules: Modules, file: Path) -> None:
    """Three changes; the newest first, then the others."""
    me = db.administrator()
    one, two = db.create(db.name_of("one")), db.create(db.name_of("two"), require="X509")
    before = requirements(db, one, two)
    for options in (
        {"user": one.user},
        {"accounts": [one.user, two.user], "ssl_type": "any", "exact": True},
        {"user": one.user, "ssl_type": "x509"},
    ):
        assert modules.require(**db.options(me, rollback_file=str(file), **options)).ok()["changed"]
    assert states(file) == ["made"] * 3
    back = db.options(me, restore_file=str(file))
    assert modules.require(**back).ok()["changed"]
    assert [r[0] for r in requirements(db, one, two)] == ["ANY", "ANY"]
    assert not modules.require(**back).ok()["changed"]
    rest = modules.require(**back, restore="all").ok()
    assert [entry["id"] for entry in rest["restored"]] == [change["id"] for change in changes(file)[1::-1]]
    assert requirements(db, one, two) == before
    assert states(file) == ["restored"] * 3
    assert not modules.require(**back, restore="all").ok()["changed"]


def test_what_somebody_else_has_changed_is_left_alone(db: Database, modules: Modules, file: Path) -> None:
    me = db.administrator()
    stronger, gone, back_already, plain = (db.create(db.name_of(stem)) for stem in ("a", "b", "c", "d"))
    accounts = [account.user for account in (stronger, gone, back_already, plain)]
    modules.require(**db.options(me, accounts=accounts, rollback_file=str(file))).ok()
    db.require(stronger.user, stronger.host, "X509")
    db.require(back_already.user, back_already.host, "NONE")
    db.query("DROP USER %s@%s", gone.user, gone.host)
    db.forget(gone.user, gone.host)
    done = modules.require(**db.options(me, restore_file=str(file))).ok()
    assert [(left["user"], left["expected"], left["found"]) for left in done["left_alone"]] == [
        (stronger.user, "ANY", "X509"),
        (gone.user, "ANY", None),
    ]
    assert f"{stronger.user}@% has X509 by now, and the change had made it ANY" in done.warnings
    assert f"{gone.user}@% is gone" in done.warnings
    assert [r[0] for r in requirements(db, stronger, back_already, plain)] == ["X509", "", ""]
    assert not db.query("SELECT 1 FROM mysql.user WHERE User = %s", gone.user)
    assert states(file) == ["restored"]


def test_restoring_a_requirement_is_guarded_and_proven(db: Database, modules: Modules, file: Path, pki: Pki) -> None:
    """The change was one that took requirements off; putting back could lock out the login."""
    me = db.administrator(require="X509")
    client = client_options(pki.client())
    modules.require(**db.options(me, user=me.user, ssl_type="none", rollback_file=str(file), **client)).ok()
    refused = modules.require(**db.options(me, restore_file=str(file)))
    assert refused.failed
    assert "would need a client certificate" in refused.msg
    assert "Nothing was changed" in refused.msg
    assert states(file) == ["made"]
    done = modules.require(**db.options(me, restore_file=str(file), **client)).ok()
    assert [proof["method"] for proof in done["verification"]] == ["tls_login", "requirement_in_memory"]
    assert db.ssl_type(me) == "X509"


def test_change_that_was_put_back_at_once(db: Database, modules: Modules, file: Path, pki: Pki) -> None:
    """It stays in the file, as what it is, and does not hide the one before."""
    me, app = db.administrator(), db.create(db.name_of("app"))
    modules.require(**db.options(me, user=app.user, rollback_file=str(file))).ok()
    failed = modules.require(**db.options(me, user=me.user, rollback_file=str(file), **unmet(pki)))
    assert failed.failed
    assert failed["rolled_back"]
    assert failed["rollback_record"]["state"] == "undone"
    assert states(file) == ["made", "undone"]
    assert modules.require(**db.options(me, restore_file=str(file))).ok()["changed"]
    assert db.ssl_type(app) == ""


def test_killed_between_the_file_and_the_first_statement(db: Database, modules: Modules, file: Path) -> None:
    """And while the statement was under way: what is there then is what counts."""
    me, app, other = db.administrator(), db.create(db.name_of("app")), db.create(db.name_of("other"))
    modules.require(**db.options(me, user=other.user, rollback_file=str(file))).ok()
    options = db.options(me, user=app.user, rollback_file=str(file))
    with held_at_the_first_statement(db, me, modules, **options) as run:
        assert states(file) == ["made", "begun"]
        run.process.send_signal(signal.SIGKILL)
        run.process.communicate()
        # The server ends what waits for the lock before the lock goes.
        for (connection,) in db.query("SELECT ID FROM information_schema.processlist WHERE USER = %s", me.user):
            db.query(f"KILL {connection}")
        db.wait_for_sessions_to_end(me.user)
    assert db.ssl_type(app) == ""
    harmless = modules.require(**db.options(me, restore_file=str(file)), check=True).ok()
    # The change that was never made does not count, nor does it hide the one before.
    assert [entry["id"] for entry in harmless["restored"]] == [changes(file)[0]["id"]]
    assert harmless["left_alone"] == []
    db.require(app.user, app.host, "SSL")  # as the statement would have done
    done = modules.require(**db.options(me, restore_file=str(file))).ok()
    assert [entry["id"] for entry in done["restored"]] == [changes(file)[1]["id"]]
    assert [r[0] for r in requirements(db, app, other)] == ["", "ANY"]


def unwritable(file: Path) -> None:
    """A file where a directory is needed: that stops root, too."""
    file.parent.write_text("")


def nonsense(text: str) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.parent.mkdir()
        file.write_text(text)

    return write


def pipe(file: Path) -> None:
    file.parent.mkdir()
    os.mkfifo(file)


def directory(file: Path) -> None:
    file.mkdir(parents=True)


def huge(file: Path) -> None:
    file.parent.mkdir()
    with file.open("wb") as f:
        f.truncate(64 * 1024 * 1024 + 1)


@pytest.mark.parametrize("check", [False, True], ids=["", "check"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (unwritable, "Not a directory"),
        (nonsense("{"), "is not JSON"),
        (nonsense("[" * 100000), "is not JSON"),
        (nonsense('{"changes": []}'), "not of the format"),
        (nonsense('{"format": "dbtls.rds_mysql.changes", "version": 7}'), "this release knows 1"),
        (nonsense("\udcff".encode("utf-8", "surrogateescape").decode("latin-1")), "is not JSON"),
        (pipe, "not a file"),
        (directory, "Is a directory"),
        (huge, "is larger than"),
    ],
    ids=["unwritable", "cut-off", "deep", "other", "newer", "binary", "pipe", "directory", "huge"],
)
def test_file_that_cannot_be_used(
    db: Database, modules: Modules, file: Path, spoil: Callable[[Path], None], said: str, check: bool
) -> None:
    """Found out before any change, in check mode too, and never overwritten."""
    me, app = db.administrator(), db.create(db.name_of("app"))
    before = db.snapshot()
    spoil(file)
    for options in ({"user": app.user, "rollback_file": str(file)}, {"restore_file": str(file)}):
        result = modules.require(**db.options(me, **options), check=check)
        assert result.failed
        (name,) = {"rollback_file", "restore_file"} & set(options)
        assert result.msg.startswith(f"{name}: {file} "), result.msg
        assert said in result.msg, result.msg
        assert not result.values.get("changed")
    assert db.snapshot() == before


def test_file_that_fails_at_the_last_moment(maria_db: Database, modules: Modules, file: Path) -> None:
    """All was well when it was looked at, but it cannot be written when the change begins: no statement is sent."""
    me, app = maria_db.administrator(), maria_db.create(maria_db.name_of("app"))
    before = maria_db.snapshot()
    file.parent.mkdir()
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with maria_db.watch() as seen:
            result = modules.require(**maria_db.options(me, user=app.user, rollback_file=str(file)))
    finally:
        os.close(descriptor)
    assert result.failed
    assert f"rollback_file: {file} cannot be written" in result.msg
    assert "Nothing was changed" in result.msg
    assert result["rolled_back"] is result["changed"] is False
    assert not writing(seen)
    assert maria_db.snapshot() == before
    assert not list(file.parent.iterdir())


def test_nothing_to_restore_from(db: Database, modules: Modules, file: Path) -> None:
    me = db.administrator()
    result = modules.require(**db.options(me, restore_file=str(file)))
    assert result.failed
    assert "holds no change" in result.msg


def edited(file: Path, **changed: Any) -> dict[str, Any]:
    """The file with the last change's values replaced."""
    document = json.loads(file.read_text())
    document["changes"][-1].update(changed)
    file.write_text(json.dumps(document))
    return dict(document["changes"][-1])


def test_statements_in_the_file_are_never_executed(db: Database, modules: Modules, file: Path) -> None:
    me, app, other = db.administrator(), db.create(db.name_of("app")), db.create(db.name_of("other"))
    modules.require(**db.options(me, user=app.user, rollback_file=str(file))).ok()
    edited(file, rollback_statements=[f"DROP USER '{other.user}'@'%'"])
    done = modules.require(**db.options(me, restore_file=str(file))).ok()
    assert "DROP" not in json.dumps(done["statements"])
    assert db.ssl_type(app) == db.ssl_type(other) == ""
    assert db.admits(other, TLS)


def test_tampered_files(db: Database, modules: Modules, file: Path) -> None:
    """Each is refused with the reason, and nothing is changed."""
    me, app = db.administrator(), db.create(db.name_of("app"))
    modules.require(**db.options(me, user=app.user, rollback_file=str(file))).ok()
    original = file.read_text()
    record = changes(file)[0]
    (entry,) = record["accounts"]
    # What else it may hold instead is tried without a server.
    spoiled: list[tuple[dict[str, Any], str]] = [
        ({"server": {**record["server"], "host": "other.example.com"}}, "is about other.example.com:"),
        ({"server": {**record["server"], "port": 1}}, "is about 127.0.0.1:1, and this is"),
        ({"server": {**record["server"], "family": "postgresql"}}, "of the family postgresql"),
        ({"accounts": [{**entry, "user": "\ud800"}]}, "accounts[0].user is not text"),
    ]
    for changed, said in spoiled:
        file.write_text(original)
        edited(file, **changed)
        for options in ({"restore_file": str(file)}, {"user": me.user, "rollback_file": str(file)}):
            result = modules.require(**db.options(me, **options))
            assert result.failed, changed
            assert said in result.msg, result.msg
    file.write_text(original)
    file.chmod(0o666)
    assert "can be written by others than its owner" in modules.require(**db.options(me, restore_file=str(file))).msg
    assert db.ssl_type(app) == "ANY"
    assert db.ssl_type(me) == ""


def test_options_that_do_not_go_together(db: Database, modules: Modules, file: Path) -> None:
    me = db.administrator()
    for options, said in (
        ({"user": me.user}, "given are user and restore_file"),
        ({"exclude": ["x"]}, "exclude cannot go with it"),
        ({"ssl_type": "none", "rollback_file": str(file)}, "rollback_file, ssl_type cannot go with it"),
        ({"require_secure_transport": False}, "require_secure_transport cannot go with it"),
    ):
        result = modules.require(**db.options(me, restore_file=str(file), **options))
        assert result.failed
        assert said in result.msg, result.msg
    for name in ("rollback_file", "restore_file"):
        options = {"user": me.user} if name == "rollback_file" else {}
        result = modules.require(**db.options(me, **options, **{name: "rollback/db.json"}))
        assert result.msg == f"{name}: rollback/db.json is not an absolute path."


def test_through_a_symbolic_link(maria_db: Database, modules: Modules, file: Path, tmp_path: Path) -> None:
    """The link stays one."""
    me, app = maria_db.administrator(), maria_db.create(maria_db.name_of("app"))
    link = tmp_path / "link.json"
    link.symlink_to(file)
    done = modules.require(**maria_db.options(me, user=app.user, rollback_file=str(link))).ok()
    assert done["rollback_file"] == str(file)
    assert link.is_symlink()
    assert modules.require(**maria_db.options(me, restore_file=str(link))).ok()["changed"]
    assert states(file) == ["restored"]


@pytest.fixture
def switch_db(seeing_db: Database) -> Iterator[Database]:
    """A server whose switch is off again afterwards."""
    yield seeing_db
    reset(seeing_db)


def test_the_switch(switch_db: Database, modules: Modules, file: Path) -> None:
    """Its value and what is persisted of it, with accounts and alone."""
    db = switch_db
    me, app = db.administrator(), db.create(db.name_of("app"))
    before = state(db)
    modules.require(**db.options(me, user=app.user, require_secure_transport=True, rollback_file=str(file))).ok()
    assert state(db)[0] == "ON"
    done = modules.require(**db.options(me, restore_file=str(file))).ok()
    assert state(db) == before == ("OFF", None)
    assert done["require_secure_transport"] == {"before": True, "after": False, "lasting": not db.mariadb}
    assert db.admits(app, None)
    modules.require(**db.options(me, require_secure_transport=True, rollback_file=str(file))).ok()
    db.query(f"SET GLOBAL {NAME} = OFF")
    again = modules.require(**db.options(me, restore_file=str(file))).ok()
    if db.mariadb:  # as after a restart, which has put it back already
        assert not again["changed"]
        assert again["left_alone"] == []
    else:
        assert [left["user"] for left in again["left_alone"]] == [None]
        assert NAME in again.warnings
        assert state(db) == ("OFF", "ON")
