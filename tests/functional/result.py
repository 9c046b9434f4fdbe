# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module run has come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What a module run returned and printed."""

    values: dict[str, Any]
    output: str

    @property
    def failed(self) -> bool:
        """Whether the task would be red."""
        return bool(self.values.get("failed"))

    @property
    def msg(self) -> str:
        """The sentence of a failure."""
        return str(self.values.get("msg", ""))

    @property
    def warnings(self) -> str:
        """All warnings in one text."""
        return "\n".join(str(warning) for warning in self.values.get("warnings", ()))

    def __getitem__(self, name: str) -> Any:
        assert name in self.values, f"no {name!r} in {self.values}"
        return self.values[name]

    def ok(self) -> Result:
        """Itself; fails the test where the module has failed."""
        assert not self.failed, self.msg
        return self
