"""Since when a state has been seen unchanged and with everybody.

Kept in memory on purpose: a process that starts waits anew, so no time that somebody else wrote is believed.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Steadiness:
    """What was seen last. `since` is None while somebody does not have it."""

    mark: Hashable = None
    since: datetime | None = None

    def seen(self, mark: Hashable, *, complete: bool, now: datetime) -> "Steadiness":
        """Take in a look. Any change, and anybody who is behind, starts the time anew."""
        if not complete:
            return Steadiness(mark, None)
        return self if mark == self.mark and self.since is not None else Steadiness(mark, now)
