"""Add up what happened within a window that slides, in a bounded number of slices."""

from dataclasses import dataclass
from typing import Final

SLICES: Final = 30
"""A sum covers the window but for at most one slice of it, and never more than the window."""


@dataclass(frozen=True, slots=True)
class Window:
    """The slices in which something happened, oldest first, as (number, sum)."""

    slices: tuple[tuple[int, int], ...] = ()
    total: int = 0

    def add(self, amount: int, *, now: int, seconds: int) -> "Window":
        """Count an amount at `now` (monotonic nanoseconds) and forget what is older than `seconds`.

        A clock that steps back counts into the newest slice: it must not stretch the window.
        """
        number = now // _slice(seconds)
        if self.slices:
            number = max(number, self.slices[-1][0])
        kept = tuple(item for item in self.slices if item[0] > number - SLICES)
        if amount and kept and kept[-1][0] == number:
            kept = (*kept[:-1], (number, kept[-1][1] + amount))
        elif amount:
            kept = (*kept, (number, amount))
        return Window(kept, sum(count for _, count in kept))


def _slice(seconds: int) -> int:
    return max(1, seconds * 1_000_000_000 // SLICES)
