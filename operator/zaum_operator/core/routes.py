"""Resolve routes: where each of them leads, under the namespace's ceilings, and which lead nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from zaum_api import contract, documents
from zaum_api.conditions import Reason
from zaum_api.v1alpha1 import defaults, policy, redaction
from zaum_api.v1alpha1 import routes as routes_api
from zaum_egress import hosts as egress_hosts
from zaum_operator.core import metering, refusals
from zaum_operator.core.ceilings import Ceilings
from zaum_operator.core.kinds import Object

ServiceKey = tuple[str, str]
"""Namespace and name."""
HTTPS_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class Cluster:
    """What routes are resolved against: the Services that they name, by namespace and name, as they were seen."""

    services: Mapping[ServiceKey, Object] = field(default_factory=dict)
    domain: str = egress_hosts.CLUSTER_DOMAIN
    forbidden: frozenset[str] = frozenset()
    """Namespaces whose Services no agent reaches: that of Zaum's own parts."""
    prices: tuple[documents.PriceTable, ...] = ()
    """What the installation knows of what models cost."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A route that leads nowhere, and why: INVALID_HOSTS, CEILING_EXCEEDED or SERVICE_MISSING."""

    name: str
    reason: Reason
    problem: str


@dataclass(frozen=True, slots=True)
class Named:
    """What a route asks of its pods, wherever it leads: its variables, and the Secret that the watchdog mounts.

    It depends on the spec alone, so that a ceiling or a Service that comes and goes costs no pod.
    """

    name: str
    api: str
    secret: str = ""
    """Empty: no credential."""
    key: str = ""


def named(spec: policy.Spec) -> tuple[Named, ...]:
    """Give all routes of a spec in its order: the first one of a provider gives its variables."""
    return tuple(
        Named(
            name=route.name,
            api=route.api or defaults.ROUTE_API,
            secret=route.credential.secret_key_ref.name if route.credential else "",
            key=route.credential.secret_key_ref.key if route.credential else "",
        )
        for route in _asked(spec)
    )


def services(egress: Any) -> tuple[ServiceKey, ...]:  # noqa: ANN401 - JSON that may be of a newer API
    """Name the Services that the routes of a raw `spec.egress` refer to, each once; nothing where it is none."""
    entries = egress.get("routes") if isinstance(egress, dict) else None
    references = [item.get("serviceRef") for item in entries or () if isinstance(item, dict)]
    found = {
        (str(item["namespace"]), str(item["name"]))
        for item in references
        if isinstance(item, dict) and item.get("namespace") and item.get("name")
    }
    return tuple(sorted(found)[: documents.ROUTES_MAX])


def resolve(
    spec: policy.Spec, ceilings: Ceilings, cluster: Cluster
) -> tuple[tuple[documents.Route, ...], tuple[Closed, ...]]:
    """Give the routes in force, and the closed ones, by name: their order means nothing here."""
    found: list[documents.Route] = []
    closed: list[Closed] = []
    for route in sorted(_asked(spec), key=lambda item: item.name):
        one = _service(route, ceilings, cluster) if route.service_ref else _upstream(route, ceilings, cluster)
        if isinstance(one, Closed):
            closed.append(one)
        else:
            found.append(one)
    return tuple(found), tuple(closed)


def _asked(spec: policy.Spec) -> tuple[routes_api.Route, ...]:
    return tuple((spec.egress.routes if spec.egress else None) or ())


def _upstream(route: routes_api.Route, ceilings: Ceilings, cluster: Cluster) -> documents.Route | Closed:
    authority, _, path = (route.upstream or "").removeprefix("https://").partition("/")
    name, _, port = authority.partition(":")
    host = egress_hosts.parse_host(name, cluster_domain=cluster.domain)
    if isinstance(host, egress_hosts.Malformed):
        return Closed(route.name, Reason.INVALID_HOSTS, f"{name} {host.problem}")
    for stated in ceilings.hosts:
        if not refusals.allows_host(stated.value, egress_hosts.Pattern(host, wildcard=False)):
            return Closed(route.name, Reason.CEILING_EXCEEDED, f"AgentCeiling {stated.ceiling} does not allow {name}")
    base = "/" + path.rstrip("/") if path else ""
    return _route(route, host.name, int(port or HTTPS_PORT), ceilings, cluster, base="" if base == "/" else base)


def _service(route: routes_api.Route, ceilings: Ceilings, cluster: Cluster) -> documents.Route | Closed:
    asked = route.service_ref
    assert asked is not None, "the caller has looked"
    text = f"Service {asked.namespace}/{asked.name}"
    if routes_api.is_never(asked.namespace, asked.name) or asked.namespace in cluster.forbidden:
        return Closed(route.name, Reason.CEILING_EXCEEDED, f"{text} is out of every agent's reach")
    if not ceilings.services:
        return Closed(route.name, Reason.CEILING_EXCEEDED, f"{text} is granted by no AgentCeiling of this namespace")
    for stated in ceilings.services:
        if not any(asked.namespace == namespace and name in {"", asked.name} for namespace, name in stated.value):
            return Closed(route.name, Reason.CEILING_EXCEEDED, f"AgentCeiling {stated.ceiling} does not grant {text}")
    if problem := unusable(cluster.services.get((asked.namespace, asked.name)), asked.port):
        return Closed(route.name, Reason.SERVICE_MISSING, f"{text} {problem}")
    host = f"{asked.name}.{asked.namespace}.svc.{cluster.domain}"
    return _route(route, host, asked.port, ceilings, cluster, service=True)


def unusable(service: Object | None, port: int) -> str:
    """Say why nothing can be reached through a Service by a NetworkPolicy that names its pods; empty when it can."""
    if service is None or service["metadata"].get("deletionTimestamp"):
        return "does not exist"
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return "is of type ExternalName: it leads out of the cluster"
    if not spec.get("selector"):
        return "has no selector"
    if spec.get("clusterIP") in {None, "", "None"}:
        return "has no address of its own (headless)"
    ports = [item for item in spec.get("ports") or () if item.get("protocol", "TCP") == "TCP"]
    return "" if any(item.get("port") == port for item in ports) else f"has no TCP port {port}"


def _route(
    route: routes_api.Route,
    host: str,
    port: int,
    ceilings: Ceilings,
    cluster: Cluster,
    *,
    base: str = "",
    service: bool = False,
) -> documents.Route:
    api = route.api or defaults.ROUTE_API
    allow = (documents.Allowed(tuple(sorted(item.methods)), item.path) for item in route.allow or ())
    return documents.Route(
        name=route.name,
        host=host,
        port=port,
        base=base,
        allow=tuple(sorted(allow, key=lambda item: (item.path, item.methods))),
        credential=None if route.credential is None else _credential(route, route.credential),
        tls=not service,
        service=service,
        api=api,
        models=tuple(sorted(route.models or ())),
        prices=metering.prices(route.prices or (), metering.table_of(cluster.prices, api), ceilings),
        redact=redaction.redaction(route.redact),
    )


def _credential(route: routes_api.Route, credential: routes_api.Credential) -> documents.Credential:
    usual = defaults.ANTHROPIC_HEADER if route.api == "Anthropic" else defaults.CREDENTIAL_HEADER
    header = credential.header or usual
    bearer = defaults.CREDENTIAL_PREFIX if header.lower() == defaults.CREDENTIAL_HEADER.lower() else ""
    prefix = bearer if credential.prefix is None else credential.prefix
    reference = credential.secret_key_ref
    return documents.Credential(header.lower(), prefix, contract.credential_file(reference.name, reference.key))
