# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about each kind of finding is run in a test that sees the finding go, or it is said why it cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID

ROOT = Path(__file__).resolve().parents[5]
RUN = {
    "access-control-off": "test_ssl_status_truth.py::test_no_access_control",
    "account-without-tls": "test_ssl_status_findings.py::test_accounts_with_odd_names",
    "accounts-not-visible": "test_least_privilege.py::test_audit",
    "anonymous-account": "test_ssl_status_findings.py::test_accounts_with_odd_names",
    "certificate-expired": "test_renewed_certificates.py::test_another_certificate",
    "certificate-expiring": "test_renewed_certificates.py::test_another_certificate",
    "certificate-hostname-mismatch": "test_renewed_certificates.py::test_another_certificate",
    "certificate-untrusted": "test_renewed_certificates.py::test_another_certificate",
    "memory-not-visible": "test_ssl_status_truth.py::test_memory_that_the_login_may_not_see",
    "no-forward-secrecy": "test_ssl_status_findings.py::test_no_forward_secrecy",
    "plaintext-session": "test_ssl_status_findings.py::test_plaintext_session",
    "privileges-not-flushed": "test_ssl_status_truth.py::test_the_table_is_not_what_counts",
    "proxies-not-visible": "test_least_privilege.py::test_audit",
    "proxy-grants-not-visible": "test_ssl_status_truth.py::test_memory_that_the_login_may_not_see",
    "rds-ca-retired": "test_renewed_certificates.py::test_another_certificate",
    "replication-not-visible": "test_least_privilege.py::test_audit",
    "sessions-not-visible": "test_ssl_status_findings.py::test_sessions_not_visible",
    "tls-ends-before-server": "test_ssl_status_truth.py::test_a_router_that_passes_tls_through",
    "tls-unavailable": "test_ssl_status_findings.py::test_tls_unavailable",
    "transport-not-required": "test_ssl_status_findings.py::test_transport_not_required",
    "weak-certificate": "test_renewed_certificates.py::test_another_certificate",
    "weak-protocol": "test_ssl_status_findings.py::test_weak_protocol",
}
NOT_RUN = {
    "rds-api-not-visible": "who may grant it is up to a person",
    **dict.fromkeys(
        (
            *("engine-version-deprecated", "publicly-accessible", "rds-ca-not-in-force"),
            *("rds-change-pending", "rds-parameter-not-in-force"),
        ),
        "a command of the AWS CLI, which needs an AWS account: other tests read its text, and none runs it",
    ),
}


def test_each_kind_is_run_or_said_not_to_be() -> None:
    assert not RUN.keys() & NOT_RUN.keys()
    assert RUN.keys() | NOT_RUN.keys() == set(BY_ID)
    assert all(NOT_RUN.values())


@pytest.mark.parametrize("kind", RUN)
def test_its_test_is_there(kind: str) -> None:
    file, _colons, name = RUN[kind].partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / "tests" / "functional" / file).read_text("utf-8"), re.MULTILINE)
