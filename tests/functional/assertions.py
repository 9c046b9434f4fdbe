# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every module run, what two runs must have in common, and which statements write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .result import Result

# Numbers of connections, and days, of which one may end between two runs.
_VOLATILE = re.compile(r'("(?:connection_)?id": |connection |KILL |"days_left": -?)\d+')
_REJECTED = re.compile(
    r"client_cert: \S+ rejected the certificate [^()]*\([A-Z0-9_]+\)\.|"
    r"\S+ closed the connection during the login\. It may have rejected the certificate of client_cert \S+\."
)
_WRITING = re.compile(
    r"\s*(ALTER|UPDATE|GRANT|REVOKE|FLUSH|INSERT|REPLACE|DELETE|CREATE|DROP|SET GLOBAL)\b", re.IGNORECASE
)


def judge(status: int, out: str, err: str, options: Mapping[str, Any]) -> Result:
    """What holds for every module run, and its result."""
    output = out + err
    assert "Traceback" not in output, output
    secrets = [options.get("login_password"), *(entry.get("password") for entry in options.get("verify") or ())]
    assert not [secret for secret in secrets if secret and secret in output]
    values = json.loads(out)
    assert bool(values.get("failed")) == (status != 0), output
    return Result(values, output)


def comparable(result: Result) -> dict[str, Any]:
    """What does not depend on the moment."""
    values: dict[str, Any] = json.loads(_VOLATILE.sub(r"\g<1>0", json.dumps(result.values)))
    values.pop("exception", None)
    # Only Ansible itself tells a module its name.
    message = str(values.get("msg")).replace("(basic.py)", "(dbtls.rds_mysql.mysql_ssl_status)")
    # Whether the server's alert arrives before the connection ends is a matter of luck.
    values["msg"] = _REJECTED.sub("rejected client_cert", message)
    # A module gives a warning another form on its way to Ansible, which turns it back.
    warnings = [w["event"]["msg"] if isinstance(w, dict) else w for w in values.get("warnings", ())]
    # Only the first login of an account after a change asks for the password itself.
    values["warnings"] = [warning for warning in warnings if not warning.startswith("The password went to ")]
    return values


def compare(one: Result, other: Result) -> None:
    """Fail with the fields that differ."""
    ours, theirs = comparable(one), comparable(other)
    missing = object()
    differences = [
        f"{name}: {ours.get(name, missing)!r} != {theirs.get(name, missing)!r}"
        for name in sorted({*ours, *theirs})
        if ours.get(name, missing) != theirs.get(name, missing)
    ]
    assert not differences, "\n".join(differences)


def writing(statements: Sequence[str]) -> list[str]:
    """Those of the statements that write."""
    return [statement for statement in statements if _WRITING.match(statement)]
