"""Which Services of the cluster the gateway must be able to reach: those that routes in force lead to, and no other.

One NetworkPolicy beside the gateway opens the way to the pods that each of these Services selects. It is what all
policies together need, so it is made from all of them, and goes when none needs it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from zaum_api import contract, documents
from zaum_operator.core import kinds, routes
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata
from zaum_operator.core.routes import ServiceKey

_NAMESPACE: Final = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """A port of a Service."""

    namespace: str
    name: str
    port: int

    @property
    def service(self) -> ServiceKey:
        """Name the Service."""
        return (self.namespace, self.name)


@dataclass(slots=True)
class Needs:
    """What each policy needs: the Services that its spec names, and the ways that its routes in force take."""

    _asked: dict[Key, frozenset[ServiceKey]] = field(default_factory=dict)
    _used: dict[Key, frozenset[Way]] = field(default_factory=dict)

    def note(self, policy: Object, used: Iterable[Way]) -> None:
        """Take in a policy as it was seen, and the ways that its routes take."""
        key = Key(policy["metadata"]["namespace"], policy["metadata"]["name"])
        asked, ways = frozenset(routes.services((policy.get("spec") or {}).get("egress"))), frozenset(used)
        if not asked and not ways:
            self.forget(key)  # nearly all policies: nothing is held of them
            return
        self._asked[key], self._used[key] = asked, ways

    def forget(self, key: Key) -> None:
        """Forget a policy that is gone."""
        self._asked.pop(key, None)
        self._used.pop(key, None)

    def clear(self) -> None:
        """Forget all: somebody else has led meanwhile."""
        self._asked.clear()
        self._used.clear()

    @property
    def services(self) -> tuple[ServiceKey, ...]:
        """Name every Service that any policy names or uses, in order."""
        asked = {service for services in self._asked.values() for service in services}
        return tuple(sorted(asked | {way.service for way in self.ways}))

    @property
    def ways(self) -> tuple[Way, ...]:
        """Give every way that any policy uses, in order."""
        return tuple(sorted({way for ways in self._used.values() for way in ways}))

    def naming(self, service: ServiceKey) -> tuple[Key, ...]:
        """Give the policies to which a Service matters."""
        named = {key for key, services in self._asked.items() if service in services}
        return tuple(
            sorted(named | {key for key, ways in self._used.items() if any(way.service == service for way in ways)})
        )


def of_routes(found: Iterable[documents.Route]) -> tuple[Way, ...]:
    """Give the ways of routes in force: a Service's host begins with its name and its namespace."""
    return tuple(way for route in found if route.service for way in _way(route.host, route.port))


def of_status(status: Any) -> tuple[Way, ...]:  # noqa: ANN401 - JSON
    """Give the ways that a policy's status says are in force; none where it says nothing that can be read."""
    effective = status.get("effective") if isinstance(status, dict) else None
    listed = effective.get("routes") if isinstance(effective, dict) else None
    return tuple(
        way
        for route in listed or ()
        if isinstance(route, dict) and route.get("service") is True and isinstance(route.get("port"), int)
        for way in _way(str(route.get("host")), route["port"])
    )


def content(service: Object | None) -> Object | None:
    """Give of a Service what anything here depends on; None for one that is not there or is going."""
    if service is None or service["metadata"].get("deletionTimestamp"):
        return None
    spec = service.get("spec") or {}
    ports = [
        {part: item[part] for part in ("protocol", "port", "targetPort") if part in item}
        for item in spec.get("ports") or ()
    ]
    return {
        "metadata": {},
        "spec": {part: spec.get(part) for part in ("type", "clusterIP", "selector")} | {"ports": ports},
    }


def render(release: str, ways: Iterable[Way], services: Mapping[ServiceKey, Object | None]) -> Object | None:
    """Give the NetworkPolicy; None where no way leads anywhere. `services`: what was seen of each."""
    rules = [rule for way in sorted(set(ways)) for rule in _rules(way, services.get(way.service))]
    if not rules:
        return None
    gateway = {contract.LABEL_NAME: contract.APP_NAME, contract.LABEL_COMPONENT: contract.COMPONENT_GATEWAY}
    return {
        "apiVersion": kinds.NETWORK_POLICY.api_version,
        "kind": kinds.NETWORK_POLICY.name,
        "metadata": {
            "name": contract.SERVICES_POLICY,
            "namespace": release,
            "labels": {contract.LABEL_NAME: contract.APP_NAME, metadata.MANAGED_BY: contract.FIELD_MANAGER},
        },
        "spec": {"podSelector": {"matchLabels": gateway}, "policyTypes": ["Egress"], "egress": rules},
    }


def _rules(way: Way, service: Object | None) -> list[Object]:
    """Give the rule of one way: to the Service's pods, at the port that it sends to, which may be a name.

    None where the Service cannot be reached so; the policy's condition says it.
    """
    if service is None or routes.unusable(service, way.port):
        return []
    peer = {
        "namespaceSelector": {"matchLabels": {_NAMESPACE: way.namespace}},
        "podSelector": {"matchLabels": dict(service["spec"]["selector"])},
    }
    targets = {
        item.get("targetPort") or item["port"]
        for item in service["spec"]["ports"]
        if item.get("port") == way.port and item.get("protocol", "TCP") == "TCP"
    }
    return [{"to": [peer], "ports": [{"protocol": "TCP", "port": target} for target in sorted(targets, key=str)]}]


def _way(host: str, port: int) -> tuple[Way, ...]:
    name, namespace, svc, *_ = [*host.split("."), "", "", ""]
    return (Way(namespace, name, port),) if name and namespace and svc == "svc" else ()
