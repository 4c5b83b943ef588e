"""Too many open files and sockets for too long."""

from zaum_api import documents
from zaum_watchdog.core.detectors import held, sample


def feed(config: documents.FileDetector, state: held.Held, now: sample.Sample) -> tuple[held.Held, bool]:
    """Add one tick; give the state after it and whether the detector trips."""
    over = now.files > config.above
    after = state.after(over=over, now=now.now)
    return after, over and after.span >= config.for_seconds * 1_000_000_000
