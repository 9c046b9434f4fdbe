# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs this, where, of what, and with which versions."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
import socket
import typing as t
import uuid
from importlib import metadata
from pathlib import Path

from ansible.release import __version__ as ansible_core_version
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import clean
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import model

# Tells one run of Ansible from another: the main process imports this once, and each forked one inherits it.
RUN_ID = uuid.uuid4().hex
STARTED_AT = iso8601(utc_now())


def run_of(
    variables: t.Mapping[str, t.Any],
    now: str,
    merged: int = 0,
    ca_certs: t.Iterable[str] = (),
    tls_min_version: str | None = None,
) -> model.Run:
    """This run.

    :arg variables: The task's.
    :arg now: ISO 8601.
    """
    limit = plain(variables.get("ansible_limit"))
    job = plain(variables.get("awx_job_id", variables.get("tower_job_id")))
    return model.Run(
        RUN_ID,
        now,
        collection_version(),
        ansible_core_version,
        merged=merged,
        user=_user(),
        host=clean(socket.gethostname()),
        job=None if job is None else clean(str(job)),
        inventory=_inventory(variables),
        limit=clean(str(limit)) if limit else None,
        components=tuple(_components()),
        ca_bundles=tuple(_ca_bundle(path) for path in dict.fromkeys(ca_certs)),
        tls_min_version=tls_min_version,
        started_at=STARTED_AT,
    )


def _inventory(variables: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """The sources of the inventory, or what AWX calls it, which writes all of them to the same place."""

    def of_awx(what: str) -> t.Any:
        return plain(variables.get(f"awx_inventory_{what}", variables.get(f"tower_inventory_{what}")))

    number = of_awx("id")
    if number is not None:
        return (clean(f"{of_awx('name') or 'unnamed'} (AWX inventory {number})"),)
    sources = plain(variables.get("ansible_inventory_sources")) or ()
    return tuple(clean(str(source)) for source in ([sources] if isinstance(sources, str) else sources))


def _user() -> str | None:
    try:
        return clean(getpass.getuser())
    except (KeyError, OSError):  # no name for the number, as in a container
        return None


def _components() -> t.Iterator[model.Component]:
    yield model.Component("Python", platform.python_version())
    for name in ("PyMySQL", "cryptography"):
        try:
            yield model.Component(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            continue


def _ca_bundle(path: str) -> model.CaBundle:
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return model.CaBundle(clean(path), None)
    return model.CaBundle(clean(path), digest)


def collection_version() -> str:
    """The version of this collection, from what it was installed with, or from its source."""
    root = Path(__file__).resolve().parents[2]
    manifest, source = root / "MANIFEST.json", root / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text("utf-8"))["collection_info"]["version"])
    for line in source.read_text("utf-8").splitlines() if source.is_file() else ():
        name, _colon, value = line.partition(":")
        if name == "version":
            return value.strip().strip("\"'")
    return "unknown"
