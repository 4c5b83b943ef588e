"""The same request again and again."""

from collections.abc import Mapping
from typing import Final

from zaum_api import documents
from zaum_watchdog.core.detectors import sample
from zaum_watchdog.core.detectors.window import Window

KNOWN_MAX: Final = 1024
"""Different requests that are counted at the same time; of more, those that were not made for longest are forgotten."""
Counts = Mapping[bytes, Window]
"""By digest, in the order in which they were last made."""


def feed(config: documents.RepeatedDetector, counts: Counts, now: sample.Sample) -> tuple[Counts, bool]:
    """Add one tick; give the state after it and whether one request was made more than `same` times in a window."""
    made = [asked.digest for asked in now.asked if not asked.reads]
    if not made:
        return counts, False
    after = dict(counts)
    tripped = False
    for digest in made:
        window = after.pop(digest, Window()).add(1, now=now.now, seconds=config.per_seconds)
        after[digest] = window
        tripped |= window.total > config.same
    for digest in [*after][: max(0, len(after) - KNOWN_MAX)]:
        del after[digest]
    return after, tripped
