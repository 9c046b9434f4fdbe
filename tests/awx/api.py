# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on loopback that speaks as much of AWX's REST API as the modules of awx.awx use for a setup.

It is no AWX: it keeps objects, answers queries, and refuses what AWX refuses of credential types, surveys, job
templates and schedules by the rules in rules.py. What the modules send is what a real AWX would get.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .rules import Rejected, check_injectors, check_inputs, check_survey

TOKEN = "t0ken-of-a-test"
_TEMPLATES = ("projects", "job_templates", "workflow_job_templates", "workflow_approval_templates")
_REQUIRED = {
    "credential_types": {"name", "kind", "inputs", "injectors"},
    "credentials": {"name", "credential_type", "organization"},
    "execution_environments": {"name", "image"},
    "projects": {"name", "organization", "scm_type", "scm_url"},
    "job_templates": {"name", "job_type", "inventory", "project", "playbook"},
    "workflow_job_templates": {"name"},
    "workflow_job_template_nodes": {"workflow_job_template", "identifier"},
    "workflow_approval_templates": {"name"},
    "schedules": {"name", "rrule", "unified_job_template"},
}
_ASSOCIATIONS = {"credentials", "success_nodes", "failure_nodes", "always_nodes"}
_RULE = re.compile(r"DTSTART(;TZID=[^:\s]+)?:\d{8}T\d{6}Z?\s+RRULE:FREQ=\w+;INTERVAL=\d+(;[A-Z]+=[^;\s]+)*$")

Item = dict[str, Any]


@dataclass
class Store:
    """What an AWX holds."""

    playbooks: frozenset[str]
    items: dict[str, list[Item]] = field(default_factory=dict)
    surveys: dict[int, Item] = field(default_factory=dict)
    associations: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    _last: int = 0

    def add(self, kind: str, values: Item) -> Item:
        """A new object, with what AWX says of one."""
        self._last += 1
        url = f"/api/v2/{kind}/{self._last}/"
        item = {
            **values,
            "id": self._last,
            "type": kind[:-1],
            "url": url,
            "related": {"survey_spec": f"{url}survey_spec/"},
            "summary_fields": {},
            "scm_revision": "",
        }
        self.items.setdefault(kind, []).append(item)
        return item

    def find(self, number: int) -> Item:
        """The object with this number."""
        return next(item for kind in self.items.values() for item in kind if item["id"] == number)

    def named(self, kind: str, name: str) -> Item:
        """The one object of this name."""
        (item,) = [item for item in self.items.get(kind, ()) if item["name"] == name]
        return item

    def associated(self, item: Item, name: str) -> list[Item]:
        """The objects that one has an association with."""
        return [self.find(number) for number in self.associations.get((item["id"], name), [])]

    def query(self, kind: str, wanted: dict[str, str]) -> list[Item]:
        """The objects that have these values."""
        kinds = _TEMPLATES if kind == "unified_job_templates" else (kind,)
        return [
            item
            for kind in kinds
            for item in self.items.get(kind, [])
            if all(str(item.get(name)) == value for name, value in wanted.items() if name != "page_size")
        ]

    def check(self, kind: str, values: Item) -> None:
        """:raises Rejected: where AWX answers 400."""
        missing = {name for name in _REQUIRED[kind] if values.get(name) in (None, "")}
        if missing:
            raise Rejected(f"required: {missing}")
        if kind == "credential_types":
            check_inputs(values["inputs"])
            check_injectors(values["injectors"], values["inputs"])
        if kind == "credentials":
            inputs = self.find(values["credential_type"])["inputs"]
            if set(inputs["required"]) - set(values["inputs"]):
                raise Rejected("an input is missing")
            if set(values["inputs"]) - {entry["id"] for entry in inputs["fields"]}:
                raise Rejected("an input is not of this type")
        if kind == "job_templates" and values["playbook"] not in self.playbooks:
            raise Rejected(f"Playbook not found for project: {values['playbook']}")
        if kind == "schedules" and not _RULE.match(values["rrule"]):
            raise Rejected(f"no valid rule: {values['rrule']}")
        extra = values.get("extra_data") or {}
        if extra and kind in ("schedules", "workflow_job_template_nodes"):
            survey = self.surveys.get(values["unified_job_template"], {"spec": []})
            unknown = set(extra) - {question["variable"] for question in survey["spec"]}
            if unknown:
                raise Rejected(f"Variables {unknown} are not allowed on launch")


class _Handler(BaseHTTPRequestHandler):
    store: Store
    lock: threading.Lock

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  named by http.server
        """Nothing on the terminal."""

    def _answer(self, status: int, body: Any = None) -> None:
        data = json.dumps(body if body is not None else {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Length", str(0 if status == 204 else len(data)))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        values = json.loads(body) if body else {}
        path = tuple(url.path.removeprefix("/api/v2/").strip("/").split("/"))
        with self.lock:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer(401)
                return
            if self.command in ("POST", "PATCH"):
                self.store.writes.append(f"{self.command} {url.path}")
            try:
                self._answer(*self._handle(path, dict(parse_qsl(url.query)), values))
            except Rejected as e:
                self._answer(400, {"error": str(e), "__all__": [str(e)]})

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815  named by http.server

    def _handle(self, path: tuple[str, ...], query: dict[str, str], values: Item) -> tuple[int, Any]:
        store = self.store
        if len(path) == 1:
            if self.command == "POST":
                store.check(path[0], values)
                return 201, store.add(path[0], self._hidden(path[0], values))
            return 200, _page(store.query(path[0], query))
        item = store.find(int(path[1]))
        if len(path) == 2:
            if self.command == "PATCH":
                known = set(item) | _REQUIRED[path[0]]
                if path[0] == "workflow_approval_templates":
                    # Those of the node are not its own.
                    values = {name: value for name, value in values.items() if name in {*known, "timeout"}}
                store.check(path[0], {**item, **values})
                item.update(self._hidden(path[0], values))
            return 200, item
        return self._related(item, path[2], values)

    def _related(self, item: Item, name: str, values: Item) -> tuple[int, Any]:
        store = self.store
        if name == "survey_spec":
            if self.command == "POST":
                check_survey(values)
                store.surveys[item["id"]] = values
            return 200, store.surveys.get(item["id"], {})
        if name == "create_approval_template":
            own = {key: value for key, value in values.items() if key in {"name", "description", "timeout"}}
            approval = store.add("workflow_approval_templates", own)
            item["unified_job_template"] = approval["id"]
            item["related"]["unified_job_template"] = approval["url"]
            return 201, approval
        assert name in _ASSOCIATIONS, name
        there = store.associations.setdefault((item["id"], name), [])
        if self.command == "POST":
            if values.get("disassociate"):
                there.remove(values["id"])
            else:
                there.append(store.find(values["id"])["id"])
            return 204, None
        return 200, _page([store.find(number) for number in there])

    def _hidden(self, kind: str, values: Item) -> Item:
        """What AWX tells of a credential afterwards."""
        if kind != "credentials":
            return values
        fields = self.store.find(values["credential_type"])["inputs"]["fields"]
        secret = {entry["id"] for entry in fields if entry.get("secret")}
        self.store.passwords.append(values["inputs"]["login_password"])
        inputs = {name: "$encrypted$" if name in secret else value for name, value in values["inputs"].items()}
        return {**values, "inputs": inputs}


def _page(items: list[Item]) -> Item:
    return {"count": len(items), "next": None, "previous": None, "results": items}


class Awx:
    """The server, while the ``with`` block lasts."""

    def __init__(self, playbooks: frozenset[str]) -> None:
        self.store = Store(playbooks)
        handler = type("Handler", (_Handler,), {"store": self.store, "lock": threading.Lock()})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Awx:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
