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

    def succeeded(self, by: "Going") -> None:
        """Deal with another one for the same request from now on."""


class Going(Protocol):
    """A request that goes on, for the agent's side."""

    asked: routes.Asked
    started: int

    @property
    def answering(self) -> bool:
        """Say whether the agent has got a part of the answer."""

    @property
    def body_done(self) -> bool:
        """Say whether all of the request has come."""

    @property
    def moved(self) -> int:
        """Count all bytes that have moved, which say that it goes on."""

    def begin(self) -> None:
        """Have the request counted, find a connection, and send."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the request's body; give what is behind its end, which is the next request's."""

    def agent_stops(self, stopped: bool) -> None:
        """Read no faster from the upstream than the agent takes."""

    def overdue(self, waited: int) -> refusals.Refusal | None:
        """Refuse what has waited so long (ns) before it left, where less patience is due than the phase's."""

    def refuse(self, refused: refusals.Refusal) -> None:
        """End with a refusal; the agent has got nothing of an answer."""

    def abandon(self, rule: contract.Rule | None) -> None:
        """Take the end of the agent's side."""


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
    def digest(self) -> bytes:
        """Give what tells the request from others."""

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

    def put_back(self, connection: upstream.Connection) -> None:
        """Take one back that was given by `kept`, and not used."""

    def begun(self) -> None:
        """Count a request that goes on."""

    def not_begun(self) -> None:
        """Take back a request that was counted; it is counted again when it goes on."""

    def allowed(self, asked: routes.Asked) -> None:
        """Record that a request leaves."""

    def ended(self, exchange: Exchange, rule: contract.Rule | None, status: int) -> None:
        """Record how a request ended that was begun."""
