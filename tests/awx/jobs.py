# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs by ansible-runner, with the private data directory that AWX makes for it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .data import COLLECTION, CREDENTIAL_TYPE, TEMPLATES
from .rules import answers, inject

_SECONDS = 900


class _Unsafe(str):
    """Text that Ansible does not take for a template, as AWX marks all variables that come from users."""


class _Dumper(yaml.SafeDumper):
    """Writes that mark."""


_Dumper.add_representer(_Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value)))


def _marked(value: Any) -> Any:
    """As AWX's safe_dump does it: every text at any depth, names included."""
    if isinstance(value, str):
        return _Unsafe(value)
    if isinstance(value, dict):
        return {_marked(name): _marked(item) for name, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Finished:
    """A job that has ended: its status, its events, all that AWX would keep of it."""

    status: str
    events: list[dict[str, Any]]
    output: str

    @property
    def artifacts(self) -> dict[str, Any]:
        """What set_stats has published, as AWX takes it from the event at the end."""
        found = [event.get("event_data", {}).get("artifact_data") for event in self.events]
        (data,) = [data for data in found if data] or [{}]
        assert isinstance(data, dict)
        return data

    def results(self, task: str) -> dict[str, dict[str, Any]]:
        """By host, what a task returned."""
        return {
            event["event_data"]["host"]: event["event_data"]["res"]
            for event in self.events
            if event["event"] in ("runner_on_ok", "runner_on_failed") and event["event_data"]["task"] == task
        }


@dataclass
class Jobs:
    """Runs jobs one after the other, each in a directory of its own."""

    directory: Path
    inventory: dict[str, dict[str, Any]]
    variables: dict[str, Any]
    login: dict[str, str]
    number: int = 0
    checks_secrets: bool = True

    def template(self, job: str) -> dict[str, Any]:
        """The job template of this name, or of a playbook."""
        if job in TEMPLATES:
            return TEMPLATES[job]
        playbook = {"playbooks/enforce.yml": "Enforce"}.get(job)
        found = [each for each in TEMPLATES.values() if each["playbook"] == job]
        return TEMPLATES[playbook] if playbook else found[0] if found else {"job_type": "run", "playbook": job}

    def run(
        self,
        job: str,
        given: dict[str, Any] | None = None,
        *,
        job_type: str | None = None,
        hosts: slice = slice(None),
        limit: str | None = None,
        extra: dict[str, Any] | None = None,
        template_vars: dict[str, Any] | None = None,
        project: dict[str, str] | None = None,
    ) -> Finished:
        """Launch the template of this name or playbook: with these answers to its survey, on a slice of the inventory.

        ``extra`` are variables given at the launch, ``template_vars`` those of the template, in which AWX lets
        templates of Ansible be. ``project``: more playbooks; one that is called like the job's takes its place.
        """
        self.number += 1
        data = self.directory / f"awx_{self.number}"
        for name in ("env", "inventory", "artifacts"):
            (data / name).mkdir(parents=True, mode=0o700)
        for directory in ("playbooks", "awx/playbooks"):
            shutil.copytree(COLLECTION / directory, data / "project" / directory)
        for name, text in (project or {}).items():
            (data / "project" / name).write_text(text)
        template = self.template(job)
        playbook = template["playbook"]
        asked = answers(template["survey_spec"], given or {}) if "survey_spec" in template else {}
        told = {**asked, **(extra or {}), "awx_job_id": self.number}
        own = {**template.get("extra_vars", {}), **(template_vars or {})}
        unsafe = {_marked(name): _marked(value) for name, value in told.items()}
        _write_yaml(data / "env" / "extravars", {**{name: own[name] for name in own.keys() - told.keys()}, **unsafe})
        injected = inject(CREDENTIAL_TYPE, self.login, data / "env")
        _write_yaml(data / "env" / "credential", {name: _marked(value) for name, value in injected.extra_vars.items()})
        path = data / "env" / "envvars"
        path.touch(mode=0o600)
        path.write_text(json.dumps(injected.env))
        arguments = ["-u", "root", "-e", f"@{data / 'env' / 'credential'}"]
        if (job_type or template["job_type"]) == "check":
            arguments.append("--check")
        if template.get("diff_mode"):
            arguments.append("--diff")
        # AWX ignores a limit that the template does not ask for.
        if limit and template.get("ask_limit_on_launch", True):
            arguments += ["-l", limit]
        (data / "env" / "cmdline").write_text(shlex.join(arguments))
        (data / "env" / "settings").write_text(json.dumps({"suppress_ansible_output": True, "job_timeout": _SECONDS}))
        self._write_inventory(data / "inventory" / "hosts", hosts)
        name = Path(playbook).name
        return self._finish(data, name if name in (project or {}) else playbook)

    def _write_inventory(self, path: Path, hosts: slice) -> None:
        chosen = {name: self.inventory[name] for name in sorted(self.inventory)[hosts]}
        script = {
            "all": {"hosts": list(chosen), "vars": self.variables, "children": []},
            "_meta": {"hostvars": chosen},
        }
        path.write_text(f"#! /usr/bin/env python3\nprint({json.dumps(json.dumps(script))})\n")
        path.chmod(0o700)

    def _finish(self, data: Path, playbook: str) -> Finished:
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        bin_directory = Path(sys.executable).parent
        settings = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        settings.update(
            ANSIBLE_COLLECTIONS_PATH=os.environ["ANSIBLE_COLLECTIONS_PATH"],
            # What is off by default from ansible-core 2.21 on; on, it is one more place where a password could show.
            ANSIBLE_INJECT_INVOCATION="1",
            HOME=str(home),
            AWX_HOST="https://awx.example.org",
            PATH=os.pathsep.join([str(bin_directory), os.environ["PATH"]]),
        )
        done = subprocess.run(
            [str(bin_directory / "ansible-runner"), "run", str(data), "-p", playbook, "--ident", str(self.number)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env=settings,
        )
        kept = data / "artifacts" / str(self.number)
        assert kept.is_dir(), done.stdout + done.stderr
        everything = done.stdout + done.stderr + "".join(_texts(kept))
        for name in ("login_password", "client_key") if self.checks_secrets else ():
            for line in self.login.get(name, "").splitlines():
                assert line not in everything
                assert json.dumps(line)[1:-1] not in everything
        assert "Traceback" not in everything
        events = [json.loads(path.read_text("utf-8")) for path in (kept / "job_events").glob("*.json")]
        events.sort(key=lambda event: int(event["counter"]))
        return Finished((kept / "status").read_text("utf-8"), events, (kept / "stdout").read_text("utf-8"))


def _texts(directory: Path) -> Iterator[str]:
    """What AWX keeps: not the file in which ansible-runner notes its environment, of which AWX hides each secret."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != "command":
            yield path.read_text("utf-8", errors="replace")


def _write_yaml(path: Path, values: dict[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(yaml.dump(values, Dumper=_Dumper))
