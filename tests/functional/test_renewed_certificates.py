# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the findings about a server's certificate say to do makes them go: another certificate, without a restart."""

from __future__ import annotations

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
    "wrong-name": ("certificate-hostname-mismatch", "renew the certificate with the name 127.0.0.1"),
    "weak-key": ("weak-certificate", "run FLUSH SSL;"),
}


def findings(db: Database, me: Account, **more: Any) -> dict[str, str]:
    """What to do, by kind; the login does not verify, as it could not."""
    defaults = {name: option.get("default") for name, option in STATUS.argument_spec.items()}
    options = {**db.options(me), "ca_cert": None, "ssl_mode": "required", "config_file": "/dev/null", **more}
    seen = status.run({**defaults, **options})["mysql_ssl"]
    return {one["id"]: one["remediation"] for one in seen["findings"]}


def test_another_certificate(pki: Pki, tmp_path: Path) -> None:
    with ExitStack() as stack:
        files = TlsFiles(pki.bundle, tmp_path / "cert.pem", tmp_path / "key.pem")

        def put(name: str) -> None:
            source = pki.server(name)
            shutil.copyfile(source.cert, files.cert)
            shutil.copyfile(source.key, files.key)

        put("good")
        db = Servers(pki, stack).get("mariadb-10.5", files=files)  # newer ones refuse the weak key
        me = db.administrator()
        for name, (kind, words) in KINDS.items():
            put(name)
            db.query("FLUSH SSL")
            assert words in findings(db, me)[kind]
            put("good")
            db.query("FLUSH SSL")
            assert kind not in findings(db, me)
        assert "certificate-expiring" in findings(db, me, expiry_warn_days=10000)
