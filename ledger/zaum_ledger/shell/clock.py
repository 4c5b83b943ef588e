"""The one place where the ledger reads a clock."""

import time
from collections.abc import Callable

from zaum_ledger.core import clock

Nanoseconds = Callable[[], int]


def wall() -> float:
    """Give seconds since the epoch, for what tokens say."""
    return time.time()


def monotonic() -> float:
    """Give seconds that never go back, for ages and durations."""
    return time.monotonic()


class LedgerClock:
    """The books' time in milliseconds since the epoch, tied to the clocks once, at the start (see core.clock).

    After a start under a wall clock that was far ahead the books stay ahead, which gives no window twice.
    """

    def __init__(
        self, last: int, *, wall_ns: Nanoseconds = time.time_ns, monotonic_ns: Nanoseconds = time.monotonic_ns
    ) -> None:
        self._wall, self._monotonic = wall_ns, monotonic_ns
        self._clock = clock.Clock.anchored(last=last, wall=wall_ns(), monotonic=monotonic_ns())

    def now(self) -> int:
        """Give the time; safe from any thread."""
        return self._clock.at(self._monotonic())

    def ahead(self) -> float:
        """Give how many seconds the books are ahead of the wall clock; negative when they are behind."""
        return self.now() / 1e3 - self._wall() / 1e9
