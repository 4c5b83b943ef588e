"""Whom the API server shall refuse, and what: bodies, users and the check of a refusal."""

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.support.e2e.api import Api, Object, RefusedError, User, again, service_account

OPERATOR: Final = service_account("zaum-system", "zaum-operator")
OPERATOR_AS_ADMIN: Final = User(OPERATOR.name, ("system:masters", "system:authenticated"))
"""The operator with every right of RBAC: admission alone decides."""
DRY: Final = {"dryRun": "All"}
LABELS: Final = {"app": "probe"}
LEARNS_SECONDS: Final = 15.0
"""Patience with the API server's watches of objects that RBAC and admission decide by."""
CLUSTER_SCOPED: Final = ("priorityclasses",)

CONTAINER: Final[Object] = {
    "name": "main",
    "image": "registry.example/none",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "resources": {"limits": {"cpu": "10m", "memory": "8Mi"}},
}
BODIES: Final[dict[str, Object]] = {
    "configmaps": {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}},
    "serviceaccounts": {"apiVersion": "v1", "kind": "ServiceAccount"},
    "resourcequotas": {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"services": "100"}}},
    "networkpolicies": {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}}},
    "services": {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
    # No such storage class: the claim stays unbound.
    "persistentvolumeclaims": {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "nowhere",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    },
    # No node has this label: the pod is never started.
    "pods": {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {
            "containers": [CONTAINER],
            "nodeSelector": {"probe": "nowhere"},
            "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}],
            "automountServiceAccountToken": False,
        },
    },
    "priorityclasses": {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1},
}
KINDS: Final = sorted(BODIES)
EXCLUSION: Final = {"key": "zaum.dev/agent", "operator": "DoesNotExist"}
RULES: Final[dict[str, Object]] = {
    "egress": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
    "ingress": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    "some labels": {"podSelector": {"matchLabels": LABELS}, "policyTypes": ["Egress"], "egress": [{}]},
    "agents by name": {"podSelector": {"matchLabels": {"zaum.dev/agent": "true"}}, "egress": [{}]},
    "another exclusion": {
        "podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
        "egress": [{}],
    },
}
"""What somebody could open beside what the operator opened."""


def body(kind: str, namespace: str, **metadata: Any) -> Object:
    """Build an object of a kind that does no harm."""
    made = copy.deepcopy(BODIES[kind])
    made["metadata"] = dict(metadata)
    if kind not in CLUSTER_SCOPED:
        made["metadata"]["namespace"] = namespace
    return made


def policy(namespace: str, **agent: Any) -> Object:
    """Give a policy that runs nothing."""
    return {
        "apiVersion": "zaum.dev/v1alpha1",
        "kind": "AgentPolicy",
        "metadata": {"name": "stopped", "namespace": namespace},
        "spec": {"desiredState": "Stopped", "agent": {"image": "registry.example/none", **agent}},
    }


def create(api: Api, kind: str, made: Object, *, dry: bool = True) -> Object:
    """Create an object, by default without keeping it."""
    return api.create(kind, made, dry_run=dry)


def refused(action: Callable[[], object], *words: str) -> None:
    """Check that admission refuses, by our message."""
    with pytest.raises(RefusedError) as caught:
        action()
    assert caught.value.status == 403, caught.value
    for word in ("ValidatingAdmissionPolicy", *words):
        assert word in caught.value.message, caught.value.message


def eventually_refused(action: Callable[[], object], word: str) -> None:
    """Check a refusal that depends on an object, which admission learns of by a watch of its own."""
    for _ in again(LEARNS_SECONDS):
        try:
            action()
        except RefusedError as error:
            if word in error.message:
                break
    refused(action, word)


def owner_of(api: Api, namespace: str) -> Api:
    """Give the API as somebody with every right inside one namespace and none outside: more than its admin."""
    user = User(f"owner-of-{namespace}", ("system:authenticated",))
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    group = "rbac.authorization.k8s.io"
    meta = {"name": "owner", "namespace": namespace}
    api.apply("roles", {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "owner"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user.name}],
    }
    api.apply("rolebindings", binding)
    owner = api.as_user(user)
    until_allowed(lambda: owner.items("configmaps", namespace))
    return owner


def until_allowed(action: Callable[[], object]) -> None:
    """Ask until RBAC says yes: it learns of new roles by a watch of its own."""
    for _ in again(LEARNS_SECONDS):
        try:
            action()
        except RefusedError as error:
            if error.status != 403:
                raise
        else:
            return
    raise AssertionError(f"RBAC still says no after {LEARNS_SECONDS} s")


def network_policy(namespace: str, spec: Object) -> Object:
    """Give a NetworkPolicy that somebody else made."""
    return body("networkpolicies", namespace, name="foreign") | {"spec": spec}
