# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook that brings the CA bundle to application hosts, once over a real SSH connection."""

from __future__ import annotations

import gzip
import hashlib
import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.servers import Mirror, Pki, ServerUnavailable

from .plays import Ansible, Run
from .sshd import sshd

PASSPHRASE = "pass!phrase-of-a-test"
Bundle = Callable[..., Run]


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    """Ansible, in a directory of its own."""
    made = Ansible(tmp_path)
    made.secrets = [PASSPHRASE]
    return made


@pytest.fixture
def host(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A host that is reached over SSH."""
    directory = tmp_path / "ssh"
    directory.mkdir()
    try:
        with sshd(directory) as variables:
            yield {**variables, "ansible_python_interpreter": sys.executable}
    except ServerUnavailable as e:
        pytest.skip(str(e))  # which says what cannot be had on this machine


@pytest.fixture
def bundle(ansible: Ansible, mirror: Mirror, pki: Pki, tmp_path: Path) -> Bundle:
    """Runs the playbook on two names of this machine."""
    dest = tmp_path / "application"
    dest.mkdir()
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "mysql_tls_region": "eu-central-1",
        "mysql_tls_base_url": mirror.url,
        "mysql_tls_ca_path": str(pki.bundle),
        "mysql_tls_bundle_dest": f"{dest}/{{{{ inventory_hostname }}}}.pem",
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"app1": {}, "app2": {}}, "vars": variables}}))

    def run(*arguments: str, **extra: Any) -> Run:
        command = ("ansible-playbook", "-i", str(inventory), "dbtls.rds_mysql.bundle", "-vvv")
        return ansible.run(*command, "-e", json.dumps(extra), *arguments)

    return run


@pytest.fixture
def bundle_over_ssh(bundle: Bundle, host: dict[str, Any]) -> Bundle:
    """The same over SSH."""
    return lambda *arguments, **extra: bundle(*arguments, **host, **extra)


def changed(run: Run) -> list[int]:
    return [run.recap()[name]["changed"] for name in ("app1", "app2")]


def test_install_and_reload(bundle_over_ssh: Bundle, mirror: Mirror, pki: Pki, tmp_path: Path) -> None:
    """Fetched once, copied to each, reloaded where it has changed and nowhere else."""
    bundle = bundle_over_ssh
    dest, marks = tmp_path / "application", tmp_path / "marks"
    tasks = tmp_path / "reload.yml"
    mark = {"ansible.builtin.lineinfile": {"path": str(marks), "line": "{{ inventory_hostname }}", "create": True}}
    tasks.write_text(json.dumps([{**mark, "name": "Mark", "throttle": 1}]))
    options = {"mysql_tls_reload_tasks": str(tasks), "mysql_tls_bundle_mode": "0640"}
    promised = bundle("--check", "--diff", **options).ok()
    assert not list(dest.iterdir())
    assert not marks.exists()
    assert min(changed(promised)) >= 1
    done = bundle(**options).ok()
    assert "ESTABLISH SSH CONNECTION" in done.output
    paths = [dest / "app1.pem", dest / "app2.pem"]
    for path in paths:
        assert path.read_bytes() == pki.bundle.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(marks.read_text().split()) == ["app1", "app2"]
    assert {request.path for request in mirror.requests} == {"/eu-central-1/eu-central-1-bundle.pem"}
    assert len(mirror.requests) == 2  # one each run
    marks.unlink()
    assert changed(bundle(**options).ok()) == [0, 0]
    assert not marks.exists()

    paths[0].write_text("old\n")
    bundle(**options, mysql_tls_bundle_backup=True).ok()
    assert marks.read_text().split() == ["app1"]
    (backup,) = dest.glob("app1.pem.*")
    assert backup.read_text() == "old\n"
    # Which host has which bundle is remembered, and nothing of the rehearsal.
    files = sorted((tmp_path / "home" / ".local" / "state" / "dbtls-rds-mysql" / "history").iterdir())
    assert len(files) == 3
    _header, *lines = (json.loads(line) for line in gzip.decompress(files[-1].read_bytes()).splitlines())
    assert {(line["name"], line["sha256"]) for line in lines} == {
        (f"{path.stem} {path}", hashlib.sha256(pki.bundle.read_bytes()).hexdigest()) for path in paths
    }


def test_services_are_reloaded_only_after_a_change(bundle: Bundle) -> None:
    """There is no service of that name, which shows that somebody asks for it."""
    options = {"mysql_tls_reload_services": ["dbtls-no-such-service"]}
    first = bundle(**options)
    assert first.status != 0
    assert "Reload services" in first.output
    assert "dbtls-no-such-service" in first.output
    assert "Reload services" not in bundle(**options).ok().output


def test_where_it_goes_has_to_be_said(bundle: Bundle, mirror: Mirror) -> None:
    """In a line, before anything is fetched, and not with all variables that there are."""
    refused = bundle(mysql_tls_bundle_dest="")
    assert refused.status == 2
    assert "mysql_tls_bundle_dest is not set for app1, app2." in refused.output
    assert "argument_spec_data" not in refused.output
    assert mirror.requests == []


def test_pkcs12(bundle: Bundle, tmp_path: Path) -> None:
    """A trust store for Java, made on the controller; the passphrase is nowhere to be seen."""
    options = {"mysql_tls_bundle_format": "pkcs12", "mysql_tls_bundle_passphrase": PASSPHRASE}
    done = bundle(**options).ok()
    assert min(changed(done)) == 1
    store = pkcs12.load_pkcs12((tmp_path / "application" / "app1.pem").read_bytes(), PASSPHRASE.encode())
    assert len(store.additional_certs) == 2
    assert changed(bundle(**options).ok()) == [0, 0]


@pytest.mark.parametrize("kind", ["pem", "pkcs12"])
def test_a_bundle_that_cannot_be_had(bundle: Bundle, mirror: Mirror, tmp_path: Path, kind: str) -> None:
    """Nothing is copied, and an old file stays."""
    old = tmp_path / "application" / "app1.pem"
    old.write_text("old\n")
    (mirror.directory / "eu-central-1" / "eu-central-1-bundle.pem").unlink()
    run = bundle(mysql_tls_bundle_format=kind, mysql_tls_bundle_passphrase=PASSPHRASE)
    assert run.status != 0
    assert "No CA bundle: " in run.output
    assert old.read_text() == "old\n"
    assert not (tmp_path / "application" / "app2.pem").exists()


def test_a_weaker_bundle_and_unknown_roots(bundle: Bundle, mirror: Mirror, tmp_path: Path) -> None:
    """Refused in the words of who has set the variables, and done once they say so."""
    source = mirror.directory / "eu-central-1" / "eu-central-1-bundle.pem"
    good = source.read_bytes()
    other = Pki(tmp_path / "other", root_name="Another Root CA", intermediate_name="Another CA", key_type="ec")
    refused = bundle(mysql_tls_bundle_unknown_roots="fail")
    assert refused.status != 0
    assert "No CA bundle: mysql_tls_bundle_unknown_roots: " in " ".join(refused.output.split())
    source.write_bytes(good + other.bundle.read_bytes())
    bundle("--limit", "app1").ok()
    source.write_bytes(good)
    kept = bundle("--limit", "app1").ok()
    assert "set mysql_tls_bundle_allow_weaker to true" in " ".join(kept.output.split())
    installed = tmp_path / "application" / "app1.pem"
    assert installed.read_bytes() == good + other.bundle.read_bytes()
    bundle("--limit", "app1", mysql_tls_bundle_allow_weaker=True).ok()
    assert installed.read_bytes() == good
