# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A workflow as AWX runs one: which node comes next, what a node gets, and what the workflow's status is.

Source: awx/main/scheduler/dag_workflow.py and WorkflowJobNode.get_job_kwargs of AWX 24. The rules are written anew,
without nodes at which all parents have to converge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Node = dict[str, Any]
_AFTER = {"successful": ("success_nodes", "always_nodes"), "failed": ("failure_nodes", "always_nodes")}


@dataclass
class Workflow:
    """The nodes, and what has become of those that were run."""

    nodes: dict[str, Node]
    statuses: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def after(self, name: str, *kinds: str) -> list[str]:
        """The nodes that a node has these connections to."""
        related = self.nodes[name].get("related", {})
        return [other["identifier"] for kind in kinds for other in related.get(kind, ())]

    def run(self, execute: Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]], **extra: Any) -> str:
        """Run it, and return its status.

        :arg execute: Gets the name of a node and the extra variables of its job; returns its status and its artifacts.
        :arg extra: The workflow's own variables. They count for more than a node's, and than the artifacts of the
            nodes before it.
        """
        kinds = ("success_nodes", "failure_nodes", "always_nodes")
        followers = {other for name in self.nodes for other in self.after(name, *kinds)}
        ready = [name for name in self.nodes if name not in followers]
        inherited: dict[str, dict[str, Any]] = {name: {} for name in ready}
        while ready:
            name = ready.pop(0)
            if name in self.statuses:
                continue
            given = {**self.nodes[name].get("extra_data", {}), **inherited[name], **extra}
            self.statuses[name], self.artifacts[name] = execute(name, given)
            for other in self.after(name, *_AFTER[self.statuses[name]]):
                inherited[other] = {**inherited.get(other, {}), **inherited[name], **self.artifacts[name]}
                ready.append(other)
        # A failed node is a failure of the workflow only where nothing deals with it.
        unhandled = [
            name
            for name, status in self.statuses.items()
            if status == "failed" and not self.after(name, "failure_nodes", "always_nodes")
        ]
        return "failed" if unhandled else "successful"
