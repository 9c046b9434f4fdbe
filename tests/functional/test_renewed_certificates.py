# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the findings about a server's certificate say to do makes them go: another certificate, without a restart."""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import run as status

from tests.servers import Pki, TlsFiles

from .database import Account, Database
from .servers import Servers

# Kind and what to do, by certificate.
KINDS = {
    "expired": ("certificate-expired", "run FLUSH SSL;"),
    "expiring": ("certificate-expiring", "run FLUSH SSL;"),
    "wrong-name": ("certificate-hostname-mismatch", "renew the certificate with the name 127.0.0.1"),
    "weak-key": ("weak-certificate", "run FLUSH SSL;"),
}


def findings(db: Database, me: Account | None, **more: Any) -> dict[str, str]:
    """What to do, by kind; a login does not verify, as it could not."""
    defaults = {name: option.get("default") for name, option in STATUS.argument_spec.items()}
    login = db.options(me) if me else {"login_host": db.server.host, "login_port": db.server.port}
    mode = {"ca_cert": None, "ssl_mode": "required"} if me else {}
    options = {**login, **mode, "config_file": "/dev/null", **more}
    seen = status.run({**defaults, **options})["mysql_ssl"]
    return {one["id"]: one["remediation"] for one in seen["findings"]}


class Exchangeable:
    """A server, and the files of its certificate, which it reads again when told to."""

    def __init__(self, pki: Pki, directory: Path, stack: ExitStack) -> None:
        self._files = TlsFiles(pki.bundle, directory / "cert.pem", directory / "key.pem")
        self._copy(pki.server())
        self.db = Servers(pki, stack).get("mariadb-10.5", files=self._files)  # newer ones refuse the weak key

    def _copy(self, source: TlsFiles) -> None:
        shutil.copyfile(source.cert, self._files.cert)
        shutil.copyfile(source.key, self._files.key)

    def put(self, source: TlsFiles) -> None:
        """As the remediation says."""
        self._copy(source)
        self.db.query("FLUSH SSL")


def test_another_certificate(pki: Pki, tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = Exchangeable(pki, tmp_path, stack)
        db, me = server.db, server.db.administrator()
        for name, (kind, words) in KINDS.items():
            server.put(pki.server(name))
            assert words in findings(db, me)[kind]
            server.put(pki.server())
            assert kind not in findings(db, me)
        _another_authority(server, tmp_path)
        _the_authority_of_the_server(server, tmp_path)


def _another_authority(server: Exchangeable, directory: Path) -> None:
    """One that AWS has retired; its command moves the server to the one that is in the place of it."""
    retired = Pki(directory / "retired", intermediate_name="Amazon RDS eu-central-1 2019 CA", key_type="ec")
    server.put(retired.server())
    todo = findings(server.db, None)["rds-ca-retired"]
    moved = re.search(r"aws rds modify-db-instance .*--ca-certificate-identifier rds-ca-(\w+)-(g1) ", todo)
    assert moved
    authority = f"Amazon RDS eu-central-1 Root CA {' '.join(moved.groups()).upper()}"
    server.put(Pki(directory / "current", intermediate_name=authority, key_type="ec").server())
    assert "rds-ca-retired" not in findings(server.db, None)


def _the_authority_of_the_server(server: Exchangeable, directory: Path) -> None:
    """It is added to ca_cert, or the server gets a certificate of one that is in there."""
    bundle = directory / "ca_cert.pem"
    stranger = Pki(directory / "stranger", key_type="ec")
    own = Pki(directory / "own", root_name="Example Root CA", intermediate_name="Example CA", key_type="ec")
    bundle.write_bytes(stranger.bundle.read_bytes())
    server.put(own.server())
    assert f"to {bundle}, or give the server" in findings(server.db, None, ca_cert=str(bundle))["certificate-untrusted"]
    server.put(stranger.server())
    assert "certificate-untrusted" not in findings(server.db, None, ca_cert=str(bundle))
    server.put(own.server())
    bundle.write_bytes(bundle.read_bytes() + own.bundle.read_bytes())
    assert "certificate-untrusted" not in findings(server.db, None, ca_cert=str(bundle))
