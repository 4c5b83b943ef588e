"""Too much CPU for too long."""

from zaum_api import documents
from zaum_watchdog.core.detectors import held, sample


def feed(config: documents.CpuDetector, state: held.Held, now: sample.Sample) -> tuple[held.Held, bool]:
    """Add one tick; give the state after it and whether the detector trips. Reckoned in integers."""
    used = now.cpu * 100 * 1000
    over = now.elapsed > 0 and used > config.above_percent * config.limit_millis * now.elapsed
    after = state.after(over=over, now=now.now)
    return after, over and after.span >= config.for_seconds * 1_000_000_000
