"""Memory that grows without a pause."""

from dataclasses import dataclass, field
from typing import Final

from zaum_api import documents
from zaum_watchdog.core.detectors import held, sample

MINUTE: Final = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Grown:
    """What was in memory within the last minute and once before, as (when, bytes); and how long it has grown."""

    looks: tuple[tuple[int, int], ...] = ()
    lasting: held.Held = field(default_factory=held.Held)


def feed(config: documents.MemoryDetector, state: Grown, now: sample.Sample) -> tuple[Grown, bool]:
    """Add one tick; give the state after it and whether the detector trips. Before a minute is over nothing is said.

    What is taken at once stands in each minute that has its moment in it: so it must last for a minute more.
    """
    if state.looks and now.now <= state.looks[-1][0]:
        return state, False
    looks = (*state.looks, (now.now, now.memory))
    old = [index for index, (at, _) in enumerate(looks) if at <= now.now - MINUTE]
    looks = looks[old[-1] :] if old else looks
    at, before = looks[0]
    over = bool(old) and (now.memory - before) * MINUTE > config.growth_per_minute * (now.now - at)
    after = state.lasting.after(over=over, now=now.now)
    return Grown(looks, after), over and after.span >= config.for_seconds * 1_000_000_000 + MINUTE
