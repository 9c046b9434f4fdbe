# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which TLS versions a server accepts, each of them tried."""

from __future__ import annotations

import socket
import ssl
import typing as t
import warnings
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.versions import TLS_VERSIONS

# OpenSSL's reasons for an answer in another version than the one that was asked for.
_OTHER_VERSION = ("UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "WRONG_VERSION_NUMBER")


@dataclass(frozen=True)
class Probe:
    """One version tried.

    ``accepted`` is None where it cannot be said, and ``detail`` says why, or how the server refused. ``counted``: the
    attempt was a failed connection for the server, which counts towards max_connect_errors.
    """

    version: str
    accepted: bool | None
    detail: str | None = None
    counted: bool = False

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return {"version": self.version, "accepted": self.accepted, "detail": self.detail}


def probe_versions(options: ConnectionOptions, negotiated: str | None) -> tuple[Probe, ...]:
    """Try every version, in ascending order, as far as a handshake that offered all of them has not shown it.

    :arg negotiated: What the server has chosen in that handshake, which must have offered every version that this
        machine has: it accepts this one and none above it. None if that handshake failed.
    """
    probes = []
    for version in TLS_VERSIONS:
        context = _only(version)
        obstacle = _local_obstacle(context)
        if context is None or obstacle is not None:
            probes.append(Probe(version, None, f"the OpenSSL of this machine does not do {version} ({obstacle})"))
        elif negotiated in TLS_VERSIONS and TLS_VERSIONS.index(version) >= TLS_VERSIONS.index(negotiated):
            declined = None if version == negotiated else f"offered together with {negotiated}, which was chosen"
            probes.append(Probe(version, version == negotiated, declined))
        else:
            probes.append(_try(options, version, context))
    return tuple(probes)


def _only(version: str) -> ssl.SSLContext | None:
    context = ssl_context(None, check_hostname=False, tls_min_version="TLSv1")
    only = getattr(ssl.TLSVersion, version.replace(".", "_"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = only
            context.minimum_version = only
    except ValueError:  # built without it
        return None
    return context


def _local_obstacle(context: ssl.SSLContext | None) -> str | None:
    """Why this machine cannot even begin a handshake, None if it can."""
    if context is None:
        return "not built in"
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()).do_handshake()
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError as e:
        return _reason(e)
    return None


def _try(options: ConnectionOptions, version: str, context: ssl.SSLContext) -> Probe:
    deadline = options.deadline.within(options.timeout)
    try:
        handshake.probe(options.endpoint, options.address, context, deadline)
    except handshake.TlsHandshakeFailed as e:
        accepted, detail = _interpret(e.cause, deadline)
        return Probe(version, accepted, detail, counted=True)
    except handshake.HandshakeError as e:
        return Probe(version, None, e.message)
    return Probe(version, True)


def _interpret(cause: OSError, deadline: Deadline) -> tuple[bool | None, str]:
    """Whether a failed handshake is the server's no to the version."""
    reason = _reason(cause)
    if isinstance(cause, socket.timeout):
        return None, f"no answer within {deadline}"
    if "ALERT" in reason or reason in _OTHER_VERSION:
        return False, reason
    if isinstance(cause, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "EOF" in reason:
        return False, "the server closed the connection"
    return None, reason


def _reason(cause: OSError) -> str:
    return str(getattr(cause, "reason", None) or cause.strerror or cause)
