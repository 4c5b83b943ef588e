"""Incident: one containment, from what was seen to the proof. Made by the ledger, the operator or a person."""

from typing import Annotated, ClassVar, Final, Literal

import pydantic

from zaum_api import contract, incidents
from zaum_api.v1alpha1 import lists, model, scalars, status

_PolicyName = Annotated[str, scalars.text(most=contract.POLICY_NAME_MAX, pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
_Uid = Annotated[str, scalars.text(most=64, pattern="^[A-Za-z0-9-]+$")]
_TIME: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$"
_Time = Annotated[str, scalars.text(most=30, pattern=_TIME)]
_User = Annotated[str, scalars.text(most=512, pattern=scalars.PRINTABLE_PATTERN)]
_Image = Annotated[str, scalars.text(most=512, pattern="^[!-~]+$")]
_Seconds = Annotated[str, scalars.text(most=16, pattern="^[0-9]{1,10}[.][0-9]{2}s$")]
PODS_MAX: Final = 100
"""As many replicas as a policy can have."""


class PolicyRef(model.Model):
    """Names the policy, in the Incident's namespace. It need not exist: the name is contained."""

    name: _PolicyName
    """The AgentPolicy's name."""


class Pod(model.Model):
    """Names one pod."""

    name: scalars.ObjectName
    """The pod's name."""
    uid: _Uid | None = None
    """Its metadata.uid. Absent: whichever pod has the name."""


class Fact(model.Model):
    """One number or word that was seen."""

    name: Annotated[str, scalars.text(most=64, pattern="^[A-Za-z][A-Za-z0-9._/-]*$")]
    """What it is."""
    value: Annotated[str, scalars.text(least=0, most=256, pattern=scalars.ASCII_PATTERN)]
    """The value as text."""


class Evidence(model.Model):
    """What was seen. Bounded, redacted, and of characters that can be printed."""

    summary: Annotated[str, scalars.text(most=incidents.SUMMARY_MAX, pattern=scalars.PRINTABLE_PATTERN)]
    """One sentence for people."""
    facts: Annotated[list[Fact], *lists.keyed("evidence.facts", "name", most=incidents.FACTS_MAX)] | None = None
    """Single values."""
    images: Annotated[list[_Image], *lists.unique("evidence.images", most=incidents.IMAGES_MAX)] | None = None
    """The agent's images, as the reporter knows them."""


class Release(model.Model):
    """Ends the containment. Needs the right `release` on incidents, and is said once."""

    by: _User
    """Who releases: the name of the user who sends it."""
    reason: Annotated[str, scalars.text(most=incidents.SUMMARY_MAX, pattern=scalars.PRINTABLE_PATTERN)]
    """Why it may be released."""


def _unchanged(*names: str) -> str:
    """Give the rule that these optional fields stay as they are."""
    return " && ".join(
        f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
        for name in names
    )


class Spec(model.Model):
    """What is contained, and why. Nothing of it can be changed; a release can be added."""

    policy_ref: PolicyRef
    reason: Literal[incidents.REASONS]  # type: ignore[valid-type]
    """Why: what a detector saw, or Manual for people."""
    action: Literal[tuple(item.value for item in incidents.Action)]  # type: ignore[valid-type]
    """Kill: one pod, which is contained and ended; closes by itself once that is proven. Quarantine: the policy's name;
    no pod of it runs, starts or reaches anything until the release."""
    reporter: Literal[tuple(item.value for item in incidents.Reporter)]  # type: ignore[valid-type]
    """Who made it; the API server holds it against who sends it."""
    pod: Pod | None = None
    """The pod that it is about; a Kill needs it."""
    observed_at: _Time | None = None
    """When it was seen, in UTC. The times in the status count from here; absent: from the Incident's creation."""
    evidence: Evidence | None = None
    requested_by: _User | None = None
    """A person's Incident: the name of the user who sends it."""
    release: Release | None = None

    rules: ClassVar = (
        model.Rule(
            cel="self.action != 'Kill' || has(self.pod)",
            message="spec.pod: a Kill is about one pod: name it, or ask for Quarantine",
            holds=lambda self: self.action != incidents.Action.KILL.value or self.pod is not None,
        ),
        model.Rule(
            cel="(self.reporter == 'Human') == has(self.requestedBy)",
            message="spec.requestedBy: a person's Incident says who asks for it, and no other one does",
            holds=lambda self: (self.reporter == incidents.Reporter.HUMAN.value) == (self.requested_by is not None),
        ),
        model.Rule(
            cel="(self.reporter == 'Human') == (self.reason == 'Manual')",
            message="spec.reason: Manual is for people, and people have no other one",
            holds=lambda self: (
                (self.reporter == incidents.Reporter.HUMAN.value) == (self.reason == incidents.Cause.MANUAL.value)
            ),
        ),
    )
    transitions: ClassVar = (
        model.Transition(
            cel=(
                "self.policyRef == oldSelf.policyRef && self.reason == oldSelf.reason && self.action == oldSelf.action"
                f" && self.reporter == oldSelf.reporter && {_unchanged('pod', 'observedAt', 'evidence', 'requestedBy')}"
            ),
            message="spec of an Incident cannot be changed: add spec.release, or make another Incident",
        ),
        model.Transition(
            cel="!has(oldSelf.release) || (has(self.release) && self.release == oldSelf.release)",
            message="spec.release is said once, and stays",
        ),
        model.Transition(
            cel="oldSelf.hasValue() || !has(self.release)",
            message="spec.release cannot be said at creation: make no Incident, or release it afterwards",
            creation=True,
        ),
    )


CLOSED_RULE: Final = model.Transition(
    cel=(
        "!has(self.spec.release) || has(oldSelf.spec.release) || !has(self.status) || !has(self.status.conditions)"
        " || !self.status.conditions.exists(c, c.type in ['Closed', 'Released'] && c.status == 'True')"
    ),
    message="this Incident is closed and contains nothing: there is nothing to release",
)


class Condition(status.Condition):
    """One thing that is confirmed of the Incident, or not yet (meta/v1 Condition)."""

    type: Annotated[str, scalars.text(most=316)]
    """Cut, Killed, RouteRemoved, IdentityDead, Quarantined, Released, Closed."""
    status: Literal["True", "False", "Unknown"]
    """True once it was seen; never before."""


class Moment(model.Model):
    """One thing that happened."""

    step: Annotated[str, scalars.text(most=64, pattern="^[A-Z][A-Za-z]*$")]
    """What: the condition's type, or what led to it."""
    at: _Time
    """When it was confirmed, in UTC."""
    observed_at: _Time | None = None
    """Since when it had been so, by the word of whoever saw it: of Cut, the last watchdog's. Absent: nobody says."""
    confirmed_by: Annotated[str, scalars.text(least=0, most=512, pattern=scalars.ASCII_PATTERN)]
    """Whose word it is, and what it was."""


class Durations(model.Model):
    """Seconds from what was seen (spec.observedAt, else the creation) to each step, as text such as 0.21s."""

    cut: _Seconds | None = None
    """To the moment at which the watchdogs had cut, by their word; where they say none, as cutConfirmed."""
    cut_confirmed: _Seconds | None = None
    """To the condition Cut."""
    dead: _Seconds | None = None
    """To the condition Killed: the agent's containers have terminated."""
    quarantined: _Seconds | None = None
    """To the condition Quarantined."""
    identity: _Seconds | None = None
    """To the condition IdentityDead."""
    proof: _Seconds | None = None
    """To the last step that the action asks for."""


class Logs(model.Model):
    """The ends of logs, redacted, with a point for each character that cannot be printed."""

    agent: Annotated[str, scalars.text(least=0, most=incidents.LOGS_MAX, pattern=r"^[ -~\n\t]*$")] | None = None
    """Of the agent's container."""
    pod: scalars.ObjectName | None = None
    """Of which pod."""


class Status(model.Model):
    """What was confirmed, when, and by whom. Only the operator writes it."""

    observed_generation: Annotated[int, pydantic.Field(ge=0)] | None = None
    """The metadata.generation that this status is about."""
    phase: Literal[tuple(item.value for item in incidents.Phase)] | None = None  # type: ignore[valid-type]
    """How far it is, for people; the conditions are the truth."""
    action: Literal[tuple(item.value for item in incidents.Action)] | None = None  # type: ignore[valid-type]
    """The action in force where it is stricter than spec.action: two reporters had counted differently."""
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
    """Cut, Killed, RouteRemoved, IdentityDead, Quarantined, Released, Closed."""
    timeline: Annotated[list[Moment], lists.bounded(most=incidents.TIMELINE_MAX)] | None = None
    """What happened, in its order."""
    durations: Durations | None = None
    logs: Logs | None = None
    pods: Annotated[list[Pod], lists.bounded(most=PODS_MAX)] | None = None
    """The pods that it contained."""
    images: Annotated[list[_Image], *lists.unique("status.images", most=incidents.IMAGES_MAX)] | None = None
    """Their agents' images, by digest where the node has said one."""


class Incident(model.Model):
    """One containment: an agent that is cut off and ended, or a policy that is quarantined until it is released."""

    api_version: Literal["zaum.dev/v1alpha1"]
    kind: Literal["Incident"]
    metadata: scalars.Metadata
    spec: Spec
    status: Status | None = None
