"""The kinds of object that the operator reads or writes."""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api import contract

Object = dict[str, Any]
"""One Kubernetes object as JSON."""
Operations = list[dict[str, Any]]
"""A JSON patch (RFC 6902)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How the API server spells one kind."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Give the object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version


POLICY: Final = Kind(contract.GROUP, contract.VERSION, contract.PLURAL_POLICY, contract.KIND_POLICY)
CEILING: Final = Kind(
    contract.GROUP, contract.VERSION, contract.PLURAL_CEILING, contract.KIND_CEILING, namespaced=False
)
POD: Final = Kind("", "v1", "pods", "Pod")
SERVICE_ACCOUNT: Final = Kind("", "v1", "serviceaccounts", "ServiceAccount")
CONFIG_MAP: Final = Kind("", "v1", "configmaps", "ConfigMap")
QUOTA: Final = Kind("", "v1", "resourcequotas", "ResourceQuota")
NETWORK_POLICY: Final = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
PRIORITY_CLASS: Final = Kind("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
SERVICE: Final = Kind("", "v1", "services", "Service")
NAMESPACE: Final = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
CLAIM: Final = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
SECRET: Final = Kind("", "v1", "secrets", "Secret")
LEASE: Final = Kind("coordination.k8s.io", "v1", "leases", "Lease")
INCIDENT: Final = Kind(contract.GROUP, contract.VERSION, contract.PLURAL_INCIDENT, contract.KIND_INCIDENT)
EVENT: Final = Kind("", "v1", "events", "Event")
DEPLOYMENT: Final = Kind("apps", "v1", "deployments", "Deployment")

CHILDREN: Final = (NETWORK_POLICY, SERVICE, POD, QUOTA, CONFIG_MAP, SERVICE_ACCOUNT, CLAIM)
"""A policy's namespaced children in the order of their deletion: the way out goes first."""
