"""What one request on a route holds of the limits, under one number at a time."""

from collections.abc import Mapping

from zaum_egress import hosts
from zaum_watchdog.core.exchanges import Phase
from zaum_watchdog.shell import limits, parties


class Reserving:
    """See the module. It waits in line, holds, or does neither."""

    __slots__ = ("_agent", "_limits", "_number", "waiting")

    def __init__(self, agent: parties.Agent, shared: limits.Limits) -> None:
        self._agent = agent
        self._limits = shared
        self._number = 0
        self.waiting = False
        """It is not told yet whether it may go on."""

    def ask(self, amounts: Mapping[str, int], then: limits.Answered, *, at: hosts.Authority, until: int = 0) -> None:
        """Ask for all of it or nothing, and tell `then`, now or later: see `limits.Limits.reserve`."""
        self._number = self._limits.number()
        self.waiting = True
        self._limits.reserve(self._number, amounts, then, at=at, until=until)
        if self.waiting and self._agent.phase is not Phase.READING:
            self._agent.enter(Phase.READING)

    def take_over(self, number: int) -> None:
        """Hold what another one has reserved."""
        self._number = number

    def settle(self, used: Mapping[str, int] | None = None) -> None:
        """Charge what was used, of a meter that is not named all that is held."""
        self._limits.settle(self._number, used)

    def give_up(self) -> None:
        """Wait no longer; nothing is told any more."""
        if self.waiting:
            self._limits.give_up(self._number)
