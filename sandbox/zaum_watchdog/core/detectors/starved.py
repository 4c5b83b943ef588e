"""The watchdog itself comes too late to see what happens."""

from zaum_api import documents
from zaum_watchdog.core.detectors import held, sample


def feed(config: documents.StarvedDetector, state: held.Held, now: sample.Sample) -> tuple[held.Held, bool]:
    """Add one tick; give the state after it and whether the detector trips.

    One tick that is late, by whatever (a machine that slept), says nothing: the time counts from the first one on.
    """
    over = now.late > config.late_seconds * 1_000_000_000
    after = state.after(over=over, now=now.now, most=now.late + 1_000_000_000)
    return after, over and after.span >= config.for_seconds * 1_000_000_000
