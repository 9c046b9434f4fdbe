# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sentences for everything that can go wrong in a login."""

from __future__ import annotations

import socket
import ssl
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    CR_NET_PACKET_TOO_LARGE,
    CR_SERVER_GONE_ERROR,
    CR_SERVER_LOST,
    ER_ACCESS_DENIED_ERROR,
    ER_SECURE_TRANSPORT_REQUIRED,
    LOGIN_REFUSED,
    CertificateRejected,
    ConnectionFailed,
    LoginRefused,
    TlsNotOffered,
    is_from_server,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.handshake import OpenConnection
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.versions import OLD_TLS_VERSIONS

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_CERTIFICATE_NOT_YET_VALID = 9
_CERTIFICATE_HAS_EXPIRED = 10
_HOSTNAME_MISMATCH = 62
_IP_ADDRESS_MISMATCH = 64


def connection_failed(options: ConnectionOptions, opened: OpenConnection, error: t.Any) -> ConnectionFailed:
    """What PyMySQL raised in a login, as one of our errors."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return certificate_rejected(options, cause)
    alert = cause or error.__cause__
    if options.client_cert is not None and _objects_to_certificate(alert):
        return ConnectionFailed(
            f"client_cert: {options.endpoint} rejected the certificate {options.client_cert}: its CA is not one of the "
            f"server's ssl_ca, or it has expired ({alert.reason})."
        )
    if isinstance(cause, ssl.SSLError):
        return ConnectionFailed(tls_failure(options.endpoint, cause, options.tls_min_version))
    if isinstance(cause or error.__cause__, socket.timeout):
        return ConnectionFailed(f"{options.endpoint} accepts connections, but did not answer within {opened.deadline}.")
    if code == CR_NET_PACKET_TOO_LARGE:
        return ConnectionFailed(f"{options.endpoint} does not answer as a MySQL server does ({text}).")
    if code in (CR_SERVER_GONE_ERROR, CR_SERVER_LOST) or cause:
        hint = (
            f" It may have rejected the certificate of client_cert {options.client_cert}."
            if options.client_cert
            else ""
        )
        return ConnectionFailed(f"{options.endpoint} closed the connection during the login.{hint}")
    refused, said = f"{options.endpoint}: login of {options.user!r} refused", f"(error {code}: {text})."
    if code not in LOGIN_REFUSED:
        return ConnectionFailed(f"{refused} {said}", code if is_from_server(code) else None)
    if code == ER_ACCESS_DENIED_ERROR:
        if not opened.greeting.offers_tls:
            lacking = "TLS, which this server does not offer"
        elif options.ssl_mode == "disabled":
            lacking = "TLS, which this connection did not use (set ca_cert)"
        else:
            lacking = "something that this connection lacks, such as a client certificate or a second factor"
        empty = "" if options.password else "; no password was set"
        refused += f": wrong user name or password, or the account requires {lacking}{empty}"
    elif code == ER_SECURE_TRANSPORT_REQUIRED:
        refused += ": the server requires TLS; set ca_cert, or ssl_mode to required"
    return LoginRefused(f"{refused} {said}", code)


def _objects_to_certificate(cause: BaseException | None) -> bool:
    """Whether it is the server's alert about the client's certificate; with TLSv1.3 that comes after the handshake."""
    reason = str(getattr(cause, "reason", None) or "")
    return (
        isinstance(cause, ssl.SSLError) and "ALERT" in reason and any(word in reason for word in ("_CA", "CERTIFICATE"))
    )


def tls_not_offered(options: ConnectionOptions) -> TlsNotOffered:
    """The error for a server without TLS where it is needed."""
    return TlsNotOffered(
        f"{options.endpoint} does not offer TLS, and ssl_mode is {options.ssl_mode}; no credentials were sent."
    )


def certificate_rejected(options: ConnectionOptions, cause: ssl.SSLCertVerificationError) -> CertificateRejected:
    """The error for each way in which a server certificate fails verification."""
    other_name = (
        f"it is not valid for {options.host}; connect by a name in it, or set check_hostname: false to "
        "verify the chain only"
    )
    reason = {
        _CERTIFICATE_HAS_EXPIRED: "it, or one that signed it, has expired",
        _CERTIFICATE_NOT_YET_VALID: "it, or one that signed it, is not valid yet",
        _HOSTNAME_MISMATCH: other_name,
        _IP_ADDRESS_MISMATCH: other_name,
    }.get(cause.verify_code, f"it does not chain to a certificate in ca_cert {options.ca_cert}")
    return CertificateRejected(
        f"The certificate of {options.endpoint} was rejected: {reason} ({cause.verify_message}). No credentials were "
        "sent.",
        verify_code=cause.verify_code,
    )


def tls_failure(endpoint: str, cause: OSError, tls_min_version: str) -> str:
    """The sentence for a TLS handshake that fails for another reason than the certificate."""
    reason = getattr(cause, "reason", None) or cause.strerror or str(cause)
    advice = ""
    if tls_min_version not in OLD_TLS_VERSIONS and _looks_too_old(str(reason)):
        newest, lower = ("TLSv1.2", "TLSv1.2") if tls_min_version == "TLSv1.3" else ("TLSv1 or TLSv1.1", "TLSv1")
        advice = f". The server may support nothing newer than {newest}: set tls_min_version: {lower} to allow it"
        if _has_no_common_cipher(str(reason)):
            advice += ". Or it has only ciphers without forward secrecy: allow newer ciphers on the server"
    elif "WRONG_VERSION_NUMBER" in str(reason).upper():
        # Its TLS library, yaSSL, answers in plain text then.
        advice = ". A MySQL server before 5.7.28 answers like this when its certificate has expired"
    return f"The TLS handshake with {endpoint} failed: {reason}{advice}. No credentials were sent."


def _has_no_common_cipher(reason: str) -> bool:
    """OpenSSL's and yaSSL's names for it; a server that is too old may say the same."""
    return any(sign in reason.upper() for sign in ("HANDSHAKE_FAILURE", "NO_CIPHERS", "NO_SHARED"))


def _looks_too_old(reason: str) -> bool:
    signs = ("PROTOCOL", "VERSION", "HANDSHAKE_FAILURE", "EOF", "NO_CIPHERS", "NO_SHARED", "RENEGOTIATION")
    return any(sign in reason.upper() for sign in signs)
