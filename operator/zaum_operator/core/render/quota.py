"""The policy's PriorityClass and the ResourceQuota scoped to it: exact per policy, with many in one namespace."""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api import contract, quantities
from zaum_operator.core import kinds
from zaum_operator.core.effective import Effective
from zaum_operator.core.intent import Intent
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata, sizes

PRIORITY: Final = -1
"""Below every pod that names no class, above -10 where cluster autoscalers stop caring."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a pod counts for in a quota: thousandths of a core, bytes."""

    cpu_request: int
    cpu_limit: int
    memory: int

    def largest(self, other: "Usage") -> "Usage":
        """Give the larger of each."""
        return Usage(
            max(self.cpu_request, other.cpu_request),
            max(self.cpu_limit, other.cpu_limit),
            max(self.memory, other.memory),
        )


def priority_class_name(key: Key) -> str:
    """Name the policy's PriorityClass."""
    return contract.cluster_name(key.namespace, key.name)


def priority_class(intent: Intent) -> Object:
    """Give the PriorityClass. Cluster-scoped, so nothing owns it: the operator sweeps it with the policy."""
    key = intent.key
    return {
        "apiVersion": kinds.PRIORITY_CLASS.api_version,
        "kind": kinds.PRIORITY_CLASS.name,
        "metadata": {
            "name": priority_class_name(key),
            "labels": metadata.labels(intent) | {contract.LABEL_NAMESPACE: key.namespace},
        },
        "value": PRIORITY,
        "preemptionPolicy": "Never",
        "description": f"Agents of the AgentPolicy {key.namespace}/{key.name}; carries the policy's quota.",
    }


def of_plan(effective: Effective) -> Usage:
    """Give what one pod of the plan counts for."""
    agent, watchdog = sizes.agent(effective), sizes.watchdog(effective)
    return Usage(
        agent.cpu_request + watchdog.cpu_request,
        agent.cpu_limit + watchdog.cpu_limit,
        agent.memory + watchdog.memory,
    )


def of_pod(pod: Object) -> Usage:
    """Give what a live pod counts for, so that the quota still holds pods that wait for their replacement."""
    spec = pod.get("spec", {})
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return Usage(
        sum(quantities.millis(_amount(item, "requests", "cpu")) for item in containers),
        sum(quantities.millis(_amount(item, "limits", "cpu")) for item in containers),
        sum(quantities.whole(_amount(item, "limits", "memory")) for item in containers),
    )


def resource_quota(intent: Intent, pods: list[Usage], *, bare: bool) -> Object:
    """Give the ResourceQuota for these pods.

    `bare` counts pods alone: a RuntimeClass may add an overhead to each pod that nobody but its author knows, and
    each pod's size is bounded by its own limits anyway.
    """
    hard = {"pods": str(len(pods))}
    if not bare:
        hard |= {
            "requests.cpu": quantities.write_millis(sum(pod.cpu_request for pod in pods)),
            "limits.cpu": quantities.write_millis(sum(pod.cpu_limit for pod in pods)),
            "requests.memory": quantities.write_bytes(sum(pod.memory for pod in pods)),
            "limits.memory": quantities.write_bytes(sum(pod.memory for pod in pods)),
        }
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": [priority_class_name(intent.key)]}
    return metadata.child(kinds.QUOTA, intent) | {
        "spec": {"hard": hard, "scopeSelector": {"matchExpressions": [scope]}},
    }


def namespace_quota(namespace: str, pods: int) -> Object:
    """Give the one ResourceQuota of a namespace in namespace-scoped mode.

    It counts pods alone. Without a PriorityClass there is no telling whose pod is whose, and sums of sizes would keep a
    smaller pod from taking the place of a larger one; each pod's size is bounded by its own limits.
    """
    return {
        "apiVersion": kinds.QUOTA.api_version,
        "kind": kinds.QUOTA.name,
        "metadata": {
            "name": contract.NAMESPACE_QUOTA_NAME,
            "namespace": namespace,
            "labels": {metadata.MANAGED_BY: contract.FIELD_MANAGER},
        },
        "spec": {"hard": {"pods": str(pods)}},
    }


def _amount(container: dict[str, Any], side: str, resource: str) -> str | int:
    amount: str | int = ((container.get("resources") or {}).get(side) or {}).get(resource, 0)
    return amount
