"""Incidents: their names, their words, and the one rule that says what an open one contains.

Standard library only, plain dicts as the API server gives them. The authorizer, the operator, the ledger and the
command line go by these functions, so none of them can take for free what another one holds.

Fails closed: an Incident is open until the operator has said that it is released or closed, and contains the whole
policy unless it says, whole and readable, that it is about one pod.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api import contract

NAME_POLICY_MAX: Final = 40
"""How much of the policy's name an Incident's name begins with."""
IMAGES_MAX: Final = 4
FACTS_MAX: Final = 16
TIMELINE_MAX: Final = 32
SUMMARY_MAX: Final = 512
LOGS_MAX: Final = 4096
"""Characters of an agent's last log that an Incident keeps."""
RELEASE_VERB: Final = "release"
"""The right that a release needs, on `incidents`: another one than writing policies."""


class Action(StrEnum):
    """What an Incident asks for."""

    KILL = "Kill"
    """The pod that it names is contained and ended; another one may start. Closes by itself once the agent is dead."""
    QUARANTINE = "Quarantine"
    """The policy's name is contained: no pod of it runs, starts or reaches anything until a release."""


class Reporter(StrEnum):
    """Who made it."""

    LEDGER = "Ledger"
    OPERATOR = "Operator"
    HUMAN = "Human"


class Cause(StrEnum):
    """Why there is an Incident, beside what a watchdog or the authorizer sees (`contract.Breach`)."""

    MANUAL = "Manual"
    """A person asked for it."""
    BUDGET_SPENT = "BudgetSpent"
    """A budget is spent, and containment.onBudget asks for more than refusals."""
    WATCHDOG_SILENT = "WatchdogSilent"
    """The watchdog has said nothing to the ledger for long, and the API shows it not ready or gone."""
    WATCHDOG_VERDICT = "WatchdogVerdict"
    """The watchdog ended the agent for a reason whose word this version does not know: the evidence has it."""
    WATCHDOG_RESTARTED = "WatchdogRestarted"
    """A watchdog that restarted has lost its verdict and its counts."""
    TAMPERING = "Tampering"
    """Somebody changed or deleted an object of ours past the operator."""
    CRASH_LOOP = "CrashLoop"
    """The agent ended with an error several times in a row."""
    EGRESS_WIDENED = "EgressWidened"
    """Something opened for the policy's pods what the policy does not name."""


REASONS: Final[tuple[str, ...]] = (
    *(breach.value for breach in contract.Breach if breach not in contract.BLAMELESS),
    *(cause.value for cause in Cause),
)
"""What may stand in `spec.reason`."""


UNBLAMED: Final = frozenset({Cause.WATCHDOG_RESTARTED.value, Cause.MANUAL.value})
"""Reasons that are no breach of the agent's: such an Incident counts as no kill, and is never raised to a quarantine.

A watchdog restarts when its node is in trouble too, and a healthy agent must not be quarantined for that.
"""


class Condition(StrEnum):
    """What has been confirmed of an Incident. Absent and Unknown: not confirmed yet. Never True on a guess."""

    CUT = "Cut"
    """Every authorizer denies the contained pods, and their watchdogs have cut, or the pods have ended."""
    KILLED = "Killed"
    """Every container of the contained pods has terminated, as the API shows, or their objects are gone."""
    ROUTE_REMOVED = "RouteRemoved"
    """No NetworkPolicy but the guard selects the contained pods."""
    IDENTITY_DEAD = "IdentityDead"
    """The contained pods' objects are gone, and no authorizer knows their uids."""
    QUARANTINED = "Quarantined"
    """The policy's name is held: every authorizer denies it, what is there of it is being ended and reaches nothing,
    and none will start. False on a Kill."""
    RELEASED = "Released"
    """A person released it."""
    CLOSED = "Closed"
    """Nothing is contained by this one any more."""


STEPS: Final = (
    Condition.CUT,
    Condition.KILLED,
    Condition.ROUTE_REMOVED,
    Condition.IDENTITY_DEAD,
    Condition.QUARANTINED,
)
"""The steps in the order in which they are taken. A later one can be confirmed first."""


class Word(StrEnum):
    """Why an Incident's condition has its status."""

    CONFIRMED = "Confirmed"
    WAITING = "Waiting"
    """What has to be seen has not been seen yet: the message says whose word is missing."""
    REFUSED = "Refused"
    """The API server refused the step; it is tried again for ever. The message has its words."""
    NOT_NEEDED = "NotNeeded"
    """The action does not ask for this step."""
    NO_POD = "NoPod"
    """There was no pod to take the step on."""
    POLICY_NOT_FOUND = "PolicyNotFound"
    """On Quarantined: no policy has that name; the name is quarantined all the same."""
    IMAGE_BLOCKED = "ImageBlocked"
    """On Quarantined: confirmed, and pods with the same image do not start under another name either."""
    DUPLICATE = "Duplicate"
    """On Closed: an older one contains the same; the message names it."""
    CONTAINED = "Contained"
    """On Closed: a Kill, and every step of it is confirmed."""
    RELEASED = "Released"
    """On Released and Closed: spec.release says by whom and why."""
    OPEN = "Open"
    """On Released and Closed, status False: it contains."""


class Phase(StrEnum):
    """How far an Incident is, for people; the conditions are the truth."""

    OPEN = "Open"
    """No step is confirmed."""
    CUT = "Cut"
    KILLED = "Killed"
    ROUTE_REMOVED = "RouteRemoved"
    IDENTITY_DEAD = "IdentityDead"
    CONTAINED = "Contained"
    """Every step that the action asks for is confirmed."""
    RELEASED = "Released"
    CLOSED = "Closed"


class IncidentError(ValueError):
    """An Incident of which not even the policy that it is about can be read: it can contain nothing."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What one open Incident contains: one pod of a policy, or all that have its name (`pod_uid`, `pod_name` None)."""

    incident: str
    namespace: str
    policy: str
    pod_name: str | None = None
    pod_uid: str | None = None

    @property
    def whole(self) -> bool:
        """Say whether it contains the policy's name, and not one pod of it."""
        return self.pod_name is None and self.pod_uid is None

    def covers(self, *, namespace: str, policy: str, pod_name: str, pod_uid: str) -> bool:
        """Say whether it contains a pod. A uid decides where one is named: a name can come again."""
        if (namespace, policy) != (self.namespace, self.policy):
            return False
        if self.pod_uid is not None:
            return self.pod_uid == pod_uid
        return self.pod_name is None or self.pod_name == pod_name


def name(namespace: str, policy: str, key: str) -> str:
    """Name an Incident, so that two who report the same make the same object.

    `key`: the pod's uid for a breach, `manual/<n>` for a person, with n the number of the policy's Incidents so far.
    """
    digest = hashlib.sha256(f"{namespace}/{policy}/{key}".encode()).hexdigest()[:10]
    return f"{policy[:NAME_POLICY_MAX]}-{digest}"


def manual_key(incidents: int) -> str:
    """Give the key of a person's Incident about a policy that has had so many."""
    return f"manual/{incidents}"


def is_open(incident: Mapping[str, Any]) -> bool:
    """Say whether it contains: the operator has confirmed neither Released nor Closed. Unreadable: open."""
    said = conditions(incident)
    return not any(said.get(kind) == "True" for kind in (Condition.RELEASED, Condition.CLOSED))


def conditions(incident: Mapping[str, Any]) -> dict[str, str]:
    """Give the status of each condition that can be read; of one that stands there twice, the first."""
    found: dict[str, str] = {}
    items = _mapping(incident.get("status")).get("conditions")
    for item in items if isinstance(items, list) else ():
        kind, status = _mapping(item).get("type"), _mapping(item).get("status")
        if isinstance(kind, str) and isinstance(status, str):
            found.setdefault(kind, status)
    return found


def action(incident: Mapping[str, Any]) -> Action:
    """Give the action in force: the stricter of what was asked and what the operator raised it to.

    Whatever is no readable Kill is a Quarantine.
    """
    asked, raised = _mapping(incident.get("spec")).get("action"), _mapping(incident.get("status")).get("action")
    return Action.KILL if asked == Action.KILL.value and raised in (None, Action.KILL.value) else Action.QUARANTINE


def hold(incident: Mapping[str, Any]) -> Hold | None:
    """Give what it contains, None where it is closed. Raise IncidentError where it does not say of which policy."""
    if not is_open(incident):
        return None
    metadata, spec = _mapping(incident.get("metadata")), _mapping(incident.get("spec"))
    namespace, policy = metadata.get("namespace"), _mapping(spec.get("policyRef")).get("name")
    if not (isinstance(namespace, str) and namespace and isinstance(policy, str) and policy):
        raise IncidentError(f"Incident {metadata.get('name')!r}: spec.policyRef.name cannot be read")
    pod = _mapping(spec.get("pod")) if action(incident) is Action.KILL else {}
    return Hold(
        incident=str(metadata.get("name", "")),
        namespace=namespace,
        policy=policy,
        pod_name=_text(pod.get("name")),
        pod_uid=_text(pod.get("uid")),
    )


def holds(incidents: Iterable[Mapping[str, Any]]) -> tuple[Hold, ...]:
    """Give what the open ones of these contain; one that names no policy is passed over (`hold` says so)."""
    found = []
    for incident in incidents:
        try:
            held = hold(incident)
        except IncidentError:
            continue
        if held is not None:
            found.append(held)
    return tuple(found)


def oldest(incidents: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Give the oldest by creation, then by name: the one that stays when several contain the same."""
    return min(incidents, key=_age, default=None)


def phase(said: Mapping[str, str], asked: Action) -> Phase:
    """Give the phase from the status of each condition: the last step before which all are confirmed."""
    if said.get(Condition.RELEASED) == "True":
        return Phase.RELEASED
    if said.get(Condition.CLOSED) == "True":
        return Phase.CLOSED
    reached = Phase.OPEN
    for step in STEPS if asked is Action.QUARANTINE else STEPS[:-1]:
        if said.get(step) != "True":
            return reached
        reached = Phase.CONTAINED if step is Condition.QUARANTINED else Phase(step.value)
    return Phase.CONTAINED


def _age(incident: Mapping[str, Any]) -> tuple[str, str]:
    metadata = _mapping(incident.get("metadata"))
    return str(metadata.get("creationTimestamp", "")), str(metadata.get("name", ""))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
