# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real database servers for tests and for ``make demo``: no root, no containers, nothing installed.

Fetched once, then started from a cached data directory in a few seconds::

    from tests.servers import Pki, provide

    pki = Pki(tmp_path)
    with provide("mysql-9.7", tls=pki.server(), init_sql=["CREATE USER app@'%' IDENTIFIED BY 'x'"]) as server:
        connect(server.host, server.port, server.admin_user, server.admin_password)
"""

from __future__ import annotations

from .aws import MYSQL_RDS_CA, SSL_PROFILES, published_certificates
from .catalogue import MATRIX, ServerFailed, ServerUnavailable
from .client import mariadb_client
from .mirror import Mirror
from .pki import Pki, TlsFiles
from .server import Server, provide

__all__ = [
    "MATRIX",
    "MYSQL_RDS_CA",
    "SSL_PROFILES",
    "Mirror",
    "Pki",
    "Server",
    "ServerFailed",
    "ServerUnavailable",
    "TlsFiles",
    "mariadb_client",
    "provide",
    "published_certificates",
]
