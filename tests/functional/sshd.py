# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian's OpenSSH server, unpacked in the user's cache and not installed, on a port of the loopback interface."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import ServerUnavailable, debian
from tests.servers.cache import build_once
from tests.servers.catalogue import DebianPackage

_SECONDS = 120

# As root it wants a user and a directory of its own, which it gets in a mount namespace of its own.
_AS_ROOT = """\
set -e
mount --make-rprivate /
cp /etc/passwd passwd
grep -q '^sshd:' passwd || echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >> passwd
mount --bind passwd /etc/passwd
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd
exec "$@"
"""


@contextmanager
def sshd(directory: Path) -> Iterator[dict[str, Any]]:
    """Inventory variables of a host that is reached through it; ServerUnavailable where it cannot be had."""
    for program in ("ssh", "ssh-keygen"):
        if not shutil.which(program):
            raise ServerUnavailable(f"{program} is not here")
    suite = debian.release_codename()
    tree = build_once(
        "packages",
        f"openssh-server-{suite}",
        lambda destination: debian.unpack(DebianPackage(suite, "openssh-server"), destination),
    )
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / key)], check=True)
    port = _free_port()
    (directory / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/user.pub\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
        f"Subsystem sftp {tree}/usr/lib/openssh/sftp-server\n"
    )
    # -r: without starting itself again, which a program that was started by its loader cannot.
    command = [
        *debian.loader(tree),
        str(tree / "usr/sbin/sshd"),
        "-r",
        "-D",
        "-e",
        "-f",
        str(directory / "sshd_config"),
    ]
    if os.geteuid() == 0:
        command = ["unshare", "-m", "sh", "-c", _AS_ROOT, "sh", *command]
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
    client = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    client += ["-o", f"ControlPath={directory}/control"]
    try:
        _wait(process, port, directory / "log")
        yield {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_user": getpass.getuser(),
            "ansible_pipelining": True,
            "ansible_ssh_private_key_file": str(directory / "user"),
            "ansible_ssh_args": shlex.join([*client, "-o", "ControlMaster=auto", "-o", f"ControlPersist={_SECONDS}"]),
        }
    finally:
        # The connection that the client keeps open.
        subprocess.run(["ssh", *client, "-O", "exit", "127.0.0.1"], stderr=subprocess.DEVNULL, check=False)
        process.terminate()
        process.wait(_SECONDS)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError as e:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerUnavailable(f"sshd does not run here: {log.read_text()}") from e
        time.sleep(0.05)
