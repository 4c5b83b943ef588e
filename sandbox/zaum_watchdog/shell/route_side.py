"""The agent's side of the routes: one connection, one request after another, phases as `core.exchanges` tables them."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from zaum_api import contract
from zaum_watchdog.core import exchanges, gateway_answer, refusals, requests, routes
from zaum_watchdog.core.exchanges import Phase
from zaum_watchdog.shell import brake, clock, llhttp, parties, sending, wire

_SAYS: Final[dict[Phase, tuple[contract.Rule, str]]] = {
    Phase.HEAD: (contract.Rule.REQUEST_MALFORMED, "the head was not complete in time"),
    Phase.READING: (contract.Rule.REQUEST_MALFORMED, "the body was not complete in time"),
    Phase.DIALLING: (contract.Rule.GATEWAY_UNAVAILABLE, "the upstream could not be reached in time"),
    Phase.ASKING: (contract.Rule.REQUEST_MALFORMED, "the body was not complete in time"),
    Phase.THINKING: (contract.Rule.UPSTREAM_UNAVAILABLE, "the upstream has not answered in time"),
}
"""What is answered when a phase has lasted too long."""
_NOTHING: Final = "", "", ""
_MOVING: Final = frozenset({Phase.READING, Phase.ASKING, Phase.ANSWERED})
_ALL: Final = brake.Why.HELD | brake.Why.OTHER_SIDE | brake.Why.LATER | brake.Why.READING | brake.Why.ROOM


class Shared(parties.Shared, Protocol):
    """What a side asks of all that is shared."""

    def joined(self, side: "RouteSide") -> refusals.Refusal | None:
        """Count a connection, and refuse one too many."""

    def left(self, side: "RouteSide") -> None:
        """Forget a connection."""

    def decided(self, side: "RouteSide", request: requests.Request) -> parties.Going | refusals.Refusal:
        """Decide a request."""

    def refusal(
        self, refused: refusals.Refusal, named: tuple[str, str, str], *, text: bool, bare: bool, recorded: bool
    ) -> bytes:
        """Record a refusal and write its answer."""

    def relay(self, answer: gateway_answer.Declined, asked: routes.Asked, *, recorded: bool) -> bytes:
        """Write the answer of a refusal by the gateway, and its record where the request has none yet."""

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""


class RouteSide(asyncio.Protocol):
    """One connection of the agent to the routes."""

    __slots__ = (
        "_blocked",
        "_exchange",
        "_held",
        "_left",
        "_moved",
        "_request",
        "_shared",
        "_since",
        "_taken",
        "brake",
        "phase",
        "transport",
    )

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._held = b""
        self._exchange: parties.Going | None = None
        self._request: requests.Request | None = None
        self._since = clock.monotonic()
        self._moved = 0
        self._blocked = 0
        self._left = self._taken = 0
        self.phase = Phase.IDLE
        self.brake: brake.Brake
        self.transport: wire.Wire

    @property
    def asked(self) -> routes.Asked | None:
        """Give the request that goes on, if one does."""
        return self._exchange.asked if self._exchange is not None else None

    @property
    def began(self) -> int:
        """Give when the request that goes on began (ns), 0 where none does."""
        return self._exchange.started if self._exchange is not None else 0

    # What the event loop calls.

    def connection_made(self, transport: wire.Wire) -> None:  # type: ignore[override]  # always one
        """Take the transport."""
        self.transport = transport
        self.brake = brake.Brake(transport)
        refused = self._shared.joined(self)
        if refused is not None:
            self._refuse(refused)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        phase, going = self.phase, self._exchange
        if phase is Phase.IDLE or phase is Phase.HEAD:
            self._collect(data)
        elif going is not None and not going.body_done:
            self.behind(going.feed(data))
        elif phase is not Phase.ENDED:
            self.behind(data)

    def pause_writing(self) -> None:
        """Read no faster from the upstream than the agent takes."""
        self._blocked = self._blocked or clock.monotonic()
        if self._exchange is not None:
            self._exchange.agent_stops(True)

    def resume_writing(self) -> None:
        """Read from the upstream again."""
        self._blocked = 0
        if self._exchange is not None:
            self._exchange.agent_stops(False)

    def eof_received(self) -> None:
        """Let the transport close."""

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of this connection."""
        self._drop(None)
        self._shared.left(self)

    # Requests.

    def behind(self, data: bytes) -> None:
        """Hold what came behind the request that goes on."""
        if data:
            self._held += data
            if len(self._held) >= sending.HELD_MAX:
                self.brake.pull(brake.Why.HELD)

    def _collect(self, data: bytes) -> None:
        held = self._held = self._held + data if self._held else data
        if not held:
            return
        length = requests.end_of_head(held)
        if length is None:
            if self.phase is Phase.IDLE:
                self.enter(Phase.HEAD)
            return
        if self.phase is Phase.IDLE:
            self.enter(Phase.HEAD)
        if isinstance(length, refusals.Refusal):
            self._refuse(length)
            return
        raw, self._held = held[:length], b""
        request = requests.read(raw, llhttp.second(raw))
        if isinstance(request, refusals.Refusal):
            self._refuse(request)
            return
        self._request = request
        decided = self._shared.decided(self, request)
        if isinstance(decided, refusals.Refusal):
            self._refuse(decided)
            return
        self._exchange = decided
        # Also of nothing: a body of no length is complete. What is begun may be succeeded by another one at once.
        self.behind(decided.feed(held[length:]))
        decided.begin()

    def succeeded(self, by: parties.Going) -> None:
        """Deal with another one for the same request from now on, unless it was let go already."""
        if self._exchange is not None:
            self._exchange = by

    def over(self, *, keep: bool) -> None:
        """Go on with the next request, or end."""
        self._exchange = self._request = None
        if not keep:
            self._end()
            return
        self.enter(Phase.IDLE)
        self._moved = 0
        self.brake.release(_ALL)
        if self._held:
            self._shared.soon(self._next)

    def _next(self) -> None:
        if self.phase is Phase.IDLE and self._held:
            held, self._held = self._held, b""
            self._collect(held)

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""
        self._shared.soon(then)

    def write(self, data: bytes) -> None:
        """Send to the agent."""
        self.transport.write(data)

    # Ends.

    def expire(self, now: int) -> None:
        """End the connection if its phase has lasted too long, or the agent takes nothing for too long."""
        going = self._exchange
        if going is not None and self.phase in _MOVING:
            moved = going.moved
            if moved != self._moved and (self.phase is Phase.ANSWERED or now - going.started <= exchanges.TOTAL):
                self._moved, self._since = moved, now
        if going is not None and self.phase is Phase.READING:
            refused = going.overdue(now - self._since)
            if refused is not None:
                going.refuse(refused)
                return
        left = self.transport.untaken() if self._blocked or self.phase is Phase.ENDED else 0
        if left != self._left:
            self._left, self._taken = left, now
        if self._blocked and now - max(self._blocked, self._taken) > exchanges.UNTAKEN:
            self._reset(None)
        elif left and self.phase is Phase.ENDED and now - max(self._since, self._taken) <= exchanges.UNTAKEN:
            return  # A reset would lose the rest of the answer.
        elif now - self._since > exchanges.PATIENCE[self.phase]:
            self._expired()

    def _expired(self) -> None:
        says = _SAYS.get(self.phase)
        if self.phase is Phase.IDLE:
            self.phase = exchanges.step(self.phase, Phase.ENDED)
            self.transport.close()
        elif says is None:
            self._reset(contract.Rule.UPSTREAM_UNAVAILABLE if self.phase is Phase.ANSWERED else None)
        elif self.phase is Phase.ASKING and self.brake.why & brake.Why.OTHER_SIDE:
            text = "the upstream takes no more of the body"
            self._end_by(refusals.Refusal(contract.Rule.UPSTREAM_UNAVAILABLE, text))
        else:
            self._end_by(refusals.Refusal(*says))

    def cut(self, rule: contract.Rule | None) -> None:
        """End at once, by a rule or, at the end of the process, by none."""
        if self.phase is Phase.ENDED:
            return
        if rule is None or self.phase is Phase.IDLE or (self._exchange is not None and self._exchange.answering):
            self._reset(rule)
        else:
            self._end_by(refusals.Refusal(rule, "the request was cut before it was answered"))

    def _end_by(self, refused: refusals.Refusal) -> None:
        if self._exchange is not None:
            self._exchange.refuse(refused)
        else:
            self._refuse(refused)

    def refused(self, refused: refusals.Refusal, *, recorded: bool) -> None:
        """Answer with a refusal, and end."""
        self._refuse(refused, recorded=recorded)

    def relayed(self, answer: gateway_answer.Declined, *, recorded: bool) -> None:
        """Answer with the gateway's refusal, and end."""
        assert self._exchange is not None
        self.transport.write(self._shared.relay(answer, self._exchange.asked, recorded=recorded))
        self._end()

    def cut_short(self) -> None:
        """End so that the agent can tell that its answer is not complete."""
        self._reset(None)

    def _refuse(self, refused: refusals.Refusal, *, recorded: bool = False) -> None:
        asked, request = self.asked, self._request
        named = _NOTHING
        if asked is not None:
            named = (asked.route.name, asked.request.method, asked.path)
        elif request is not None:
            named = ("", request.method, request.target.path)
        text = request is not None and request.text
        bare = request is not None and request.method == "HEAD"
        self.transport.write(self._shared.refusal(refused, named, text=text, bare=bare, recorded=recorded))
        self._end()

    def _end(self) -> None:
        """Wait a little for the agent to hang up: a close with bytes unread would reset the answer."""
        self._exchange = None
        self._held = b""
        self.enter(Phase.ENDED)
        self.transport.write_eof()
        self.brake.release(_ALL)

    def _reset(self, rule: contract.Rule | None) -> None:
        self._drop(rule)
        self.transport.reset()

    def _drop(self, rule: contract.Rule | None) -> None:
        going, self._exchange = self._exchange, None
        self.phase = exchanges.step(self.phase, Phase.ENDED)
        if going is not None:
            going.abandon(rule)

    def enter(self, phase: Phase) -> None:
        """Say where the exchange stands."""
        self.phase = exchanges.step(self.phase, phase)
        self._since = clock.monotonic()
