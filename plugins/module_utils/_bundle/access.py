# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How sources are reached, and which URLs are refused before anything is asked."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
SCHEMES = ("http", "https", "file")
# A whole attempt may take so many times ``timeout``: each wait is short enough when a byte comes now and then.
ATTEMPT_TIMEOUTS = 5


# Named tuples, here and in what builds on this: to define one takes a seventh of the time of a dataclass, and defining
# them is most of what importing these modules costs.


class Access(t.NamedTuple):
    """How to reach the sources.

    ``timeout`` is in seconds and bounds each network wait; a whole attempt may take ATTEMPT_TIMEOUTS times as long.
    ``retries`` counts the attempts after the first. User name and password go to the server of each URL by HTTP basic
    authentication, over https only.
    """

    timeout: int = 30
    retries: int = 2
    validate_certs: bool = True
    ca_path: str | None = None
    use_proxy: bool = True
    http_agent: str | None = None
    username: str | None = None
    password: str | None = None
    force_basic_auth: bool = False
    no_cache: bool = False

    def __repr__(self) -> str:
        return f"Access(timeout={self.timeout}, retries={self.retries}, ...)"  # a password is not to be shown


def shown(url: str) -> str:
    """The URL as it may be shown: the query, which may be a signature or a token, is left out."""
    before, question_mark, _query = url.partition("?")
    return f"{before}?..." if question_mark else url


def private_parts(urls: t.Any) -> set[str]:
    """What of given URLs must not be in a result.

    That is each query, and all of them as soon as one holds user information, or is something else that has URLs in it:
    what Ansible makes of a value that is not what it should be may be cut anywhere.

    :arg urls: A text, or a list or dictionary of them.
    """
    texts = list(_texts(urls))
    if any(_has_user_information(text) or ("://" in text and not _SCHEME.match(text)) for text in texts):
        return set(texts)
    return {text[text.index("?") :] for text in texts if "?" in text}


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, dict):
        yield from _texts([*value, *value.values()])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value:
        yield str(value)


def _has_user_information(url: str) -> bool:
    """Whether an @ is anywhere in it: with a password that is not quoted, it may be in what is the path to others."""
    return "@" in url and not url.startswith("file:")


def parsed(url: str) -> SplitResult | None:
    """Its parts, None where it is not a URL."""
    try:
        parts = urlsplit(url)
        int(parts.port or 0)  # raises where it is no number; it is parsed only now
    except ValueError:
        return None
    return parts


def check_urls(urls: t.Sequence[str], option: str, access: Access) -> None:
    """Refuse what cannot be read, or not without giving a password away, before anything is asked.

    :raises OptionError: naming the option.
    """
    # First in all of them: it is what a password with a comma in it, where Ansible makes a list of a text, ends with.
    if any(_has_user_information(url) for url in urls):
        raise OptionError(
            f"{option}: ******** holds an @, as a URL with a user name or a password does. Set url_username and "
            "url_password instead, and write an @ in a path as %40."
        )
    for url in urls:
        _check_url(url, option, access)


def _check_url(url: str, option: str, access: Access) -> None:
    parts = parsed(url)
    if parts is None:
        raise OptionError(f"{option}: {shown(url)!r} is not a URL.")
    if parts.scheme not in SCHEMES:
        raise OptionError(f"{option}: {shown(url)!r} is not an http, https or file URL.")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise OptionError(f"{option}: {shown(url)!r} names another machine; a file URL is file:///path.")
        return
    if not parts.hostname:
        raise OptionError(f"{option}: {shown(url)!r} names no host.")
    if parts.scheme == "http" and access.password is not None:
        raise OptionError(
            f"{option}: the password would be sent to {shown(url)} in clear text; use https, or leave url_password out."
        )
    check_proxy(parts, access)


def check_proxy(parts: SplitResult, access: Access) -> None:
    """Refuse a proxy with user information.

    :raises OptionError: naming the environment variable.
    """
    if access.use_proxy and "@" in getproxies().get(parts.scheme, "") and not proxy_bypass(parts.netloc):
        raise OptionError(
            f"{parts.scheme}_proxy: ******** holds a user name or a password, which is not supported; url_username "
            "and url_password are for the sources. Name a proxy that asks for neither, or set use_proxy to false."
        )


def unprotected(url: str, access: Access) -> str | None:
    """Why anybody on the network path can choose what is read, as the end of a sentence; None where nobody can."""
    scheme = urlsplit(url).scheme
    if scheme == "http":
        return "was read over plain http"
    if scheme == "https" and not access.validate_certs:
        return "was read from a server that was not verified (validate_certs is false)"
    return None
