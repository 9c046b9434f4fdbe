# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the RDS API is needed for, on a controller without amazon.aws, and where it has no effect."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Iterator

import pytest

from .plays import Ansible

MISSING = "The collection amazon.aws is not installed here. Install it with: ansible-galaxy collection install"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who would notice that the server is contacted."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def refused(ansible: Ansible, listener: socket.socket, *arguments: str) -> str:
    """What is printed, in one line, when the playbook is refused before it contacts anybody."""
    host, port = listener.getsockname()
    inventory = ansible.directory / "inventory.ini"
    own = f"mysql_tls_login_port={port} mysql_tls_region=eu-central-1 mysql_tls_db_identifier=orders"
    inventory.write_text(f"orders mysql_tls_login_host={host} mysql_tls_ca_cert=/dev/null {own}\n")
    ansible.secrets = ["nothing is secret"]
    run = ansible.run("ansible-playbook", "-i", str(inventory), *arguments)
    assert run.status == 2
    with pytest.raises(BlockingIOError):
        listener.accept()
    return " ".join(run.output.split())


@pytest.mark.parametrize("playbook", ["rds_secure_transport", "rds_rotate_ca", "audit"])
def test_without_amazon_aws(ansible: Ansible, listener: socket.socket, playbook: str) -> None:
    if importlib.util.find_spec("ansible_collections.amazon"):
        pytest.skip("amazon.aws is installed here")
    said = refused(ansible, listener, f"dbtls.rds_mysql.{playbook}", "-e", "mysql_tls_rds_api=true")
    assert f"{MISSING} 'amazon.aws:>=9.5.0'" in said


def test_with_a_task_for_each_host(ansible: Ansible, listener: socket.socket) -> None:
    arguments = ("-e", "mysql_tls_rds_api=true", "-e", "mysql_tls_per_host=true")
    said = refused(ansible, listener, "dbtls.rds_mysql.audit", *arguments)
    assert "mysql_tls_rds_api is set for orders and has no effect with a task for each host" in said
