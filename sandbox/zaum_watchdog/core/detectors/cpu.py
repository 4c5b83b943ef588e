"""Too much CPU for too long; while the agent is throttled: as much as it is left.

A throttled pod keeps a tenth of its cpu where the cluster can resize it (pods/resize), and nobody tells us whether it
could. The use does: one that stays at the tenth is held down there, and the agent is not at rest for that. Without this
a throttled agent would always be found calm, have everything back, and run wild again.

| the agent        | trips when                                                                |
|------------------|---------------------------------------------------------------------------|
| is not throttled | each look for so long is above so much of its limit                       |
| is throttled     | the last LOOKS together are above so much of its limit, or of the tenth   |
|                  | while they are not clearly above that                                     |
"""

from dataclasses import dataclass, field
from typing import Final

from zaum_api import documents
from zaum_watchdog.core.detectors import held, sample

LOOKS: Final = 10
"""Looks that are added up: the kernel counts in hundredths of a second, of which a tenth of little has few."""
_ABOVE: Final = 5, 4
"""What is more than so many times the tenth is no use that is held down to it."""


@dataclass(frozen=True, slots=True)
class Used:
    """How long the threshold has been exceeded, and the last looks at a throttled agent as (cpu, elapsed)."""

    whole: held.Held = field(default_factory=held.Held)
    looks: tuple[tuple[int, int], ...] = ()


def feed(config: documents.CpuDetector, state: Used, now: sample.Sample) -> tuple[Used, bool]:
    """Add one tick; give the state after it and whether the detector trips. Reckoned in integers."""
    after = state.whole.after(over=_over(config, now.cpu, now.elapsed, config.limit_millis), now=now.now)
    looks = (*state.looks, (now.cpu, now.elapsed))[-LOOKS:] if now.throttled else ()
    if now.throttled:
        return Used(after, looks), len(looks) == LOOKS and _strains(config, looks)
    return Used(after), after.last is not None and after.span >= config.for_seconds * 1_000_000_000


def _strains(config: documents.CpuDetector, looks: tuple[tuple[int, int], ...]) -> bool:
    cpu, elapsed = sum(used for used, _ in looks), sum(span for _, span in looks)
    least, (times, of) = config.throttled_millis, _ABOVE
    held_down = cpu * 1000 * of <= least * times * elapsed
    return _over(config, cpu, elapsed, least if held_down else config.limit_millis)


def _over(config: documents.CpuDetector, cpu: int, elapsed: int, millis: int) -> bool:
    return elapsed > 0 and cpu * 100 * 1000 > config.above_percent * millis * elapsed
