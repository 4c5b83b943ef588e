"""An exchange of which nothing leaves before all of its request was read: what it asks for, and what is in it.

read -> redacted, if the route redacts -> understood, if a model is asked -> reserved -> sent

The body waits in memory that all such exchanges share (`room`). It is sent no faster than the upstream takes it.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from zaum_api import contract
from zaum_watchdog.core import exchanges, headers, refusals, requests, responses, routes
from zaum_watchdog.core.exchanges import Phase
from zaum_watchdog.core.metering import asked as reading
from zaum_watchdog.core.metering import terms
from zaum_watchdog.shell import brake, clock, credentials, exchange, limits, metered, parties, sending, upstream

if TYPE_CHECKING:
    from zaum_watchdog.shell import redacting

BATCH: Final = 64 * 1024
"""Bytes that are sent at once."""
_NONE: Final[deque[bytes]] = deque(maxlen=0)
"""Where nothing is to be put in: a queue of one's own is half a kilobyte."""
_RULE: Final = contract.Rule
_CODING: Final = frozenset({b"content-encoding"})


class Held(exchange.Exchange):
    """See the module."""

    __slots__ = (
        "_at", "_by", "_by_over", "_call", "_clean", "_length", "_pieces", "_poured", "_reading", "_roomy",
        "_stopped", "_turning", "_unread", "_uses",
        "_whole_answer",
    )  # fmt: skip
    _HOLDS = True

    def __init__(
        self,
        agent: parties.Agent,
        shared: parties.Shared,
        asked: routes.Asked,
        credential: credentials.Credential | None,
        redacted: "redacting.Redacted | None",
        *,
        call: metered.Call | None,
    ) -> None:
        super().__init__(agent, shared, asked, credential, redacted)
        self._by = redacted.request(asked.request.headers) if redacted is not None else None
        self._by_over = self._by is None
        self._call = call
        self._unread: deque[bytes] = deque() if self._by is not None else _NONE
        self._clean: deque[bytes] = deque()
        self._at = 0
        self._pieces: deque[bytes] = deque() if call is None else _NONE
        self._length = 0
        self._poured = 0
        self._uses: limits.Uses = ()
        self._roomy = self._turning = self._stopped = self._whole_answer = False
        self._reading = True

    @property
    def moved(self) -> int:
        """Count all bytes that have moved."""
        return self.up + self.down + self._poured

    @property
    def more(self) -> str:
        """Give what the record says of the call, and of what was redacted."""
        return (self._call.record() if self._call is not None else "") + super().more

    def take_over(
        self,
        connection: upstream.Connection,
        reserved: int,
        uses: limits.Uses,
        *,
        up: int,
        digest: bytes,
        stopped: bool,
    ) -> None:
        """Go on with a request whose `up` bytes have left by a connection that was kept, and has no answer yet."""
        self.begun = self.recorded = self._sent = self._pooled = self._roomy = True
        self._reading = False
        self._asking.came(up, digest)
        self._length = self._poured = up
        self._uses = uses
        self._stopped = stopped
        self._reserving.take_over(reserved)
        if connection.user is not None:  # Else it is gone by now, and that is to be told next.
            connection.user = self
        self.adopt(connection)

    # In.

    def _admit(self) -> None:
        self._agent.enter(Phase.READING)
        request = self.asked.request
        size = routes.BODY_MAX if request.length == requests.CHUNKED else request.length
        if self._shared.room.take(self, size):
            self.admitted()
        else:
            self._agent.brake.pull(brake.Why.ROOM)

    def admitted(self) -> None:
        """Read: there is room."""
        if self.done:
            return
        self._roomy = True
        self._agent.brake.release(brake.Why.ROOM)
        if self.asked.request.expects and not self.up:
            self._agent.write(sending.CONTINUE)
        self._read()

    def overdue(self, waited: int) -> refusals.Refusal | None:
        """Refuse what waits for room too long."""
        if self._roomy or waited <= exchanges.PATIENCE[Phase.HEAD]:
            return None
        at = self.asked.route.authority
        text = "so many bodies are held to be read that there is no memory for another one"
        return refusals.Refusal(
            _RULE.BODIES, text, "fewer requests at the same time", at.host.name, at.port, exchanges.SECOND
        )

    def _send(self, data: bytes) -> None:
        if data:
            (self._clean if self._by is None else self._unread).append(data)
        if self._roomy and not self._turning:
            self._read()

    def _all_came(self) -> None:
        """Go by `_read`, which sees that it came."""

    def _read(self) -> None:
        self._turning = False
        until = clock.monotonic() + metered.TURN_NS
        while self._reading and self._step():
            if not self._clean and self._by is None:
                break  # All of it, as nearly always.
            if clock.monotonic() > until and not self.done:
                self._turning = True
                self._agent.brake.pull(brake.Why.READING)
                self._agent.soon(self._read)
                return
        self._agent.brake.release(brake.Why.READING)
        if self._reading and self.body_done:
            self._reading = False
            self._understood()

    def _step(self) -> bool:
        """Do one bounded piece of work; say whether there was one."""
        if self.done:
            self._reading = False
            return False
        if self._clean:
            self._understand(self._clean[0])
            return True
        by = self._by
        if by is None:
            return False
        if by.behind:
            return self._take_clean(by.feed(b""))
        if self._unread:
            return self._take_clean(by.feed(self._unread.popleft()))
        if self.body_done and not self._by_over:
            self._by_over = True
            return self._take_clean(by.end())
        return False

    def _take_clean(self, data: bytes | None) -> bool:
        denied = self._by.denied if self._by is not None else ""
        if denied:
            self._reading = False
            at = self.asked.route.authority
            would = f"spec.egress.routes[name={self.asked.route.name}].redact.request with another action"
            self.refuse(refusals.Refusal(_RULE.REDACTED, f"of the body: {denied}", would, at.host.name, at.port))
        elif data:
            self._clean.append(data)
        return data is not None

    def _understand(self, data: bytes) -> None:
        call = self._call
        if call is None:
            if self._pieces and len(self._pieces[-1]) + len(data) <= reading.JOINED_MAX:
                self._pieces[-1] += data
            else:
                self._pieces.append(data)
            self._clean.popleft()
            return
        self._at = call.feed(data, self._at)
        if call.refused is not None:
            self._reading = False
            self.refuse(terms.refused(self.asked, call.refused))
        elif self._at >= len(data):
            self._clean.popleft()
            self._at = 0

    # Limits.

    def _understood(self) -> None:
        if self._call is None:
            super()._admit()
        else:
            self._ask_for(self._call)

    def _ask_for(self, call: metered.Call) -> None:
        found = call.judge(self._shared.terms(self.asked.route))
        if isinstance(found, reading.Refused):
            if call.tolerates(found):
                self._would_deny(found.rule)
                self._leave()
            else:
                self.refuse(terms.refused(self.asked, found))
            return
        shared, route, most = self._shared.limits, self.asked.route, found.most
        host = route.authority.host.name
        self._uses = shared.uses(host, route=route.name)
        amounts = shared.amounts(host, route=route.name, tokens=most.tokens, cost=most.cost)
        self._reserve(amounts, clock.monotonic() + metered.LASTS)

    def _reserved(self, refused: refusals.Refusal | None) -> None:
        if refused is not None and self._call is not None and self._call.shorten(refused):
            self._reserving.waiting = False
            self._ask_for(self._call)
        else:
            super()._reserved(refused)

    def _settle_requests(self) -> None:
        if self._call is None:
            super()._settle_requests()

    def _settle(self, call: metered.Call) -> None:
        if self._reserving.waiting:
            return
        charge = call.settle(left=self._sent, status=self.status, whole=self._whole_answer)
        if not charge.tokens and not charge.cost and not self._uses:
            return  # Nothing was reserved.
        self._reserving.settle(limits.charged(self._uses, tokens=charge.tokens, cost=charge.cost))
        shared = self._shared.limits
        shared.tokens += charge.tokens
        shared.cost += charge.cost

    # Out.

    def _leave(self) -> None:
        if self._call is not None:
            self._pieces = deque(self._call.body())
        self._length = sum(map(len, self._pieces))
        self._shared.room.shrink(self, self._length)
        super()._leave()

    def ready(self) -> None:
        """Send what there is of the request; from here on it has left."""
        connection = self._connection
        assert connection is not None
        credential = self._credential.value if self._credential is not None else b""
        self._agent.enter(Phase.ASKING)
        self._sent = True
        if not self.recorded:
            self.recorded = True
            self._shared.allowed(self.asked)
        self._pour(routes.head(self.asked, credential, length=self._length))

    def _pour(self, first: bytes = b"") -> None:
        while (self._pieces or first) and not self._stopped and self._connection is not None:
            if self._length <= BATCH and first:
                first += b"".join(self._pieces)
                self._pieces.clear()
                self._poured = self._length
                self._connection.send(first)
                break
            batch, size = [first], 0
            while self._pieces and size < BATCH:
                batch.append(self._pieces.popleft())
                size += len(batch[-1])
            first = b""
            self._poured += size
            self._connection.send(b"".join(batch))
        if self.done:
            return
        self._shared.room.shrink(self, self._length - self._poured)
        if not self._pieces and self._agent.phase is Phase.ASKING:
            self._agent.enter(Phase.THINKING)

    def stop(self) -> None:
        """Send no more until told to go on."""
        self._stopped = True

    def go_on(self) -> None:
        """Send again."""
        self._stopped = False
        if self._sent:
            self._pour()

    @property
    def _all_sent(self) -> bool:
        return not self._pieces and not self._stopped

    # The answer.

    def _answered(self, answer: responses.Answer) -> None:
        if self._call is not None:
            self._call.begun(answer)

    def _observe(self, content: list[bytes]) -> None:
        if self._call is None or not self._call.observe(content):
            return
        if self._connection is not None:
            self._connection.brake.pull(brake.Why.READING)
        self._agent.soon(self._observe_on)

    def _observe_on(self) -> None:
        if not self.done:
            if self._connection is not None:
                self._connection.brake.release(brake.Why.READING)
            self._observe([])

    def _whole(self) -> None:
        self._whole_answer = True

    def _finish(self, rule: contract.Rule | None, status: int) -> None:
        if self.done:
            return
        self._shared.room.leave(self)
        if self._call is not None:
            self._settle(self._call)
        super()._finish(rule, status)
        for held in (self._unread, self._clean, self._pieces):
            held.clear()


def coded(asked: routes.Asked) -> refusals.Refusal | None:
    """Refuse a body that is compressed, so that nothing can be looked for in it."""
    found = headers.gathered(asked.request.headers, _CODING).get(b"content-encoding", [])
    if all(value.lower() == b"identity" for value in found):
        return None
    at = asked.route.authority
    text = "the body is compressed, so it cannot be searched for what the route redacts"
    return refusals.Refusal(contract.Rule.REQUEST_TYPE, text, "no Content-Encoding", at.host.name, at.port)
