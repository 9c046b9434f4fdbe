# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables there are, and what is wrong with those that are set, in sentences."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.option_file import read_client_section
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.waivers import read_waivers
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import PREFIX

# Extra variables that Ansible evaluates before there is a host. See the role's README.
OF_PLAYBOOKS = frozenset({"mysql_tls_hosts", "mysql_tls_canary", "mysql_tls_serial"})
# What the collection registers for a host, or publishes and takes back.
OF_RESULTS = frozenset(
    {
        *("mysql_tls_look", "mysql_tls_audit", "mysql_tls_notice", "mysql_tls_change", "mysql_tls_roll_out"),
        *("mysql_tls_rollback_records", "mysql_tls_planned", "mysql_tls_plan_document"),
    }
)
_READ_BY_ROLE = (
    *("mysql_tls_any_errors_fatal", "mysql_tls_apply_immediately", "mysql_tls_artifact_bytes"),
    *("mysql_tls_attach_parameter_group", "mysql_tls_fail_on", "mysql_tls_observe_for", "mysql_tls_per_host"),
    *("mysql_tls_notify_always", "mysql_tls_rds_api", "mysql_tls_rds_wait", "mysql_tls_reboot", "mysql_tls_role"),
    "mysql_tls_stop_on_refusals",
)
_PASSWORD = f"{PREFIX}login_password"
OWN = "mysql_tls_own_variables"

# Strategies without any_errors_fatal, max_fail_percentage and run_once; those of Mitogen end like Ansible's own.
_FREE = ("free", "host_pinned")
_BATCHES = ("mysql_tls_canary", "mysql_tls_serial")
_PERCENTAGE = "mysql_tls_max_fail_percentage"
_BATCH = re.compile(r"[0-9]+%?")
_ROLE = Path(__file__).resolve().parents[2] / "roles" / "mysql_tls"
_MOST_HOSTS = 5


def _specified() -> dict[str, dict[str, t.Any]]:
    """The variables that the role's argument_specs have, with their types and choices."""
    specs = yaml_load((_ROLE / "meta" / "argument_specs.yml").read_text("utf-8"))["argument_specs"]
    return {str(name): option for entry in specs.values() for name, option in entry["options"].items()}


def known() -> frozenset[str]:
    """Every variable of the collection: the role's argument_specs have all but those above."""
    return OF_PLAYBOOKS | OF_RESULTS | frozenset(_specified())


class UnknownVariables:
    """Variables that are set for a host and are not among these."""

    def __init__(self, variables: t.Collection[str]) -> None:
        self._variables = frozenset(variables)
        self._hosts: dict[str, list[str]] = {}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        unknown = set(variables.names()) - self._variables
        for name in unknown.difference(_own(variables)) if unknown else ():
            self._hosts.setdefault(name, []).append(host)

    def sentences(self) -> list[str]:
        """One for each variable."""
        found = []
        for name in sorted(self._hosts):
            # Without what all of them have in common.
            names = sorted(one[len(PREFIX) :] for one in self._variables)
            nearest = difflib.get_close_matches(name[len(PREFIX) :], names, 1)
            meant = f" Did you mean {PREFIX}{nearest[0]}?" if nearest else ""
            where = listed(self._hosts[name])
            found.append(f"{name} is not a variable of dbtls.rds_mysql (set for {where}).{meant}")
        return [*found, f"Custom variables can be listed in {OWN}."] if found else []


def _own(variables: HostVariables) -> t.Collection[str]:
    try:
        own = variables.value(OWN) or ()
    except AnsibleError:
        return ()
    return own.replace(",", " ").split() if isinstance(own, str) else [str(name) for name in own]


class WrongNames:
    """Hosts whose names are not what is shown of them, and so are found in no result of an action."""

    def __init__(self) -> None:
        self._hosts: list[str] = []

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        del variables
        if printable(host) != host:
            self._hosts.append(printable(host))

    def sentences(self) -> list[str]:
        """One for all of them."""
        if not self._hosts:
            return []
        return [f"Names of hosts have control characters: {listed(self._hosts)}. Rename them in the inventory."]


class WrongValues:
    """Values that the role itself goes by, and that it would take for another one: a misspelled role of a server, for
    which nothing would be changed, or a time with a unit, which would be none. Modules check what they get."""

    def __init__(self) -> None:
        specified = _specified()
        self._options = {name: specified[name] for name in _READ_BY_ROLE}
        self._good: set[tuple[str, type, t.Any]] = set()
        self._wrong: dict[tuple[str, str, str], list[str]] = {}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        for name in sorted(self._options.keys() & variables.names()):
            option = self._options[name]
            try:
                value = variables.given(name)
            except AnsibleError:
                continue  # The host's own task says what cannot be evaluated.
            if value is None and "choices" not in option:
                continue
            # Nearly all hosts have the same.
            key = (name, type(value), value if isinstance(value, (str, int, float)) else repr(value))
            if key in self._good:
                continue
            wanted = _wanted(option, value)
            if wanted:
                self._wrong.setdefault((name, repr(value or ""), wanted), []).append(host)
            else:
                self._good.add(key)

    def sentences(self) -> list[str]:
        """One for each value."""
        return [
            f"{name} is {value} and has to be {wanted} (for {listed(hosts)})."
            for (name, value, wanted), hosts in self._wrong.items()
        ]


def _wanted(option: t.Mapping[str, t.Any], value: t.Any) -> str | None:
    """What a value has to be that it is not."""
    if "choices" in option:
        return None if value in option["choices"] else f"one of {', '.join(option['choices'])}"
    if value == "":  # as a survey gives what is not set
        return None
    try:
        if option["type"] == "bool":
            boolean(value, strict=True)
        elif isinstance(value, (bool, float)) or int(value) < 0:
            return "a whole number"
    except (TypeError, ValueError):
        return "true or false" if option["type"] == "bool" else "a whole number"
    return None


class MissingScope:
    """Hosts for which it was not said, or said twice, which accounts are meant."""

    def __init__(self) -> None:
        self._unnamed: list[str] = []
        self._twice: list[str] = []

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        try:
            if variables.value("mysql_tls_plan"):
                return  # It says what is meant.
            accounts, everything = (variables.value(f"mysql_tls_{name}") for name in ("accounts", "all_accounts"))
            switch = variables.value("mysql_tls_require_secure_transport")
        except AnsibleError:
            return  # The host's own task says what cannot be evaluated.
        all_accounts = str(everything).lower() in ("true", "yes", "on", "1", "t", "y")
        if accounts and all_accounts:
            self._twice.append(host)
        elif not accounts and not all_accounts and switch is None:
            self._unnamed.append(host)

    def sentences(self) -> list[str]:
        """What is wrong."""
        found = []
        if self._unnamed:
            found.append(
                f'No accounts are named for {listed(self._unnamed)}. Set mysql_tls_accounts, such as ["app@*"], or '
                "mysql_tls_all_accounts to true for every account."
            )
        if self._twice:
            twice = listed(self._twice)
            found.append(f"Both mysql_tls_accounts and mysql_tls_all_accounts are set for {twice}. Set one of them.")
        return found


class MissingCredentials:
    """Hosts with a user and no password, or a password and no user. Nothing is evaluated that may ask a service."""

    def __init__(self) -> None:
        self._no_password: list[str] = []
        self._no_user: list[str] = []
        self._files: dict[str, t.Container[str]] = {}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        try:
            user = variables.may_be_set("mysql_tls_login_user")
            # An empty password is one, where it was set.
            password = variables.may_be_set(_PASSWORD) or variables.is_empty(_PASSWORD)
            certificate = variables.may_be_set("mysql_tls_client_cert")
            in_file = self._in_file(variables.value("mysql_tls_config_file"))
        except AnsibleError:
            return
        if (user or "user" in in_file) and not password and not certificate and "password" not in in_file:
            self._no_password.append(host)
        if variables.may_be_set(_PASSWORD) and not user and "user" not in in_file:
            self._no_user.append(host)

    def _in_file(self, path: str | None) -> t.Container[str]:
        path = os.path.expanduser(path or "~/.my.cnf")
        if path not in self._files:
            try:
                self._files[path] = read_client_section(path)
            except OptionError:  # which the host's own task says, where it is no default
                self._files[path] = ()
        return self._files[path]

    def sentences(self) -> list[str]:
        """What is missing."""
        found = []
        if self._no_password:
            hosts = listed(self._no_password)
            found.append(
                f"No password is set for {hosts}. Set mysql_tls_login_password, or name a file that has it in "
                "mysql_tls_config_file. An account without a password needs an empty text."
            )
        if self._no_user:
            found.append(f"A password is set for {listed(self._no_user)}, but no user. Set mysql_tls_login_user.")
        return found


class UnwritableRecords:
    """Directories in which no rollback record could be written.

    :arg leave_nothing: Whether no directory may be made, as in check mode.
    """

    def __init__(self, *, leave_nothing: bool) -> None:
        self._leave_nothing = leave_nothing
        self._hosts: dict[str, list[str]] = {}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        try:
            path = str(variables.value("mysql_tls_rollback_file") or "")
        except AnsibleError:
            return  # The host's own task says what cannot be evaluated.
        if path:
            self._hosts.setdefault(os.path.dirname(os.path.abspath(os.path.expanduser(path))), []).append(host)

    def sentences(self) -> list[str]:
        """One for each directory."""
        reasons = {directory: _why_unwritable(directory, self._leave_nothing) for directory in self._hosts}
        return [
            f"Rollback records cannot be written to {directory} ({reason}; for {listed(self._hosts[directory])}). "
            "Nothing was changed. Set mysql_tls_state_dir to a directory that lasts and can be written."
            for directory, reason in reasons.items()
            if reason
        ]


class RdsApiPerHost:
    """Hosts with ``mysql_tls_rds_api``, which works in one task for all hosts only."""

    def __init__(self) -> None:
        self._hosts: list[str] = []

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        try:
            wanted = boolean(variables.value("mysql_tls_rds_api") or False, strict=False)
        except AnsibleError:
            return  # The host's own task says what cannot be evaluated.
        if wanted:
            self._hosts.append(host)

    def sentences(self) -> list[str]:
        """One for all of them."""
        if not self._hosts:
            return []
        sentence = (
            f"mysql_tls_rds_api is set for {listed(self._hosts)} and has no effect with a task for each host. Use the "
            "playbook audit without mysql_tls_per_host, or set mysql_tls_rds_api to false."
        )
        return [sentence]


class OtherStorage:
    """Hosts whose state directory lacks what the setup has left there, so that nothing in it would last."""

    _LONGEST = 1024

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, str], list[str]] = {}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        try:
            marker, directory = (variables.value(f"mysql_tls_state_{name}") for name in ("marker", "dir"))
        except AnsibleError:
            return  # The host's own task says what cannot be evaluated.
        if marker:
            self._hosts.setdefault((os.path.abspath(os.path.expanduser(str(directory))), str(marker)), []).append(host)

    def sentences(self) -> list[str]:
        """One for each directory."""
        return [
            f"mysql_tls_state_dir: {directory} does not have the file marker that the setup has left there, so "
            f"it is not the storage that lasts (for {listed(hosts)}). Nothing was changed. Mount the storage on every "
            "execution node, or run awx_setup again."
            for (directory, marker), hosts in self._hosts.items()
            if self._read(directory) != marker
        ]

    def _read(self, directory: str) -> str | None:
        try:
            with open(os.path.join(directory, "marker"), encoding="utf-8") as file:
                return file.read(self._LONGEST).strip()
        except (OSError, ValueError):
            return None


class WrongWaivers:
    """Waivers that cannot be read, as it would be too late to say so after a change."""

    def __init__(self) -> None:
        self._today = utc_now().date()
        self._problems: dict[str, str | None] = {}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        del host  # Most have the same waivers.
        try:
            value = plain(variables.value("mysql_tls_waivers"))
        except AnsibleError:
            return  # The host's own task says what cannot be evaluated.
        key = repr(value)
        if value and key not in self._problems:
            self._problems[key] = self._problem(value)

    def _problem(self, value: t.Any) -> str | None:
        try:
            read_waivers(value, self._today)
        except RdsMysqlError as e:
            return f"{PREFIX}{e.message}"
        return None

    def sentences(self) -> list[str]:
        """One for each problem."""
        return [problem for problem in self._problems.values() if problem]


class OneReport:
    """Hosts that differ in what one report of all of them goes by.

    It would be that of the first host: a waiver for the servers of one group counts for all others then, and new
    findings fail nothing where another group says that they do.
    """

    _EMPTY: t.ClassVar[dict[str, t.Any]] = {"mysql_tls_waivers": [], "mysql_tls_fail_on_new": "none"}

    def __init__(self) -> None:
        self._hosts: dict[str, dict[str, list[str]]] = {name: {} for name in self._EMPTY}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        for name, hosts in self._hosts.items():
            value = self._value(name, variables)
            if value is not None:
                hosts.setdefault(value, []).append(host)

    def same_waivers(self, variables: HostVariables) -> bool:
        """Whether another host has the waivers of those that were taken in."""
        return self._value("mysql_tls_waivers", variables) in self._hosts["mysql_tls_waivers"]

    def _value(self, name: str, variables: HostVariables) -> str | None:
        try:
            return repr(plain(variables.value(name)) or self._EMPTY[name])
        except AnsibleError:
            return None  # The host's own task says what cannot be evaluated.

    def sentences(self) -> list[str]:
        """One for each variable."""
        differ = [(name, *list(hosts.values())[:2]) for name, hosts in self._hosts.items() if len(hosts) > 1]
        return [
            f"{name} is not the same for {listed(one)} and for {listed(other)}, and there is one report of all. Set it "
            "once for all hosts."
            for name, one, other in differ
        ]


class MissingDestination:
    """Hosts for which it was not said where their CA bundle goes. Ansible's own message has every variable there is."""

    def __init__(self) -> None:
        self._hosts: list[str] = []

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        if not variables.may_be_set("mysql_tls_bundle_dest"):
            self._hosts.append(host)

    def sentences(self) -> list[str]:
        """One for all of them."""
        if not self._hosts:
            return []
        hosts = listed(self._hosts)
        return [f"mysql_tls_bundle_dest is not set for {hosts}. Set it to the path of the CA bundle on these hosts."]


class Check(t.Protocol):
    """Looks at the variables of each host, and says what is wrong."""

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""

    def sentences(self) -> list[str]:
        """What is wrong."""


def checked(fleet: t.Iterable[tuple[str, HostVariables]], *checks: Check) -> list[str]:
    """What the checks have to say about these hosts."""
    for host, variables in fleet:
        for check in checks:
            check.look(host, variables)
    return [sentence for check in checks for sentence in check.sentences()]


def _why_unwritable(directory: str, leave_nothing: bool) -> str | None:
    """What is in the way of a file in the directory; None where nothing is. Only writing one shows a full disk."""
    while leave_nothing and not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".", suffix=".new") as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as e:
        return e.strerror or str(e)
    return None


def wrong_batches(variables: HostVariables) -> list[str]:
    """A sentence for each size of a batch that is neither a number nor a percentage, and for a wrong limit."""
    names = set(variables.names())
    limit = variables.value(_PERCENTAGE) if _PERCENTAGE in names else 0
    limited = re.fullmatch(r"[0-9]+([.][0-9]+)?", str(limit).strip())
    given = {name: variables.value(name) for name in _BATCHES if name in names}
    told = [] if limited else [f"{_PERCENTAGE} is {limit or ''!r} and has to be a number, such as 10."]
    return told + [
        f"{name} is {'' if value is None else value!r} and has to be a number of servers, such as 1, or a percentage, "
        "such as 25%."
        for name, value in given.items()
        if isinstance(value, bool) or not _BATCH.fullmatch(str(value).strip())
    ]


def wrong_strategy(name: str) -> list[str]:
    """A sentence for a strategy in which hosts do not wait for each other, so that no failure stops a roll-out."""
    if not name.endswith(_FREE):
        return []
    sentence = (
        f"The strategy of the play is {name}, with which a failed server does not stop a roll-out. Nothing was "
        "contacted. Set strategy to linear in the play."
    )
    return [sentence]


def listed(hosts: t.Sequence[str]) -> str:
    """The names, or the first of many."""
    rest = len(hosts) - _MOST_HOSTS
    return ", ".join(hosts[:_MOST_HOSTS]) + (f" and {rest} more" if rest > 0 else "")
