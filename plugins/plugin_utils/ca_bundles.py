# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CA bundles of a fleet: each is fetched once, however many hosts need it."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import parse_pem
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import (
    HostVariables,
    bundle_of,
    own_ca_cert,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import with_variables

MODULE = "dbtls.rds_mysql.rds_ca_bundle"

# Not where a report goes, as in messages of others.
_DEST = re.compile(r"\Adest(?=: )")

Execute = t.Callable[[str, dict[str, t.Any]], t.Mapping[str, t.Any]]


class CaBundles:
    """Which bundles are needed, and what became of fetching them.

    ``errors`` has the file of each bundle that is not there, and why; ``warnings`` what else a person should know.
    """

    def __init__(self) -> None:
        self._needed: list[dict[str, str]] = []
        self.errors: dict[str, str] = {}
        self.warnings: list[str] = []

    @property
    def files(self) -> list[str]:
        """The files of the bundles, in the order in which they were first needed."""
        return list(dict.fromkeys(bundle["dest"] for bundle in self._needed))

    def path_of(self, variables: HostVariables) -> str:
        """The file with CA certificates of one host, whose bundle is needed from now on.

        :raises AnsibleError: where a variable cannot be evaluated.
        """
        own = own_ca_cert(variables)
        if own is not None:
            return own
        bundle = bundle_of(variables)
        if bundle not in self._needed:
            self._needed.append(bundle)
        return bundle["dest"]

    def fetch(self, execute: Execute) -> None:
        """Fetch each, or use the one of an earlier run where that fails.

        :arg execute: Runs a module with options and returns its result.
        """
        for bundle in self._needed:
            path = bundle["dest"]
            options = {name: value for name, value in bundle.items() if value}
            result = execute(MODULE, {**options, "mode": "0644", "create_directory": True})
            self.warnings += [_in_role(warning) for warning in result.get("warnings", ())]
            if not result.get("failed"):
                continue
            reason = _in_role(result.get("msg", "")).rstrip(". ")
            age = _age_of_usable(path, bundle["checksum"])
            if age is None:
                self.errors[path] = (
                    f"No CA bundle: {reason}. Set mysql_tls_ca_cert to a file with the CA certificates, or "
                    "mysql_tls_base_url to a mirror."
                )
            else:
                self.warnings.append(
                    f"The CA bundle could not be fetched: {reason}. The one of an earlier run is used, which is {age} "
                    f"old: {path}"
                )


def _in_role(message: t.Any) -> str:
    return with_variables(_DEST.sub("mysql_tls_bundle_dir", str(message)))


def _age_of_usable(path: str, checksum: str) -> str | None:
    """How old the bundle is that is there, such as ``3 days``; None where there is none that can be used."""
    try:
        with open(path, "rb") as file:
            content = file.read()
            written = dt.datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, dt.UTC)
        certificates = parse_pem(content, "dest")
    except (OSError, CertificateError):
        return None
    now = utc_now()
    if not any(certificate.not_after > now for certificate in certificates):
        return None
    if checksum and checksum.lower() != f"sha256:{hashlib.sha256(content).hexdigest()}":
        return None
    hours = max(0, int((now - written).total_seconds() // 3600))
    count, unit = (hours // 24, "day") if hours >= 48 else (hours, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"
