# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle was made of, kept in a small file beside it, so that an unchanged source is not downloaded again.

It also keeps what the bundle's certificates say, so that a bundle that has been checked once is not parsed and verified
in each run: for all of AWS's that takes several times as long as everything else.

The record is trusted only as long as the bundle is byte for byte the file that it was written with, and it holds no
certificates but those that are missing in the bundle. Without it, or with one that makes no sense or that someone else
can have written, everything is downloaded. It holds no URLs, since these may carry what nobody else should read.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import stat
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.check import RULES, Weaknesses
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.download import Validators
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509

MODE = 0o644
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAX_BYTES = 16 * 1024 * 1024
# To be raised when certificates are described or checked in another way, too.
_VERSION = 3
_ABOUT = (
    "Written by the Ansible module dbtls.rds_mysql.rds_ca_bundle: what it needs to ask for the sources of the file "
    "beside this one only when they have changed. It can be deleted; then they are downloaded once more."
)
# What json.loads, looking up keys, and making something of what was found there raise for a file that is not a record.
_NONSENSE = (AttributeError, KeyError, OSError, OverflowError, TypeError, ValueError)


class KnownSource(t.NamedTuple):
    """A source as it was when it was last read; ``bytes`` is the size of its body."""

    validators: Validators
    bytes: int
    certificates: tuple[x509.Certificate, ...]


Known = t.Mapping[str, KnownSource]


class Record(t.NamedTuple):
    """A record that belongs to the bundle's file as it is. ``content`` is what the JSON holds."""

    content: t.Mapping[str, t.Any]

    @property
    def scope(self) -> t.Any:
        """What the bundle is of: its region and set, or its URLs."""
        return self.content.get("scope")

    def weaknesses(self) -> dict[str, tuple[str, ...]]:
        """What is weak about the bundle's certificates, by fingerprint, as check_bundle has found it."""
        try:
            weak = {entry["fingerprint_sha256"]: tuple(entry["weak"]) for entry in self.content["certificates"]}
            return {name: rules for name, rules in weak.items() if rules and all(rule in RULES for rule in rules)}
        except _NONSENSE:
            return {}

    def remembered(self) -> tuple[x509.Certificate, ...]:
        """The bundle's certificates without their DER, for a file that cannot be read without its passphrase."""
        try:
            return tuple(_described(entry, None) for entry in self.content["certificates"])
        except _NONSENSE:
            return ()

    def described(self, ders: t.Sequence[bytes]) -> tuple[x509.Certificate, ...] | None:
        """The bundle's certificates, which have been checked as one; None where the record has others.

        :arg ders: Those that are in the file now, each as DER.
        """
        try:
            entries = self.content["certificates"]
            if len(entries) != len(ders):
                return None
            return tuple(_described(entry, der) for entry, der in zip(entries, ders))
        except _NONSENSE:
            return None

    def validators(self, urls: t.Iterable[str]) -> dict[str, Validators]:
        """What each URL that is known can be asked with whether it has changed."""
        try:
            return {url: Validators.parse(of["etag"], of["last_modified"]) for url, of in self._sources(urls)}
        except _NONSENSE:
            return {}

    def _sources(self, urls: t.Iterable[str]) -> t.Iterator[tuple[str, t.Mapping[str, t.Any]]]:
        by_digest = {source["url_sha256"]: source for source in self.content["sources"]}
        for url in urls:
            source = by_digest.get(url_digest(url))
            if source is not None:
                yield url, source

    def known(self, urls: t.Iterable[str], in_bundle: t.Sequence[x509.Certificate]) -> dict[str, KnownSource]:
        """What is known of each URL.

        :arg in_bundle: The certificates that are in the bundle's file now.
        """
        try:
            return self._known(urls, in_bundle)
        except _NONSENSE:
            return {}

    def _known(self, urls: t.Iterable[str], in_bundle: t.Sequence[x509.Certificate]) -> dict[str, KnownSource]:
        available = {certificate.fingerprint_sha256: certificate for certificate in in_bundle}
        for entry in self.content["dropped"]:
            certificate = _described(entry, base64.b64decode(entry["der"]))
            available[certificate.fingerprint_sha256] = certificate
        known = {}
        for url, source in self._sources(urls):
            validators = Validators.parse(source["etag"], source["last_modified"])
            found = tuple(available[fingerprint] for fingerprint in source["certificates"])
            if validators and found:
                known[url] = KnownSource(validators, int(source["bytes"]), found)
        return known


def path_of(dest: str) -> str:
    """Where the record of the bundle ``dest`` is: a hidden file of a kind that no client takes for certificates."""
    directory, name = os.path.split(dest)
    return os.path.join(directory, f".{name}.sources.json")


def url_digest(url: str) -> str:
    """SHA-256 of a URL, in hex."""
    return hashlib.sha256(url.encode("utf-8")).hexdigest()


def dump(
    known: Known,
    file_checksum: str,
    bundled: t.Sequence[x509.Certificate],
    dropped: t.Sequence[x509.Certificate],
    *,
    scope: str = "",
    weaknesses: Weaknesses | None = None,
) -> bytes:
    """The record as a file's content.

    :arg known: The sources by URL.
    :arg file_checksum: SHA-256 of the bundle's file, in hex.
    :arg bundled: The certificates of the bundle, which have been checked.
    :arg dropped: Certificates of the sources that are not in the bundle.
    :arg scope: What the bundle is of, to tell whether another one is of the same.
    :arg weaknesses: What check_bundle has found.
    """
    weak = weaknesses or {}
    record = {
        "about": _ABOUT,
        "version": _VERSION,
        "file_sha256": file_checksum,
        "scope": scope,
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
        "certificates": [{**_entry(c), "weak": weak.get(c.fingerprint_sha256, ())} for c in bundled],
        "dropped": [
            {**_entry(certificate), "der": base64.b64encode(certificate.der).decode("ascii")} for certificate in dropped
        ],
    }
    return json.dumps(record, indent=1).encode("utf-8") + b"\n"


def read(path: str) -> bytes | None:
    """The content of a record, or None where there is none that this user has written and nobody else can change.

    Anyone who could plant a record could have another bundle taken for the one that was downloaded.
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


def load(content: bytes, file_checksum: str) -> Record | None:
    """A record, or None for one of another file, or one that makes no sense.

    :arg file_checksum: SHA-256 of the bundle's file as it is now, in hex.
    """
    try:
        record = json.loads(content)
        if record["version"] != _VERSION or record["file_sha256"] != file_checksum:
            return None
    except _NONSENSE:
        return None
    return Record(record)


_TIMES = ("not_before", "not_after")
_LISTS = ("san", "common_names")
_TEXTS = ("common_name", "subject", "issuer", "serial_number", "key")
_FIELDS = tuple(name for name in x509.Certificate._fields if name != "der")


def _entry(certificate: x509.Certificate) -> dict[str, t.Any]:
    """What a certificate says, for JSON; its fingerprint says which it is."""
    entry = {name: getattr(certificate, name) for name in _FIELDS}
    return {**entry, **{name: int(entry[name].timestamp()) for name in _TIMES}}


def _described(entry: t.Mapping[str, t.Any], der: bytes | None) -> x509.Certificate:
    if der is not None and entry["fingerprint_sha256"] != x509.fingerprint(der):
        raise ValueError("another certificate")
    values = {name: entry[name] for name in _FIELDS}
    if any(not isinstance(values[name], str) for name in _TEXTS):
        raise TypeError("a description that is none")
    values.update({name: dt.datetime.fromtimestamp(entry[name], dt.timezone.utc) for name in _TIMES})
    values.update({name: tuple(entry[name]) for name in _LISTS})
    return x509.Certificate(der=der or b"", **values)
