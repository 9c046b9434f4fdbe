# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make bench-bundle``: rds_ca_bundle beside ansible.builtin.get_url, on the same file, in alternation.

Each measurement is one module process from its start to its end, and the bytes that it exchanges with the mirror in
both directions, counted between the two on TCP.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.servers import SSL_PROFILES, Mirror, Pki, published_certificates
from tests.servers.proxy import Relay

_OURS = "ansible_collections.dbtls.rds_mysql.plugins.modules.rds_ca_bundle"
_PEER = "ansible.modules.get_url"


@dataclass(frozen=True)
class Sample:
    """One module process: seconds from start to end, bytes to and from the mirror."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Case:
    """A module with its options; ``prepare`` puts the directory into the state that the case is about."""

    name: str
    module: str
    options: Mapping[str, Any]
    prepare: Callable[[], None]
    changed: bool


def _run(case: Case, relay: Relay, home: Path, ca: Path) -> Sample:
    case.prepare()
    before, started = relay.bytes, time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", case.module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**case.options, "_ansible_remote_tmp": str(home)}}),
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "HOME": str(home),
            "SSL_CERT_FILE": str(ca),  # get_url has no option for it
            # Each compiled once, and not the one whose package happened to be compiled when it was installed.
            "PYTHONDONTWRITEBYTECODE": "",
        },
    )
    seconds = time.perf_counter() - started
    result = json.loads(done.stdout or "{}")
    if done.returncode or result.get("changed") is not case.changed:
        raise SystemExit(f"{case.name}: {done.stdout}{done.stderr}")
    relay.settle()
    return Sample(seconds, relay.bytes - before)


def _cases(url: str, body: bytes, ca: Path, ours: Path, peer: Path) -> list[Case]:
    def forget(dest: Path) -> Callable[[], None]:
        def unlink() -> None:
            for path in dest.parent.glob(f"*{dest.name}*"):
                path.unlink()

        return unlink

    def nothing() -> None:
        """As the case before has left it."""

    our_options = {"dest": str(ours), "urls": [url], "ca_path": str(ca), "expired": "keep"}
    if url.startswith("http:"):
        # Without it nothing is asked conditionally over plain http.
        our_options["checksum"] = f"sha256:{hashlib.sha256(body).hexdigest()}"
    peer_options = {"dest": str(peer), "url": url}
    return [
        Case("rds_ca_bundle, first write", _OURS, our_options, forget(ours), True),
        Case("get_url, first write", _PEER, peer_options, forget(peer), True),
        Case("rds_ca_bundle, unchanged", _OURS, our_options, nothing, False),
        Case("get_url, unchanged", _PEER, peer_options, nothing, False),
    ]


def _bodies() -> dict[str, bytes]:
    """What AWS publishes, in two sizes: a region's certificates, and all."""
    everything = published_certificates(SSL_PROFILES)
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import parse_pem

    region = [pem for pem in everything if " eu-central-1 Root CA " in parse_pem(pem, "")[0].common_name]
    return {"region": b"".join(region), "global": b"".join(everything)}


def measure(rounds: int) -> list[dict[str, Any]]:
    """Every case on every file over http and https; medians of so many rounds."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        pki = Pki(work / "pki")
        store = work / "store"
        store.mkdir()
        for file, body in _bodies().items():
            (store / f"{file}.pem").write_bytes(body)
        for certificate in (None, pki.server()):
            with Mirror(store, certificate=certificate) as mirror, Relay(mirror.port) as relay:
                scheme = "https" if certificate else "http"
                for file, body in _bodies().items():
                    print(f"{scheme}, {file} bundle: {rounds} rounds", file=sys.stderr, flush=True)
                    out = work / f"{scheme}-{file}"
                    out.mkdir()
                    url = f"{scheme}://127.0.0.1:{relay.port}/{file}.pem"
                    cases = _cases(url, body, pki.bundle, out / "ours.pem", out / "peer.pem")
                    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
                    for _round in range(rounds):
                        for case in cases:
                            samples[case.name].append(_run(case, relay, work, pki.bundle))
                    rows += [
                        {
                            "scheme": scheme,
                            "file": file,
                            "file_bytes": (store / f"{file}.pem").stat().st_size,
                            "case": case,
                            "milliseconds": round(statistics.median(s.seconds for s in found) * 1000, 1),
                            "wire_bytes": int(statistics.median(s.bytes for s in found)),
                        }
                        for case, found in samples.items()
                    ]
    return rows


def main() -> None:
    """Print a table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    rows = measure(arguments.rounds)
    machine = {
        "python": platform.python_version(),
        "ansible_core": version("ansible-core"),
        "cryptography": version("cryptography"),
        "cores": os.cpu_count(),
        "rounds": arguments.rounds,
    }
    print(" ".join(f"{name}={value}" for name, value in machine.items()))
    print(f"{'':6} {'bundle':7} {'bytes':>7}  {'case':28} {'median ms':>9} {'wire bytes':>10}")
    for row in rows:
        print(
            f"{row['scheme']:6} {row['file']:7} {row['file_bytes']:7d}  {row['case']:28} {row['milliseconds']:9.1f} "
            f"{row['wire_bytes']:10d}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
