# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of rds_ca_bundle to its return values."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import compose, destination, download
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import Module
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now

# A day. The system's clocks have an end as well.
MAX_TIMEOUT = 86400


def urls_from_params(params: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """What to read; raises OptionError naming the option that is wrong."""
    if params["urls"] is None:
        return compose.source_urls(params["region"], params["ca_set"], params["base_url"])
    urls = tuple(str(url) for url in params["urls"])
    if not urls:
        raise OptionError("urls: the list is empty.")
    return urls


def access_from_params(params: t.Mapping[str, t.Any]) -> download.Access:
    """How to read it; raises OptionError naming the option that is wrong."""
    timeout, retries, ca_path = int(params["timeout"]), int(params["retries"]), params["ca_path"]
    if not 1 <= timeout <= MAX_TIMEOUT:
        raise OptionError(f"timeout: {timeout} is not a number of seconds between 1 and {MAX_TIMEOUT}.")
    if retries < 0:
        raise OptionError(f"retries: {retries} is a negative number.")
    if ca_path is not None and not os.path.isfile(ca_path):
        raise OptionError(f"ca_path: {ca_path} is not a file.")
    return download.Access(
        timeout=timeout,
        retries=retries,
        validate_certs=params["validate_certs"],
        ca_path=ca_path,
        use_proxy=params["use_proxy"],
        http_agent=params["http_agent"],
        username=params["url_username"],
        password=params["url_password"],
        force_basic_auth=params["force_basic_auth"],
        no_cache=params["force"],
    )


class BundleModule(Module):
    """A module whose passwords in URLs are masked, also where Ansible refuses the options, before the work begins."""

    # Whether what cannot be done raises RdsMysqlError.
    raising = False

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """Leave with a message."""
        if self.raising:
            raise RdsMysqlError(msg)
        # An option that is refused may have another name, so all are looked at.
        self.no_log_values.update(download.passwords_in(self.params))
        super().fail_json(msg, **kwargs)
        raise AssertionError("fail_json does not return")

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        """Leave with a result."""
        self.no_log_values.update(download.passwords_in([self.params["base_url"], self.params["urls"]]))
        super().exit_json(**kwargs)
        raise AssertionError("exit_json does not return")


def check_characters(params: t.Mapping[str, t.Any]) -> None:
    """Fail in words where a text is none that a file system or a server takes."""
    for name, value in params.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and "\0" in text:
                raise OptionError(f"{name}: there is a null byte in it.")


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Compose, compare, write if needed, and describe."""
    params = module.params
    check_characters(params)
    dest = os.path.realpath(params["dest"])
    urls, access, form = urls_from_params(params), access_from_params(params), destination.format_from_params(params)
    for url in urls:
        download.check_url(url, "urls" if params["urls"] else "base_url", access)
    destination.check_destination(params["dest"])
    destination.check_destination(dest)
    old = destination.read_old(dest, form, force=params["force"])
    bundle = compose.compose(
        urls,
        access,
        expired=params["expired"],
        checksum=params["checksum"],
        earlier=old.earlier(urls) if old else None,
    )
    changed, content = destination.compare(form, bundle, old)

    now = utc_now()
    result: dict[str, t.Any] = {
        "dest": params["dest"],
        "checksum": bundle.checksum,
        "size": len(content),
        "sources": [source.describe() for source in bundle.sources],
        "certificates": [certificate.describe(now) for certificate in bundle.certificates],
        "earliest_expiry": iso8601(min(c.not_after for c in bundle.certificates)),
        "warnings": compose.expiry_warnings(bundle, int(params["expiry_warn_days"])),
    }
    if module._diff:
        result["diff"] = {
            "before_header": params["dest"],
            "after_header": params["dest"],
            "before": "" if old is None else destination.list_certificates(old.certificates),
            "after": destination.list_certificates(bundle.certificates),
        }
    file_args = module.load_file_common_arguments(params, path=dest)
    if not module.check_mode:
        backup = destination.replace(module, dest, content, old, file_args) if changed else None
        if backup:
            result["backup_file"] = backup
        warning = None
        if changed or not (old and old.record and old.record.known(urls, bundle.certificates) == bundle.known):
            warning = destination.update_record(module, dest, bundle, hashlib.sha256(content).hexdigest())
        if warning:
            result["warnings"].append(warning)
    result["changed"] = module.set_fs_attributes_if_different(file_args, changed)
    return result
