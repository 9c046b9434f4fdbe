# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on loopback that speaks as much of AWX's REST API as the modules of awx.awx use for a setup.

It is no AWX: it keeps objects, answers queries, and refuses what AWX refuses of credential types, surveys, job
templates, schedules and launches by the rules in rules.py. What the modules send is what a real AWX would get.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .rules import Forbidden, Rejected, answers, check_injectors, check_inputs, check_survey

TOKEN = "t0ken-of-a-test"
USER, PASSWORD = "admin", "l0gin-of-a-test"
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
_ASSOCIATIONS = {
    "credentials",
    "instance_groups",
    "success_nodes",
    "failure_nodes",
    "always_nodes",
    "notification_templates_error",
    "notification_templates_approvals",
}
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
    administrator: bool = True
    synchronizes: bool = True
    """Whether a project can be synchronized: its repository can be reached."""
    execute: Callable[[Item, Item], str] = lambda _template, _extra_vars: "successful"
    """Runs a job of this template with these extra variables, and returns its status."""
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
            "related": {
                **{name: f"{url}{name}/" for name in ("survey_spec", "update", "launch")},
                **{name: f"{url}{name}/" for name in _ASSOCIATIONS},
            },
            "summary_fields": {},
            "scm_revision": "",
        }
        if kind == "job_templates":
            item.setdefault("ask_variables_on_launch", False)
        if kind == "schedules":
            item.setdefault("enabled", True)
        if kind == "credentials":
            types = {each["id"]: each for each in self.items.get("credential_types", ())}
            item["kind"] = types.get(item.get("credential_type"), {}).get("kind", "cloud")
        self.items.setdefault(kind, []).append(item)
        if kind == "projects":
            self.synchronize(item)
        return item

    def synchronize(self, project: Item) -> Item:
        """Do it at once, where a real AWX would need a moment."""
        project["status"] = "successful" if self.synchronizes else "failed"
        return self.add(
            "project_updates",
            {
                "project": project["id"],
                "name": project["name"],
                "status": project["status"],
                "failed": not self.synchronizes,
                "finished": "2026-01-01T00:00:00Z",
                "job_explanation": "",
            },
        )

    def remove(self, kind: str, item: Item) -> None:
        """Without what refers to it."""
        self.items[kind].remove(item)
        self.associations = {
            (number, name): [each for each in others if each != item["id"]]
            for (number, name), others in self.associations.items()
            if number != item["id"]
        }

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
        either = {name.removeprefix("or__"): value for name, value in wanted.items() if name.startswith("or__")}
        every = {name: value for name, value in wanted.items() if not name.startswith("or__") and name != "page_size"}
        return [
            item
            for kind in kinds
            for item in self.items.get(kind, [])
            if all(str(item.get(name)) == value for name, value in every.items())
            and (not either or any(str(item.get(name)) == value for name, value in either.items()))
        ]

    def launch(self, template: Item, given: Item) -> Item:
        """The extra variables of a job that is launched through the API."""
        extra = json.loads(template.get("extra_vars") or "{}")
        return {**extra, **answers(self._survey(template), given)}

    def _survey(self, template: Item) -> Item:
        survey = self.surveys.get(template["id"]) if template.get("survey_enabled") else None
        return survey or {"spec": []}

    def rejected_nodes(self, workflow: Item) -> list[int]:
        """The nodes that AWX calls ``node_prompts_rejected``: what they pass on is not what their templates ask for."""
        rejected = []
        for node in self.items.get("workflow_job_template_nodes", ()):
            if node["workflow_job_template"] != workflow["id"]:
                continue
            try:
                answers(self._survey(self.find(node["unified_job_template"])), node.get("extra_data") or {})
            except Rejected:
                rejected.append(node["id"])
        return rejected

    def check(self, kind: str, values: Item, changed: Item | None = None) -> None:
        """What AWX thinks of an object as it would be, of which ``changed`` is new.

        :raises Forbidden: where AWX answers 403.
        :raises Rejected: where AWX answers 400.
        """
        if kind == "credential_types":
            if not self.administrator:
                raise Forbidden("You do not have permission to perform this action.")
            in_use = any(each.get("credential_type") == values.get("id") for each in self.items.get("credentials", ()))
            if in_use and "inputs" in (changed or {}) and self._differs(values["id"], changed):
                raise Forbidden("Modifications to inputs are not allowed for credential types that are in use")
        same = [
            item
            for item in self.items.get(kind, ())
            if item.get("id") != values.get("id")
            and (item.get("name"), item.get("organization")) == (values.get("name"), values.get("organization"))
        ]
        if same and kind not in ("workflow_job_template_nodes", "workflow_approval_templates", "schedules"):
            raise Rejected(f"{kind} with this name and organization already exists.")
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
        if kind == "job_templates":
            seen = self.playbooks if self.find(values["project"])["status"] == "successful" else frozenset()
            if values["playbook"] not in seen:
                raise Rejected(f"Playbook not found for project: {values['playbook']}")
        if kind == "schedules" and not _RULE.match(values["rrule"]):
            raise Rejected(f"no valid rule: {values['rrule']}")
        extra = values.get("extra_data") or {}
        if extra and kind in ("schedules", "workflow_job_template_nodes"):
            survey = self.surveys.get(values["unified_job_template"], {"spec": []})
            unknown = set(extra) - {question["variable"] for question in survey["spec"]}
            if unknown:
                raise Rejected(f"Variables {unknown} are not allowed on launch")

    def check_credential(self, template: Item, added: Item) -> None:
        """:raises Rejected: where the template has one of this type. Vaults have a type of their own for each name."""
        kinds = [each.get("credential_type") for each in self.associated(template, "credentials")]
        if added.get("credential_type") in kinds and added["kind"] != "vault":
            raise Rejected("Cannot assign multiple credentials of one type.")

    def _differs(self, number: int, changed: Item | None) -> bool:
        return bool(changed) and self.find(number)["inputs"] != (changed or {})["inputs"]


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
            basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if path == ("tokens",) and self.headers.get("Authorization") == basic:
                self._answer(201, {"id": 1, "token": TOKEN})
                return
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer(401, {"detail": "Authentication credentials were not provided."})
                return
            if self.command in ("POST", "PATCH"):
                self.store.writes.append(f"{self.command} {url.path}")
            try:
                self._answer(*self._handle(path, dict(parse_qsl(url.query)), values))
            except Forbidden as e:
                self._answer(403, {"detail": str(e)})
            except Rejected as e:
                self._answer(400, {"error": str(e), "__all__": [str(e)]})

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815  named by http.server

    def _handle(self, path: tuple[str, ...], query: dict[str, str], values: Item) -> tuple[int, Any]:
        store = self.store
        if path[0] == "tokens":
            return 204, None
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
                store.check(path[0], {**item, **values}, values)
                item.update(self._hidden(path[0], values))
            if self.command == "DELETE":
                store.remove(path[0], item)
                return 204, None
            return 200, item
        return self._related(item, path[2], values)

    def _related(self, item: Item, name: str, values: Item) -> tuple[int, Any]:
        store = self.store
        if name == "survey_spec":
            if self.command == "POST":
                check_survey(values)
                store.surveys[item["id"]] = values
            return 200, store.surveys.get(item["id"], {})
        if name == "update":
            return 202, store.synchronize(item)
        if name == "launch":
            if self.command == "GET":
                return 200, {"node_prompts_rejected": store.rejected_nodes(item), "node_templates_missing": []}
            try:
                extra_vars = store.launch(item, values.get("extra_vars") or {})
            except Rejected as e:
                return 400, {"variables_needed_to_start": [str(e)]}
            status = store.execute(item, extra_vars)
            job = store.add(
                "jobs",
                {
                    "name": item["name"],
                    "extra_vars": json.dumps(extra_vars),
                    "status": status,
                    "failed": status != "successful",
                    "finished": "2026-01-01T00:00:00Z",
                    "job_explanation": "",
                },
            )
            return 201, {**job, "job": job["id"], "ignored_fields": {}}
        if name == "create_approval_template":
            own = {key: value for key, value in values.items() if key in {"name", "description", "timeout"}}
            approval = store.add("workflow_approval_templates", own)
            item["unified_job_template"] = approval["id"]
            item["related"]["unified_job_template"] = approval["url"]
            return 201, approval
        assert name in _ASSOCIATIONS, name
        if self.command == "POST":
            there = store.associations.setdefault((item["id"], name), [])
            if values.get("disassociate"):
                there.remove(values["id"])
            else:
                added = store.find(values["id"])
                if name == "credentials":
                    store.check_credential(item, added)
                there.append(added["id"])
            return 204, None
        return 200, _page(store.associated(item, name))

    def _hidden(self, kind: str, values: Item) -> Item:
        """What AWX tells of a credential afterwards."""
        if kind != "credentials":
            return values
        fields = self.store.find(values["credential_type"])["inputs"]["fields"]
        secret = {entry["id"] for entry in fields if entry.get("secret")}
        if "inputs" not in values:
            return values
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
