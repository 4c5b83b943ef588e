"""One AgentCeiling, read with the models of the API into the numbers and names that policies are held against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api import contract, documents, durations, money, quantities
from zaum_api.v1alpha1 import ceiling as ceiling_api
from zaum_api.v1alpha1 import limits as limits_api
from zaum_egress import hosts as egress_hosts
from zaum_operator.core import tolerant, tolerations
from zaum_operator.core.kinds import Object
from zaum_operator.core.tolerations import Toleration


class Cap(StrEnum):
    """A number that can be lowered, by its field in the spec.

    CPU in thousandths, sizes in bytes, times in seconds, money in micro-dollars.
    """

    REPLICAS = "agent.replicas"
    CPU = "agent.resources.cpu"
    MEMORY = "agent.resources.memory"
    EPHEMERAL = "agent.resources.ephemeralStorage"
    WORKSPACE = "agent.workspace.size"
    REQUESTS_PER_MINUTE = "limits.requests.perMinute"
    REQUESTS_BURST = "limits.requests.burst"
    CONNECTIONS = "limits.connections"
    BYTES_OUT = "limits.bytes.outPerHour"
    BYTES_IN = "limits.bytes.inPerHour"
    TOKENS_PER_MINUTE = "limits.tokens.perMinute"
    TOKENS_PER_DAY = "limits.tokens.perDay"
    COST = "limits.cost.perDay"
    LIFETIME = "lifetime.max"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One AgentCeiling as read. None: it says nothing about the field."""

    name: str
    selector: Mapping[str, Any]
    problem: str = ""
    """Why it cannot be read, or not wholly: then no pod is started under it."""
    caps: tuple[tuple[Cap, int], ...] = ()
    hosts: tuple[egress_hosts.Pattern, ...] | None = None
    registries: tuple[str, ...] | None = None
    digest: bool = False
    runtime_classes: tuple[str, ...] | None = None
    ingress_denied: bool = False
    audiences: tuple[str, ...] | None = None
    nodes: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    """Node labels that a policy may select: a key and its values."""
    tolerations: tuple[Toleration, ...] | None = None
    access: tuple[contract.Access, ...] | None = None
    services: tuple[tuple[str, str], ...] | None = None
    """Services that a route may name: namespace and name; an empty name is every one of the namespace."""
    modes: tuple[documents.Mode, ...] | None = None
    require_proof: bool = False
    block_images: bool = False
    """An open quarantine blocks its images under every name of the namespace."""


_SHUT: Final = ((Cap.REQUESTS_PER_MINUTE, 0), (Cap.REQUESTS_BURST, 0), (Cap.CONNECTIONS, 0))


def unreadable(name: str, selector: Mapping[str, Any], problem: str) -> Ceiling:
    """Give a ceiling of which nothing can be read: it forbids what can be forbidden to pods that already run."""
    return Ceiling(name, selector, problem, caps=_SHUT, hosts=(), ingress_denied=True, access=(), services=(), modes=())


def read(obj: Object) -> Ceiling:
    """Read an AgentCeiling. The result depends on metadata and spec alone: one per uid and generation.

    Fields that are not known are left out and said; what is known holds as ever, so that running pods keep their caps.
    """
    name, raw = obj["metadata"]["name"], obj.get("spec")
    found = tolerant.read(ceiling_api.Spec, raw, root="spec")
    if found.value is None:
        selector = raw.get("namespaceSelector") if isinstance(raw, dict) else None
        return unreadable(name, selector if isinstance(selector, dict) else {}, found.problem)
    problem = f"this version does not know {tolerant.listed(found.unknown)}" if found.unknown else ""
    return _of_spec(name, found.value, problem)


def _of_spec(name: str, spec: ceiling_api.Spec, problem: str) -> Ceiling:
    images = spec.images or ceiling_api.Images.model_construct()
    scheduling = spec.scheduling or ceiling_api.Scheduling.model_construct()
    return Ceiling(
        name=name,
        selector=spec.namespace_selector.model_dump(by_alias=True, exclude_none=True),
        problem=problem,
        caps=tuple((cap, value) for cap, value in _caps(spec).items() if value is not None),
        hosts=None if spec.hosts is None else _patterns(spec.hosts.allowed),
        registries=None if images.registries is None else tuple(images.registries),
        digest=bool(images.require_digest),
        runtime_classes=None if spec.runtime_classes is None else tuple(spec.runtime_classes),
        ingress_denied=spec.ingress == "Denied",
        audiences=None if spec.identity is None else tuple(spec.identity.audiences),
        nodes=None
        if scheduling.node_selector is None
        else tuple((label.key, tuple(label.values)) for label in scheduling.node_selector),
        tolerations=None
        if scheduling.tolerations is None
        else tuple(tolerations.read(item.model_dump(by_alias=True)) for item in scheduling.tolerations),
        access=None if spec.access is None else tuple(contract.Access(way) for way in spec.access),
        services=None
        if spec.services is None
        else tuple((service.namespace, service.name or "") for service in spec.services),
        modes=None if spec.modes is None else tuple(documents.Mode(mode) for mode in spec.modes),
        require_proof=bool(spec.require_proof),
        block_images=spec.incidents is not None and spec.incidents.block_images,
    )


def _caps(spec: ceiling_api.Spec) -> dict[Cap, int | None]:
    limits = spec.limits or ceiling_api.Limits.model_construct()
    resources = spec.resources or ceiling_api.Resources.model_construct()
    requests = limits.requests or limits_api.Requests()
    octets, tokens = limits.bytes or limits_api.Bytes(), limits.tokens or limits_api.Tokens()
    return {
        Cap.REPLICAS: spec.replicas,
        Cap.CPU: _amount(resources.cpu, quantities.millis),
        Cap.MEMORY: _amount(resources.memory, quantities.whole),
        Cap.EPHEMERAL: _amount(resources.ephemeral_storage, quantities.whole),
        Cap.WORKSPACE: _amount(resources.workspace, quantities.whole),
        Cap.REQUESTS_PER_MINUTE: requests.per_minute,
        # A burst is spent within a minute too: without a word on it, no more than a minute's worth.
        Cap.REQUESTS_BURST: requests.per_minute if requests.burst is None else requests.burst,
        Cap.CONNECTIONS: limits.connections,
        Cap.BYTES_OUT: _amount(octets.out_per_hour, quantities.whole),
        Cap.BYTES_IN: _amount(octets.in_per_hour, quantities.whole),
        Cap.TOKENS_PER_MINUTE: tokens.per_minute,
        Cap.TOKENS_PER_DAY: tokens.per_day,
        Cap.COST: money.micros(limits.cost.per_day) if limits.cost else None,
        Cap.LIFETIME: durations.seconds(spec.lifetime.max) if spec.lifetime else None,
    }


def _amount(quantity: int | str | None, unit: Callable[[str | int], int]) -> int | None:
    return None if quantity is None else unit(quantity)


def _patterns(allowed: list[str]) -> tuple[egress_hosts.Pattern, ...]:
    """Read what can be read; a pattern that the one parser refuses allows nothing."""
    read_ = (egress_hosts.parse_pattern(text) for text in allowed)
    return tuple(pattern for pattern in read_ if isinstance(pattern, egress_hosts.Pattern))
