# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of rds_ca_bundle to its return values."""

from __future__ import annotations

import hashlib
import os
import typing as t
from contextlib import ExitStack

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import check, compose, destination, source_cache
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle.access import (
    Access,
    check_urls,
    private_parts,
    shown,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import followed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import Module
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError

# A day. The system's clocks have an end as well.
MAX_TIMEOUT = 86400
LONGEST_LIST = 5


def urls_from_params(params: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """What to read; raises OptionError naming the option that is wrong."""
    if params["urls"] is None:
        return _rds.source_urls(params["region"], params["ca_set"], params["base_url"])
    urls = tuple(str(url) for url in params["urls"])
    if not urls:
        raise OptionError("urls: the list is empty.")
    return urls


def access_from_params(params: t.Mapping[str, t.Any]) -> Access:
    """How to read it; raises OptionError naming the option that is wrong."""
    timeout, retries, ca_path = int(params["timeout"]), int(params["retries"]), params["ca_path"]
    if not 1 <= timeout <= MAX_TIMEOUT:
        raise OptionError(f"timeout: {timeout} is not a number of seconds between 1 and {MAX_TIMEOUT}.")
    if retries < 0:
        raise OptionError(f"retries: {retries} is a negative number.")
    if ca_path is not None and not os.path.isfile(ca_path):
        raise OptionError(f"ca_path: {ca_path} is not a file.")
    return Access(
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
    """A module that masks what is private in URLs, also where Ansible refuses the options, before the work begins."""

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """Leave with a message."""
        self._mask()
        super().fail_json(msg, **kwargs)
        raise AssertionError("fail_json does not return")

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        """Leave with a result."""
        self._mask()
        super().exit_json(**kwargs)
        raise AssertionError("exit_json does not return")

    def _mask(self) -> None:
        for name, value in self.params.items():
            # An option that is refused may have another name.
            if name in ("base_url", "urls") or "://" in str(value):
                self.no_log_values.update(private_parts(value))


def check_characters(params: t.Mapping[str, t.Any]) -> None:
    """Fail with a message where a file system or a server cannot take a text."""
    for name, value in params.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and "\0" in text:
                raise OptionError(f"{name}: there is a null byte in it.")


def scope_from_params(params: t.Mapping[str, t.Any], urls: t.Sequence[str]) -> str:
    """What the bundle is of. A CA that was there before is missed only in one of the same."""
    if params["urls"] is None:
        return f"{params['ca_set']} {params['region']}"
    return hashlib.sha256("\n".join(shown(url) for url in urls).encode("utf-8")).hexdigest()


class Plan(t.NamedTuple):
    """What the file will hold. ``known`` and ``scope`` are for the record of the sources."""

    dest: str
    form: destination.Format
    bundle: compose.Bundle
    known: source_cache.Known
    scope: str
    allow_weaker: bool

    def compare(self, old: destination.OldFile | None) -> tuple[bool, bytes, list[str]]:
        """Whether the file has to be replaced, the content that it has afterwards, and warnings about that.

        :raises CertificateError: naming certificates and rules, where the bundle is worse than the one that is there.
        """
        changed, content = destination.compare(self.form, self.bundle, old)
        if not changed or old is None:
            return changed, content, []
        reasons = check.worse(
            self.bundle.certificates,
            self.bundle.weaknesses,
            old.held,
            same_sources=old.may_be_of(self.scope),
            now=utc_now(),
        )
        if not reasons:
            return changed, content, []
        said = "; ".join(reasons)
        if self.allow_weaker:
            return changed, content, [f"The new bundle is weaker than the one that was there: {said}."]
        raise CertificateError(
            f"dest: {self.dest} was not replaced, as the new bundle is weaker than the one that is there: {said}. If "
            "that is intended, set allow_weaker to true."
        )


def root_warnings(bundle: compose.Bundle, params: t.Mapping[str, t.Any]) -> list[str]:
    """A warning that names the roots that are not known to be of AWS; raises CertificateError where that is refused."""
    # A mirror may well have CAs of its own; AWS's own addresses should not.
    policy = params["unknown_roots"] or ("ignore" if params["urls"] is not None or params["base_url"] else "warn")
    unknown = compose.unknown_roots(bundle) if policy != "ignore" else []
    if not unknown:
        return []
    more = len(unknown) - LONGEST_LIST
    names = ", ".join([*unknown[:LONGEST_LIST], *([f"and {more} more"] if more > 0 else [])])
    table = f"this collection's table of AWS's roots of {compose.ROOTS_AS_OF}"
    sentence = f"The bundle has roots that are not in {table}: {names}."
    if policy == "fail":
        raise CertificateError(f"unknown_roots: {sentence} Nothing was written.")
    return [f"{sentence} AWS may have added them since, in particular with a new region."]


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Compose, compare, write if needed, and describe."""
    params = module.params
    check_characters(params)
    limit = int(params["max_certificates"])
    if limit < 1:
        raise OptionError(f"max_certificates: {limit} is not a number from 1 on.")
    try:
        dest = followed(params["dest"])
    except OSError as e:
        raise RdsMysqlError(f"dest: {params['dest']} cannot be written: {e.strerror}.") from e
    urls, access = urls_from_params(params), access_from_params(params)
    form = destination.format_from_params(params)
    check_urls(urls, "base_url" if params["urls"] is None else "urls", access)
    for path in (params["dest"], dest):
        destination.check_destination(path, may_be_missing=params["create_directory"] or module.check_mode)
    old = destination.read_old(dest, form, force=params["force"])
    bundle = compose.compose(
        urls,
        access,
        expired=params["expired"],
        checksum=params["checksum"],
        earlier=old.earlier(urls) if old else None,
        max_certificates=limit,
    )
    warnings = [
        *([] if params["checksum"] else compose.protection_warnings(urls, access)),
        *root_warnings(bundle, params),
        *compose.expiry_warnings(bundle, int(params["expiry_warn_days"])),
        *check.weakness_warnings(bundle.certificates, bundle.weaknesses),
    ]
    known = compose.askable(bundle, access, checked=bool(params["checksum"]))
    plan = Plan(dest, form, bundle, known, scope_from_params(params, urls), params["allow_weaker"])
    changed, content, weaker = plan.compare(old)
    if module.check_mode:
        done = promise(module, dest, changed=changed)
    else:
        done = write(module, plan, old, content, changed=changed)
    return {
        **describe(module, bundle, old, len(done.pop("content", content))),
        **done,
        "warnings": [*warnings, *weaker, *done["warnings"]],
    }


def promise(module: AnsibleModule, dest: str, *, changed: bool) -> dict[str, t.Any]:
    """What ``write`` would return, in check mode."""
    warnings = []
    if os.path.lexists(dest):
        file_args = module.load_file_common_arguments(module.params, path=dest)
        changed = module.set_fs_attributes_if_different(file_args, changed)
    elif not module.params["create_directory"] and not os.path.isdir(os.path.dirname(dest)):
        # An earlier task may create it, and does not in check mode.
        warnings = [f"The directory {os.path.dirname(dest)} does not exist. Without check mode this task would fail."]
    return {"changed": changed, "warnings": warnings}


def write(
    module: AnsibleModule, plan: Plan, old: destination.OldFile | None, content: bytes, *, changed: bool
) -> dict[str, t.Any]:
    """Replace the file and its record where they differ, and see to its attributes; returns what was done."""
    file_args = module.load_file_common_arguments(module.params, path=plan.dest)
    if not changed and old and old.knows(plan.known, plan.bundle.certificates, plan.scope):
        return {"changed": module.set_fs_attributes_if_different(file_args, False), "warnings": []}
    done: dict[str, t.Any] = {"warnings": []}
    with ExitStack() as stack:
        create = module.params["create_directory"]
        made = stack.enter_context(destination.directories(plan.dest)) if create else []
        stack.enter_context(destination.turn(plan.dest))
        now = destination.read_old(plan.dest, plan.form, force=module.params["force"])
        if (now and now.content) != (old and old.content):  # another run was faster
            changed, content, done["warnings"] = plan.compare(now)
        if changed:
            backup, warnings = destination.replace(module, plan.dest, content, now, file_args, made)
            done["warnings"] += warnings
            done.update({"backup_file": backup} if backup else {})
        checksum = hashlib.sha256(content).hexdigest()
        warning = destination.update_record(plan.dest, plan.bundle, plan.known, plan.scope, checksum)
        done["warnings"] += [warning] if warning else []
        done["changed"] = module.set_fs_attributes_if_different(file_args, changed)
    return {**done, "content": content}


def describe(
    module: AnsibleModule, bundle: compose.Bundle, old: destination.OldFile | None, size: int
) -> dict[str, t.Any]:
    """The return values that do not depend on whether anything is written."""
    now = utc_now()
    dest = module.params["dest"]
    result: dict[str, t.Any] = {
        "dest": dest,
        "checksum": bundle.checksum,
        "size": size,
        "sources": [source.describe() for source in bundle.sources],
        "certificates": [certificate.describe(now) for certificate in bundle.certificates],
        "earliest_expiry": iso8601(min(c.not_after for c in bundle.certificates)),
    }
    if module._diff:
        result["diff"] = {
            "before_header": dest,
            "after_header": dest,
            "before": "" if old is None else destination.list_certificates(old.certificates),
            "after": destination.list_certificates(bundle.certificates),
        }
    return result
