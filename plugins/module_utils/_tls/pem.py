# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PEM: certificates in it, and certificates as such."""

from __future__ import annotations

import base64
import binascii
import re

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError

_PEM_BEGIN = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----")
CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")


class CertificateError(RdsMysqlError):
    """Material that is not the certificate, or the chain, that it has to be."""


def der_to_pem(der: bytes) -> bytes:
    """One certificate as PEM, lines of 64 characters (RFC 7468)."""
    body = base64.b64encode(der)
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return b"-----BEGIN CERTIFICATE-----\n" + b"\n".join(lines) + b"\n-----END CERTIFICATE-----\n"


def pem_to_ders(content: bytes, source: str) -> tuple[bytes, ...]:
    """The DER of each certificate of a PEM file; whether it is one is not checked.

    :arg source: Where it came from, for the error messages.
    :raises CertificateError: as parse_pem.
    """
    if not content.strip():
        raise CertificateError(f"{source} is empty: expected CA certificates in PEM form.")
    blocks = pem_blocks(content)
    for label, _body in blocks:
        if b"PRIVATE KEY" in label:
            raise CertificateError(
                f"{source} holds a private key, which does not belong into a CA bundle; nothing of it was kept."
            )
        if label not in CERTIFICATE_LABELS:
            raise CertificateError(
                "{} holds a PEM block that is not a certificate: {}.".format(source, label.decode("ascii"))
            )
    if not blocks:
        raise CertificateError(f"{source} holds no PEM certificate; it looks like {_guess(content)}.")
    ders = []
    for number, (_label, body) in enumerate(blocks, 1):
        if body is None:
            raise CertificateError(
                f"{source} is truncated: it begins {len(blocks)} certificates, but ends only some of them."
            )
        try:
            ders.append(base64.b64decode(body, validate=True))
        except (binascii.Error, ValueError) as e:
            raise CertificateError(f"{place(source, number, len(blocks))} is not valid base64: {e}") from e
    return tuple(ders)


def pem_blocks(content: bytes) -> list[tuple[bytes, bytes | None]]:
    """Label and body of each block that begins, the body without white space; None for a body that does not end.

    In time that grows with the length of the content alone, whatever is in it.
    """
    begins = list(_PEM_BEGIN.finditer(content))
    blocks: list[tuple[bytes, bytes | None]] = []
    for begin, limit in zip(begins, [*(begin.start() for begin in begins[1:]), len(content)]):
        end = content.find(b"-----END " + begin.group("label") + b"-----", begin.end(), limit)
        blocks.append((begin.group("label"), b"".join(content[begin.end() : end].split()) if end >= 0 else None))
    return blocks


def _guess(content: bytes) -> str:
    start = content.lstrip()[:200].lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if start.startswith((b"<?xml", b"<error")):
        return "an XML document, such as S3's error answers"
    if start.startswith((b"{", b"[")):
        return "JSON"
    if start.startswith(b"\x30\x82"):
        return "a certificate in DER form"
    return "something else"


def place(source: str, number: int, total: int) -> str:
    """Which certificate of a file, for messages."""
    return f"{source} (certificate {number} of {total})"
