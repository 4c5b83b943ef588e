"""Too many denied requests within any window."""

from zaum_api import documents
from zaum_watchdog.core.detectors import sample

Times = tuple[int, ...]
"""When the last denied requests were, in order; never more than the threshold needs."""


def feed(config: documents.DeniedDetector, times: Times, now: sample.Sample) -> tuple[Times, bool]:
    """Add one tick's denials; give those to remember and whether more than `above` ever fell into one window."""
    needed = config.above + 1
    window = config.per_seconds * 1_000_000_000
    remembered = list(times)
    tripped = False
    for at in now.denied:
        # A clock that steps back must not stretch the window.
        remembered.append(max(at, remembered[-1]) if remembered else at)
        del remembered[:-needed]
        tripped |= len(remembered) == needed and remembered[-1] - remembered[0] < window
    return tuple(remembered), tripped
