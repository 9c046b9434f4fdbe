# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was found out about one server: plain data, without any judgement."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, AccountState
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.handshake import Handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import Unflushed, accounts_in_force
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import Certificate

if t.TYPE_CHECKING:
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.proxy_users import ProxyGrant
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.replication import ServerRole
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import LiveSession
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.tls_versions import Probe


@dataclass(frozen=True)
class ServerCertificate:
    """The certificate that the server showed, and what verification says of it.

    ``chain`` is what came with it, itself first. ``trusted`` is None when there is no ``ca_cert`` to check it against;
    ``trust_error`` says why it is not.
    """

    certificate: Certificate
    chain: tuple[Certificate, ...]
    trusted: bool | None
    trust_error: str | None
    hostname_matches: bool | None


@dataclass(frozen=True)
class SessionStatus:
    """This very session. ``ssl_type`` is what its account requires, None where the server does not expose it."""

    user: str
    encrypted: bool
    protocol: str | None
    cipher: str | None
    verified: bool
    via: str
    ssl_type: str | None


@dataclass(frozen=True)
class ServerStatus:
    """Everything that was found out about one server; None for what needs a login, or is not visible to it.

    ``handshake`` is the connection phase, and ``tls_error`` why TLS did not come up; ``probes`` are empty when versions
    were not tried one by one; ``dialect`` is known after a login. ``current_tls_version`` is the status variable of the
    server; ``tls_ends`` says what shows that a proxy ends this client's TLS, None where nothing does; ``memory`` is
    what the server goes by, compared with ``accounts``.
    ``accounts_denied`` says why this login could not read the accounts; ``proxy_grants`` are None where it may not see
    them; without ``proxies_visible`` it may not see what proxies tell of their clients. ``hidden`` are sessions that
    performance_schema does not show, None where there may be some that this login does not see.
    """

    options: ConnectionOptions
    handshake: Handshake
    tls_error: OSError | None = None
    probes: tuple[Probe, ...] = ()
    dialect: Dialect | None = None
    session: SessionStatus | None = None
    account: Account | None = None
    certificate: ServerCertificate | None = None
    accounts: tuple[AccountState, ...] | None = None
    sessions: tuple[LiveSession, ...] | None = None
    hidden: tuple[LiveSession, ...] | None = ()
    role: ServerRole | None = None
    current_tls_version: str | None = None
    tls_ends: str | None = None
    memory: Unflushed | None = None
    accounts_denied: str | None = None
    proxy_grants: tuple[ProxyGrant, ...] | None = ()
    proxies_visible: bool = True
    warnings: tuple[str, ...] = ()
    now: dt.datetime = field(default_factory=utc_now)

    @property
    def accounts_in_force(self) -> tuple[AccountState, ...] | None:
        """The accounts with the requirements that the server goes by; ``accounts`` has those of its tables."""
        return accounts_in_force(self.accounts, self.memory)

    @property
    def cipher(self) -> str | None:
        """The cipher of this client's TLS."""
        return self.session.cipher if self.session and self.session.cipher else self.handshake.cipher

    @property
    def protocol(self) -> str | None:
        """The TLS version of this client."""
        return self.session.protocol if self.session and self.session.protocol else self.handshake.protocol

    @property
    def tls_available(self) -> bool:
        """Whether the server offers TLS."""
        return self.handshake.greeting.offers_tls

    @property
    def managed_by(self) -> str | None:
        """``rds``, ``aurora`` or None."""
        return self.dialect.managed_by if self.dialect else None

    @property
    def require_secure_transport(self) -> bool | None:
        """The server-wide switch, None where it is not known."""
        return self.dialect.require_secure_transport if self.dialect else None

    @property
    def tls_versions(self) -> tuple[str, ...]:
        """The TLS versions that the server accepts: as tried, else as it says, else the one that was negotiated."""
        if self.probes:
            return tuple(probe.version for probe in self.probes if probe.accepted)
        if not self.tls_available:
            return ()
        if self.dialect is not None and self.tls_ends is None:
            port = None if self.options.unix_socket else self.options.port
            told = self.dialect.tls_versions_at(port, self.current_tls_version)
            if told is not None:
                return told
        return (self.protocol,) if self.protocol else ()
