# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file with CA certificates of a host, after the bundles of all hosts were fetched."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError


def ca_cert(needed: t.Mapping[str, t.Any], host: str, downloads: t.Mapping[str, t.Any] | None = None) -> str:
    """The work of the filter of this name. See its documentation.

    :raises AnsibleFilterError: where the file could not be determined or fetched.
    """
    if host in needed["errors"]:
        raise AnsibleFilterError(f"The CA bundle of {host} could not be determined: {needed['errors'][host]}")
    path = str(needed["ca_certs"][host])
    for bundle, download in zip(needed["bundles"], (downloads or {}).get("results", ()), strict=False):
        if bundle["dest"] == path and download.get("failed"):
            raise AnsibleFilterError(f"The CA bundle could not be fetched: {download.get('msg', '')}")
    return path
