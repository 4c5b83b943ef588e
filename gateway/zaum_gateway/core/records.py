"""What a decision needs of the cluster's objects, read from their JSON.

A body that lacks what is needed gives a record that matches nobody, so that an odd object denies and never crashes.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from zaum_api import contract, documents, incidents, reading
from zaum_egress import hosts
from zaum_gateway.core import service_names

FINISHED: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Pod:
    """One agent pod. `addresses` are in the canonical text form of `address`."""

    namespace: str
    name: str
    uid: str
    policy: str
    service_account: str
    addresses: frozenset[str]
    live: bool
    quarantined: bool

    @staticmethod
    def read(body: Mapping[str, Any]) -> "Pod":
        """Read a v1 Pod."""
        metadata, spec, status = _part(body, "metadata"), _part(body, "spec"), _part(body, "status")
        labels = _part(metadata, "labels")
        namespace, name = key(body)
        return Pod(
            namespace=namespace,
            name=name,
            uid=str(metadata.get("uid", "")),
            policy=str(labels.get(contract.LABEL_POLICY, "")),
            service_account=str(spec.get("serviceAccountName", "")),
            addresses=frozenset(_addresses(status)),
            live=_live(labels, status),
            quarantined=contract.LABEL_QUARANTINED in labels,
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """One AgentPolicy. `table` is None until the operator has written an `effective` that this version can read."""

    namespace: str
    name: str
    uid: str
    table: hosts.HostTable | None
    deleting: bool = False
    quarantined: bool = False
    mode: documents.Mode = documents.Mode.ENFORCE
    routes: frozenset[tuple[str, int]] = frozenset()
    """Hosts and ports outside that only the watchdog asks for, on behalf of routes."""
    services: frozenset[tuple[service_names.Service, int]] = frozenset()
    """The same inside the cluster."""
    problem: str = field(default="", compare=False)
    """Why the newest `status.effective` was not taken; the last good one of the same object stays in force."""

    @staticmethod
    def read(body: Mapping[str, Any], previous: "Policy | None", cluster_domain: str) -> "Policy":
        """Read an AgentPolicy; `previous` is the record that it replaces."""
        metadata, status = _part(body, "metadata"), _part(body, "status")
        namespace, name = key(body)
        read = Policy(
            namespace=namespace,
            name=name,
            uid=str(metadata.get("uid", "")),
            table=None,
            deleting=bool(metadata.get("deletionTimestamp")),
            quarantined=contract.LABEL_QUARANTINED in _part(metadata, "labels"),
        )
        kept = previous if previous is not None and previous.uid == read.uid else read
        return _with_effective(read, kept, status.get("effective"), cluster_domain)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster as last seen: pods by uid, policies by (namespace, name). One decision sees one state of it."""

    pods: Mapping[str, Pod]
    policies: Mapping[tuple[str, str], Policy]
    addresses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Uids of the pods that have an address, by its canonical form."""
    holds: Mapping[tuple[str, str], tuple[incidents.Hold, ...]] = field(default_factory=dict)
    """What open Incidents contain, by namespace and policy: also of policies and pods that are not there."""

    def held(self, pod: Pod) -> incidents.Hold | None:
        """Give the hold that contains a pod; None where there is none. One on the whole policy goes first."""
        found = [
            hold
            for hold in self.holds.get((pod.namespace, pod.policy), ())
            if hold.covers(namespace=pod.namespace, policy=pod.policy, pod_name=pod.name, pod_uid=pod.uid)
        ]
        return min(found, key=lambda hold: (not hold.whole, hold.incident), default=None)

    def speaking(self, source: str) -> tuple[Pod, ...]:
        """Give the live pods that have the address `source`: one, or for a moment the next one too."""
        found = (self.pods.get(uid) for uid in sorted(self.addresses.get(address(source), frozenset())))
        return tuple(pod for pod in found if pod is not None and pod.live)


def key(body: Mapping[str, Any]) -> tuple[str, str]:
    """Give namespace and name of an object."""
    metadata = _part(body, "metadata")
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def address(text: str) -> str:
    """Give an address's canonical form, IPv4-mapped IPv6 as IPv4; the text itself where it is no address."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def _part(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = body.get(key)
    return part if isinstance(part, Mapping) else {}


def _live(labels: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Say whether the pod may still speak: a terminating one may while its containers run, a finished one may not."""
    return labels.get(contract.LABEL_AGENT) == contract.LABEL_AGENT_VALUE and status.get("phase") not in FINISHED


def _addresses(status: Mapping[str, Any]) -> set[str]:
    listed = status.get("podIPs")
    found = [item.get("ip") for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    return {address(text) for text in (*found, status.get("podIP")) if isinstance(text, str) and text}


def _with_effective(read: Policy, kept: Policy, value: object, cluster_domain: str) -> Policy:
    """Take what `value` grants; what `kept` grants where it cannot be taken."""
    if value is None:
        return read
    try:
        effective = documents.Effective.read(value)
    except reading.DocumentError as error:
        return _keeping(read, kept, str(error))
    table = hosts.HostTable.of(effective.hosts, cluster_domain=cluster_domain)
    for index, malformed in table.refused:
        return _keeping(read, kept, f"status.effective.hosts[{index}].host: {malformed.problem}")
    outside: set[tuple[str, int]] = set()
    inside: set[tuple[service_names.Service, int]] = set()
    for index, route in enumerate(effective.routes):
        if route.service:
            service = service_names.parse(route.host, cluster_domain)
            if service is None:
                return _keeping(read, kept, f"status.effective.routes[{index}].host: is no Service of the cluster")
            inside.add((service, route.port))
            continue
        host = hosts.parse_host(route.host, cluster_domain=cluster_domain)
        if not isinstance(host, hosts.Host) or host.name != route.host:
            return _keeping(read, kept, f"status.effective.routes[{index}].host: is no host in canonical form")
        outside.add((host.name, route.port))
    return replace(read, table=table, mode=effective.mode, routes=frozenset(outside), services=frozenset(inside))


def _keeping(read: Policy, kept: Policy, problem: str) -> Policy:
    return replace(read, table=kept.table, mode=kept.mode, routes=kept.routes, services=kept.services, problem=problem)
