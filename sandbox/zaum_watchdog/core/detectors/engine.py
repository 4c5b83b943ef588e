"""Feed every detector on every tick, name the breaches, and say which of them are not over yet.

| the detector        | the breach is                      |
|---------------------|------------------------------------|
| trips               | raised                             |
| rests, for less than CALM | raised still: it may only breathe |
| rests for CALM      | over                               |
| is switched off     | over, and what it held forgotten   |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from zaum_api import contract, documents
from zaum_watchdog.core.detectors import (
    cpu,
    denied,
    egress_bytes,
    errors,
    files,
    forks,
    held,
    idle,
    memory,
    no_progress,
    processes,
    repeated,
    sample,
    starved,
)
from zaum_watchdog.core.detectors.window import Window

CALM: Final = 30_000_000_000
"""How long (ns) a detector must rest before its breach is over."""
_Breach = contract.Breach


class _Detector(NamedTuple):
    """One detector: its field in `documents.Runaway`, its breach, its `feed`, and its state at the start."""

    name: str
    breach: contract.Breach
    feed: Callable[[Any, Any, sample.Sample], tuple[Any, bool]]
    fresh: Callable[[], Any]


ALL: Final = (
    _Detector("processes", _Breach.RUNAWAY_PROCESSES, processes.feed, held.Held),
    _Detector("forks", _Breach.RUNAWAY_FORKS, forks.feed, Window),
    _Detector("denied", _Breach.RUNAWAY_DENIED, denied.feed, tuple),
    _Detector("egress_bytes", _Breach.RUNAWAY_EGRESS, egress_bytes.feed, Window),
    _Detector("repeated", _Breach.RUNAWAY_REPEATED, repeated.feed, dict),
    _Detector("no_progress", _Breach.RUNAWAY_NO_PROGRESS, no_progress.feed, no_progress.Stretch),
    _Detector("errors", _Breach.RUNAWAY_ERRORS, errors.feed, errors.Answers),
    _Detector("memory", _Breach.RUNAWAY_MEMORY, memory.feed, memory.Grown),
    _Detector("files", _Breach.RUNAWAY_FILES, files.feed, held.Held),
    _Detector("cpu", _Breach.RUNAWAY_CPU, cpu.feed, cpu.Used),
    _Detector("starved", _Breach.STARVED, starved.feed, held.Held),
    _Detector("idle", _Breach.IDLE, idle.feed, held.Held),
)
"""The gravest first."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The state of all detectors between ticks. It outlives a change of thresholds, which apply from the next tick."""

    states: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[contract.Breach, int] = field(default_factory=dict)
    """When each breach that is raised tripped the last time."""

    @property
    def raised(self) -> tuple[contract.Breach, ...]:
        """Give the breaches that are not over, the gravest first."""
        return tuple(one.breach for one in ALL if one.breach in self.last)

    def feed(self, config: documents.Runaway, now: sample.Sample) -> tuple["Engine", tuple[contract.Breach, ...]]:
        """Add one tick; give the state after it and every breach, the gravest first. A detector that is off forgets."""
        states: dict[str, Any] = {}
        last: dict[contract.Breach, int] = {}
        breaches: list[contract.Breach] = []
        for one in ALL:
            threshold = getattr(config, one.name)
            if threshold is None:
                continue
            before = self.states[one.name] if one.name in self.states else one.fresh()
            states[one.name], tripped = one.feed(threshold, before, now)
            breaches += [one.breach] * tripped
            at = now.now if tripped else self.last.get(one.breach)
            if at is not None and now.now - at < CALM:
                last[one.breach] = at
        return Engine(states, last), tuple(breaches)
