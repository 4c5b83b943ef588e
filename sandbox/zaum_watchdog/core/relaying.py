"""Pass an upstream's answer on, piece by piece: read strictly, searched for the credential, framed anew.

What is wrong with an answer is a rule and a problem in words. Nothing of the piece that shows it is passed on, and
nothing behind it: whether the agent hears of it by an answer or by a cut depends on what it has got before.
"""

from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_watchdog.core import bodies, echo, responses

INTERIM_MAX: Final = 16
"""Interim answers before the one that counts: each costs as much as any head."""


@dataclass(slots=True)
class Passed:
    """What a piece gave: bytes for the agent, whether the answer is complete, what came behind it, what was wrong."""

    data: bytes = b""
    done: bool = False
    rest: bytes = b""
    later: bytes = b""
    """What was not looked at yet: to be fed before anything else."""
    rule: contract.Rule | None = None
    problem: str = ""


class Relaying:
    """One answer to a request by `method`; `searched` is None where no credential went in."""

    __slots__ = ("_body", "_head", "_interim", "_method", "_scanner", "_searched", "answer", "down")

    def __init__(self, method: str, searched: echo.Searched | None) -> None:
        self._method = method
        self._searched = searched
        self._scanner = echo.Scanner(searched) if searched is not None else None
        self._head = b""
        self._interim = 0
        self._body: bodies.Body = bodies.Sized(0)
        self.answer: responses.Answer | None = None
        """Its head, once it is whole and nothing is wrong with it."""
        self.down = 0
        """Bytes of content that were passed on."""

    @property
    def silent(self) -> bool:
        """Say whether not one byte has come."""
        return self.answer is None and not self._head

    def feed(self, data: bytes, *, keep: bool) -> Passed:
        """Take a piece; `keep` says whether the agent's connection may carry its next request."""
        if self.answer is not None:
            return self._content(data, b"", self.answer)
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
        if self._searched is not None and answer.coded and answer.ends is not responses.Ends.AT_ONCE:
            return _malformed("it is compressed unasked, so it cannot be searched for the credential")
        self._body = answer.body()
        self.answer = answer
        rest, self._head = self._head, b""
        return self._content(rest, responses.head(answer, method=self._method, keep=keep), answer)

    def _content(self, data: bytes, head: bytes, answer: responses.Answer) -> Passed:
        taken = self._body.feed(data)
        if taken.problem:
            return _malformed(f"of its body, {taken.problem}")
        pieces = taken.pieces
        if self._scanner is not None:
            pieces = [self._scanner.feed(piece) for piece in pieces]
            if self._scanner.found:
                return _echoed()
        if taken.done:
            return Passed(head + self._written(pieces, answer) + self._last(answer), done=True, rest=taken.rest)
        return Passed(head + self._written(pieces, answer), later=taken.later)

    def ended(self, *, clean: bool) -> Passed | None:
        """Take the end of the upstream's connection: the answer's end too, or None where it is one too soon."""
        answer = self.answer
        if answer is None or answer.ends is not responses.Ends.CLOSE or not clean:
            return None
        return Passed(self._last(answer), done=True)

    def _last(self, answer: responses.Answer) -> bytes:
        held = self._scanner.end() if self._scanner is not None else b""
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
