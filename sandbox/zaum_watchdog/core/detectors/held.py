"""How long a threshold has been exceeded without a break."""

from dataclasses import dataclass
from typing import Final

STEP_MAX: Final = 5_000_000_000
"""Longest time that one tick can add: what happened between two looks further apart was not seen."""


@dataclass(frozen=True, slots=True)
class Held:
    """`last` is the last tick that was over the threshold, None after one that was not."""

    last: int | None = None
    span: int = 0

    def after(self, *, over: bool, now: int, most: int = STEP_MAX) -> "Held":
        """Add one tick. A clock that steps back adds nothing; one that steps forward adds at most `most`."""
        if not over:
            return Held()
        if self.last is None:
            return Held(now, 0)
        return Held(now, self.span + min(max(now - self.last, 0), most))
