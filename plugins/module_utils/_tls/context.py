# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenSSL contexts: for a client's connection, and to verify with."""

from __future__ import annotations

import functools
import os
import ssl
import warnings

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.offline_verification import (
    RecordingContext,
    Verifier,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.versions import OLD_TLS_VERSIONS

_SSL_CONTEXT_OPTION_LEGACY_SERVER_CONNECT = 0x4


def ssl_context(
    ca_cert: str | None,
    check_hostname: bool,
    tls_min_version: str,
    client_cert: str | None = None,
    client_key: str | None = None,
) -> ssl.SSLContext:
    """A client's context for one connection; without ``ca_cert`` it takes any certificate.

    :raises OptionError: when a file does not hold what it should.
    """
    context = RecordingContext()
    # CPython 3.13 sets it by default; CA certificates whose basicConstraints is not critical are in use in the field.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0x20)
    context.check_hostname = False
    if ca_cert is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = check_hostname
        try:
            context.load_verify_locations(cafile=ca_cert)
        except (OSError, ValueError) as e:  # ssl.SSLError is an OSError
            raise OptionError(f"ca_cert: {ca_cert} holds no usable CA certificates in PEM form: {e}.") from e
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, client_key, password=_no_passphrase)
        except (OSError, ValueError) as e:
            raise OptionError(
                "client_cert: {} and {} are not a certificate and its unencrypted key: {}.".format(
                    client_cert, client_key or "no client_key", e
                )
            ) from e
    _admit_tls_versions(context, tls_min_version)
    return context


def verifier(ca_cert: str, check_hostname: bool, tls_min_version: str) -> Verifier:
    """What verifies chains against ``ca_cert``; one for all connections, as long as the file is the same.

    :raises OptionError: when the file does not hold what it should.
    """
    try:
        status = os.stat(ca_cert)
    except OSError as e:
        raise OptionError(f"ca_cert: {ca_cert} cannot be read: {e.strerror}.") from e
    return _verifier(ca_cert, (status.st_ino, status.st_size, status.st_mtime_ns), check_hostname, tls_min_version)


@functools.lru_cache(maxsize=16)
def _verifier(
    ca_cert: str,
    _version: tuple[int, ...],  # of the file, so that another content is another verifier
    check_hostname: bool,
    tls_min_version: str,
) -> Verifier:
    return Verifier(ssl_context(ca_cert, check_hostname, tls_min_version))


def _no_passphrase() -> str:
    # Without this OpenSSL asks on the terminal for the passphrase of an encrypted key.
    raise ValueError("the key is encrypted with a passphrase")


def _admit_tls_versions(context: ssl.SSLContext, tls_min_version: str) -> None:
    version = getattr(ssl.TLSVersion, tls_min_version.replace(".", "_"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # The user has asked for the old versions by name.
        context.minimum_version = version
    if tls_min_version in OLD_TLS_VERSIONS:
        # MySQL 5.6 has only TLSv1, SHA-1 signatures and no secure renegotiation, which OpenSSL 3 admits at security
        # level 0 only, and a Diffie-Hellman group that OpenSSL refuses at any level: leaving DHE out brings it to RSA.
        context.set_ciphers("DEFAULT:!kDHE:@SECLEVEL=0")
        context.options |= _SSL_CONTEXT_OPTION_LEGACY_SERVER_CONNECT
