"""A call of a model in which nothing is out of the ordinary, as nearly all are: read, reserved and sent in one go.

`held` does this and whatever else there is, step by step and by many objects, which takes a call longer than the route
itself. Here are only those whose body is there with their head, small and plain; for which there is enough of each
limit, and nobody waits; and a connection that was kept. Their answer is one where it comes in one piece, as JSON of a
known length. Whatever is otherwise goes on as `held` at once, before anything of that was done, and nobody can tell.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from zaum_api import contract
from zaum_watchdog.core import asking, exchanges, gateway_answer, records, refusals, responses, routes
from zaum_watchdog.core.metering import answered, charging, endpoints, splicing, terms, usage, whole
from zaum_watchdog.core.metering import asked as reading
from zaum_watchdog.shell import brake, clock, credentials, held, metered, parties, upstream

_TO_BE_RELEASED: Final = brake.Why.OTHER_SIDE | brake.Why.LATER | brake.Why.READING
_THINKING: Final = exchanges.Phase.THINKING
_ANSWERED: Final = exchanges.Phase.ANSWERED
_LENGTH: Final = responses.Ends.LENGTH
_JSON: Final = answered.Form.JSON
"""To look up a member of an enum takes longer than to compare with it."""
_NOTHING_KNOWN: Final[dict[str, int]] = {}


class Kind(NamedTuple):
    """What is asked, and by which terms."""

    endpoint: endpoints.Endpoint
    at: terms.Terms


def fits(asked: routes.Asked, at: terms.Terms) -> bool:
    """Say by its head whether a request may be plain."""
    return (
        at.priced
        and not at.reports
        and asked.would_deny is None
        and not asked.request.expects
        and 0 < asked.request.length <= whole.BYTES_MAX
    )


class Straight(parties.User):
    """See the module. After `_general` it is done with."""

    __slots__ = (
        "_agent", "_body", "_connection", "_credential", "_general", "_kind", "_number", "_plan", "_shared",
        "_stopped", "asked", "begun", "body_done", "digest", "done", "down", "more", "recorded", "started", "up",
    )  # fmt: skip

    def __init__(
        self,
        agent: parties.Agent,
        shared: parties.Shared,
        asked: routes.Asked,
        credential: credentials.Credential | None,
        kind: Kind,
    ) -> None:
        self._agent = agent
        self._shared = shared
        self.asked = asked
        self._credential = credential
        self._kind = kind
        self.started = clock.monotonic()
        self._body = b""
        self._connection: upstream.Connection | None = None
        self._general: held.Held | None = None
        self._number = 0
        self._plan: terms.Call | None = None
        self._stopped = False
        self.begun = self.recorded = self.done = False
        self.body_done = False
        self.up = self.down = 0
        self.digest = b""
        """Of what was sent."""
        self.more = ""

    @property
    def answering(self) -> bool:
        """Say that the agent has got nothing of the answer: it gets all of it at once."""
        return False

    @property
    def moved(self) -> int:
        """Count all bytes that have moved."""
        return self.up

    # The request.

    def feed(self, data: bytes) -> bytes:
        """Take the request's body, if it is all there."""
        length = self.asked.request.length
        if len(data) < length:
            return self._held().feed(data)
        self.body_done = True
        self.up = length
        self._body = data if len(data) == length else data[:length]
        return data[length:]

    def begin(self) -> None:
        """Send it, or let it begin step by step."""
        if self._general is None and not self._leave():
            self._held()
        if self._general is not None and not self._number:
            self._general.begin()

    def _leave(self) -> bool:
        """Send it where all is plain; False: nothing has happened."""
        (endpoint, at), shared, asked, body = self._kind, self._shared, self.asked, self._body
        read = reading.at_once(endpoint, body, at.models)
        if read is None or shared.room.crowded:
            return False
        plan = terms.judge(at, read, _NOTHING_KNOWN)
        if not isinstance(plan, terms.Call):
            return False
        connection = shared.kept(asked.route)
        if connection is None:
            return False
        shared.begun()
        tokens, cost = plan.most
        number = shared.limits.reserve_at_once(asked.route, tokens=tokens, cost=cost, lasts=metered.LASTS)
        if not number:
            shared.not_begun()
            shared.put_back(connection)
            return False
        self.digest = asking.digest(asked, body)
        if plan.edits:
            body = b"".join(splicing.splice([body], plan.edits))
        self._number, self._plan, self._connection, self._body = number, plan, connection, b""
        self.begun = self.recorded = True
        connection.user = self
        self._agent.enter(_THINKING)
        shared.allowed(asked)
        credential = self._credential.value if self._credential is not None else b""
        connection.send(routes.head(asked, credential, length=len(body)) + body)
        return True

    # The answer.

    def received(self, data: bytes) -> None:
        """Pass the answer on, if it is all there and plain."""
        if not self.done and not self._pass_on(data):
            self._held().received(data)

    def _pass_on(self, data: bytes) -> bool:
        """Do so; False: nothing has happened."""
        length = responses.end_of_head(data)
        if not isinstance(length, int):
            return False
        request, credential = self.asked.request, self._credential
        answer = responses.read(data[:length], method=request.method)
        if not isinstance(answer, responses.Answer) or not _plain(answer, len(data) - length):
            return False
        if credential is not None and credential.searched.within(data):
            return False
        body = data[length:]
        used = answered.at_once(self._kind.endpoint, body)
        if used is None:
            return False
        lines = self._shared.limits.lines_at_once(self.asked.route)
        head = responses.head(answer, method=request.method, keep=request.keep, lines=lines)
        self.down = len(body)
        self._agent.enter(_ANSWERED)
        self._agent.write(head + body)
        self._end(answer, used)
        return True

    def _end(self, answer: responses.Answer, used: usage.Read) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and answer.keep and not self._stopped:
            connection.brake.release(_TO_BE_RELEASED)
            self._shared.keep(connection, nanoseconds=exchanges.keep_for(answer.keep_seconds))
        elif connection is not None:
            connection.close()
        self.done = True
        plan = self._plan
        assert plan is not None
        tokens, cost, doubt = charging.settle(plan.most, plan.price, answer.status, used)
        self._shared.limits.settle_at_once(self._number, tokens=tokens, cost=cost)
        most_tokens, most_cost = plan.most
        self.more = records.called(
            plan.asked.model, output=plan.output, reserved_tokens=most_tokens, tokens=tokens, reserved_cost=most_cost,
            cost=cost, doubt=doubt,
        )  # fmt: skip
        self._shared.ended(self, None, answer.status)
        self._agent.over(keep=self.asked.request.keep)

    # Whatever is otherwise.

    def _held(self) -> held.Held:
        """Go on step by step."""
        if self._general is not None:
            return self._general
        call = metered.Call(*self._kind)
        found = self._general = held.Held(self._agent, self._shared, self.asked, self._credential, None, call=call)
        found.started = self.started
        if self.body_done and not self._number:
            found.feed(self._body)
        self._agent.succeeded(found)
        connection, self._connection = self._connection, None
        if connection is not None and self._plan is not None:
            call.judged(self._plan)
            route = self.asked.route
            uses = self._shared.limits.uses(route.authority.host.name, route=route.name)
            found.take_over(connection, self._number, uses, up=self.up, digest=self.digest, stopped=self._stopped)
        return found

    def stop(self) -> None:
        """Send no more, of which there is none."""
        self._stopped = True

    def go_on(self) -> None:
        """Take it that all was sent."""
        self._stopped = False

    def agent_stops(self, stopped: bool) -> None:
        """Read no faster from the upstream than the agent takes."""
        if self._connection is None:
            return
        if stopped:
            self._connection.brake.pull(brake.Why.OTHER_SIDE)
        else:
            self._connection.brake.release(brake.Why.OTHER_SIDE)

    def ended(self, *, clean: bool) -> None:
        """Take the end of the connection."""
        self._held().ended(clean=clean)

    def limited(self, refused: refusals.Refusal) -> None:
        """Take it that no more bytes may pass."""
        self._held().limited(refused)

    def refuse(self, refused: refusals.Refusal) -> None:
        """End with a refusal."""
        self._held().refuse(refused)

    def abandon(self, rule: contract.Rule | None) -> None:
        """Take the end of the agent's side."""
        self._held().abandon(rule)

    def overdue(self, waited: int) -> refusals.Refusal | None:
        """Refuse nothing: it never waits to leave."""
        return None

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""
        self._agent.soon(then)

    # What happens to a connection that is being made.

    def adopt(self, connection: upstream.Connection) -> None:
        """Take none: it has one that was kept."""

    def ready(self) -> None:
        """Take no connection."""

    def declined(self, answer: gateway_answer.Declined, *, again: bool) -> None:
        """Take no connection."""

    def failed(self, rule: contract.Rule, problem: str, *, again: bool) -> None:
        """Take no connection."""


def _plain(answer: responses.Answer, length: int) -> bool:
    """Say whether an answer's head is one of JSON of so many bytes."""
    if answer.ends is not _LENGTH or answer.length != length or not length or answer.interim:
        return False
    kinds = [value for name, value in answer.headers if name == b"content-type"]
    if len(kinds) != 1:
        return False
    return answered.form(kinds[0].decode("latin-1"), coded=answer.coded) is _JSON
