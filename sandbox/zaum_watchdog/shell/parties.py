"""Whom an exchange on a route deals with: the agent's side, and what all exchanges share."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from zaum_api import contract
from zaum_watchdog.core import gateway_answer, refusals, routes
from zaum_watchdog.core.exchanges import Phase
from zaum_watchdog.shell import brake, limits, room, upstream

if TYPE_CHECKING:
    from zaum_watchdog.core.metering import terms


class Agent(Protocol):
    """The agent's side of the exchange."""

    brake: brake.Brake
    phase: Phase

    def enter(self, phase: Phase) -> None:
        """Say where the exchange stands."""

    def write(self, data: bytes) -> None:
        """Send to the agent."""

    def refused(self, refused: refusals.Refusal, *, recorded: bool) -> None:
        """Answer with a refusal, and end; nothing of another answer has been sent.

        `recorded`: the request has left, and its record says how it ended.
        """

    def relayed(self, answer: gateway_answer.Declined, *, recorded: bool) -> None:
        """Answer with the gateway's refusal, and end; `recorded` as for ours."""

    def cut_short(self) -> None:
        """End so that the agent can tell that its answer is not complete."""

    def over(self, *, keep: bool) -> None:
        """Go on with the next request, or end."""

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""

    def behind(self, data: bytes) -> None:
        """Take what came behind the request."""


class User(upstream.User, Protocol):
    """Who asks for a connection, and may be over before it stands."""

    done: bool

    def adopt(self, connection: upstream.Connection) -> None:
        """Take the connection that is being made."""


class Exchange(Protocol):
    """What the books are told of an exchange."""

    asked: routes.Asked
    begun: bool
    recorded: bool
    started: int

    @property
    def up(self) -> int:
        """Count the content that the agent has sent, in bytes."""

    @property
    def down(self) -> int:
        """Count the content that the agent has got, in bytes."""

    @property
    def more(self) -> str:
        """Give what the record says beyond what all records say."""


class Shared(Protocol):
    """What all exchanges share: connections to upstreams, limits, and the books."""

    limits: limits.Limits
    room: room.Room
    """For bodies that are held."""

    def terms(self, route: routes.Route) -> "terms.Terms | None":
        """Give what is metered on a route by now."""

    def lines(self, route: routes.Route) -> Iterable[bytes]:
        """Write the headers that tell how the limits of a route stand."""

    def kept(self, route: routes.Route) -> upstream.Connection | None:
        """Give an idle one."""

    def dial(self, route: routes.Route, user: User, *, secure: bool) -> None:
        """Begin a new one, and hand it to the user's `adopt`."""

    def keep(self, connection: upstream.Connection, *, nanoseconds: int) -> None:
        """Take one back that can carry another request."""

    def begun(self) -> None:
        """Count a request that goes on."""

    def allowed(self, asked: routes.Asked) -> None:
        """Record that a request leaves."""

    def ended(self, exchange: Exchange, rule: contract.Rule | None, status: int) -> None:
        """Record how a request ended that was begun."""
