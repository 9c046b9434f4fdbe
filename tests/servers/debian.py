# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers from Debian packages that are downloaded and unpacked, but not installed. Needs no root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .cache import say
from .catalogue import DebianPackage, ServerUnavailable

MIRROR_VARIABLE = "DBTLS_SERVERS_DEBIAN_MIRROR"
"""Environment variable: URIs of Debian main archives to use instead of the machine's own, separated by spaces."""

_KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
_ROLLING_SUITES = {"stable", "oldstable", "testing", "unstable", "sid"}
_UNUSED = ("doc", "man", "locale", "lintian", "perl", "gdb")

# Read after the machine's own apt configuration, which stays in force otherwise: it knows about proxies.
_APT_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Default-Release "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{work}/state";
Dir::State::Lists "{work}/state/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Cache::archives "{work}/cache/archives";
Dir::Etc::SourceList "{work}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Log "{work}";
"""


def mirrors() -> list[str]:
    """URIs that may be the Debian main archive, likeliest first; ServerUnavailable if this machine names none.

    apt reads its own configuration best (two file formats, options, disabled entries), so it is asked what an update
    would fetch. A third party's archive may carry Debian's release name too; it drops out later, because it does not
    have the other suites under Debian's signature.
    """
    chosen = os.environ.get(MIRROR_VARIABLE, "").split()
    if chosen:
        return chosen
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise ServerUnavailable("apt-get and dpkg-deb are not here")
    plan = subprocess.run(["apt-get", "--print-uris", "update"], capture_output=True, text=True, check=False).stdout
    suites = _ROLLING_SUITES | {release_codename()}
    found: list[str] = []
    for uri, suite in re.findall(r"^'(\S+?)/dists/(\S+)/(?:In)?Release'", plan, re.MULTILINE):
        if suite in suites and uri not in found and "ubuntu" not in uri:
            found.append(uri)
    if not found:
        raise ServerUnavailable(
            f"this machine's apt configuration has no Debian archive (set {MIRROR_VARIABLE} to one)"
        )
    return sorted(found, key=lambda uri: not uri.rstrip("/").endswith("/debian"))


def release_codename() -> str:
    """Such as ``bookworm``; empty where this machine does not say."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""
    match = re.search(r'^VERSION_CODENAME="?([\w-]+)', text, re.MULTILINE)
    return match.group(1) if match else ""


def unpack(source: DebianPackage, destination: Path, *, alone: bool = False) -> None:
    """Put the package and everything it depends on into ``destination``, verified with Debian's archive keys.

    :arg alone: Without what it depends on.
    """
    problems: list[str] = []
    for mirror in mirrors():
        with tempfile.TemporaryDirectory(prefix="apt-", dir=destination.parent) as work:
            try:
                packages = _download(source, mirror, Path(work), alone)
            except subprocess.CalledProcessError as exc:
                problems.append(_last_lines(f"{exc.stderr}\n{exc.stdout}", 4))
                continue
            say(f"unpacking {len(packages)} packages for {source.package}")
            for package in packages:
                subprocess.run(["dpkg-deb", "-x", str(package), str(destination)], check=True)
        for name in _UNUSED:
            shutil.rmtree(destination / "usr" / "share" / name, ignore_errors=True)
        return
    raise ServerUnavailable(
        f"could not download {source.package} from Debian {source.suite}; is the network there? "
        f"(set {MIRROR_VARIABLE} to use another mirror)\n" + "\n".join(problems)
    )


def _download(source: DebianPackage, mirror: str, work: Path, alone: bool) -> list[Path]:
    archives = work / "cache" / "archives"

    def output_of(*command: str) -> str:
        environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=archives)
        return done.stdout

    for name in ("state/lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    # An empty status file: nothing counts as installed, so the C library and its loader are downloaded as well.
    (work / "status").touch()
    keyring = next((path for path in _KEYRINGS if os.path.exists(path)), None)
    options = f"[signed-by={keyring}] " if keyring else ""
    (work / "sources.list").write_text(f"deb {options}{mirror} {source.suite} main\n", encoding="utf-8")
    architecture = output_of("dpkg", "--print-architecture").strip()
    configuration = work / "apt.conf"
    configuration.write_text(_APT_CONFIGURATION.format(work=work, architecture=architecture), encoding="utf-8")
    apt = ("apt-get", "-c", str(configuration), "-qq")
    # Without this an update that could fetch nothing counts as a success with warnings.
    output_of(*apt, "-o", "APT::Update::Error-Mode=any", "update")
    output_of(*apt, *(("download",) if alone else ("-y", "--download-only", "install")), source.package)
    return sorted(archives.glob("*.deb"))


def _last_lines(text: str, count: int) -> str:
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])


def loader(tree: Path) -> tuple[str, ...]:
    """Command prefix that runs a program of ``tree`` with the tree's own C library and no library of the machine."""
    for pattern in ("usr/lib/*/ld-linux*.so.*", "lib/*/ld-linux*.so.*"):
        for found in sorted(tree.glob(pattern)):
            triplet = found.parent.name
            places = [tree / "usr/lib" / triplet, tree / "lib" / triplet, tree / "usr/lib/mysql/private"]
            path = ":".join(str(place) for place in places if place.is_dir())
            return (str(found), "--library-path", path)
    raise ServerUnavailable(f"no dynamic loader in {tree}")
