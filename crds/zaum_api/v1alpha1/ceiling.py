"""AgentCeiling: what the cluster's owner lets the policies of some namespaces ask for."""

from typing import Annotated, ClassVar, Literal

import pydantic

from zaum_api import contract
from zaum_api.v1alpha1 import egress, identity, labels, lifetime, limits, lists, model, routes, scalars, scheduling


class Hosts(model.Model):
    """Caps egress.hosts."""

    allowed: Annotated[list[egress.Pattern], *lists.unique("hosts.allowed", most=256)]
    """Hosts that policies may name, in the form that they have there. A host outside is dropped from the policy's
    egress and named in its condition EgressExact. Empty: none."""


class Requests(limits.Requests):
    """Caps limits.requests."""

    per_minute: limits.Rate | None = None
    """Most requests a minute, and at once where burst is absent; 0 denies all."""
    burst: limits.Rate | None = None
    """Most requests at once after a rest; 0 denies all."""

    rules: ClassVar = (model.some("spec.limits.requests", "perMinute", "burst"),)


class Bytes(limits.Bytes):
    """Caps limits.bytes, and those of hosts."""

    out_per_hour: limits.BytesOut | None = None
    """Most bytes that leave in any hour; 0 denies all."""
    in_per_hour: limits.BytesIn | None = None
    """Most bytes that come in in any hour; 0 denies all."""

    rules: ClassVar = (model.some("spec.limits.bytes", "outPerHour", "inPerHour"),)


class Tokens(limits.Tokens):
    """Caps limits.tokens, and those of routes."""

    per_minute: limits.Amount | None = None
    """Most tokens in any minute; 0 denies all."""
    per_day: limits.Amount | None = None
    """Most tokens a day (UTC); 0 denies all."""

    rules: ClassVar = (model.some("spec.limits.tokens", "perMinute", "perDay"),)


class Cost(limits.Cost):
    """Caps limits.cost, and those of routes. A route's own price counts where it is dearer than the installation's."""

    per_day: limits.Dollars
    """Most US dollars a day (UTC), as text such as "10.00"; 0 denies all."""


class Limits(model.Model):
    """Caps spec.limits, and the limits of routes and hosts: a larger value is lowered to these, also a default."""

    requests: Requests | None = None
    connections: Annotated[int, pydantic.Field(ge=0, le=4096)] | None = None
    """Most open tunnels at once; 0 denies all."""
    bytes: Bytes | None = None
    tokens: Tokens | None = None
    cost: Cost | None = None

    rules: ClassVar = (model.some("spec.limits", "requests", "connections", "bytes", "tokens", "cost"),)


class Resources(model.Model):
    """Caps agent.resources and the workspace's size: a larger value is lowered to these, also a default."""

    cpu: Annotated[int | str, *scalars.quantity("resources.cpu", least="10m", most="256")] | None = None
    """Most cores for one agent."""
    memory: Annotated[int | str, *scalars.quantity("resources.memory", least="16Mi", most="4Ti")] | None = None
    """Most memory for one agent, in bytes."""
    ephemeral_storage: (
        Annotated[int | str, *scalars.quantity("resources.ephemeralStorage", least="16Mi", most="4Ti")] | None
    ) = None
    """Most ephemeral storage for one agent, in bytes."""
    workspace: Annotated[int | str, *scalars.quantity("resources.workspace", least="1Mi", most="4Ti")] | None = None
    """Largest workspace of one agent, in bytes."""

    rules: ClassVar = (model.some("spec.resources", "cpu", "memory", "ephemeralStorage", "workspace"),)


class Images(model.Model):
    """Caps agent.image: no pod runs an image that does not comply."""

    registries: (
        Annotated[
            list[Annotated[str, scalars.text(most=256, pattern="^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?/$")]],
            *lists.unique("images.registries", most=64),
        ]
        | None
    ) = None
    """Beginnings that an image's name may have, each up to and with a slash: registry.example/team/. Empty: none."""
    require_digest: bool | None = None
    """true: an image must be named by digest (@sha256:…)."""

    rules: ClassVar = (model.some("spec.images", "registries", "requireDigest"),)


class Lifetime(model.Model):
    """Caps spec.lifetime."""

    max: Annotated[str, *scalars.duration("lifetime.max", least=lifetime.MAX_LEAST, most=lifetime.MAX_MOST)]
    """Longest life of one pod; a longer or absent lifetime.max is lowered to it."""


class NodeLabel(model.Model):
    """One node label that policies may select by."""

    key: labels.Key
    """The label's key."""
    values: Annotated[list[labels.Value], *lists.unique("values", least=1, most=64)]
    """The values that may be asked for."""


class Scheduling(model.Model):
    """Grants agent.nodeSelector and agent.tolerations, which nobody has without it."""

    node_selector: Annotated[list[NodeLabel], *lists.keyed("scheduling.nodeSelector", "key", most=32)] | None = None
    """Labels that policies may select nodes by. No pod runs with another one."""
    tolerations: Annotated[list[scheduling.Toleration], lists.bounded(most=32)] | None = None
    """Tolerations that policies may have. No pod runs with another one."""

    rules: ClassVar = (model.some("spec.scheduling", "nodeSelector", "tolerations"),)


class Identity(model.Model):
    """Caps identity.token."""

    audiences: Annotated[list[Annotated[str, *identity.AUDIENCE]], *lists.unique("identity.audiences", most=64)]
    """Audiences that policies may name. An agent that asks for another gets no token. Empty: none."""


class Incidents(model.Model):
    """Widens what an open Incident of the action Quarantine contains."""

    block_images: bool
    """true: an image of a quarantined policy starts under no other name in the namespace either, until the release.
    Images are compared by digest."""


class Service(model.Model):
    """One Service, or all of a namespace."""

    namespace: scalars.Label
    """The namespace."""
    name: scalars.Label | None = None
    """The Service's name. Absent: every Service of the namespace."""

    rules: ClassVar = (
        model.Rule(
            cel=(
                f"!(self.namespace in [{', '.join(repr(item) for item in routes.NEVER)}]) && !(self.namespace =="
                f" '{routes.API_SERVER[0]}' && has(self.name) && self.name == '{routes.API_SERVER[1]}')"
            ),
            message="services: kube-system and the API server are out of every agent's reach: remove the entry",
            holds=lambda self: not routes.is_never(self.namespace, self.name),
        ),
    )


class Spec(model.Model):
    """What the policies of the selected namespaces may have at most.

    A field that is absent says nothing. Of several ceilings that select a namespace the lowest cap and the common part
    of all lists hold; what has to be granted (scheduling, services, access, Report) must be granted by each that states
    it, and by one at least. Their order never matters.
    """

    namespace_selector: labels.Selector
    """The namespaces that this ceiling is for, by their labels. {} selects all."""
    hosts: Hosts | None = None
    limits: Limits | None = None
    resources: Resources | None = None
    replicas: Annotated[int, pydantic.Field(ge=0, le=100)] | None = None
    """Most replicas of one policy; more are lowered to it. 0 runs none."""
    images: Images | None = None
    runtime_classes: Annotated[list[scalars.ObjectName], *lists.unique("runtimeClasses", least=1, most=32)] | None = (
        None
    )
    """RuntimeClasses that policies may run under; they must name one of them then."""
    lifetime: Lifetime | None = None
    ingress: Literal["Allowed", "Denied"] | None = None
    """Denied: nobody reaches the agents, whatever policies say. Allowed says nothing."""
    scheduling: Scheduling | None = None
    access: (
        Annotated[
            list[Literal[tuple(way.value for way in contract.Access)]],  # type: ignore[valid-type]
            *lists.unique("access", most=4),
        ]
        | None
    ) = None
    """Grants people, by the rights they have, ways into agent pods: what they do there no policy sees. Nobody has them
    without it."""
    services: Annotated[list[Service], lists.bounded(most=64)] | None = None
    """Grants policies Services of the cluster by serviceRef, which nobody has without it. Empty: none."""
    require_proof: bool | None = None
    """true: agents start only in pods of which the cage test has proved that nothing else is reached."""
    modes: Annotated[list[Literal["Enforce", "Report"]], *lists.unique("modes", most=2)] | None = None
    """Grants policies the mode Report. Enforce is always allowed."""
    identity: Identity | None = None
    incidents: Incidents | None = None


class AgentCeiling(model.Model):
    """Caps what the AgentPolicies of some namespaces may ask for. It beats every policy; for the cluster's owner."""

    api_version: Literal["zaum.dev/v1alpha1"]
    kind: Literal["AgentCeiling"]
    metadata: scalars.Metadata
    spec: Spec
