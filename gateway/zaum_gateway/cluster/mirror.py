"""Hold the cluster's pods and policies as records, as last seen."""

import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from zaum_api import contract
from zaum_gateway.cluster import api
from zaum_gateway.core import records

log = logging.getLogger("zaum.gateway.cluster")

PODS_PATH: Final = "/api/v1/pods"
PODS_SELECTOR: Final = f"{contract.LABEL_AGENT}={contract.LABEL_AGENT_VALUE}"
POLICIES_PATH: Final = f"/apis/{contract.API_VERSION}/{contract.PLURAL_POLICY}"


class Pods:
    """The agent pods by uid."""

    def __init__(self) -> None:
        self._pods: dict[str, records.Pod] = {}
        self.view: Mapping[str, records.Pod] = MappingProxyType(self._pods)

    def replace(self, bodies: Iterable[api.Body]) -> None:
        """Take the whole state."""
        pods = {pod.uid: pod for pod in map(records.Pod.read, bodies)}
        self._pods.clear()
        self._pods.update(pods)

    def put(self, body: api.Body) -> None:
        """Take one pod."""
        pod = records.Pod.read(body)
        self._pods[pod.uid] = pod

    def remove(self, body: api.Body) -> None:
        """Forget one pod."""
        self._pods.pop(records.Pod.read(body).uid, None)


class Policies:
    """The policies by (namespace, name)."""

    def __init__(self, cluster_domain: str) -> None:
        self._domain = cluster_domain
        self._policies: dict[tuple[str, str], records.Policy] = {}
        self.view: Mapping[tuple[str, str], records.Policy] = MappingProxyType(self._policies)

    def replace(self, bodies: Iterable[api.Body]) -> None:
        """Take the whole state."""
        policies = [self._read(body) for body in bodies]
        self._policies.clear()
        self._policies.update({(policy.namespace, policy.name): policy for policy in policies})

    def put(self, body: api.Body) -> None:
        """Take one policy."""
        policy = self._read(body)
        self._policies[policy.namespace, policy.name] = policy

    def remove(self, body: api.Body) -> None:
        """Forget one policy: from now on it is gone, and so is every way out of its pods."""
        self._policies.pop(records.key(body), None)

    def _read(self, body: api.Body) -> records.Policy:
        policy = records.Policy.read(body, self._policies.get(records.key(body)), self._domain)
        if policy.problem:
            fields = {"namespace": policy.namespace, "policy": policy.name, "problem": policy.problem}
            log.warning("effective-refused", extra={"fields": fields})
        return policy
