"""Add up what happened in the last minute, in whole seconds and rounded up: what is younger than 60 s always counts."""

from collections import deque
from typing import Final

SECOND: Final = 1_000_000_000
_SECONDS: Final = 60
_NEVER: Final = 2**63


class Recent:
    """A sum over a sliding minute."""

    __slots__ = ("_begins", "_last", "_seconds", "_stays", "_sum")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        self._sum = 0
        self._last = [0, 0]
        """The newest of the seconds, if there is one."""
        self._begins = 0
        """When the next one begins; 0 where there is none."""
        self._stays = _NEVER
        """Until when the oldest one counts."""

    def add(self, amount: int, now: int) -> None:
        """Count an amount from `now` on."""
        self._sum += amount
        if now < self._begins:
            self._last[1] += amount
            return
        second, seconds = now // SECOND, self._seconds
        if not seconds:
            self._stays = (second + _SECONDS + 1) * SECOND
        self._last = [second, amount]
        seconds.append(self._last)
        self._begins = (second + 1) * SECOND

    def total(self, now: int) -> int:
        """Give the sum."""
        if now >= self._stays:
            self._forget(now)
        return self._sum

    def _forget(self, now: int) -> None:
        oldest, seconds = now // SECOND - _SECONDS, self._seconds
        while seconds and seconds[0][0] < oldest:
            self._sum -= seconds.popleft()[1]
        if seconds:
            self._stays = (seconds[0][0] + _SECONDS + 1) * SECOND
        else:
            self._stays, self._begins = _NEVER, 0

    def until(self, amount: int, now: int) -> int:
        """Give the nanoseconds until the sum is at most `amount`, which is not negative."""
        left, wait = self.total(now), 0
        for second, counted in self._seconds:
            if left <= amount:
                break
            left -= counted
            wait = (second + _SECONDS + 1) * SECOND - now
        return wait
