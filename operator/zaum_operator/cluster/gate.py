"""Whether a request that changes something may be sent now, and how long it may be on its way.

Two things close it: another replica leads, and an API server that has asked us to come back later. The fence is
checked at each request, after every wait, and bounds the request's timeout: what was sent while we led has its answer,
or has failed, before another may lead.
"""

from typing import Final, Protocol

from zaum_operator import errors
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind

REQUEST_SECONDS: Final = 15.0
LEASE_SECONDS: Final = 4.0
"""A renewal that takes longer is tried again, well before the lease runs out."""
LEAST_SECONDS: Final = 0.5
"""A request that has no more time than this is not begun."""
LONGEST_PAUSE: Final = 30.0
"""What an API server may ask for at most; liveness would call longer ones a stuck queue."""
_UNFENCED: Final = frozenset({kinds.LEASE})


class Time(Protocol):
    """Monotonic seconds."""

    def seconds(self) -> float:
        """Give the time."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Gate:
    """Open for ever, unless somebody sets `leads_until`."""

    def __init__(self, clock: Time) -> None:
        self._clock = clock
        self._paused_until = 0.0
        self.leads_until = float("inf")
        """Seconds of the clock until which we lead; a replica that does not lead has 0 here."""

    @property
    def leads(self) -> bool:
        """Say whether we may send now."""
        return self.leads_until - self._clock.seconds() > LEAST_SECONDS

    @property
    def paused(self) -> float:
        """Give how long the API server wants to be left alone, in seconds."""
        return max(self._paused_until - self._clock.seconds(), 0.0)

    def pause(self, seconds: float) -> None:
        """Let no request pass for a while: the API server has asked for it."""
        self._paused_until = max(self._paused_until, self._clock.seconds() + min(seconds, LONGEST_PAUSE))

    async def enter(self, request: str, kind: Kind) -> float:
        """Wait until a request may be sent; give the seconds that it may take. Raises NotLeaderError."""
        if kind in _UNFENCED:
            return LEASE_SECONDS
        while (wait := self.paused) > 0 and self.leads:
            await self._clock.sleep(min(wait, 1.0))
        left = self.leads_until - self._clock.seconds()
        if left <= LEAST_SECONDS:
            raise errors.NotLeaderError(request, 0, "another replica leads, or may lead before this is answered")
        return min(REQUEST_SECONDS, left)
