"""`status`: written by the operator alone."""

from typing import Annotated, Literal

import pydantic

from zaum_api import documents
from zaum_api.v1alpha1 import model, scalars

_Port = Annotated[int, pydantic.Field(ge=1, le=65535)]
_Count = Annotated[int, pydantic.Field(ge=0, le=2**53)]
_Text = Annotated[str, scalars.text(least=0, most=1024)]


class Condition(model.Model):
    """One observation about the policy, as in every Kubernetes API (meta/v1 Condition)."""

    type: Annotated[str, scalars.text(most=316)]
    """Ready, Isolated, EgressExact, EnforcementProven, IdentityBound, WithinLimits, Contained, Degraded, and Succeeded
    for a Task."""
    status: Literal["True", "False", "Unknown"]
    """True when the good thing holds; Degraded is the one that is True when something is worse than it could be."""
    reason: Annotated[str, scalars.text(most=128, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, in one word that scripts may match."""
    message: Annotated[str, scalars.text(least=0, most=4096)]
    """Why, for people; names the object and what to do."""
    last_transition_time: Annotated[str, pydantic.WithJsonSchema({"type": "string", "format": "date-time"})]
    """When the status last changed."""
    observed_generation: Annotated[int, pydantic.Field(ge=0)] | None = None
    """The metadata.generation that this is about."""


class EffectiveHost(model.Model):
    """One host in force."""

    host: Annotated[str, scalars.text(most=253)]
    """Canonical name or pattern."""
    ports: Annotated[list[_Port], pydantic.Field(min_length=1, max_length=16)]
    """TCP ports."""


class EffectiveField(model.Model):
    """One value in force."""

    field: Annotated[str, scalars.text(most=128)]
    """The spec's field."""
    value: _Text
    """The value as text."""
    source: Literal[tuple(source.value for source in documents.Source)]  # type: ignore[valid-type]
    """Where the value comes from: the policy, a default, or a ceiling."""


class EffectiveRoute(model.Model):
    """Where one route leads."""

    name: Annotated[str, scalars.text(most=32)]
    """The route's name."""
    host: Annotated[str, scalars.text(most=253)]
    """Canonical name of the upstream."""
    port: _Port
    """TCP port."""
    service: bool
    """Whether it is a Service of the cluster."""


class Effective(model.Model):
    """What is enforced. The gateway's authorizer decides by this, never by the spec."""

    document_version: Annotated[str, scalars.text(most=16)]
    """Version of this document."""
    mode: Literal[tuple(mode.value for mode in documents.Mode)] | None = None  # type: ignore[valid-type]
    """Whether the policy is enforced, or only said what it would deny. Absent: enforced."""
    hosts: Annotated[list[EffectiveHost], pydantic.Field(max_length=256)]
    """What can be reached; a host of the spec that is missing here was refused."""
    routes: Annotated[list[EffectiveRoute], pydantic.Field(max_length=documents.ROUTES_MAX)] | None = None
    """Where the routes lead; one of the spec that is missing here was refused."""
    fields: Annotated[list[EffectiveField], pydantic.Field(max_length=documents.EFFECTIVE_FIELDS_MAX)]
    """Every other value in force, with its source."""


class Usage(model.Model):
    """What the policy's pods have done, in steps of 10 %. Kept when they end.

    requests, denied and wouldDeny are counted by the watchdogs that run, since their start. All else stands in the
    ledger's books, which outlive pods and policy; absent where there is no ledger, or where it does not answer.
    """

    requests: _Count
    """Requests and tunnels that were asked for."""
    denied: _Count
    """Of them, those that were denied."""
    would_deny: _Count
    """Of them, those that were let through in the mode Report alone."""
    tokens: _Count | None = None
    """Model tokens today (UTC), with what is reserved."""
    cost: Annotated[str, scalars.text(most=24, pattern=r"^[0-9]+[.][0-9]{2,6}$")] | None = None
    """US dollars today (UTC), with what is reserved."""
    bytes_out: _Count | None = None
    """Bytes that left in the last hour, with what is reserved."""
    bytes_in: _Count | None = None
    """Bytes that came in in the last hour, with what is reserved."""
    window_start: Annotated[str, pydantic.WithJsonSchema({"type": "string", "format": "date-time"})] | None = None
    """Since when tokens and cost are counted: the beginning of the day in UTC."""


class Containment(model.Model):
    """How far the containment of the policy's pods is.

    The Incident is the one that contains the policy or one of its pods; of several the oldest Quarantine, else the
    oldest. Absent: none is open, and no watchdog has said how far it is.
    """

    incident: Annotated[str, scalars.text(most=253)] | None = None
    """The Incident's name."""
    reason: Annotated[str, scalars.text(most=128)] | None = None
    """Its spec.reason."""
    since: Annotated[str, pydantic.WithJsonSchema({"type": "string", "format": "date-time"})] | None = None
    """When it was made."""
    rung: Literal[tuple(rung.value for rung in documents.Rung)] | None = None  # type: ignore[valid-type]
    """How far the watchdogs of running pods have gone by themselves: the furthest of them. Absent: none has said."""
    breach: Annotated[str, scalars.text(most=64)] | None = None
    """What that one saw."""
    would_kill: _Count | None = None
    """Breaches that the mode Report has let pass, since the watchdogs' start."""


class Status(model.Model):
    """What the operator saw and what is in force. Only the operator writes it."""

    observed_generation: Annotated[int, pydantic.Field(ge=0)] | None = None
    """The metadata.generation that this status is about."""
    conditions: (
        Annotated[
            list[Condition],
            pydantic.Field(
                max_length=16,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
            ),
        ]
        | None
    ) = None
    """Ready, Isolated, EgressExact, EnforcementProven, IdentityBound, WithinLimits, Contained, Degraded; and Succeeded
    for a Task."""
    replicas: Annotated[int, pydantic.Field(ge=0)] | None = None
    """Pods that exist and have not ended."""
    ready_replicas: Annotated[int, pydantic.Field(ge=0)] | None = None
    """Pods that are ready."""
    usage: Usage | None = None
    containment: Containment | None = None
    effective: Effective | None = None
