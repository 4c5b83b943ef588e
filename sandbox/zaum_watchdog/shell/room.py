"""The memory for bodies that are held until they are read: one sum for all, in the order in which they came."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

MOST: Final = 24 * 1024 * 1024
"""Bytes of bodies that are held at the same time."""


class Guest(Protocol):
    """Who holds a body."""

    def admitted(self) -> None:
        """Hear that there is room now."""

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""


class Room:
    """Nobody overtakes: who wants much would otherwise wait for ever."""

    __slots__ = ("_held", "_line", "_most", "taken")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: dict[Guest, int] = {}
        self._line: deque[tuple[Guest, int]] = deque()
        self.taken = 0

    def take(self, guest: Guest, size: int) -> bool:
        """Give room at once, or put the guest into the line, who hears of it by `admitted`."""
        if self._line or self.taken + size > self._most:
            self._line.append((guest, size))
            return False
        self._give(guest, size)
        return True

    @property
    def crowded(self) -> bool:
        """Say whether somebody waits for room."""
        return bool(self._line)

    def shrink(self, guest: Guest, size: int) -> None:
        """Take back what a guest has beyond a size; one that is not here has nothing."""
        held = self._held.get(guest)
        if held is None:
            return
        self.taken -= held - size
        self._held[guest] = size
        if self._line:
            self._next()

    def leave(self, guest: Guest) -> None:
        """Take back all that a guest has, also his place in the line."""
        self.taken -= self._held.pop(guest, 0)
        if self._line:
            self._line = deque(found for found in self._line if found[0] is not guest)
            self._next()

    def _next(self) -> None:
        while self._line and self.taken + self._line[0][1] <= self._most:
            guest, size = self._line.popleft()
            self._give(guest, size)
            guest.soon(guest.admitted)

    def _give(self, guest: Guest, size: int) -> None:
        self._held[guest] = size
        self.taken += size
