"""The one place where this process reads a clock."""

import time


def now() -> float:
    """Give seconds since the epoch, for what tokens say."""
    return time.time()


def monotonic() -> float:
    """Give seconds that never go back, for ages and durations."""
    return time.monotonic()
