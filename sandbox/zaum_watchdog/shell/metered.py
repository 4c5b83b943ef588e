"""One call of a model: what is read of its request and of its answer, and what it is charged."""

from collections import deque
from typing import Final

from zaum_api import contract
from zaum_watchdog.core import records, refusals, responses
from zaum_watchdog.core.metering import answered, asked, charging, endpoints, prices, splicing, terms, usage
from zaum_watchdog.shell import clock

LASTS: Final = 3_600_000_000_000
"""How long (ns) a reservation lasts at most: longer than any call that somebody waits for."""
TURN_NS: Final = 300_000
"""How long is read before others get their turn."""
TRIES: Final = 4
"""How often a call asks for less where its worst case does not fit any more."""
_SHORTENED: Final = frozenset({contract.Rule.TOKENS_PER_DAY, contract.Rule.COST_PER_DAY})
"""Where waiting does not help: then the answer may get as long as what is left allows."""
_TOLERATED: Final = frozenset({contract.Rule.UNPRICED, contract.Rule.PRICE_MISSING})


class Call:
    """See the module. Nothing is charged for what never left."""

    __slots__ = (
        "_at",
        "_behind",
        "_endpoint",
        "_left",
        "_read",
        "_reader",
        "_reading",
        "_tries",
        "charge",
        "plan",
        "terms",
    )

    def __init__(self, endpoint: endpoints.Endpoint, at: terms.Terms) -> None:
        self._endpoint = endpoint
        self._reading = asked.Reading(endpoint, models=at.models, priced=at.priced, keep=at.reports)
        self._read: asked.Asked | asked.Refused | None = None
        self._reader: answered.Answer | None = None
        self._behind: deque[bytes] | None = None
        self._at = 0
        self._left: dict[str, int] = {}
        self._tries = 0
        self.terms = at
        self.plan: terms.Call | None = None
        self.charge = charging.Charge(0, 0)

    # The request.

    @property
    def refused(self) -> asked.Refused | None:
        """Give what is wrong with the body as far as it was read, where nothing more is to be read of it."""
        found = self._reading.refused
        return None if found is None or self.tolerates(found) else found

    def tolerates(self, found: asked.Refused) -> bool:
        """Say whether it passes though it cannot be priced: in the mode Report, where any model may be asked."""
        return self.terms.reports and not self.terms.models and found.rule in _TOLERATED

    def feed(self, data: bytes, at: int) -> int:
        """Read the body from `at` on; give the place up to which it was read: the rest is to be fed again."""
        return self._reading.feed(data, at)

    def judge(self, now: terms.Terms | None) -> terms.Call | asked.Refused:
        """Say what to reserve, by the terms of now; after the body's end."""
        if now is None or (now.priced and not self.terms.priced):
            return asked.Refused(contract.Rule.CONFIG_REMOVED, "", "the route's limits changed while it was read")
        if self._read is None:
            self._read = self._reading.end()
        if isinstance(self._read, asked.Refused):
            return self._read
        self.terms = now
        found = terms.judge(now, self._read, self._left)
        if isinstance(found, terms.Call):
            self.plan = found
        return found

    def judged(self, plan: terms.Call) -> None:
        """Take what was judged elsewhere, of a body that has left."""
        self._read, self.plan = plan.asked, plan

    def shorten(self, refused: refusals.Refusal) -> bool:
        """Say whether a shorter answer may fit into what is left."""
        self._tries += 1
        known = self._left.get(refused.meter)
        if refused.rule not in _SHORTENED or self._tries > TRIES or (known is not None and refused.left >= known):
            return False
        self._left[refused.meter] = refused.left
        return refused.left > 0

    def body(self) -> list[bytes]:
        """Give the body as it leaves."""
        edits = self.plan.edits if self.plan is not None else ()
        pieces, self._reading.pieces = self._reading.pieces, []
        return splicing.splice(pieces, edits) if edits else pieces

    # The answer.

    def begun(self, answer: responses.Answer) -> None:
        """Take the answer's head."""
        kinds = [value for name, value in answer.headers if name == b"content-type"]
        kind = kinds[0].decode("latin-1") if len(kinds) == 1 else ""
        self._reader = answered.reader(self._endpoint, answered.form(kind, coded=answer.coded))

    def observe(self, content: list[bytes]) -> bool:
        """Read content for as long as others may wait; say whether some of it is left."""
        reader, behind = self._reader, self._behind
        if reader is None:
            return False
        if not behind and len(content) == 1:  # As nearly always.
            piece = content[0]
            at = reader.feed(piece, 0)
            if at >= len(piece):
                return False
            self._behind = deque(content)
            self._at = at
            return True
        if behind is None:
            behind = self._behind = deque()
        behind += content
        if behind:
            until = clock.monotonic() + TURN_NS
            while behind and clock.monotonic() <= until:
                self._step(reader, behind)
        return bool(behind)

    def _step(self, reader: answered.Answer, behind: deque[bytes]) -> None:
        piece = behind[0]
        self._at = reader.feed(piece, self._at)
        if self._at >= len(piece):
            behind.popleft()
            self._at = 0

    # The end.

    def settle(self, *, left: bool, status: int, whole: bool) -> charging.Charge:
        """Say what it is charged: `left`: some of it was sent; `whole`: its answer came to its end."""
        if self.plan is not None and left:
            self.charge = charging.settle(self.plan.most, self.plan.price, status, self._said(whole=whole))
        return self.charge

    def _said(self, *, whole: bool) -> usage.Read:
        if self._reader is None:
            return usage.Read(prices.Usage(), "there was no answer")
        while self._behind:
            self._step(self._reader, self._behind)
        return self._reader.end(clean=whole)

    def record(self) -> str:
        """Say it for the record."""
        plan = self.plan
        if plan is None:
            return ""
        return records.called(
            plan.asked.model, output=plan.output, reserved_tokens=plan.most.tokens, tokens=self.charge.tokens,
            reserved_cost=plan.most.cost, cost=self.charge.cost, doubt=self.charge.doubt,
        )  # fmt: skip
