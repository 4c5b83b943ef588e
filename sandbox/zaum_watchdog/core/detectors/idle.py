"""Nothing is asked for, and nothing passes."""

from zaum_api import documents
from zaum_watchdog.core.detectors import held, sample


def feed(config: documents.IdleDetector, state: held.Held, now: sample.Sample) -> tuple[held.Held, bool]:
    """Add one tick; give the state after it and whether the detector trips."""
    after = state.after(over=not now.moved, now=now.now)
    return after, not now.moved and after.span >= config.for_seconds * 1_000_000_000
