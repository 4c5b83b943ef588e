"""What was really spent, kept apart from everybody's books, and what may have been at most.

Times are nanoseconds. Those of what is spent by leases are of the ledger's time: who starts it under a wrong clock has
wrong days. A minute is a true one, but for what a clock may run fast.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from zaum_api.documents import Kind, Meter, Window

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
PPM: Final = 200
"""How many millionths a clock runs fast or slow at most."""
_SPANS: Final = {Window.MINUTE: MINUTE - 2 * PPM * MINUTE // 1_000_000, Window.HOUR: HOUR}


class PassedError(AssertionError):
    """A limit was passed, or something leaked."""


@dataclass
class Truth:
    """One meter. `bound`: what was in force at most, `former` with when it ended; `highest`: share of it that was used.

    `excess`: what calls took beyond what was reserved for them, which nobody can know before.
    """

    meter: Meter
    bound: int = 0
    former: deque[tuple[int, int]] = field(default_factory=deque)
    spent: deque[tuple[int, int, int]] = field(default_factory=deque)
    within: int = 0
    excess: int = 0
    highest: float = 0.0

    def in_force(self, meters: Iterable[Meter], now: int) -> None:
        """Say what configurations allow, of all pods that live."""
        most = max((one.limit + one.burst for one in meters), default=self.bound)
        if most != self.bound:
            self.former.append((now, self.bound))
            self.bound = most

    def spend(self, amount: int, excess: int, now: int) -> None:
        self.spent.append((now, amount, excess))
        self.within += amount
        self.excess += excess

    def restamp(self, before: int, now: int) -> None:
        """Take what ended at `before`, where the clock stood still, to have ended now."""
        self.former = deque((now if at == before else at, bound) for at, bound in self.former)

    def check(self, now: int) -> None:
        """Raise PassedError where more than allowed lies in the window that ends now."""
        since = self._since(now)
        while self.spent and self.spent[0][0] <= since:
            _, amount, excess = self.spent.popleft()
            self.within -= amount
            self.excess -= excess
        while self.former and self.former[0][0] <= since:
            self.former.popleft()
        most = max([self.bound, *(bound for _, bound in self.former)])
        if self.within - self.excess > most:
            raise PassedError(
                f"{self.meter.id}: {self.within} of {most} (and {self.excess} beyond what was reserved) at {now / 1e9}"
            )
        self.highest = max(self.highest, self.within / most if most else 0.0)

    def _since(self, now: int) -> int:
        if self.meter.window is Window.DAY:
            return now // DAY * DAY - 1
        return now - _SPANS[self.meter.window]


def leased(meter: Meter) -> bool:
    return not meter.shared_by_shares and meter.kind is not Kind.CONNECTIONS
