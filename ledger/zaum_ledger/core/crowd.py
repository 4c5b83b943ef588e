"""Who may stay: so many at all, so many that nobody knows yet, and so many of each caller.

Whoever opens connections and says nothing takes places from those who do the same, the longest there going first; a
caller who opens many takes them from himself. So a flood of either kind leaves room for everybody else.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class Crowd(Generic[T]):
    """Counts connections, or whatever can be a key. `most` counts `strangers` too."""

    def __init__(self, *, most: int, strangers: int, each: int) -> None:
        self._most, self._strangers_most, self._each = most, strangers, each
        self._strangers: dict[T, None] = {}
        self._callers: dict[str, dict[T, None]] = {}
        self._known: dict[T, str] = {}

    def __len__(self) -> int:
        """Count all."""
        return len(self._strangers) + len(self._known)

    @property
    def strangers(self) -> int:
        """Count those that nobody knows."""
        return len(self._strangers)

    def came(self, one: T) -> T | None:
        """Take in a new one; give who has to go for it, which is itself where only callers are there."""
        self._strangers[one] = None
        if len(self._strangers) <= self._strangers_most and len(self) <= self._most:
            return None
        oldest = next(iter(self._strangers))
        del self._strangers[oldest]
        return oldest

    def known(self, one: T, caller: str) -> T | None:
        """Take down whose it is; give who has to go for it: the oldest of the same caller."""
        if one not in self._strangers:
            return None  # it is known already, or has left
        del self._strangers[one]
        own = self._callers.setdefault(caller, {})
        own[one] = None
        self._known[one] = caller
        if len(own) <= self._each:
            return None
        oldest = next(iter(own))
        self.left(oldest)
        return oldest

    def left(self, one: T) -> None:
        """Forget one; again and again does no harm."""
        self._strangers.pop(one, None)
        caller = self._known.pop(one, None)
        if caller is not None:
            del self._callers[caller][one]
            if not self._callers[caller]:
                del self._callers[caller]
