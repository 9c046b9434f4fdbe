# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers of a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from tests.servers import Pki, ServerUnavailable, TlsFiles, provide

from .database import Database


class Servers:
    """Servers by name and options, started when first asked for, stopped at the end."""

    def __init__(self, pki: Pki, stack: ExitStack) -> None:
        self.pki = pki
        self._stack = stack
        self._running: dict[tuple[Any, ...], Database] = {}

    def get(
        self,
        name: str,
        *,
        tls: bool = True,
        options: Sequence[str] = (),
        files: TlsFiles | None = None,
        **more: Any,
    ) -> Database:
        """The server called ``name``; skips the test where this machine cannot have it."""
        key = (name, tls, tuple(options), files, tuple(sorted(more.items())))
        if key not in self._running:
            certificate = files or (self.pki.server_for(name) if tls else None)
            try:
                server = self._stack.enter_context(provide(name, tls=certificate, options=options, **more))
            except ServerUnavailable as e:
                pytest.skip(f"{name} cannot be had here: {e}")
            database = Database(server, self.pki)
            self._stack.callback(database.disconnect)
            self._running[key] = database
        return self._running[key]

    def drop_all(self) -> None:
        """Drop the accounts of a test."""
        for database in self._running.values():
            database.drop_all()
