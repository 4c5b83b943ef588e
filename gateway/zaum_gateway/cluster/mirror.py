"""Hold the cluster's pods, policies and Incidents as last seen: of all namespaces, or of some, one feed for each."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from zaum_api import contract
from zaum_gateway.cluster import api
from zaum_gateway.core import incidents, records

log = logging.getLogger("zaum.gateway.cluster")

GONE_MAX: Final = 20_000
"""Uids of pods that are gone: more than one process sees within what an Incident takes."""
PODS_SELECTOR: Final = f"{contract.LABEL_AGENT}={contract.LABEL_AGENT_VALUE}"


def pods_path(namespace: str) -> str:
    """Say where the pods of a namespace are listed; "" means of all."""
    return f"/api/v1{_within(namespace)}/pods"


def policies_path(namespace: str) -> str:
    """Say where the policies of a namespace are listed; "" means of all."""
    return f"/apis/{contract.API_VERSION}{_within(namespace)}/{contract.PLURAL_POLICY}"


def incidents_path(namespace: str) -> str:
    """Say where the Incidents of a namespace are listed; "" means of all."""
    return f"/apis/{contract.API_VERSION}{_within(namespace)}/{contract.PLURAL_INCIDENT}"


def _within(namespace: str) -> str:
    return f"/namespaces/{namespace}" if namespace else ""


class Pods:
    """The agent pods by uid."""

    def __init__(self) -> None:
        self._pods: dict[str, records.Pod] = {}
        self._addresses: dict[str, frozenset[str]] = {}
        self.view: Mapping[str, records.Pod] = MappingProxyType(self._pods)
        self.addresses: Mapping[str, frozenset[str]] = MappingProxyType(self._addresses)
        """Uids by address."""
        self._gone: dict[str, None] = {}
        self.gone: Collection[str] = self._gone.keys()
        """Uids of pods that were here and are no more, the last GONE_MAX."""

    def replace(self, bodies: Iterable[api.Body], *, namespace: str = "") -> None:
        """Take the whole state of a namespace; "" means of all."""
        pods = {pod.uid: pod for pod in map(records.Pod.read, bodies)}
        others = {uid: pod for uid, pod in self._pods.items() if namespace and pod.namespace != namespace}
        for uid in [uid for uid in self._pods if uid not in others and uid not in pods]:
            self._bury(uid)
        self._pods.clear()
        self._pods.update(others | pods)
        self._addresses.clear()
        for pod in self._pods.values():
            self._index(pod)

    def put(self, body: api.Body) -> None:
        """Take one pod."""
        pod = records.Pod.read(body)
        self._forget(pod.uid)
        self._pods[pod.uid] = pod
        self._index(pod)

    def remove(self, body: api.Body) -> None:
        """Forget one pod, and keep that it was here."""
        uid = records.Pod.read(body).uid
        self._bury(uid)
        self._forget(uid)

    def _bury(self, uid: str) -> None:
        if uid in self._pods:
            self._gone[uid] = None
            if len(self._gone) > GONE_MAX:
                del self._gone[next(iter(self._gone))]

    def _index(self, pod: records.Pod) -> None:
        for address in pod.addresses:
            self._addresses[address] = self._addresses.get(address, frozenset()) | {pod.uid}

    def _forget(self, uid: str) -> None:
        known = self._pods.pop(uid, None)
        for address in known.addresses if known else ():
            rest = self._addresses[address] - {uid}
            if rest:
                self._addresses[address] = rest
            else:
                del self._addresses[address]


class Policies:
    """The policies by (namespace, name)."""

    def __init__(self, cluster_domain: str) -> None:
        self._domain = cluster_domain
        self._policies: dict[tuple[str, str], records.Policy] = {}
        self.view: Mapping[tuple[str, str], records.Policy] = MappingProxyType(self._policies)

    def replace(self, bodies: Iterable[api.Body], *, namespace: str = "") -> None:
        """Take the whole state of a namespace; "" means of all."""
        policies = [self._read(body) for body in bodies]
        others = {key: policy for key, policy in self._policies.items() if namespace and policy.namespace != namespace}
        self._policies.clear()
        self._policies.update(others | {(policy.namespace, policy.name): policy for policy in policies})

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


class Incidents:
    """The Incidents. One that cannot be read is logged: what it should contain is not contained."""

    def __init__(self) -> None:
        self.standing = incidents.Standing()

    def replace(self, bodies: Iterable[api.Body], *, namespace: str = "") -> None:
        """Take the whole state of a namespace; "" means of all."""
        found = [self._read(body) for body in bodies]
        there = {one.key for one in found}
        for key in [key for key in self.standing.view if namespace in ("", key[0]) and key not in there]:
            self.standing.remove(key)
        for one in found:
            self.standing.put(one)

    def put(self, body: api.Body) -> None:
        """Take one Incident."""
        self.standing.put(self._read(body))

    def remove(self, body: api.Body) -> None:
        """Forget one Incident."""
        self.standing.remove(records.key(body))

    def _read(self, body: api.Body) -> incidents.Incident:
        known = self.standing.view.get(records.key(body))
        found = incidents.Incident.read(body, known)
        if found.problem and (known is None or known.problem != found.problem):
            fields = {"namespace": found.namespace, "incident": found.name, "problem": found.problem}
            log.error("incident-unreadable", extra={"fields": fields})
        if (found.hold is None) != (known is None or known.hold is None):
            event = "incident-over" if found.hold is None else "incident"
            held = found.hold or (known and known.hold)
            fields = {"namespace": found.namespace, "incident": found.name, "policy": held.policy if held else ""}
            log.warning(event, extra={"fields": fields})
        return found


class Share:
    """What one namespace has in a mirror: its list replaces nothing of the others'. `told` is called after a change."""

    def __init__(
        self, whole: Pods | Policies | Incidents, namespace: str, told: Callable[[], None] = lambda: None
    ) -> None:
        self._whole = whole
        self._namespace = namespace
        self._told = told

    def replace(self, bodies: Iterable[api.Body]) -> None:
        """Take the whole state of the namespace."""
        self._whole.replace(bodies, namespace=self._namespace)
        self._told()

    def put(self, body: api.Body) -> None:
        """Take one object."""
        self._whole.put(body)
        self._told()

    def remove(self, body: api.Body) -> None:
        """Forget one object."""
        self._whole.remove(body)
        self._told()
