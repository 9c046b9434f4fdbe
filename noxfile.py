# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates as nox sessions, for people used to nox: ``nox -s unit -- -k name``.

``make`` needs no nox. Both run the same code; the environments come from tests/tools/environments.py, which keeps them
in the user's cache so that a fresh clone installs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import nox

# nox loads this file without its directory on the path.
sys.path.insert(0, str(Path(__file__).parent))

from tests.tools.gates import GATES

nox.options.default_venv_backend = "none"


def _session(gate: str) -> Callable[[nox.Session], None]:
    def run(session: nox.Session) -> None:
        session.run(sys.executable, "-m", "tests.tools", "test", gate, "--", *session.posargs, external=True)

    run.__doc__ = GATES[gate].summary
    return run


for _name in GATES:
    nox.session(name=_name)(_session(_name))
