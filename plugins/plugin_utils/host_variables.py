# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables of each host, read by code: one task of Ansible can ask for those of all hosts."""

from __future__ import annotations

import copy
import hashlib
import os
import re
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.template import Templar, is_trusted_as_template, trust_as_template
from ansible.vars.manager import VariableManager
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import PREFIX

# The two kinds of templates that nearly all hosts have, which need no templating engine.
_NAME = r"([A-Za-z_][A-Za-z0-9_]*)"
_REFERENCE = re.compile(rf"\{{\{{ *{_NAME} *\}}\}}")
_REFERENCE_WITH_DEFAULT = re.compile(rf"\{{\{{ *{_NAME} *\| *default\({_NAME}\) *\}}\}}")
# Of an environment variable alone, so that it has one value on all hosts.
_OF_ENVIRONMENT = re.compile(
    r"\{\{ *lookup\('(?:ansible\.builtin\.)?env', *'\w+'\) *(?:\| *default\((?:none|'[^'{}]*'), *true\) *)?\}\}[^{}]*"
)
# The role's own for a login: what a secret holds, else of an environment variable.
_OF_SECRET = re.compile(r"\{\{ __mysql_tls_secret\.\w+ if mysql_tls_secret else (lookup\([^{}]*) \}\}")
_SECRETS_NAME = f"{PREFIX}secret"
_DEEPEST = 8


class _NotPlain(Exception):
    """The templating engine has to evaluate it."""


class HostVariables:
    """What a task would see on one host. A value is evaluated when it is asked for.

    :arg shared: What has been evaluated for other hosts of the same fleet, and is the same here.
    """

    def __init__(self, seen: dict[str, t.Any], loader: t.Any = None, shared: dict[t.Any, t.Any] | None = None) -> None:
        self._seen = seen
        self._loader = loader
        self._templar: Templar | None = None
        self._shared = {} if shared is None else shared

    def names(self) -> list[str]:
        """All that are called like the role's."""
        return [str(name) for name in self._seen if str(name).startswith(PREFIX)]

    def value(self, name: str) -> t.Any:
        """The value in plain types; None where it is not set, which empty, null and omitted are too.

        :raises AnsibleError: where it cannot be evaluated, naming what is undefined.
        """
        found = self.given(name)
        return None if found in ("", []) else found

    def given(self, name: str) -> t.Any:
        """The same, but what is empty stays that."""
        if name not in self._seen:
            return None
        try:
            return _without_engine(self._seen[name], self._seen, _DEEPEST)
        except _NotPlain:
            return self._evaluated(name)

    def raw(self, name: str) -> t.Any:
        """The value as it was set: a template is not evaluated."""
        return self._seen.get(name)

    def may_be_set(self, name: str) -> bool:
        """Whether it has a value, as far as that is known without evaluating a template, which may ask a service."""
        try:
            return _without_engine(self._seen.get(name), self._seen, _DEEPEST) not in (None, "", [])
        except _NotPlain:
            return _key_of_all_hosts(self._template(name)) is None or self.value(name) is not None

    def set(self, name: str, value: t.Any) -> None:
        """Overrule a variable."""
        self._seen[name] = value

    def is_empty(self, name: str) -> bool:
        """Whether it was set to an empty text."""
        return name in self._seen and isinstance(self._seen[name], str) and not self._seen[name]

    def _evaluated(self, name: str) -> t.Any:
        value = self._template(name)
        same = _key_of_all_hosts(value)
        if same is not None and same in self._shared:
            return self._shared[same][1]
        if self._templar is None:
            self._templar = Templar(loader=self._loader, variables=self._seen)
        # In a dictionary, what is omitted drops out.
        found = plain(self._templar.template({name: value})).get(name)
        if same is not None:
            self._shared[same] = (value, found)  # with the value, so that its identity is not another's
        return found

    def _template(self, name: str) -> t.Any:
        """What will be evaluated: without a secret, the part of the role's own that is about the environment."""
        value = self._seen[name]
        of_secret = _OF_SECRET.fullmatch(value) if isinstance(value, str) else None
        if of_secret and not self.may_be_set(_SECRETS_NAME):
            return trust_as_template(f"{{{{ {of_secret[1]} }}}}")
        return value


def _without_engine(value: t.Any, seen: t.Mapping[str, t.Any], depth: int) -> t.Any:
    """The value in plain types where that takes no templating engine, which takes half a millisecond for each."""
    if value is None or isinstance(value, (bool, int, float)):
        return plain(value)
    if isinstance(value, str):
        if ("{" not in value and not value.startswith("#jinja2:")) or not is_trusted_as_template(value):
            return plain(value)
        reference = _REFERENCE.fullmatch(value)
        if reference and reference[1] in seen and depth:
            return _without_engine(seen[reference[1]], seen, depth - 1)
        reference = _REFERENCE_WITH_DEFAULT.fullmatch(value)
        if reference and depth:
            first, default = reference.groups()
            if first in seen:
                return _without_engine(seen[first], seen, depth - 1)
            if default in seen:
                return _without_engine(seen[default], seen, depth - 1)
    elif isinstance(value, list):
        return [_without_engine(item, seen, depth) for item in value]
    raise _NotPlain


def _key_of_all_hosts(value: t.Any) -> t.Any:
    """What tells a value that is the same for all hosts from others; None for one that may differ."""
    if isinstance(value, str):
        return str(value) if _OF_ENVIRONMENT.fullmatch(value) else None
    # A vaulted text, which takes its time to decrypt; hosts of one group have the same.
    return id(value) if type(value).__name__ == "EncryptedString" else None


class _Manager(VariableManager):
    """Ansible's own, which makes the lists of all hosts again for each host."""

    magic: dict[str, t.Any]

    def _get_magic_variables(self, *_args: t.Any, **_named: t.Any) -> dict[str, t.Any]:
        return self.magic


class Fleet:
    """The variables of all hosts, as a task sees them.

    Half a millisecond for each host and a few variables. Those of 10,000 hosts at once would take 100 MiB: use each
    host's and let go of it.
    """

    def __init__(self, task: t.Any, variables: t.Mapping[str, t.Any], loader: t.Any) -> None:
        self._task = task
        self._play = task.get_play()
        self._hostvars = variables["hostvars"]
        self._inventory = self._hostvars._inventory
        self._loader = loader
        self._shared: dict[t.Any, t.Any] = {}
        self._manager: t.Any = None

    def of(self, host: str) -> HostVariables:
        """Those of one host.

        hostvars itself knows neither a play's variables nor a role's. Who gives them to Ansible's own tasks does.

        :raises AnsibleActionFail: for a host that is not in the inventory.
        """
        found = self._inventory.get_host(host)
        if found is None:
            raise AnsibleActionFail(f"hosts: {host} is not in the inventory.")
        if self._manager is None:
            self._manager = self._of_all_hosts(found)
        seen = self._manager.get_vars(play=self._play, host=found, task=self._task)
        return HostVariables(seen, self._loader, self._shared)

    def _of_all_hosts(self, host: t.Any) -> t.Any:
        """Ansible's manager of variables, with what is the same for every host of the play made once."""
        manager = self._hostvars._variable_manager
        magic = manager._get_magic_variables(play=self._play, host=host, task=self._task, include_hostvars=True)
        own = copy.copy(manager)
        own.__class__ = _Manager
        own.magic = magic
        return own

    def items(self, hosts: t.Iterable[str]) -> t.Iterator[tuple[str, HostVariables]]:
        """Each host and its variables, one at a time."""
        return ((host, self.of(host)) for host in hosts)

    def matching(self, pattern: t.Any) -> list[str]:
        """The hosts of a pattern, within the limit of the command line."""
        return [str(host.name) for host in self._inventory.get_hosts(pattern)]


OWN_OPTIONS = ("allow_weaker", "unknown_roots")
"""Options of ``rds_ca_bundle`` that have the role's variables with ``bundle_`` in front of them."""


def own_ca_cert(variables: HostVariables) -> str | None:
    """The file with CA certificates that the user has named for this host; None where a bundle is fetched."""
    own = variables.value("mysql_tls_ca_cert")
    return None if own is None else _path(str(own))


def _path(text: str) -> str:
    """Where Ansible was started, as the role's other paths. A module would start from the directory of the playbook."""
    return os.path.abspath(os.path.expandvars(os.path.expanduser(text)))


def bundle_of(variables: HostVariables) -> dict[str, str]:
    """The CA bundle that is fetched for a host, as options of ``rds_ca_bundle``; what is not set is empty.

    Each mirror has a file name of its own, so that what one of them serves never counts for the hosts of another.
    """
    names = ("region", "ca_set", "base_url", "url_username", "url_password", "ca_path")
    own = ("checksum", "dir", *OWN_OPTIONS)
    given = {name: str(variables.value(PREFIX + name) or "") for name in names}
    given.update({name: str(variables.value(f"{PREFIX}bundle_{name}") or "") for name in own})
    if given["unknown_roots"] == "auto":
        given["unknown_roots"] = ""
    mirror = f"-{hashlib.sha256(given['base_url'].encode()).hexdigest()[:12]}" if given["base_url"] else ""
    directory = _path(given.pop("dir"))
    if given["ca_path"]:
        given["ca_path"] = _path(given["ca_path"])
    return {
        "dest": f"{directory}/{given['ca_set']}-{given['region']}{mirror}.pem",
        **given,
    }
