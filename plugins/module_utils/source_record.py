# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle was made of, kept in a small file beside it, so that an unchanged source is not downloaded again.

The record is trusted only as long as the bundle is byte for byte the file that it was written with, and it holds no
certificates but those that are missing in the bundle. Without it, or with one that makes no sense or that somebody else
can have written, everything is downloaded. It holds no URLs, since these may carry what nobody else should read.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.downloads import Validators, without_credentials

MODE = 0o644
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAX_BYTES = 16 * 1024 * 1024
_VERSION = 1
_ABOUT = (
    "Written by the Ansible module dbtls.rds_mysql.rds_ca_bundle: what it needs to ask for the sources of the file "
    "beside this one only when they have changed. It can be deleted; then they are downloaded once more."
)
# What json.loads, looking up keys, and parsing what was found there raise for a file that is not a record.
_NONSENSE = (AttributeError, KeyError, TypeError, ValueError, x509.CertificateError)


@dataclass(frozen=True)
class KnownSource:
    """A source as it was when it was last read; ``bytes`` is the size of its body."""

    validators: Validators
    bytes: int
    certificates: tuple[x509.Certificate, ...]


Known = t.Mapping[str, KnownSource]


def path_of(dest: str) -> str:
    """Where the record of the bundle ``dest`` is: a hidden file of a kind that no client takes for certificates."""
    directory, name = os.path.split(dest)
    return os.path.join(directory, f".{name}.sources.json")


def url_digest(url: str) -> str:
    """SHA-256 of a URL without credentials, in hex."""
    return hashlib.sha256(without_credentials(url).encode("utf-8")).hexdigest()


def dump(known: Known, file_checksum: str, dropped: t.Sequence[x509.Certificate]) -> bytes | None:
    """The record as a file's content, or None when no source can be asked for conditionally.

    :arg known: The sources by URL.
    :arg file_checksum: SHA-256 of the bundle's file, in hex.
    :arg dropped: Certificates of the sources that are not in the bundle.
    """
    if not any(source.validators for source in known.values()):
        return None
    record = {
        "about": _ABOUT,
        "version": _VERSION,
        "file_sha256": file_checksum,
        "sources": [
            {
                "url_sha256": url_digest(url),
                "etag": source.validators.etag,
                "last_modified": source.validators.last_modified,
                "bytes": source.bytes,
                "certificates": [certificate.fingerprint_sha256 for certificate in source.certificates],
            }
            for url, source in known.items()
        ],
        "dropped": [base64.b64encode(certificate.der).decode("ascii") for certificate in dropped],
    }
    return json.dumps(record, indent=1).encode("utf-8") + b"\n"


def read(path: str) -> bytes | None:
    """The content of a record, or None where there is none that this user has written and nobody else can change.

    Whoever could plant a record could have a bundle of his own taken for the one that was downloaded.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as f:
        return f.read(_MAX_BYTES)


def load(
    content: bytes, urls: t.Iterable[str], file_checksum: str, in_bundle: t.Sequence[x509.Certificate]
) -> dict[str, KnownSource]:
    """What is known of each URL; nothing for a record of another file, or one that makes no sense.

    :arg in_bundle: The certificates that are in the bundle's file now.
    """
    try:
        return _load(json.loads(content), urls, file_checksum, in_bundle)
    except _NONSENSE:
        return {}


def _load(
    record: t.Any, urls: t.Iterable[str], file_checksum: str, in_bundle: t.Sequence[x509.Certificate]
) -> dict[str, KnownSource]:
    if record["version"] != _VERSION or record["file_sha256"] != file_checksum:
        return {}
    available = {certificate.fingerprint_sha256: certificate for certificate in in_bundle}
    for encoded in record["dropped"]:
        certificate = x509.parse_certificate(base64.b64decode(encoded), "the record of the sources")
        available[certificate.fingerprint_sha256] = certificate
    by_digest = {source["url_sha256"]: source for source in record["sources"]}
    known = {}
    for url in urls:
        source = by_digest.get(url_digest(url))
        if source is None:
            continue
        validators = Validators.parse(source["etag"], source["last_modified"])
        found = tuple(available[fingerprint] for fingerprint in source["certificates"])
        if validators and found:
            known[url] = KnownSource(validators, int(source["bytes"]), found)
    return known
