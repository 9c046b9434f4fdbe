# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New logins that prove the result."""

from __future__ import annotations

from ansible_collections.dbtls.rds_mysql.plugins.module_utils.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection import (
    ConnectionFailed,
    LoginRefused,
    Session,
    open_session,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.planning import EnforcementError, Plan


def verify(control: Session, plan: Plan) -> tuple[str, ...]:
    """Prove by new logins that the login account still gets in with TLS and, if it has to, no longer without.

    :return: What could not be proven.
    :raises EnforcementError: when the proof fails.
    """
    options = control.options
    mine = plan.login_changes
    try:
        with open_session(options.encrypted() if control.greeting.offers_tls else options) as second:
            second.query("SELECT 1")
    except (ConnectionFailed, PasswordWithheld) as e:
        raise EnforcementError(
            f"After the change {options.user} cannot log in to {options.endpoint} with TLS any more: {e.message}"
        ) from e
    if mine is None or mine.after.ssl_type == "NONE":
        return ()
    try:
        open_session(options.plaintext()).close()
    except LoginRefused:
        return ()
    except PasswordWithheld:
        return (
            (
                f"Whether {mine.account} is refused without TLS could not be proven: the server asks for the password "
                "itself on that "
                "connection, and it was not sent."
            ),
        )
    except ConnectionFailed as e:
        return (f"Whether {mine.account} is refused without TLS could not be proven: {e.message}",)
    raise EnforcementError(f"After the change {mine.account} still gets in without TLS.")
