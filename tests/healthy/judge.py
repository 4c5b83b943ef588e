"""Say what happened to healthy agents while everything around them went wrong. Pure.

- No pod of theirs was killed, replaced or restarted, no container of it either, and nothing is told of a killing.
- No Incident was made, no watchdog went up its ladder, obeyed an order, or would have ended its agent.
- What needs no way out never failed. What does failed only while a part of the way was away, or came back.
- In the end each one works, and nothing fails any more.
- What failed before, while everything started, is nobody's matter.
- The controls: the node had no cpu left, each part that was to go was away, and each agent worked before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

BUSY_LEAST: Final = 0.95
"""Of the node's cpu time."""
TRACES: Final = frozenset({"wouldKill", "breach", "ladder", "order", "unhealthy"})
"""Kinds of a watchdog's records that say that its agent is not well or not free."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What an agent says that it did. `at`: when it began, seconds since the epoch."""

    did: str
    at: float
    took: float
    ok: bool
    said: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """A pod as the API shows it; `restarts` of all its containers together."""

    uid: str
    phase: str
    ready: bool
    restarts: int


@dataclass(frozen=True, slots=True)
class Agent:
    """One policy with its one pod: as it was before, and all that there is of it afterwards.

    `rung` and `would_kill` are the policy's status; `words` are kinds of the watchdog's records with their reasons.
    """

    name: str
    outside: bool
    before: Life
    after: tuple[Life, ...]
    deeds: tuple[Deed, ...]
    words: tuple[tuple[str, str], ...] = ()
    rung: str = ""
    would_kill: int = 0


@dataclass(frozen=True, slots=True)
class Phase:
    """What went on from when to when, with the time that coming back takes; `excuses`: the way out may fail."""

    name: str
    began: float
    ended: float
    excuses: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """All that is known of one run. `settled`: from when on everything worked again; None: it never did."""

    agents: tuple[Agent, ...]
    phases: tuple[Phase, ...]
    busy: float
    away: Mapping[str, bool]
    """Whether each part that was to go was seen to be away."""
    began: float
    """When the first trouble did."""
    settled: float | None
    incidents: tuple[str, ...] = ()
    killings: tuple[str, ...] = ()
    """What the kubelet tells of containers that it killed."""


def kills(run: Run) -> int:
    """Count the pods that are gone, ended, or had a container restarted."""
    return sum(1 for agent in run.agents for _ in _lost(agent))


def faults(run: Run) -> list[str]:
    """Name all that should not be."""
    return [*_controls(run), *(line for agent in run.agents for line in _agent(run, agent)), *_told(run)]


def failed(run: Run) -> dict[str, int]:
    """Count failed deeds by what went on when they began; what was excused by nothing stands under its own name."""
    counted = {phase.name: 0 for phase in run.phases} | {"else": 0}
    for agent in run.agents:
        for deed in agent.deeds:
            if not deed.ok and deed.at >= run.began:
                counted[_during(run, deed)] += 1
    return counted


def failures(run: Run) -> list[str]:
    """Say of each agent what its failed deeds say, how many there were, and from when to when."""
    found: dict[tuple[str, str], list[float]] = {}
    for agent in run.agents:
        for deed in agent.deeds:
            if not deed.ok and deed.at >= run.began:
                found.setdefault((agent.name, deed.said), []).append(deed.at - run.began)
    return [
        f"{name}: {len(at)} times from +{min(at):.0f} s to +{max(at):.0f} s: {said}"
        for (name, said), at in found.items()
    ]


def _controls(run: Run) -> Iterator[str]:
    if run.busy < BUSY_LEAST:
        yield f"control: the node's cpu was only {run.busy:.0%} busy"
    yield from (f"control: {part} was never seen to be away" for part, seen in run.away.items() if not seen)
    for agent in run.agents:
        if not any(deed.ok and deed.at < run.began for deed in agent.deeds):
            yield f"control: {agent.name} did nothing before the trouble began"


def _agent(run: Run, agent: Agent) -> Iterator[str]:
    yield from _lost(agent)
    yield from (f"{agent.name}: the watchdog says {kind} {reason}".rstrip() for kind, reason in agent.words)
    if agent.rung not in ("", "Free"):
        yield f"{agent.name}: its ladder is at {agent.rung}"
    if agent.would_kill:
        yield f"{agent.name}: {agent.would_kill} breaches would have ended it"
    for deed in agent.deeds:
        if not deed.ok and deed.at >= run.began and not _excused(run, agent, deed):
            yield f"{agent.name}: {deed.did} at +{deed.at - run.began:.0f} s failed: {deed.said}"
    if run.settled is None:
        yield f"{agent.name}: it was not seen to work again"
    elif not any(deed.ok and deed.at >= run.settled for deed in agent.deeds):
        yield f"{agent.name}: it does nothing any more"


def _lost(agent: Agent) -> Iterator[str]:
    if [life.uid for life in agent.after] != [agent.before.uid]:
        yield f"{agent.name}: pod {agent.before.uid} became {[life.uid for life in agent.after]}"
        return
    (after,) = agent.after
    if after.restarts != agent.before.restarts:
        yield f"{agent.name}: {after.restarts - agent.before.restarts} restarts of its containers"
    elif (after.phase, after.ready) != ("Running", True):
        yield f"{agent.name}: its pod is {after.phase}, {'ready' if after.ready else 'not ready'}"


def _told(run: Run) -> Iterator[str]:
    yield from (f"Incident {name}" for name in run.incidents)
    yield from (f"event: {text}" for text in run.killings)


def _excused(run: Run, agent: Agent, deed: Deed) -> bool:
    if not agent.outside or (run.settled is not None and deed.at >= run.settled):
        return False
    return any(phase.excuses and phase.began <= deed.at + deed.took and deed.at <= phase.ended for phase in run.phases)


def _during(run: Run, deed: Deed) -> str:
    """Give the excuse, or else what began last before it."""
    hits = [phase for phase in run.phases if phase.began <= deed.at + deed.took and deed.at <= phase.ended]
    chosen = [phase for phase in hits if phase.excuses] or hits
    return chosen[-1].name if chosen else "else"
