# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball: build it, look at what is in it, install it elsewhere, and find everything in it by its full name."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

from .environments import Environment
from .places import BUILD, ROOT, STAGE, say
from .running import CommandFailed, run
from .staging import source_files

_COLLECTION = "dbtls.rds_mysql"
_RELEASE = BUILD / "release"
_INSTALLED = BUILD / "installed"
_GENERATED = {"MANIFEST.json", "FILES.json"}


def build(environment: Environment) -> Path:
    """Build the tarball in build/release and return its path; it holds no file that version control does not know."""
    shutil.rmtree(_RELEASE, ignore_errors=True)
    run(environment, "ansible-galaxy", "collection", "build", STAGE, "--force", "--output-path", _RELEASE)
    (tarball,) = _RELEASE.glob("*.tar.gz")
    with tarfile.open(tarball) as archive:
        names = {member.name for member in archive.getmembers() if member.isfile()}
    known = set(source_files())
    stray = names - known - _GENERATED
    if stray:
        raise CommandFailed(f"in the tarball, but not in version control: {', '.join(sorted(stray))}")
    say(f"{tarball.name}: {len(names)} files, {tarball.stat().st_size // 1024} KiB")
    say(f"left out: {', '.join(sorted(known - names))}")
    return tarball


def check_installed(environment: Environment, tarball: Path) -> None:
    """Install the tarball on its own and let Ansible find its modules, filters, role and playbooks."""
    shutil.rmtree(_INSTALLED, ignore_errors=True)
    extra = {"ANSIBLE_COLLECTIONS_PATH": str(_INSTALLED), "PYTHONPATH": ""}
    run(environment, "ansible-galaxy", "collection", "install", tarball, "-p", _INSTALLED, "--offline", extra=extra)
    run(environment, "ansible-galaxy", "collection", "verify", "--offline", _COLLECTION, extra=extra, at=_INSTALLED)
    found = 0
    for kind, names in _documented().items():
        if not names:
            continue
        answer = run(environment, "ansible-doc", "--json", "-t", kind, *names, extra=extra, at=_INSTALLED, show=False)
        described = json.loads(answer[answer.index("{") :])
        missing = [name for name in names if name not in described or "error" in described[name]]
        if missing:
            raise CommandFailed(f"ansible-doc -t {kind} finds nothing for {', '.join(missing)}")
        found += len(names)
    for playbook in sorted(ROOT.glob("playbooks/*.yml")):
        name = f"{_COLLECTION}.{playbook.stem}"
        run(environment, "ansible-playbook", "-i", "localhost,", "--syntax-check", name, extra=extra, at=_INSTALLED)
        found += 1
    if not found:
        raise CommandFailed("the collection has nothing to find")
    say(f"found by name: {found}")


def _documented() -> dict[str, list[str]]:
    """Plugin type to full names, of what ansible-doc should know."""
    files = {
        "module": [path.stem for path in ROOT.glob("plugins/modules/*.py") if path.stem != "__init__"],
        "filter": [path.stem for path in ROOT.glob("plugins/filter/*.yml")],
        "role": [path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml")],
    }
    return {kind: [f"{_COLLECTION}.{name}" for name in sorted(names)] for kind, names in files.items()}
