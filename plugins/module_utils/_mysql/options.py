# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where to connect, as whom, and how the connection has to be protected: options, read and checked."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.option_file import read_client_section

SSL_MODES = ("disabled", "preferred", "required", "verify_ca", "verify_identity")
# A day. PyMySQL and the system's clocks have an end as well.
MAX_TIMEOUT = 86400
# The default of the time for all work on a server: so many times that for one step of it.
_CONNECT_TIMEOUTS = 4
_VERIFYING = ("verify_ca", "verify_identity")
_ENCRYPTING = ("required", *_VERIFYING)


@dataclass(frozen=True)
class ConnectionOptions:
    """Where to connect, as whom, and how the connection has to be protected.

    ``user`` is None when there are no credentials at all. ``timeout`` is in seconds, for connecting and logging in, and
    for each statement. ``deadline`` is that of all work on this server, over whichever connections: it runs from when
    the options are read, and is the same for options that are made of these.
    """

    host: str
    port: int
    unix_socket: str | None
    user: str | None
    password: str = field(repr=False)
    timeout: int
    ssl_mode: str
    ca_cert: str | None
    client_cert: str | None
    client_key: str | None
    tls_min_version: str
    deadline: Deadline = field(compare=False, repr=False)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> ConnectionOptions:
        """Options from a module's validated parameters and the ``[client]`` section of ``config_file``.

        :raises OptionError: naming the option that is wrong.
        """
        host, port = _host(params["login_host"]), _port(params["login_port"])
        user, password = _credentials(params)
        ca_cert = _readable_file(params, "ca_cert")
        connect_timeout = _seconds(params, "connect_timeout")
        return cls(
            host=host,
            port=port,
            unix_socket=_path(params, "login_unix_socket"),
            user=user,
            password=password,
            timeout=connect_timeout,
            ssl_mode=_ssl_mode(params.get("ssl_mode"), params.get("check_hostname"), ca_cert),
            ca_cert=ca_cert,
            client_cert=_readable_file(params, "client_cert"),
            client_key=_readable_file(params, "client_key"),
            tls_min_version=str(params["tls_min_version"]),
            deadline=Deadline(_whole_timeout(params, connect_timeout), " for all work on the server (timeout)"),
        )

    @property
    def endpoint(self) -> str:
        """The server's name in messages: ``host:port``, or the path of the socket."""
        if self.unix_socket:
            return self.unix_socket
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def address(self) -> tuple[str, int] | str:
        """The address for the socket module."""
        return self.unix_socket or (self.host, self.port)

    @property
    def verifies(self) -> bool:
        """Whether the server's certificate has to pass verification."""
        return self.ssl_mode in _VERIFYING

    @property
    def encrypts(self) -> bool:
        """Whether there is no connection without TLS."""
        return self.ssl_mode in _ENCRYPTING

    def encrypted(self) -> ConnectionOptions:
        """The same, with TLS required where it was only preferred or even disabled."""
        return self if self.encrypts else replace(self, ssl_mode="required")


def _plain(value: t.Any | None) -> str | None:
    # PyMySQL and the ssl module check exact types, and ansible-core 2.19+ hands out tagged subclasses of str and int.
    return None if value is None or value == "" else str(value)


def _host(value: str) -> str:
    host = str(value)
    if "@" in host:
        raise OptionError(
            f"login_host: {without_user_information(host)} is not a host name: name the user in login_user and the "
            "password in login_password."
        )
    if host.startswith("[") and host.endswith("]"):  # as an IPv6 address is written in front of a port
        host = host[1:-1]
    try:
        name = host.encode("idna")  # as the socket and ssl modules do
    except UnicodeError as e:
        raise OptionError(f"login_host: {host!r} is not a host name.") from e
    if b"\0" in name:
        raise OptionError(f"login_host: {host!r} is not a host name.")
    return host


def without_user_information(host: str) -> str:
    """A host as given, for messages: what stands before an ``@`` may hold a password."""
    return host if "@" not in host else "***@" + host.rpartition("@")[2]


def _port(value: int) -> int:
    port = int(value)
    if not 0 < port < 65536:
        raise OptionError(f"login_port: {port} is not a port number between 1 and 65535.")
    return port


def _seconds(params: t.Mapping[str, t.Any], option: str) -> int:
    seconds = int(params[option])
    if not 1 <= seconds <= MAX_TIMEOUT:
        raise OptionError(f"{option}: {seconds} is not a number of seconds between 1 and {MAX_TIMEOUT}.")
    return seconds


def _whole_timeout(params: t.Mapping[str, t.Any], connect_timeout: int) -> int:
    if params.get("timeout") is None:
        return _CONNECT_TIMEOUTS * connect_timeout
    return _seconds(params, "timeout")


def _credentials(params: t.Mapping[str, t.Any]) -> tuple[str | None, str]:
    user, password = _plain(params.get("login_user")), _plain(params.get("login_password"))
    path = _path(params, "config_file")
    explicit = path is not None
    path = os.path.expanduser(path or "~/.my.cnf")
    if explicit or os.path.exists(path):
        section = read_client_section(path)
        user = user or section.get("user") or None
        password = password if password is not None else section.get("password")
    if user is None and password:
        raise OptionError(f"login_user: a password is given, but no user, neither here nor in {path}.")
    return user, password or ""


def _path(params: t.Mapping[str, t.Any], name: str) -> str | None:
    path = _plain(params.get(name))
    return None if path is None else os.path.abspath(path)  # so that a message says which directory it counts from


def _readable_file(params: t.Mapping[str, t.Any], name: str) -> str | None:
    path = _path(params, name)
    if path is None:
        return None
    try:
        with open(path, "rb"):
            return path
    except OSError as e:
        raise OptionError(f"{name}: {path} cannot be read: {e.strerror}.") from e


def _ssl_mode(mode: str | None, check_hostname: bool | None, ca_cert: str | None) -> str:
    if mode is None:
        if ca_cert is None:
            return "preferred"
        return "verify_ca" if check_hostname is False else "verify_identity"
    if mode in _VERIFYING and ca_cert is None:
        raise OptionError(
            f"ca_cert: ssl_mode {mode} needs the CA bundle that the server certificate has to chain to "
            "(dbtls.rds_mysql.rds_ca_bundle fetches the one of RDS)."
        )
    if (mode == "verify_identity" and check_hostname is False) or (mode == "verify_ca" and check_hostname):
        raise OptionError(
            f"check_hostname: {str(check_hostname).lower()} contradicts ssl_mode {mode}; leave one of them out."
        )
    return str(mode)
