# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that AWS Secrets Manager has: each secret is fetched once, however many hosts need it."""

from __future__ import annotations

import typing as t

from ansible.template import Templar, trust_as_template
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain

# The role's variable with what a secret holds. See roles/mysql_tls/tasks/secrets.yml, which does the same in tasks.
_TEXT = "__mysql_tls_secret_text"
_LOOKUP = """{{ lookup('amazon.aws.secretsmanager_secret', place.name, region=place.region or none,
profile=place.profile or none, on_missing='skip', on_denied='skip') }}"""


def secret_of_host(values: HostVariables) -> dict[str, str] | None:
    """The secret of AWS Secrets Manager that a host's login is in; an ARN names its region."""
    name = str(values.value("mysql_tls_secret") or "")
    if not name:
        return None
    # arn:aws:secretsmanager:eu-central-1:123456789012:secret:login
    region = name.split(":")[3] if name.count(":") >= 6 else str(values.value("mysql_tls_region") or "")
    profile = str(values.value("mysql_tls_aws_profile") or "")
    return {"name": name, "region": "" if region == "global" else region, "profile": profile}


class LoginSecrets:
    """Gives hosts what their secrets hold."""

    def __init__(self, loader: t.Any) -> None:
        self._loader = loader
        self._texts: dict[tuple[str, ...], t.Any] = {}

    def add_to(self, values: HostVariables) -> None:
        """Fetch the host's secret, if it names one.

        :raises AnsibleError: where it cannot be fetched.
        """
        place = secret_of_host(values)
        if place is None:
            return
        key = tuple(place.values())
        if key not in self._texts:
            templar = Templar(loader=self._loader, variables={"place": place})
            self._texts[key] = plain(templar.template({"text": trust_as_template(_LOOKUP)})).get("text")
        values.set(_TEXT, self._texts[key])
