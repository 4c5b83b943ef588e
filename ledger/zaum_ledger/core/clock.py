"""The ledger's time, which never goes back and which no step of the wall clock moves.

Milliseconds since 1970 in UTC. It starts at the later one of the wall clock and the last time in the books, and from
there on the monotonic clock alone moves it. So a wall clock that is behind at the start gives nobody a window twice.
"""

from dataclasses import dataclass
from typing import Final

_NANOSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the ledger's time was tied to the monotonic clock."""

    start: int
    """The ledger's time then, in milliseconds."""
    tied: int
    """The monotonic clock then, in nanoseconds."""

    @staticmethod
    def anchored(*, last: int, wall: int, monotonic: int) -> "Clock":
        """Start it. `last`: the latest time in the books, in milliseconds, 0 for none; `wall`, `monotonic`: in ns."""
        return Clock(max(last, wall // _NANOSECONDS), monotonic)

    def at(self, monotonic: int) -> int:
        """Give the ledger's time at a reading of the monotonic clock, in nanoseconds."""
        return self.start + max(0, monotonic - self.tied) // _NANOSECONDS
