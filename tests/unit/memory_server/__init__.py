# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database server in memory, as strict as the real ones, with faults and a clock of its own.

What it answers is checked against real servers by tests/functional/test_memory_server.py.
"""

from __future__ import annotations

from .clock import Clock
from .model import RELEASES, Entry, Key, Release, Requirement, ServerSession
from .network import Exchange, Fault, Login, MemorySession, Network
from .server import US, MemoryServer
from .sql import ServerError, Unknown

__all__ = [
    "RELEASES",
    "US",
    "Clock",
    "Entry",
    "Exchange",
    "Fault",
    "Key",
    "Login",
    "MemoryServer",
    "MemorySession",
    "Network",
    "Release",
    "Requirement",
    "ServerError",
    "ServerSession",
    "Unknown",
]
