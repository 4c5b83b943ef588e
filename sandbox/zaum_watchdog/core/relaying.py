"""Pass an upstream's answer on, piece by piece: read strictly, searched for the credential, framed anew.

What is wrong with an answer is a rule and a problem in words. Nothing of the piece that shows it is passed on, and
nothing behind it: whether the agent hears of it by an answer or by a cut depends on what it has got before.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from zaum_api import contract
from zaum_watchdog.core import bodies, echo, responses

INTERIM_MAX: Final = 16
"""Interim answers before the one that counts: each costs as much as any head."""


class Filter(Protocol):
    """What changes an answer's content on its way."""

    @property
    def behind(self) -> bool:
        """Say whether `feed(b"")` has something to do."""

    @property
    def denied(self) -> str:
        """Say what is in the content that may not pass; empty while nothing is."""

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, and give what can be passed on by now."""

    def end(self) -> bytes:
        """Give all that is left."""


@dataclass(slots=True)
class Passed:
    """What a piece gave: bytes for the agent, whether the answer is complete, what came behind it, what was wrong."""

    data: bytes = b""
    done: bool = False
    rest: bytes = b""
    later: bytes = b""
    """What was not looked at yet: to be fed before anything else."""
    behind: bool = False
    """There is more to do with what came: to be fed soon, be it nothing."""
    rule: contract.Rule | None = None
    problem: str = ""
    content: list[bytes] = field(default_factory=list)
    """What came of the answer's content, as the upstream sent it."""


@dataclass(frozen=True, slots=True)
class Dress:
    """What an answer gets on its way: `lines` for its head, and by its head what changes its content, if anything."""

    lines: Callable[[], Iterable[bytes]] = tuple
    filters: Callable[[responses.Answer], Filter | None] = lambda _: None


PLAIN: Final = Dress()


class Relaying:
    """One answer to a request by `method`; `searched` is None where no credential went in."""

    __slots__ = (
        "_body", "_dress", "_filter", "_head", "_interim", "_method", "_rest", "_scanner", "_searched", "_told",
        "_whole", "answer", "down",
    )  # fmt: skip

    def __init__(self, method: str, searched: echo.Searched | None, dress: Dress = PLAIN) -> None:
        self._method = method
        self._dress = dress
        self._filter: Filter | None = None
        self._whole = False
        self._rest = b""
        self._told: responses.Answer | None = None
        """The answer as it is framed for the agent."""
        self._searched = searched
        self._scanner = echo.Scanner(searched) if searched is not None else None
        self._head = b""
        self._interim = 0
        self._body: bodies.Body = bodies.Sized(0)
        self.answer: responses.Answer | None = None
        """Its head, once it is whole and nothing is wrong with it."""
        self.down = 0
        """Bytes of content that were passed on."""

    def close(self) -> None:
        """Ask nobody any more: who asks this one can be forgotten at once, and not when cycles are looked for."""
        self._dress = PLAIN
        self._filter = None

    @property
    def silent(self) -> bool:
        """Say whether not one byte has come."""
        return self.answer is None and not self._head

    def feed(self, data: bytes, *, keep: bool) -> Passed:
        """Take a piece; `keep` says whether the agent's connection may carry its next request."""
        if self._told is not None:
            return self._content(data, b"", self._told)
        self._head += data
        while True:
            length = responses.end_of_head(self._head)
            if length is None:
                return Passed()
            if isinstance(length, responses.Malformed):
                return _malformed(length.problem)
            raw, self._head = self._head[:length], self._head[length:]
            answer = responses.read(raw, method=self._method)
            if isinstance(answer, responses.Malformed):
                return _malformed(answer.problem)
            if self._searched is not None and self._searched.within(raw):
                return _echoed()
            if not answer.interim:
                return self._begin(answer, keep=keep)
            self._interim += 1
            if self._interim > INTERIM_MAX:
                return _malformed(f"more than {INTERIM_MAX} interim answers come before it")

    def _begin(self, answer: responses.Answer, *, keep: bool) -> Passed:
        bodiless = answer.ends is responses.Ends.AT_ONCE
        if self._searched is not None and answer.coded and not bodiless:
            return _malformed("it is compressed unasked, so it cannot be searched for the credential")
        self._filter = None if bodiless else self._dress.filters(answer)
        if self._filter is not None and answer.coded:
            return _malformed("it is compressed unasked, so it cannot be searched for personal data")
        self._body = answer.body()
        self.answer = answer
        # What is changed on its way is as long as it turns out to be.
        told = answer if self._filter is None else dataclasses.replace(answer, ends=responses.Ends.CHUNKED)
        self._told = told
        rest, self._head = self._head, b""
        head = responses.head(told, method=self._method, keep=keep, lines=self._dress.lines())
        return self._content(rest, head, told)

    def _content(self, data: bytes, head: bytes, answer: responses.Answer) -> Passed:
        taken = bodies.Taken() if self._whole else self._body.feed(data)
        if taken.problem:
            return _malformed(f"of its body, {taken.problem}")
        pieces = taken.pieces
        if self._scanner is not None:
            pieces = [self._scanner.feed(piece) for piece in pieces]
            if self._scanner.found:
                return _echoed()
        if self._filter is not None:
            return self._filtered(self._filter, taken, pieces, head, answer)
        if taken.done:
            data = head + self._written(pieces, answer) + self._last(answer)
            return Passed(data, done=True, rest=taken.rest, content=taken.pieces)
        return Passed(head + self._written(pieces, answer), later=taken.later, content=taken.pieces)

    def _filtered(
        self, by: Filter, taken: bodies.Taken, pieces: list[bytes], head: bytes, answer: responses.Answer
    ) -> Passed:
        if taken.done:
            self._whole, self._rest = True, taken.rest
            pieces = [*pieces, self._left()]
        out = by.feed(b"".join(pieces))
        over = self._whole and not by.behind
        out += by.end() if over and not by.denied else b""
        if by.denied:
            return Passed(rule=contract.Rule.REDACTED, problem=by.denied, content=taken.pieces)
        data = head + self._written([out], answer)
        if over:
            return Passed(data + bodies.LAST_CHUNK, done=True, rest=self._rest, content=taken.pieces)
        return Passed(data, later=taken.later, behind=by.behind, content=taken.pieces)

    def ended(self, *, clean: bool) -> Passed | None:
        """Take the end of the upstream's connection: the answer's end too, or None where it is one too soon."""
        answer = self.answer
        if answer is None or answer.ends is not responses.Ends.CLOSE or not clean:
            return None
        if self._filter is not None:
            return self._filtered(self._filter, bodies.Taken(done=True), [], b"", answer)
        return Passed(self._last(answer), done=True)

    def _left(self) -> bytes:
        return self._scanner.end() if self._scanner is not None else b""

    def _last(self, answer: responses.Answer) -> bytes:
        held = self._left()
        last = bodies.LAST_CHUNK if responses.chunked(answer) else b""
        return (self._written([held], answer) if held else b"") + last

    def _written(self, pieces: list[bytes], answer: responses.Answer) -> bytes:
        content = b"".join(pieces)
        self.down += len(content)
        return bodies.chunk(pieces) if responses.chunked(answer) else content


def _malformed(problem: str) -> Passed:
    return Passed(rule=contract.Rule.UPSTREAM_MALFORMED, problem=f"its answer is not passed on: {problem}")


def _echoed() -> Passed:
    return Passed(rule=contract.Rule.ROUTE_ECHO, problem="it sent the route's credential back; that is not passed on")
