# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be true after every run, whatever was drawn."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from tests.unit.memory_server import model, network
from tests.unit.memory_server.model import Entry, Key, Requirement
from tests.unit.memory_server.server import MemoryServer, meets
from tests.unit.memory_server.sql import ServerError

from .schedule import Schedule

UNCHANGED, CHANGED, ROLLED_BACK, LEFT, UNKNOWN, CHECK = (
    "nothing was changed",
    "changed",
    "rolled back",
    "left as it was to become",
    "state unknown",
    "check mode",
)

# After these nobody can be sure what has become of what was sent, or whether it was sent to the same server.
LOSSY = frozenset(
    (
        network.CUT_BEFORE,
        network.CUT_AFTER,
        network.DELAYED,
        network.HUNG,
        network.LATE,
        network.KILLED,
        network.UNREACHABLE,
        network.SILENT,
        network.TOO_MANY,
        network.ATTACKED,
        network.SLOW,
    )
)
# And these go on to matter.
LASTING = frozenset((network.RESTART_BEFORE, network.RESTART_AFTER, network.MOVED, network.MOVED_AND_CUT))


def requirements(server: MemoryServer) -> dict[Key, Requirement]:
    """What the table says."""
    return {key: entry.requirement for key, entry in server.accounts.table.items()}


@dataclass
class Outcome:
    """What came of a run, and the truth beside it."""

    before: dict[Key, Requirement]
    memory_before: dict[Key, Requirement]
    grants: frozenset[str]
    started: float
    values: dict[str, t.Any] = field(default_factory=dict)
    error: t.Any = None
    record: dict[str, t.Any] | None = None
    word: str = ""
    seconds: float = 0.0
    # At the end of the run, before what is still under way is carried out.
    at_return: dict[Key, Requirement] = field(default_factory=dict)
    memory_at_return: dict[Key, Requirement] = field(default_factory=dict)
    switch_at_return: str | None = None
    switch_before: tuple[str | None, str | None] = (None, None)

    @classmethod
    def begin(cls, schedule: Schedule) -> Outcome:
        """Before the run."""
        server = schedule.server
        memory = {key: entry.requirement for key, entry in server.accounts.memory.items()}
        grants = server.accounts.memory[schedule.login].grants
        name = "require_secure_transport"
        switch = server.variables.get(name), server.persisted.get(name)
        return cls(requirements(server), memory, grants, schedule.clock.now, switch_before=switch)

    def end(self, schedule: Schedule, file: str) -> None:
        """After it, and after everything that is still under way."""
        world, server = schedule.network, schedule.server
        self.seconds = schedule.clock.now - self.started
        world.between = lambda exchange: None
        world.fault = lambda exchange: None
        self.word = self._word(schedule)
        self.at_return = requirements(server)
        self.memory_at_return = {key: entry.requirement for key, entry in server.accounts.memory.items()}
        self.switch_at_return = server.variables.get("require_secure_transport")
        world.clock.drain()
        try:
            with open(file, "rb") as f:
                changes = json.load(f)["changes"]
        except FileNotFoundError:
            return
        self.record = changes[-1] if changes else None

    def _word(self, schedule: Schedule) -> str:
        values = self.values
        if schedule.check_mode and self.error is None:
            return CHECK
        if self.error is None:
            return CHANGED if values["changed"] else UNCHANGED
        if values.get("state_unknown"):
            return UNKNOWN
        if values.get("rolled_back"):
            return ROLLED_BACK
        return LEFT if values.get("changed") else UNCHANGED

    # Restoring

    def may_not_restore(self, schedule: Schedule, message: str) -> bool:
        """Refusals to restore that are in order."""
        return any(
            reason in message
            for reason in (
                "would be locked out",
                "would need a client certificate",
                "cannot log in",
                "is not loaded",
                "SYSTEM_USER",
                "not flushed privileges",
                "cannot be set by a client",
                "does not offer TLS",
                "does not use TLS",
                "Operation ALTER USER failed",
                " refused (error ",
                "holds no change",
                "Access denied; you need",
            )
        )

    def restored(self, schedule: Schedule) -> list[str]:
        """What restoring has left behind."""
        server, others = schedule.server, schedule.others
        assert self.record is not None
        found = []
        for entry in self.record["accounts"]:
            key = (entry["user"], entry["host"])
            wanted = _requirement(entry["before"])
            if key in others.touched:
                continue
            # What was never written may still be what the table had, where nobody had flushed it.
            for where, kind in ((server.accounts.table, "table"), (server.accounts.memory, "memory")):
                allowed = {wanted, self.memory_before.get(key, wanted)} if kind == "memory" else {wanted}
                if wanted == self.memory_before.get(key):
                    allowed.add(self.before.get(key, wanted))
                if key not in where or where[key].requirement not in allowed:
                    found.append(f"R2 after restoring, {key} has {where.get(key)} in the {kind}, and had {wanted}")
        return found


def _requirement(value: t.Mapping[str, str]) -> Requirement:
    return value["ssl_type"], value["cipher"], value["issuer"], value["subject"]


def broken(schedule: Schedule, outcome: Outcome) -> list[str]:
    """The invariants that do not hold, as sentences that begin with their number."""
    found: list[str] = []
    for check in (
        _mistakes,
        _accounts,
        _word,
        _switch,
        _unknown,
        _another_server,
        _record,
        _answers,
        _secrets,
        _admin,
        _clients,
        _time,
    ):
        found += check(schedule, outcome)
    return found


def tags(schedule: Schedule) -> str:
    """What it may have to do with, to tell one kind of failure from another."""
    kinds = {kind for _number, kind in schedule.network.happened}
    found = [
        "moved" * bool(kinds & {network.MOVED, network.MOVED_AND_CUT}),
        "restarted" * bool(kinds & {network.RESTART_BEFORE, network.RESTART_AFTER}),
        "late" * any(kind.startswith("carried out late") for kind in kinds),
        "proxied" * (not schedule.network.numbers_are_the_servers),
        "renamed" * bool(schedule.others.renamed),
        "others" * bool(schedule.others.told),
        "unflushed" * any(" update " in told for told in schedule.others.told),
    ]
    return ",".join(tag for tag in found if tag)


def _wanted(schedule: Schedule) -> Requirement:
    ssl_type = schedule.params.get("ssl_type", "any").upper()
    return ssl_type, "", "", schedule.params.get("subject") or ""


def _mistakes(schedule: Schedule, outcome: Outcome) -> list[str]:
    """0. Nothing was sent that a server must not be sent, or that the memory server does not know."""
    return [f"M1 {mistake}" for mistake in schedule.network.mistakes]


def _accounts(schedule: Schedule, outcome: Outcome) -> list[str]:
    """1. Every account is old or new, or what another administrator made of it; nothing else of it has changed."""
    found = []
    server, wanted = schedule.server, _wanted(schedule)
    others = server.others.table
    for key, entry in server.accounts.table.items():
        if key not in others:
            found.append(f"A1 {key} exists, and nobody else has made it")
            continue
        if entry._replace(requirement=model.NONE) != others[key]._replace(requirement=model.NONE):
            found.append(f"A2 {key} is not the same apart from its requirement")
        # What the server went by before, where its table was not flushed, is what may be put back.
        known = {outcome.before.get(key), _memory_before(schedule, outcome, key)}
        allowed = {others[key].requirement, wanted} | known | schedule.others.touched.get(key, set())
        if entry.requirement not in allowed:
            found.append(f"A3 {key} has {entry.requirement}, which is neither old nor new")
    found += [f"A6 {key} is no account that was meant" for key in _not_meant(schedule)]
    found += [f"A4 {key} is gone, and nobody else has dropped it" for key in others if key not in server.accounts.table]
    for write in server.writes:
        # What somebody else has made of it, and was seen before this was sent.
        # A stronger one that the server goes by is written where somebody has taken it off in the table alone.
        memory = _memory_before(schedule, outcome, write.key)
        memory = wanted if memory == outcome.before.get(write.key) else memory
        seen_before = (wanted, outcome.before.get(write.key), memory, write.after)
        if write.before in seen_before or write.after in (wanted, memory):
            continue
        for exchange, key, requirement in schedule.others.touches:
            seen = any(exchange <= read < write.exchange for read in schedule.network.reads)
            if key == write.key and requirement == write.before and seen:
                found.append(f"A5 {key} was given {write.after}, and somebody else's {requirement} had been seen")
    return found


def _memory_before(schedule: Schedule, outcome: Outcome, key: Key) -> Requirement | None:
    """What the server went by at first, be it under another name."""
    back = {new: old for old, new in schedule.others.renamed.items()}
    return outcome.memory_before.get(back.get(key, key))


def _kind_before(schedule: Schedule, outcome: Outcome, key: Key) -> str | None:
    requirement = _memory_before(schedule, outcome, key)
    return requirement[0] if requirement else None


def _not_meant(schedule: Schedule) -> set[Key]:
    """Accounts that were changed, and that no wildcard stands for: no pattern here has a host without one."""
    params, table = schedule.params, schedule.server.others.table
    if params.get("user"):
        return set()
    local = {key for key in table if key[1] in ("localhost", "127.0.0.1") and not params["include_local"]}
    by_socket = {key for key, entry in table.items() if entry.plugin in ("auth_socket", "unix_socket")}
    named = {key for key in table if key[0] in (params.get("accounts") or ())}
    return {write.key for write in schedule.server.writes} & (local | by_socket) - named


def _ours(schedule: Schedule, outcome: Outcome, server: MemoryServer) -> list[str]:
    """What this run has left changed on a server, as sentences."""
    left = []
    touched = schedule.others.touched if server is schedule.server else {}
    back = {new: old for old, new in schedule.others.renamed.items()}
    for where, kind in (("table", "table"), ("memory", "memory")):
        ours, others = getattr(server.accounts, where), getattr(server.others, where)
        for key, entry in ours.items():
            expected = others[key].requirement if key in others else None
            allowed = {expected}
            if server is schedule.server and key in others:
                # ALTER USER writes both, so what is put back is what the server went by.
                allowed.add(_memory_before(schedule, outcome, key))
            if key in touched:
                allowed |= touched[key] | {outcome.before.get(key)}
            if kind == "memory" and key in server.others.table:
                # What somebody has written into the table, and not flushed, counts once we have written the account.
                allowed.add(server.others.table[key].requirement)
            if entry.requirement not in allowed:
                renamed = f", which was {back[key]}," if key in back else ""
                left.append(f"{key}{renamed} has {entry.requirement} in the {kind}, and not {expected}")
    return left


def _changes(schedule: Schedule, outcome: Outcome) -> dict[Key, str]:
    """What the return values say of accounts that have changed: the kind of the new requirement."""
    return {
        (account["user"], account["host"]): account["after"]
        for account in outcome.values.get("accounts", ())
        if account["before"] != account["after"]
    }


def _kind(accounts: t.Mapping[Key, Entry], key: Key) -> str:
    return accounts[key].requirement[0] if key in accounts else "gone"


def _word(schedule: Schedule, outcome: Outcome) -> list[str]:
    """2. The word is true of the server, now and after everything under way has been carried out."""
    server, word = schedule.server, outcome.word
    left = _ours(schedule, outcome, server)
    said = outcome.error.message if outcome.error else "ok"
    if word == CHECK:
        return [f"W1 check mode wrote: {server.effects}"] if server.effects else []
    if word == UNCHANGED:
        return [f"W2 'nothing was changed', and {'; '.join(left)}: {said[:300]}"] if left else []
    if word == ROLLED_BACK:
        found = [f"W3 'everything was rolled back', and {'; '.join(left)}: {said[:300]}"] if left else []
        if not server.effects and not (schedule.network.other and schedule.network.other.effects):
            found.append(f"W4 'rolled back', and nothing was ever changed: {said[:300]}")
        return found
    if word == CHANGED:
        found = []
        for key, kind in _changes(schedule, outcome).items():
            if key in schedule.others.touched:
                continue
            for where, values in (("table", server.accounts.table), ("memory", server.accounts.memory)):
                has = _kind(values, key)
                if has != kind:
                    found.append(f"W5 'changed' to {kind}, and {key} has {has} in the {where}")
        return found
    if word == LEFT:
        found = []
        for key, kind in _changes(schedule, outcome).items():
            # What counts is the server's memory, and the table is what the next FLUSH PRIVILEGES makes of it.
            now = [_kind(where, key) for where in (server.accounts.memory, server.accounts.table)]
            if key not in schedule.others.touched and kind not in now:
                found.append(f"W6 said to have {kind}, and {key} has {' and '.join(now)}: {said[:300]}")
            if key not in schedule.others.touched and "The rollback had no effect." in said:
                found.append(f"W7 {key} was left, and nobody has refused to put it back: {said[:300]}")
        return found
    return []


def _switch(schedule: Schedule, outcome: Outcome) -> list[str]:
    """3. The same for the server-wide switch."""
    server = schedule.server
    name = "require_secure_transport"
    if not server.release.has_switch or schedule.others.switched:
        return []
    now, others = server.variables[name], server.other_switch
    persisted = server.persisted.get(name), server.other_persisted.get(name)
    as_before = (now, persisted[0]) == outcome.switch_before
    if outcome.word in (UNCHANGED, ROLLED_BACK, CHECK) and not (
        as_before or (now == others and persisted[0] == persisted[1])
    ):
        return [f"S1 '{outcome.word}', and the switch is {now} ({persisted[0]}), not {others} ({persisted[1]})"]
    told = outcome.values.get(name)
    restarted = any(kind in (network.RESTART_BEFORE, network.RESTART_AFTER) for _n, kind in schedule.network.happened)
    if outcome.word != CHANGED or not told or told["before"] == told["after"] or restarted:
        return []
    return [] if now == ("ON" if told["after"] else "OFF") else [f"S2 'changed', and the switch is {now}"]


def _unknown(schedule: Schedule, outcome: Outcome) -> list[str]:
    """4. ``state_unknown`` is said only where something happened after which nobody can know.

    That is: after the first statement that writes was sent, a connection was lost, a login failed, or something took
    too long; or at any time the server was restarted, the endpoint led to another server, or another administrator
    ended a session of this run, made the server read-only, or took its login from it; or when an account that was to
    change is gone, perhaps only renamed.
    """
    if outcome.word != UNKNOWN:
        return []
    world = schedule.network
    first = world.first_write
    if first is None:
        return ["U1 'state unknown', and nothing that writes was ever sent"]
    if schedule.others.disruptive or not world.numbers_are_the_servers:
        return []
    wanted = _wanted(schedule)
    for key, made in schedule.others.touched.items():
        known = {outcome.before.get(key, wanted), outcome.memory_before.get(key, wanted)}
        if None in made and (known | made) - {None, wanted}:
            return []  # It may live on under another name, with what was written.
    for number, kind in world.happened:
        if kind in LASTING or (kind in LOSSY and number >= first):
            return []
    return [f"U2 'state unknown' without a reason: {outcome.error.message[:400]}"]


def _another_server(schedule: Schedule, outcome: Outcome) -> list[str]:
    """5. Another server behind the endpoint: nothing is left changed on it either, unless that is said."""
    found = []
    for server in (schedule.network.server, schedule.network.other):
        if server is None or server is schedule.server or outcome.word == UNKNOWN:
            continue
        left = _ours(schedule, outcome, server)
        if left:
            found.append(f"B1 '{outcome.word}', and on the other server {'; '.join(left)}")
    if outcome.word == CHANGED and outcome.values.get("verified") and schedule.server is not schedule.network.server:
        moved = [number for number, kind in schedule.network.happened if kind.startswith("the endpoint")]
        logins = [
            number for number, text in enumerate(schedule.network.exchanges) if text.startswith("login") and
            number >= min(moved, default=0)
        ]  # fmt: skip
        if logins and min(moved) < len(schedule.network.exchanges) - 1:
            found.append("B2 'verified' by logins to another server")
    return found


def _record(schedule: Schedule, outcome: Outcome) -> list[str]:
    """6. The record says what was there, and what has become of it."""
    record = outcome.record
    if record is None:
        changed = _changes(schedule, outcome).items()
        # Where the server went by it all the time, and only the table is written, there is nothing to restore.
        only_table = changed and all(_kind_before(schedule, outcome, key) == kind for key, kind in changed)
        if outcome.word in (CHANGED, LEFT, UNKNOWN) and schedule.params.get("rollback_file") and not only_table:
            return [f"F1 '{outcome.word}', and no record"]
        return []
    states = {CHANGED: ("made",), ROLLED_BACK: ("undone",), UNCHANGED: ("undone",), LEFT: ("begun",)}
    states[UNKNOWN] = ("begun",)
    found = []
    if record["state"] not in states[outcome.word]:
        found.append(f"F2 '{outcome.word}', and the record is {record['state']}")
    for entry in record["accounts"]:
        key = (entry["user"], entry["host"])
        touched = schedule.others.touched.get(key, set())
        known = {outcome.before.get(key), _memory_before(schedule, outcome, key)} | touched
        if _requirement(entry["before"]) not in known:
            found.append(f"F3 the record says that {key} had {entry['before']}")
        # A stronger one that only memory had is written into the table.
        if _requirement(entry["after"]) not in (_wanted(schedule), _memory_before(schedule, outcome, key)):
            found.append(f"F4 the record says that {key} was to have {entry['after']}")
    return found


def _answers(schedule: Schedule, outcome: Outcome) -> list[str]:
    """7. No answer to an authentication challenge outside verified TLS, where the server is to be verified."""
    params = schedule.params
    if not params.get("ca_cert") or params.get("ssl_mode") or params["login_unix_socket"]:
        return []
    out = [login for login in schedule.network.logins if login.answered and not (login.verified or login.over_socket)]
    return [f"N1 an answer left outside verified TLS: {out[0]}"] if out else []


def _secrets(schedule: Schedule, outcome: Outcome) -> list[str]:
    """8. Neither a password nor its hash in anything that is returned, said or kept."""
    told = json.dumps(outcome.values, default=str) + json.dumps(outcome.record)
    told += outcome.error.message if outcome.error else ""
    return [f"P1 {secret} is in what is returned or kept" for secret in ("HASH-OF", "pw-") if secret in told]


def _admin(schedule: Schedule, outcome: Outcome) -> list[str]:
    """9. The login still gets in, and each of ``verify`` does where the task succeeded."""
    found = []
    logins = [(schedule.params["login_user"], schedule.params["login_password"])]
    if outcome.error is None:
        logins += [(login["user"], login["password"]) for login in schedule.params.get("verify", ())]
    for user, password in logins:
        if not _gets_in(schedule, user, password) and all(
            _gets_in(schedule, user, password, as_others=True, flushed=flushed)
            for flushed in sorted({False, schedule.server.our_flush})
        ):
            found.append(f"L1 {user} does not get in any more ({outcome.word})")
    return found


def _gets_in(schedule: Schedule, user: str, password: str, *, as_others: bool = False, flushed: bool = False) -> bool:
    """With TLS where the server offers it, in the way that the options allow."""
    server, params = schedule.server, schedule.params
    over_socket = params["login_unix_socket"]
    host = "localhost" if over_socket else "10.0.0.5:1"
    transport = "SSL/TLS" if server.offers_tls else "Socket" if over_socket else "TCP/IP"
    certificate = schedule.network.certificate if transport == "SSL/TLS" else None
    kept = server.accounts, server.variables.get("require_secure_transport")
    try:
        if as_others:
            # What somebody else had written into the table, our FLUSH PRIVILEGES has made the server go by.
            server.accounts = server.others.copy()
            if flushed:
                server.accounts.flush()
            if kept[1] is not None:
                server.variables["require_secure_transport"] = str(server.other_switch)
        server.end(server.log_in(user, password, host, transport, certificate, author="a look"))
    except ServerError:
        return False
    finally:
        server.accounts = kept[0]
        if kept[1] is not None:
            server.variables["require_secure_transport"] = kept[1]
    return True


def _clients(schedule: Schedule, outcome: Outcome) -> list[str]:
    """10. Nobody who was connected without TLS all the time is locked out unless that was allowed, or is said.

    Over a Unix socket neither, which a requirement refuses as well; nor where the server does not tell who uses TLS,
    nor a user who goes on as one of the accounts by GRANT PROXY, whose requirement is the one that counts on MySQL.
    Where it is allowed, clients stop nothing, and neither do clients that are not there.
    """
    policy = schedule.params["plaintext_sessions"]
    found = []
    refused = outcome.error is not None and any(text in outcome.error.message for text in _REFUSALS)
    if refused and policy in ("warn", "allow"):
        found.append(f"C2 '{policy}', and clients stopped it: {outcome.error.message[:300]}")
    if refused and not _anybody(schedule, outcome):
        found.append(f"C3 nobody is connected, and clients stopped it: {outcome.error.message[:300]}")
    tightens = outcome.word == CHANGED and schedule.params.get("ssl_type") != "none" and _changes(schedule, outcome)
    if tightens and schedule.server.replicas and model.REPLICATION_SLAVE in outcome.grants:
        told = any("replica with server_id 2" in warning for warning in outcome.values["warnings"])
        if policy in ("fail", "kill") or (policy == "warn" and not told):
            found.append(f"C5 '{policy}', and clients of a replica were not looked for")
    if outcome.word == CHANGED and policy in ("fail", "kill", "warn"):
        for client, sentence in _locked_out(schedule, outcome):
            warnings = [warning for warning in outcome.values["warnings"] if "clients" in warning.lower()]
            if policy != "warn":
                found.append(f"C1 {sentence}")
            elif not any(f"{client.user} from" in text or "could not be detected." in text for text in warnings):
                found.append(f"C4 {sentence}, of which nothing is said: {warnings}")
    return found


_REFUSALS = ("without TLS and would be unable to reconnect", "clients without TLS could be locked out")


def _anybody(schedule: Schedule, outcome: Outcome) -> bool:
    """Whether there may be a session of anybody else, or this login may not see any."""
    # A lost session of this run is somebody else's to the next one.
    lost = any(kind in LOSSY for _number, kind in schedule.network.happened)
    return bool(schedule.clients) or lost or 4 in schedule.server.sessions or model.PROCESS not in outcome.grants


def _locked_out(schedule: Schedule, outcome: Outcome) -> t.Iterator[tuple[model.ServerSession, str]]:
    """Clients that were there all the time, and could not log in again, with a sentence about each."""
    server = schedule.server
    told = server.release.has_connection_type and server.variables["performance_schema"] == "ON"
    sees = told and model.SELECT_THREADS in outcome.grants
    for client in schedule.clients:
        if client.transport == "SSL/TLS":  # No server tells whether it has a certificate.
            continue
        key = client.account if server.release.mariadb else server.proxies.get(client.account, client.account)
        entry, expected = server.accounts.memory.get(key), server.others.memory.get(key)
        if client.gone or client.killed or key in schedule.others.touched or not entry or not expected:
            continue
        before, after = (meets(one.requirement, client.transport, None) for one in (expected, entry))
        if before and not after:
            how = "seen" if sees else "not seen"
            how += ", by GRANT PROXY" if key != client.account else ""
            yield client, f"{client.account} is connected by {client.transport} ({how}), and would not get in again"


def _time(schedule: Schedule, outcome: Outcome) -> list[str]:
    """11. It comes to its end: four times ``connect_timeout``, and as much again to put everything back."""
    most = 8 * schedule.params["connect_timeout"] + 2
    return [f"T1 took {outcome.seconds:.1f} seconds, more than {most}"] if outcome.seconds > most else []
