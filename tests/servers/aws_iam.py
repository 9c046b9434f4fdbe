# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that take IAM tokens as Amazon RDS does: with an authentication plugin that asks for mysql_clear_password."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from .catalogue import ServerUnavailable, entry_for
from .pki import TlsFiles
from .server import Server, provide

_SOURCE = Path(__file__).with_name("aws_iam_plugin.c")
_LIBRARY = "aws_iam.so"


@dataclass(frozen=True)
class IamPlugin:
    """The plugin, compiled for one server: how to start the server with it, and what it has been sent."""

    directory: Path

    @property
    def options(self) -> tuple[str, ...]:
        """Options of the server."""
        return (f"--plugin-dir={self.directory}", f"--plugin-load-add={_LIBRARY}")

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the server."""
        return {"RECEIVED_TOKENS": str(self.directory / "received")}

    def received(self) -> list[str]:
        """What clients have sent as their password, since the last call."""
        path = self.directory / "received"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


def compile_plugin(name: str, directory: Path) -> IamPlugin:
    """Compile the plugin for the server called ``name``; ServerUnavailable without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise ServerUnavailable(f"{name} with a plugin for IAM tokens needs a C compiler (install gcc and libc6-dev)")
    directory.mkdir(parents=True, exist_ok=True)
    family = entry_for(name).family.upper()
    command = [compiler, "-D_GNU_SOURCE", f"-D{family}", "-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", str(directory / _LIBRARY), str(_SOURCE)], check=True)
    return IamPlugin(directory)


@contextmanager
def asking_for_tokens(name: str, tls: TlsFiles, directory: Path) -> Iterator[tuple[Server, IamPlugin]]:
    """The server called ``name`` with the plugin, compiled in ``directory``; ServerUnavailable where there is none."""
    plugin = compile_plugin(name, directory)
    with provide(name, tls=tls, options=plugin.options, environment=plugin.environment) as server:
        yield server, plugin


def a_token(host: str, port: int, user: str) -> str:
    """A token in the form that ``aws rds generate-db-auth-token`` prints, with a signature that is none."""
    query = {
        "Action": "connect",
        "DBUser": user,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "AKIAEXAMPLE/20260101/eu-central-1/rds-db/aws4_request",
        "X-Amz-Date": "20260101T000000Z",
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Security-Token": "t0ken/" + "A" * 800,
        "X-Amz-Signature": "5" * 64,
    }
    return f"{host}:{port}/?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
