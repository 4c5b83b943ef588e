"""Too many processes and threads begun, however short they live."""

from zaum_api import documents
from zaum_watchdog.core.detectors import sample
from zaum_watchdog.core.detectors.window import Window


def feed(config: documents.ForkDetector, state: Window, now: sample.Sample) -> tuple[Window, bool]:
    """Add one tick; give the state after it and whether the detector trips."""
    after = state.add(now.begun, now=now.now, seconds=config.per_seconds)
    return after, after.total > config.above
