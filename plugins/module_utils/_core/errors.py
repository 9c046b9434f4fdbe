# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the work raises. It knows nothing of AnsibleModule: only a module's main turns these into a failed task."""

from __future__ import annotations

import typing as t


class RdsMysqlError(Exception):
    """Something a person has to act on, said in one sentence that names what and where.

    :arg message: The sentence. Never holds a password.
    :arg details: Further return values of the failed task, plain types only.
    """

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, t.Any] = details


class MissingLibrary(RdsMysqlError):
    """A Python library that the work needs cannot be imported.

    :arg library: Its name on the Python Package Index.
    :arg reason: What it is needed for, continuing "This is required to ...".
    """

    def __init__(self, library: str, reason: str, cause: ImportError) -> None:
        super().__init__(f"The Python library {library} is needed to {reason}: {cause}")
        self.library = library
        self.reason = reason


class OptionError(RdsMysqlError):
    """An option's value cannot be used; the message names the option."""
