"""Edits of the operator's objects by hand: one table, for storms, for a cluster without admission and for one with it.

Each edit is what somebody with write access to a namespace could do with kubectl. A merge patch of None is a deletion.
Strings may name `{namespace}` and `{policy}`.
"""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api import contract, documents

_DOCUMENT: Final = contract.CONFIG_KEYS[documents.CONFIG_VERSION]
NOBODY: Final = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "nobody",
    "uid": "00000000-0000-4000-8000-000000000000",
}
"""An owner that is not there: the garbage collector takes what only it owns."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: of which child, and the merge patch; None removes the object."""

    title: str
    child: str
    patch: dict[str, Any] | None

    @property
    def id(self) -> str:
        """Name it in a test's id."""
        return f"{self.child}: {self.title}"


RESOURCES: Final = {
    "guard": "networkpolicies",
    "networkpolicy": "networkpolicies",
    "account": "serviceaccounts",
    "quota": "resourcequotas",
    "config": "configmaps",
    "priority": "priorityclasses",
    "service": "services",
    "claim": "persistentvolumeclaims",
    "pod": "pods",
}
"""Child → resource."""


def place(child: str, namespace: str, policy: str) -> tuple[str, str, str]:
    """Say where a child is: resource, namespace (empty for cluster-scoped ones), name. Pods are found by label."""
    name = contract.child_name(policy)
    match child:
        case "guard":
            name = contract.GUARD_NAME
        case "priority":
            return RESOURCES[child], "", contract.cluster_name(namespace, policy)
        case "claim":
            name = contract.claim_name(policy, 0)
        case "pod":
            name = ""
    return RESOURCES[child], namespace, name


def _labels(**labels: str | None) -> dict[str, Any]:
    return {"metadata": {"labels": {f"{contract.PREFIX}{key}": value for key, value in labels.items()}}}


def _everywhere(child: str) -> tuple[Edit, ...]:
    """Give the edits that fit any child of a policy."""
    return (
        Edit("removed", child, None),
        Edit("label taken off", child, _labels(policy=None)),
        Edit("label of another policy", child, _labels(policy="other")),
        Edit("label with our prefix added", child, _labels(extra="x")),
        Edit("owner taken off", child, {"metadata": {"ownerReferences": None}}),
        Edit("label and owner taken off at once", child, {"metadata": {"ownerReferences": None}} | _bare()),
    )


def _bare() -> dict[str, Any]:
    return {"metadata": {"ownerReferences": None, "labels": {contract.LABEL_POLICY: None}}}


GUARD: Final = (
    Edit("removed", "guard", None),
    Edit("egress opened", "guard", {"spec": {"egress": [{}]}}),
    Edit("ingress opened", "guard", {"spec": {"ingress": [{}]}}),
    Edit("egress left out", "guard", {"spec": {"policyTypes": ["Ingress"]}}),
    Edit("ingress left out", "guard", {"spec": {"policyTypes": ["Egress"]}}),
    Edit("selects nobody", "guard", {"spec": {"podSelector": {"matchLabels": {contract.LABEL_AGENT: "false"}}}}),
    Edit("selects fewer", "guard", {"spec": {"podSelector": {"matchLabels": {"app": "none"}}}}),
    Edit("selects everybody", "guard", {"spec": {"podSelector": {"matchLabels": None}}}),
    Edit("label taken off", "guard", _labels(guard=None)),
    Edit("access granted", "guard", {"metadata": {"annotations": {contract.ANNOTATION_ACCESS: "Exec"}}}),
    Edit("owned by nobody", "guard", {"metadata": {"ownerReferences": [NOBODY]}}),
)
NETWORK: Final = (
    *_everywhere("networkpolicy"),
    Edit("egress to everybody", "networkpolicy", {"spec": {"egress": [{}]}}),
    Edit("ingress from everybody", "networkpolicy", {"spec": {"ingress": [{}], "policyTypes": ["Ingress", "Egress"]}}),
    Edit(
        "egress to a range",
        "networkpolicy",
        {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}]}},
    ),
    Edit("quarantined ones selected", "networkpolicy", {"spec": {"podSelector": {"matchExpressions": None}}}),
    Edit("selects everybody", "networkpolicy", {"spec": {"podSelector": {"matchLabels": None}}}),
)
ACCOUNT: Final = (
    *_everywhere("account"),
    Edit("token mounted by itself", "account", {"automountServiceAccountToken": True}),
    Edit("mount not said", "account", {"automountServiceAccountToken": None}),
    Edit("pull secret added", "account", {"imagePullSecrets": [{"name": "other"}]}),
)
QUOTA: Final = (
    *_everywhere("quota"),
    Edit("more pods", "quota", {"spec": {"hard": {"pods": "100"}}}),
    Edit("more memory", "quota", {"spec": {"hard": {"limits.memory": "1Ti", "requests.memory": "1Ti"}}}),
    Edit("cpu not bounded", "quota", {"spec": {"hard": {"limits.cpu": None}}}),
    Edit("all bounds taken off", "quota", {"spec": {"hard": None}}),
)
CONFIG: Final = (
    *_everywhere("config"),
    Edit("document emptied", "config", {"data": {_DOCUMENT: ""}}),
    Edit("document opened", "config", {"data": {_DOCUMENT: '{"hosts":[{"host":"evil.example.net"}]}'}}),
    Edit("document taken away", "config", {"data": None}),
    Edit("key added", "config", {"data": {"other": "x"}}),
    Edit("binary key added", "config", {"binaryData": {"other": "eA=="}}),
    Edit("made immutable", "config", {"immutable": True}),
)
PRIORITY: Final = (
    Edit("removed", "priority", None),
    Edit("label taken off", "priority", _labels(policy=None)),
    Edit("label of another namespace", "priority", _labels(**{"policy-namespace": "other"})),
    Edit("all labels taken off", "priority", {"metadata": {"labels": None}}),
    Edit("default for everybody", "priority", {"globalDefault": True}),
    Edit("other description", "priority", {"description": "changed"}),
)
SERVICE: Final = (
    *_everywhere("service"),
    Edit("selects another", "service", {"spec": {"selector": {"app": "other"}}}),
    Edit("other target", "service", {"spec": {"ports": [{"name": "p", "port": 1, "targetPort": 1}]}}),
    Edit("on every node", "service", {"spec": {"type": "NodePort"}}),
    Edit("external address", "service", {"spec": {"externalIPs": ["198.51.100.9"]}}),
    Edit("unready ones too", "service", {"spec": {"publishNotReadyAddresses": True}}),
)
CLAIM: Final = (
    Edit("removed", "claim", None),
    Edit("label taken off", "claim", _labels(policy=None)),
    Edit("label of another policy", "claim", _labels(policy="other")),
    Edit("owner taken off", "claim", {"metadata": {"ownerReferences": None}}),
)
POD: Final = (
    Edit("removed", "pod", None),
    Edit("guard's label taken off", "pod", _labels(agent=None)),
    Edit("guard's label changed", "pod", _labels(agent="false")),
    Edit("policy's label taken off", "pod", _labels(policy=None)),
    Edit("policy's label of another", "pod", _labels(policy="other")),
    Edit("ordinal taken off", "pod", _labels(ordinal=None)),
    Edit("ordinal of another", "pod", _labels(ordinal="7")),
    Edit("all labels taken off", "pod", {"metadata": {"labels": None}}),
    Edit("owner taken off", "pod", {"metadata": {"ownerReferences": None}}),
    Edit("labels and owner taken off at once", "pod", {"metadata": {"labels": None, "ownerReferences": None}}),
    Edit("other digest", "pod", {"metadata": {"annotations": {contract.ANNOTATION_CONFIG_DIGEST: "0"}}}),
    Edit("other template", "pod", {"metadata": {"annotations": {contract.ANNOTATION_TEMPLATE: "0"}}}),
    Edit("all annotations taken off", "pod", {"metadata": {"annotations": None}}),
    Edit("deadline set", "pod", {"spec": {"activeDeadlineSeconds": 3600}}),
)
TABLE: Final = (*GUARD, *NETWORK, *ACCOUNT, *QUOTA, *CONFIG, *PRIORITY, *SERVICE, *CLAIM, *POD)
