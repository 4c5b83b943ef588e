"""Nearly all answers say that the request is wrong."""

from dataclasses import dataclass, field
from typing import Final

from zaum_api import documents
from zaum_watchdog.core.detectors import sample
from zaum_watchdog.core.detectors.window import Window

BLAMELESS: Final = frozenset({401, 402, 403, 407, 408, 425, 429})
"""What a credential, a right, a price, a rate or the time is to blame for: a retry may be the right answer."""


def is_wrong(status: int) -> bool:
    """Say whether an upstream's status calls the request wrong (RFC 9110 §15.5). Its own failures are its own."""
    return 400 <= status < 500 and status not in BLAMELESS


@dataclass(frozen=True, slots=True)
class Answers:
    """Those of the window."""

    all: Window = field(default_factory=Window)
    wrong: Window = field(default_factory=Window)


def feed(config: documents.ErrorDetector, state: Answers, now: sample.Sample) -> tuple[Answers, bool]:
    """Add one tick; give the state after it and whether the detector trips. A tick without a wrong one never does."""
    seconds = config.per_seconds
    after = Answers(
        state.all.add(now.answered, now=now.now, seconds=seconds),
        state.wrong.add(now.wrong, now=now.now, seconds=seconds),
    )
    enough = after.all.total >= config.of_at_least
    return after, enough and now.wrong > 0 and after.wrong.total * 100 > config.above_percent * after.all.total
