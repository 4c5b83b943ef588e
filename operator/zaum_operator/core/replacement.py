"""Decide, ordinal by ordinal, which pods go, which are mended, which come, and when to look again.

A pod that ended is replaced after a pause; the newest ended one of each ordinal is kept for forensics, and carries the
memory of the pause. An outdated pod goes first and comes after: the quota has no room for both. Ready ones are
replaced one at a time, broken ones at once. A pod whose watchdog restarted is cut off and ended by its deadline: it
stays to be read, and its pause counts, so that a watchdog that cannot live does not become a loop. So is one whose
agent spoke to the gateway past its watchdog.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from zaum_api import contract, documents
from zaum_operator.core import backoff
from zaum_operator.core.pods import Phase, Pod


class Why(StrEnum):
    """Why a pod is deleted or ended."""

    SURPLUS = "the policy asks for fewer pods"
    STOPPED = "nothing may run"
    DUPLICATE = "another pod has its ordinal"
    OLD_FAILURE = "a newer ended pod of its ordinal is kept"
    OUTDATED = "it was made from another template"
    ROLLED = "the installation has changed"
    WATCHDOG_RESTARTED = "its watchdog restarted and lost its verdict"
    ORDERED = "an Incident ordered it"
    GATEWAY_CONTACT = "somebody in it spoke to the gateway without its watchdog's credential (GatewayContact)"


@dataclass(frozen=True, slots=True)
class Gone:
    """One pod to delete."""

    pod: Pod
    why: Why


@dataclass(frozen=True, slots=True)
class Start:
    """One pod to create; `failures` in a row came before it."""

    ordinal: int
    failures: int


@dataclass(frozen=True, slots=True)
class Pause:
    """One ordinal that waits for its next attempt."""

    pod: Pod
    failures: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Want:
    """What pods should be: `images` and `template` those of the plan; `run` False keeps every pod away."""

    replicas: int
    run: bool
    start: bool
    """Whether pods may be created now (what they need is there). Without it nothing that works is taken down."""
    template: str
    """Digest of the author's part."""
    images: tuple[tuple[str, str], ...]
    site: str = ""
    """Digest of the installation's part."""
    lifetime: int | None = None
    """Seconds that a pod lives at most: one that has less already cannot get more."""
    revoked: bool = False
    """Whether something was taken away that running pods may still hold: those of another template go at once."""
    may_roll: bool = True
    """Whether it is this policy's turn to have pods replaced that only the installation has made outdated."""


class Outdated(Enum):
    """Whether a live pod differs from the plan, and who made it so."""

    NO = "as planned"
    BY_SITE = "the installation has changed: replaced when it is the policy's turn"
    BY_AUTHOR = "policy, ceiling or pod have changed: replaced now"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a policy's pods."""

    delete: tuple[Gone, ...] = ()
    end: tuple[Pod, ...] = ()
    """Pods to be ended by their deadline; some have it already."""
    start: tuple[Start, ...] = ()
    pauses: tuple[Pause, ...] = ()
    keep: tuple[Pod, ...] = ()
    """Pods that live on (ended and leaving ones are not among them)."""
    outdated: int = 0
    """How many of those that live on are to be replaced as soon as the others are ready."""
    waiting: int = 0
    """How many of those that live on wait for the policy's turn (`may_roll`)."""


def decide(pods: tuple[Pod, ...], want: Want, *, now: datetime) -> Decision:
    """Decide about all pods of one policy."""
    parts = [_ordinal(ordinal, pods, want, now=now) for ordinal in range(want.replicas)]
    surplus = tuple(
        Gone(pod, Why.SURPLUS)
        for pod in pods
        if not pod.terminating and (pod.ordinal is None or pod.ordinal >= want.replicas)
    )
    # The quota counts pods until they are gone, so one that is leaving keeps its successor out, whatever its ordinal.
    room = max(want.replicas - sum(pod.phase is Phase.LIVE for pod in pods), 0)
    merged = Decision(
        delete=surplus + tuple(gone for part in parts for gone in part.delete),
        end=tuple(pod for part in parts for pod in part.end),
        start=tuple(start for part in parts for start in part.start)[:room],
        pauses=tuple(pause for part in parts for pause in part.pauses),
        keep=tuple(pod for part in parts for pod in part.keep),
    )
    return _roll(merged, want)


def outdated(pod: Pod, want: Want) -> Outdated:
    """Compare a live pod with the plan. One that is older than the parting of digests cannot be compared in parts."""
    if not pod.site:
        return Outdated.BY_SITE if want.site else Outdated.NO
    if pod.template != want.template or _tampered(pod, want) or _lives_too_short(pod, want) or _deaf(pod, want):
        return Outdated.BY_AUTHOR
    return Outdated.NO if pod.site == want.site else Outdated.BY_SITE


def _tampered(pod: Pod, want: Want) -> bool:
    """Find an image that somebody edited. That of the watchdog is another while the pod waits to be rolled."""
    agent = contract.CONTAINER_AGENT
    edited = dict(pod.images).get(agent) != dict(want.images).get(agent)
    return edited or (pod.site == want.site and pod.images != want.images)


def _deaf(pod: Pod, want: Want) -> bool:
    """Find a pod of this installation that does not say which document it reads: no change of the policy reaches it.

    One of another release has another site digest, and waits for its turn.
    """
    return bool(want.site) and pod.site == want.site and pod.config_version not in documents.CONFIG_VERSIONS


def _lives_too_short(pod: Pod, want: Want) -> bool:
    return pod.deadline is not None and not pod.cut_off and (want.lifetime is None or pod.deadline < want.lifetime)


def _ordinal(ordinal: int, pods: tuple[Pod, ...], want: Want, *, now: datetime) -> Decision:
    mine = [pod for pod in pods if pod.ordinal == ordinal]
    present = [pod for pod in mine if not pod.terminating]
    live = sorted((pod for pod in present if pod.phase is Phase.LIVE), key=lambda pod: (not pod.ready, pod.created))
    ended = sorted((pod for pod in present if pod.phase is Phase.ENDED), key=_ended_at)
    delete = [Gone(pod, Why.OLD_FAILURE) for pod in ended[:-1]]
    if not want.run:
        return Decision(delete=(*delete, *(Gone(pod, Why.STOPPED) for pod in live)))
    delete += [Gone(pod, Why.DUPLICATE) for pod in live[1:]]
    if live:
        return _living(live[0], tuple(delete))
    if len(mine) > len(present) or not want.start:
        return Decision(delete=tuple(delete))
    return _next(ordinal, ended[-1] if ended else None, tuple(delete), want, now=now)


def _living(pod: Pod, delete: tuple[Gone, ...]) -> Decision:
    return Decision(delete=delete, end=(pod,) if pod.doomed else (), keep=(pod,))


def _next(ordinal: int, last: Pod | None, delete: tuple[Gone, ...], want: Want, *, now: datetime) -> Decision:
    """Start a pod, or wait: after a pod of another template there is nothing to wait for, its author changed it.

    Neither is there after a pod that had lived its life, or that the cluster took away.
    """
    if last is None or last.ending is None or last.template != want.template or last.outlived:
        return Decision(delete=delete, start=(Start(ordinal, 0),))
    if last.disrupted:
        return Decision(delete=delete, start=(Start(ordinal, last.failures),))
    failures = backoff.failures(before=last.failures, ran=last.ending.ran)
    until = backoff.due(ended=last.ending.finished, in_a_row=failures)
    if until > now:
        return Decision(delete=delete, pauses=(Pause(last, failures, until),))
    return Decision(delete=delete, start=(Start(ordinal, failures),))


def _roll(decision: Decision, want: Want) -> Decision:
    """Take down outdated pods: broken ones at once, ready ones one at a time and only while all others are ready.

    One that only the installation has made outdated waits for the policy's turn, unless it never came to run: a
    broken installation must be mended everywhere at once.
    """
    if not want.start:
        return decision
    kinds = {pod.name: outdated(pod, want) for pod in decision.keep}
    paced = [pod for pod in decision.keep if kinds[pod.name] is Outdated.BY_SITE and not want.may_roll]
    due = [pod for pod in decision.keep if kinds[pod.name] is not Outdated.NO and pod not in paced]
    ready = [pod for pod in decision.keep if pod.ready and pod not in decision.end]
    broken = [pod for pod in due if not pod.ready] + [pod for pod in paced if not pod.ready and pod.waiting]
    working = [pod for pod in due if pod in ready]
    # An agent could hold on to what it has lost by never letting another replica get ready.
    held = [pod for pod in working if want.revoked and kinds[pod.name] is Outdated.BY_AUTHOR]
    goes = broken + (held or (working[-1:] if len(ready) == want.replicas else []))
    return Decision(
        delete=decision.delete + tuple(Gone(pod, _why(kinds[pod.name])) for pod in goes),
        end=tuple(pod for pod in decision.end if pod not in goes),
        start=decision.start,
        pauses=decision.pauses,
        keep=tuple(pod for pod in decision.keep if pod not in goes),
        outdated=len([pod for pod in due if pod not in goes]),
        waiting=len([pod for pod in paced if pod not in goes]),
    )


def _why(kind: Outdated) -> Why:
    return Why.ROLLED if kind is Outdated.BY_SITE else Why.OUTDATED


def _ended_at(pod: Pod) -> tuple[datetime, datetime]:
    return (pod.ending.finished if pod.ending else pod.created, pod.created)
