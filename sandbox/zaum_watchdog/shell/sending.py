"""One request on a route, from the decision to its last byte: counted, reserved, given a connection, and sent.

What the agent sends goes up as it comes, no faster than the upstream takes it. Nothing is stored but what waits for the
connection.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from zaum_api import contract
from zaum_watchdog.core import answers, asking, gateway_answer, refusals, relaying, responses, routes
from zaum_watchdog.core.exchanges import Phase
from zaum_watchdog.shell import brake, clock, credentials, parties, reserving, upstream

if TYPE_CHECKING:
    from zaum_watchdog.shell import redacting

HELD_MAX: Final = 64 * 1024
"""Bytes of a request that wait for its connection, or for the request before it."""
TRIES: Final = 3
"""Connections that are dialled for one request, as long as nobody has heard of it."""
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Sending(parties.User):
    """See the module. Who derives from it takes the answer."""

    __slots__ = (
        "_agent",
        "_asking",
        "_connection",
        "_credential",
        "_held",
        "_later_up",
        "_pooled",
        "_redacted",
        "_relaying",
        "_reserving",
        "_sent",
        "_shared",
        "_told",
        "_tries",
        "asked",
        "begun",
        "done",
        "recorded",
        "started",
    )  # fmt: skip
    _HOLDS = False

    def __init__(
        self,
        agent: parties.Agent,
        shared: parties.Shared,
        asked: routes.Asked,
        credential: credentials.Credential | None,
        redacted: "redacting.Redacted | None" = None,
    ) -> None:
        self._agent = agent
        self._shared = shared
        self.asked = asked
        self._credential = credential
        self.started = clock.monotonic()
        self._asking = asking.Asking(asked, held=self._HOLDS)
        self._held = b""
        self._later_up = b""
        self._redacted = redacted
        self._connection: upstream.Connection | None = None
        self._reserving = reserving.Reserving(agent, shared.limits)
        self._pooled = False
        self._sent = False
        self._relaying = relaying.Relaying(
            asked.request.method,
            credential.searched if credential is not None else None,
            relaying.Dress(self._lines, self._filter),
        )
        self._told = False
        self._tries = 0
        self.begun = False
        self.recorded = False
        self.done = False

    # The request.

    @property
    def answering(self) -> bool:
        """Say whether the agent has got a part of the answer."""
        return self._told

    @property
    def body_done(self) -> bool:
        """Say whether all of the request has come."""
        return self._asking.done

    @property
    def up(self) -> int:
        """Count the content that the agent has sent, in bytes."""
        return self._asking.up

    @property
    def down(self) -> int:
        """Count the content that the agent has got, in bytes."""
        return self._relaying.down

    @property
    def digest(self) -> bytes:
        """Give what tells this request from others, by all of it that has come."""
        return self._asking.digest

    @property
    def status(self) -> int:
        """Give the upstream's status, 0 before it has answered."""
        return self._relaying.answer.status if self._relaying.answer is not None else 0

    @property
    def moved(self) -> int:
        """Count all bytes that have moved, which say that it goes on."""
        return self.up + self.down

    @property
    def more(self) -> str:
        """Give what the record says beyond what all records say."""
        return self._redacted.record() if self._redacted is not None else ""

    def overdue(self, _waited: int) -> refusals.Refusal | None:
        """Refuse what has waited so long (ns) before it left, where less patience is due than the phase's."""
        return None

    def begin(self) -> None:
        """Have the request counted, find a connection, and send."""
        if self.done:
            return
        self.begun = True
        self._shared.begun()
        self._admit()

    def _admit(self) -> None:
        limits = self._shared.limits
        if limits.on:
            at = self.asked.route
            self._reserve(limits.amounts(at.authority.host.name, route=at.name))
        else:
            self._leave()

    # What it uses of limits.

    def _reserve(self, amounts: Mapping[str, int], until: int = 0) -> None:
        self._reserving.ask(amounts, self._reserved, at=self.asked.route.authority, until=until)

    def _reserved(self, refused: refusals.Refusal | None) -> None:
        self._reserving.waiting = False
        if refused is None:
            self._settle_requests()
        else:
            self._shared.limits.unmet(refused)
            if not self._shared.limits.reported(refused):
                self.refuse(refused)
                return
            self._would_deny(refused.rule)
        self._leave()

    def _settle_requests(self) -> None:
        """Hold nothing while it goes on: a request is spent when it is reserved."""
        self._reserving.settle()

    def _would_deny(self, rule: contract.Rule) -> None:
        self.asked = dataclasses.replace(self.asked, would_deny=self.asked.would_deny or rule)

    # The way up.

    def _leave(self) -> None:
        self._agent.enter(Phase.DIALLING)
        kept = self._shared.kept(self.asked.route)
        if kept is not None:
            self._pooled = True
            kept.user = self
            self.adopt(kept)
            self.ready()
        else:
            self._dial(secure=False)

    def _dial(self, *, secure: bool) -> None:
        self._tries += 1
        self._pooled = False
        self._shared.dial(self.asked.route, self, secure=secure)

    def adopt(self, connection: upstream.Connection) -> None:
        """Take the connection that is being made."""
        self._connection = connection

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the request's body; give what is behind its end, which is the next request's."""
        if self._later_up:
            self._later_up += data
            return b""
        passed = self._asking.feed(data)
        if passed.refused is not None:
            self._wrong(passed.refused)
            return b""
        self._send(passed.data)
        if passed.later:
            self._later_up = passed.later
            self._agent.brake.pull(brake.Why.LATER)
            self._agent.soon(self._again_up)
        if passed.done:
            self._all_came()
        return passed.rest

    def _all_came(self) -> None:
        if self._sent and self._relaying.answer is None:
            self._agent.enter(Phase.THINKING)

    def _again_up(self) -> None:
        if not self.done:
            later, self._later_up = self._later_up, b""
            self._agent.brake.release(brake.Why.LATER)
            self._agent.behind(self.feed(later))

    def _send(self, data: bytes) -> None:
        if not data:
            return
        if self._sent and self._connection is not None:
            self._connection.send(data)
            return
        self._held += data
        if len(self._held) >= HELD_MAX:
            self._agent.brake.pull(brake.Why.HELD)

    def limited(self, refused: refusals.Refusal) -> None:
        """Take it that no more bytes may pass, and that the connection is gone."""
        self._connection = None
        self._wrong(refused)

    def _wrong(self, refused: refusals.Refusal) -> None:
        if self.answering:
            self.fail(refused.rule)
        else:
            self.refuse(refused)

    # What the upstream's connection tells.

    def ready(self) -> None:
        """Send what there is of the request; from here on it has left."""
        connection = self._connection
        assert connection is not None
        credential = self._credential.value if self._credential is not None else b""
        held, self._held = self._held, b""
        self._agent.enter(Phase.ASKING)
        self._sent = True
        if not self.recorded:
            self.recorded = True
            self._shared.allowed(self.asked)
        connection.send(routes.head(self.asked, credential) + held)
        self._agent.brake.release(brake.Why.HELD)
        if self.body_done:
            self._agent.enter(Phase.THINKING)
        elif self.asked.request.expects and not self.up:
            self._agent.write(CONTINUE)

    def declined(self, answer: gateway_answer.Declined, *, again: bool) -> None:
        """Pass the gateway's refusal on, unless it may think again."""
        self._connection = None
        if again and self._tries < TRIES:
            self._dial(secure=True)
        else:
            self._finish(answer.rule, answer.status)
            self._agent.relayed(answer, recorded=self.recorded)

    def failed(self, rule: contract.Rule, problem: str, *, again: bool) -> None:
        """Try another connection, or give up."""
        self._connection = None
        if again and self._tries < TRIES:
            self._dial(secure=False)
        else:
            self._unanswered(rule, problem)

    def stop(self) -> None:
        """Read no more from the agent until the upstream has taken what is queued."""
        self._agent.brake.pull(brake.Why.OTHER_SIDE)

    def go_on(self) -> None:
        """Read from the agent again."""
        self._agent.brake.release(brake.Why.OTHER_SIDE)

    def agent_stops(self, stopped: bool) -> None:
        """Read no faster from the upstream than the agent takes."""
        if self._connection is not None and self._connection.stage is upstream.Stage.READY:
            if stopped:
                self._connection.brake.pull(brake.Why.OTHER_SIDE)
            else:
                self._connection.brake.release(brake.Why.OTHER_SIDE)

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""
        self._agent.soon(then)

    # What the answer gets on its way.

    def _lines(self) -> Iterable[bytes]:
        return self._shared.lines(self.asked.route)

    def _filter(self, answer: responses.Answer) -> relaying.Filter | None:
        return self._redacted.answer(answer) if self._redacted is not None else None

    # Ends.

    def _unanswered(self, rule: contract.Rule, problem: str) -> None:
        at = self.asked.route.authority
        self.refuse(refusals.Refusal(rule, problem, "", at.host.name, at.port))

    def refuse(self, refused: refusals.Refusal) -> None:
        """End with a refusal; the agent has got nothing of an answer."""
        recorded = self.recorded
        self._finish(refused.rule, answers.status_of(refused.rule))
        self._agent.refused(refused, recorded=recorded)

    def fail(self, rule: contract.Rule | None) -> None:
        """End in the middle of an answer."""
        self._finish(rule, self.status)
        self._agent.cut_short()

    def abandon(self, rule: contract.Rule | None) -> None:
        """Take the end of the agent's side."""
        self._finish(rule, self.status)

    def _finish(self, rule: contract.Rule | None, status: int) -> None:
        if self.done:
            return
        self.done = True
        self._reserving.give_up()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._shared.ended(self, rule, status)
        self._relaying.close()
