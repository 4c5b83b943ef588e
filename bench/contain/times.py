"""What happened to one agent, by the records of those who saw it, and what its Incident claims of that. Pure.

Times are seconds since the epoch by the one clock of the machine, of which node, pods, world and API server are parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from zaum_api import incidents

Object = Mapping[str, Any]
Step = incidents.Condition

WRITTEN: Final = 0.001
"""A moment in an Incident is cut off after the millisecond."""
ROUNDED: Final = 0.006
"""A duration has two places."""
CONTROL_SECONDS: Final = 0.5
CONTROL_HEARD: Final = 20
"""So much was heard of each agent, the last of it so short before: else its silence proves nothing."""
FLIGHT: Final = 0.05
"""When a watchdog cuts, what it has let out before is still on its way through gateway and world."""
AGREE: Final = 0.05
"""The watchdog notes its verdict, cuts, and then logs it."""
SECOND: Final = 1.1
"""The kubelet writes whole seconds, and the process's end is seen before it is told."""


class How(StrEnum):
    """How a containment begins, and what it ends in."""

    QUARANTINE = "quarantine"
    """A breach that is a quarantine."""
    KILL = "kill"
    """A breach that is a kill alone."""
    HAND = "hand"
    """A person's `zaum contain`."""


@dataclass(frozen=True, slots=True)
class Part:
    """One agent of the plan. `deaf`: told to end (SIGTERM), it does not."""

    how: How
    deaf: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The records of one containment. None where a record that should be there is not."""

    name: str
    part: Part
    begun: float | None
    """The verdict, by the watchdog's own log or by `spec.observedAt`, whichever is earlier; by hand: the start of the
    command."""
    heard: Sequence[float]
    """What the world heard of the agent, in the order in which it came."""
    exited: float | None
    """The end of the agent's process, by the kernel."""
    finished: float | None
    """The same by the kubelet: a whole second."""
    gone: float | None
    """When the request came that took the pod's object away, by the API server's audit log: not gone before."""
    incident: Object
    """As it was when everything was proven, or when the time was over."""
    found: Sequence[str] = ()
    """What was looked up the moment a claim was there, and was not so."""

    @property
    def how(self) -> How:
        """Say how it began."""
        return self.part.how


def moment(text: str) -> float:
    """Read a time as the API writes it."""
    return datetime.fromisoformat(text).timestamp()


def claims(incident: Object) -> dict[Step, float]:
    """Give when each step was first claimed."""
    found: dict[Step, float] = {}
    for item in incident.get("status", {}).get("timeline", ()):
        found.setdefault(Step(item["step"]), moment(item["at"]))
    return found


def asked(how: How) -> tuple[Step, ...]:
    """Give the steps that are to be claimed."""
    return incidents.STEPS[:-1] if how is How.KILL else incidents.STEPS


def proof(seen: Seen) -> float | None:
    """Give when the last step was claimed."""
    claimed = claims(seen.incident)
    every = [claimed.get(step) for step in asked(seen.how)]
    return max(at for at in every if at is not None) if None not in every else None


def figures(seen: Seen) -> dict[str, float]:
    """Give the seconds from the beginning: cut and dead as they were, the others as they were claimed."""
    claimed = claims(seen.incident)
    moments = {
        "cut": seen.heard[-1] if seen.heard else None,
        "dead": seen.exited,
        "quarantined": claimed.get(Step.QUARANTINED) if seen.how is not How.KILL else None,
        "identity": claimed.get(Step.IDENTITY_DEAD),
        "proof": proof(seen),
    }
    begun = seen.begun
    if begun is None:
        return {}
    return {name: max(at - begun, 0.0) for name, at in moments.items() if at is not None}


def wrong(seen: Seen) -> list[str]:
    """Say what is missing, what contradicts itself, and which claims are earlier than what they claim."""
    return [*_missing(seen), *_silent(seen), *_early(seen), *_counted(seen), *_disagreeing(seen), *seen.found]


def _missing(seen: Seen) -> list[str]:
    records = {
        "the beginning": seen.begun, "the process's end": seen.exited, "finishedAt": seen.finished,
        "the end of the pod's object": seen.gone,
    }  # fmt: skip
    lacking = [f"no record of {name}" for name, at in records.items() if at is None]
    claimed = claims(seen.incident)
    return [*lacking, *(f"{step} was not claimed in time" for step in asked(seen.how) if step not in claimed)]


def _silent(seen: Seen) -> list[str]:
    """Hold the positive control: the agent was talking until then."""
    if seen.begun is None:
        return []
    count, last = sum(at <= seen.begun for at in seen.heard), before(seen)
    if count >= CONTROL_HEARD and last is not None and last <= CONTROL_SECONDS:
        return []
    said = f", the last {last:.2f} s before" if last is not None else ""
    return [f"the control failed: the world heard {count} requests{said}"]


def _facts(seen: Seen) -> dict[Step, float]:
    """Give the earliest moment at which each step can have been so."""
    ends = [at for at in (seen.exited, seen.gone) if at is not None]
    return {
        **({Step.CUT: seen.heard[-1], Step.QUARANTINED: seen.heard[-1]} if seen.heard else {}),
        **({Step.KILLED: seen.exited} if seen.exited is not None else {}),
        **({Step.IDENTITY_DEAD: max(ends)} if ends else {}),
    }


def _early(seen: Seen) -> list[str]:
    claimed = claims(seen.incident)
    found = [
        f"{step} is claimed {fact - claimed[step]:.3f} s before it was so"
        for step, fact in _facts(seen).items()
        if step in claimed and claimed[step] + WRITTEN < fact
    ]
    said = _word(seen.incident)
    if said is not None and seen.heard and said + FLIGHT < seen.heard[-1]:
        found.append(f"a watchdog says that it had cut {seen.heard[-1] - said:.3f} s before the world heard the last")
    return found


def _word(incident: Object) -> float | None:
    """Give since when the pods had been cut by the word of their watchdogs; None where they say nothing."""
    lines = incident.get("status", {}).get("timeline", ())
    return next(
        (moment(item["observedAt"]) for item in lines if item["step"] == Step.CUT and "observedAt" in item), None
    )


_DURATIONS: Final = {
    "cutConfirmed": Step.CUT, "dead": Step.KILLED, "quarantined": Step.QUARANTINED, "identity": Step.IDENTITY_DEAD,
}  # fmt: skip


def _counted(seen: Seen) -> list[str]:
    """Hold `status.durations` against the same records: they count from spec.observedAt, or from the creation."""
    since, told = _since(seen), seen.incident.get("status", {}).get("durations", {})
    if since is None:
        return ["nothing says since when durations count"]
    facts = {name: (_facts(seen).get(step), ROUNDED) for name, step in _DURATIONS.items()}
    facts["cut"] = (seen.heard[-1] if seen.heard else None, ROUNDED + FLIGHT)
    found = [
        f"durations.{name} is {told[name]}, and it took {fact - since:.3f} s"
        for name, (fact, spare) in facts.items()
        if name in told and fact is not None and float(told[name].rstrip("s")) + spare < fact - since
    ]
    if seen.how is not How.HAND and seen.begun is not None and since > seen.begun + AGREE:
        found.append(f"observedAt is {since - seen.begun:.3f} s after the verdict")
    return found


def _since(seen: Seen) -> float | None:
    observed = seen.incident.get("spec", {}).get("observedAt")
    created = seen.incident.get("metadata", {}).get("creationTimestamp")
    return moment(observed or created) if observed or created else None


def verdict(logged: float | None, incident: Object) -> float | None:
    """Give when a breach was: the earlier of what the watchdog logged and what the Incident says; None: no log."""
    observed = incident.get("spec", {}).get("observedAt")
    return min(logged, moment(observed)) if logged is not None and observed else logged


def _disagreeing(seen: Seen) -> list[str]:
    if seen.exited is None or seen.finished is None or abs(seen.exited - seen.finished) <= SECOND:
        return []
    return [f"the kubelet says that the agent ended {seen.finished - seen.exited:+.1f} s from when its process did"]


def throttled(refused: Sequence[float], heard: Sequence[float], *, begun: float, share: float) -> float | None:
    """Give the seconds from the verdict to the first refusal by the rates; None where the world saw no throttling.

    `share`: how many requests a second are left. The two seconds after the refusal are held against that.
    """
    first = next((at for at in sorted(refused) if at >= begun), None)
    if first is None:
        return None
    passed = sum(first < at <= first + 2 for at in heard)
    return first - begun if passed <= 2 * share + 1 else None


def before(seen: Seen) -> float | None:
    """Give how long before the beginning the world heard the agent last: as fine as that the cut is known."""
    if seen.begun is None:
        return None
    return min((seen.begun - at for at in seen.heard if at <= seen.begun), default=None)
