# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a chain afterwards is the one that OpenSSL gives in a true handshake."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates, offline_verification
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Pki, TlsFiles

VARIANTS = ("good", "expired", "not-yet-valid", "wrong-name", "wrong-ca", "noncritical-ca", "legacy")
HOSTS = ("localhost", "127.0.0.1", "db.example")


def ders(path: Path) -> tuple[bytes, ...]:
    return tuple(certificate.der for certificate in certificates.parse_pem(path.read_bytes(), str(path)))


@contextlib.contextmanager
def tls_server(files: TlsFiles, *, at_most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> t.Iterator[int]:
    """A TLS server for one connection; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    context.maximum_version = at_most
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            connection.settimeout(10)
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def in_a_handshake(files: TlsFiles, context: ssl.SSLContext, host: str) -> ssl.SSLError | None:
    with tls_server(files) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=host):
                return None
        except ssl.SSLError as e:
            return e


@pytest.fixture(scope="module", name="ec_pki")
def _ec_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    from tests.servers import Pki

    return Pki(tmp_path_factory.mktemp("ec"), key_type="ec")


@pytest.mark.parametrize(
    ("kind", "variant"),
    # A legacy one is short, and RSA's.
    [(kind, variant) for kind in ("rsa", "ec") for variant in VARIANTS if (kind, variant) != ("ec", "legacy")],
)
def test_the_verdict_is_that_of_a_handshake(kind: str, variant: str, pki: Pki, ec_pki: Pki) -> None:
    authority = pki if kind == "rsa" else ec_pki
    files = authority.server(variant)
    chain = ders(files.cert)
    seen = set()
    for ca_cert in (authority.bundle, authority.root, files.ca):
        for host in HOSTS:
            for check_hostname in (True, False):
                for oldest in ("TLSv1", "TLSv1.2"):
                    arguments: tuple[t.Any, ...] = (str(ca_cert), check_hostname, oldest)
                    expected = in_a_handshake(files, ssl_context(*arguments), host)
                    got = offline_verification.verify(chain, ssl_context(*arguments), host)
                    assert type(got) is type(expected)
                    if isinstance(expected, ssl.SSLCertVerificationError):
                        assert isinstance(got, ssl.SSLCertVerificationError)
                        assert (got.verify_code, got.verify_message) == (expected.verify_code, expected.verify_message)
                    seen.add(expected is None)
    assert seen == ({False} if variant in ("expired", "not-yet-valid") else {True, False})


def test_a_chain_without_its_intermediate_does_not_verify(pki: Pki) -> None:
    chain = ders(pki.server().cert)
    assert len(chain) == 2
    error = offline_verification.verify(chain[:1], ssl_context(str(pki.root), True, "TLSv1.2"), "localhost")
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert error.verify_message == "unable to get local issuer certificate"


def test_a_chain_longer_than_a_record(pki: Pki) -> None:
    """An authority that is not needed does no harm."""
    chain = ders(pki.server().cert)
    many = (*chain, *ders(pki.root) * 25)
    assert sum(len(der) for der in many) > 16384
    assert offline_verification.verify(many, ssl_context(str(pki.bundle), True, "TLSv1.2"), "localhost") is None


def test_what_is_no_certificate_is_an_error_and_no_exception(pki: Pki) -> None:
    for chain in ((), (b"",), (b"nonsense",), (ders(pki.server().cert)[0][:-9],)):
        error = offline_verification.verify(chain, ssl_context(str(pki.bundle), True, "TLSv1.2"), "localhost")
        assert isinstance(error, ssl.SSLError)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("way", ["as this Python does", "by the messages"])
def test_the_chain_is_what_the_server_presents(
    version: ssl.TLSVersion, way: str, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "by the messages":  # as every Python before 3.13 does
        monkeypatch.delattr(ssl.SSLSocket, "get_unverified_chain", raising=False)
    files = pki.server()
    context = ssl_context(None, False, "TLSv1.2")
    with tls_server(files, at_most=version) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        with context.wrap_socket(connection) as tls:
            assert tls.version() == version.name.replace("_", ".")
            assert offline_verification.presented_chain(tls) == ders(files.cert)
