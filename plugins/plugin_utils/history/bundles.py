# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which CA bundles were installed on which application hosts, as entries of the history."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import clean
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import rds_authority, rds_region
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import parse_pem
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import BUNDLE, History, entry
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.storage import HistoryError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import model


def bundle_of(path: str, source: Path) -> dict[str, t.Any]:
    """What there is to record of an installed CA bundle: where it is, its SHA-256, and the CAs in it.

    :arg path: On the application host.
    :arg source: The PEM file on the controller that it was made from.
    :raises RdsMysqlError: when that cannot be read.
    """
    try:
        content = source.read_bytes()
    except OSError as e:
        raise HistoryError(f"The history has no CA bundle for {path}: {source} cannot be read: {e.strerror}.") from e
    cas = [
        {
            "subject": clean(each.subject),
            "fingerprint_sha256": each.fingerprint_sha256,
            # As for a certificate that it has issued.
            "rds_ca": rds_authority(each._replace(issuer=each.subject)),
            "region": rds_region(each._replace(issuer=each.subject)),
        }
        for each in parse_pem(content, str(source))
    ]
    return {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "cas": cas}


def record_bundles(history: History, run: model.Run, installed: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
    """Record which CA bundle each application host has.

    :arg installed: By host what ``bundle_of`` returns.
    :raises HistoryError: when that fails.
    """
    entries = [
        entry(BUNDLE, f"{host} {bundle['path']}", host, run.made_at, bundle) for host, bundle in installed.items()
    ]
    history.record(run, BUNDLE, [], entries)


def bundles_without(
    history: History, region: str, current: str, wanted: t.Collection[str]
) -> t.Iterator[tuple[str, str]]:
    """Application hosts, and their bundle, that verify the certificates of one CA and would not verify another's.

    A bundle without the current CA is that of a client of other servers.

    :arg current: The CA that servers of the region have now, by AWS's name.
    :arg wanted: The SHA-256 fingerprints of the root certificates of the next one.
    :raises HistoryError: when the history cannot be read.
    """
    for bundle in history.last_entries(BUNDLE).values():
        cas = [ca for ca in bundle.get("cas") or () if isinstance(ca, dict)]
        # The root of rds-ca-2019 has no region in its name; the intermediate certificates beside it have.
        regions = {ca.get("region") for ca in cas if ca.get("rds_ca") == current}
        verifies = region in regions or regions == {None}
        has = {ca.get("fingerprint_sha256") for ca in cas}
        if verifies and not has.issuperset(wanted):
            yield str(bundle.get("host")), str(bundle.get("path"))


class Use(t.NamedTuple):
    """A CA of Amazon RDS that a server uses, or will use."""

    rds_ca: str
    region: str | None
    server: str
    will: bool = False


def clients_without(history: History, uses: t.Iterable[Use]) -> t.Iterator[str]:
    """A sentence for each application host whose CA bundle lacks a CA that a server uses or will use.

    :raises HistoryError: when the history cannot be read.
    """
    bundles = history.last_entries(BUNDLE)
    servers: dict[tuple[str, str | None, bool], list[str]] = {}
    for use in uses if bundles else ():
        servers.setdefault((use.rds_ca, use.region, use.will), []).append(use.server)
    for bundle in bundles.values():
        cas = [ca for ca in bundle.get("cas") or () if isinstance(ca, dict)]
        for (rds_ca, region, will), names in servers.items():
            if not any(ca.get("rds_ca") == rds_ca and region in (None, ca.get("region")) for ca in cas):
                where = f" of {region}" if region else ""
                verb = "will use" if will else "uses" if len(names) == 1 else "use"
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                yield (
                    f"{bundle.get('host')}: {bundle.get('path')} lacks {rds_ca}{where}, which {names[0]}{more} {verb}. "
                    "Run the playbook bundle for this host."
                )
