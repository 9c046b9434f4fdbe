# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML with Ansible's own tag for texts that are no templates."""

from __future__ import annotations

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Takes ``!unsafe`` for the text that it is about."""


_Loader.add_constructor("!unsafe", lambda _loader, node: str(node.value))


def load(text: str) -> Any:
    """The one document of a text."""
    return yaml.load(text, _Loader)  # noqa: S506  a kind of SafeLoader, which the rule does not see
