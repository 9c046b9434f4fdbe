# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file with CA certificates of a host, after the bundles of all hosts were fetched."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError


def ca_cert(needed: t.Mapping[str, t.Any], host: str) -> str:
    """The work of the filter of this name. See its documentation.

    :raises AnsibleFilterError: where the host has no file.
    """
    if host in needed["errors"]:
        raise AnsibleFilterError(f"{host} has no CA certificates to verify with. {needed['errors'][host]}")
    return str(needed["ca_certs"][host])
