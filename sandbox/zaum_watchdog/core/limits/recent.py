"""Add up what happened in the last minute, in whole seconds and rounded up: what is younger than 60 s always counts."""

from collections import deque
from typing import Final

SECOND: Final = 1_000_000_000
_SECONDS: Final = 60


class Recent:
    """A sum over a sliding minute."""

    __slots__ = ("_seconds", "_sum")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        self._sum = 0

    def add(self, amount: int, now: int) -> None:
        """Count an amount from `now` on."""
        second, seconds = now // SECOND, self._seconds
        if seconds and seconds[-1][0] >= second:
            seconds[-1][1] += amount
        else:
            seconds.append([second, amount])
        self._sum += amount

    def total(self, now: int) -> int:
        """Give the sum."""
        oldest, seconds = now // SECOND - _SECONDS, self._seconds
        while seconds and seconds[0][0] < oldest:
            self._sum -= seconds.popleft()[1]
        return self._sum

    def until(self, amount: int, now: int) -> int:
        """Give the nanoseconds until the sum is at most `amount`, which is not negative."""
        left, wait = self.total(now), 0
        for second, counted in self._seconds:
            if left <= amount:
                break
            left -= counted
            wait = (second + _SECONDS + 1) * SECOND - now
        return wait
