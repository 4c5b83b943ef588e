"""Names, labels and owners of a policy's objects."""

from typing import Any

from zaum_api import contract
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Kind, Object

MANAGED_BY = "app.kubernetes.io/managed-by"


def child(kind: Kind, intent: Intent) -> Object:
    """Begin a namespaced child: named after the policy, labelled, owned by it (garbage-collected without us)."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {
            "name": contract.child_name(intent.key.name),
            "namespace": intent.key.namespace,
            "labels": labels(intent),
            "ownerReferences": [owner(intent)],
        },
    }


def labels(intent: Intent) -> dict[str, str]:
    """Give the labels of a namespaced child."""
    return {contract.LABEL_POLICY: intent.key.name, MANAGED_BY: contract.FIELD_MANAGER}


def owner(intent: Intent) -> dict[str, Any]:
    """Give the owner reference. It never blocks the owner's deletion: nothing of ours may hang."""
    return {
        "apiVersion": contract.API_VERSION,
        "kind": contract.KIND_POLICY,
        "name": intent.key.name,
        "uid": intent.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def pod_selector(policy: str) -> dict[str, str]:
    """Select the agent pods of one policy."""
    return {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE, contract.LABEL_POLICY: policy}
