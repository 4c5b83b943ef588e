"""How long an ordinal waits before its next pod.

Computed from the failed pod that is kept, so that a restart of the operator forgets nothing.
"""

from datetime import datetime, timedelta
from typing import Final

FIRST: Final = timedelta(seconds=10)
LONGEST: Final = timedelta(minutes=5)
HEALTHY: Final = timedelta(minutes=10)
"""A pod that ran this long has made up for the failures before it."""


def failures(*, before: int, ran: timedelta) -> int:
    """Count the failures in a row, this one included; `before` is what the ended pod carried."""
    return 1 if ran >= HEALTHY else max(before, 0) + 1


def delay(in_a_row: int) -> timedelta:
    """Give the pause after so many failures in a row: 10 s, 20 s, 40 s … 5 min."""
    if in_a_row < 1:
        return timedelta()
    doubled: timedelta = FIRST * 2 ** min(in_a_row - 1, 16)
    return min(doubled, LONGEST)


def due(*, ended: datetime, in_a_row: int) -> datetime:
    """Give the moment of the next attempt."""
    return ended + delay(in_a_row)
