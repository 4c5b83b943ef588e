"""Meter requests by the generic cell rate algorithm (ITU-T I.371), in integers.

One number of state: the theoretical arrival time (TAT), up to which the rate is already spent. A request at `now` is
admitted when the TAT is at most `burst - 1` intervals ahead, and moves it one interval further. So within any window
of length w at most `burst + w / interval` requests pass, and a clock that jumps forward by any amount gives back at
most one burst; one that jumps back gives nothing.
"""

from typing import Final

from zaum_api import documents

MINUTE: Final = 60_000_000_000


class Meter:
    """The rate of one policy in one pod. Zero per minute or zero burst admits nothing."""

    __slots__ = ("_arrival", "_interval", "_tolerance", "rate")

    def __init__(self, rate: documents.RequestRate) -> None:
        self.rate = rate
        self._arrival = 0
        self._interval, self._tolerance = _spacing(rate)

    def take(self, now: int) -> int:
        """Ask for one request: 0 means admitted and counted, else the nanoseconds until one could be."""
        if self._interval == 0:
            return MINUTE
        wait = self._arrival - now - self._tolerance
        if wait > 0:
            return wait
        self._arrival = max(self._arrival, now) + self._interval
        return 0

    def retune(self, rate: documents.RequestRate, now: int) -> None:
        """Change the rate and keep what is spent, as far as the new burst can express it."""
        self.rate = rate
        self._interval, self._tolerance = _spacing(rate)
        self._arrival = min(self._arrival, now + self._tolerance + self._interval)


def _spacing(rate: documents.RequestRate) -> tuple[int, int]:
    """Give interval and tolerance; the interval is rounded up, so that rounding never admits more."""
    if rate.per_minute == 0 or rate.burst == 0:
        return 0, 0
    interval = -(-MINUTE // rate.per_minute)
    return interval, interval * (rate.burst - 1)
