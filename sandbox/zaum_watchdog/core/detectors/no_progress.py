"""Tokens are spent, and no request is a new one."""

from dataclasses import dataclass, field
from typing import Final

from zaum_api import documents
from zaum_watchdog.core.detectors import held, sample

KNOWN_MAX: Final = 4096
"""Requests that are known again; of more, those that were not made for longest are forgotten."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time since a request was new: how long, and what was spent in it. `known`: by digest, the oldest first."""

    known: dict[bytes, None] = field(default_factory=dict)
    lasting: held.Held = field(default_factory=held.Held)
    tokens: int = 0


def feed(config: documents.NoProgressDetector, state: Stretch, now: sample.Sample) -> tuple[Stretch, bool]:
    """Add one tick; give the state after it and whether the detector trips."""
    known, fresh = state.known, False
    if now.asked:
        known = dict(known)
        for asked in now.asked:
            fresh |= asked.digest not in known
            known.pop(asked.digest, None)
            known[asked.digest] = None
        for digest in [*known][: max(0, len(known) - KNOWN_MAX)]:
            del known[digest]
    before = Stretch() if fresh else state
    after = Stretch(known, before.lasting.after(over=True, now=now.now), before.tokens + now.tokens)
    return after, after.tokens > config.tokens and after.lasting.span >= config.for_seconds * 1_000_000_000
