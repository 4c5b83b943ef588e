"""Pass a request's body on, piece by piece: read strictly, counted, framed anew where it is not held first.

Of a piece that is wrong, or with which the body is larger than it may be, nothing is passed on.
"""

import hashlib
from dataclasses import dataclass

from zaum_watchdog.core import bodies, refusals, requests, routes


@dataclass(frozen=True, slots=True)
class Passed:
    """What a piece gave: bytes for the upstream, whether the body is complete, what came behind it, what was wrong."""

    data: bytes = b""
    done: bool = False
    rest: bytes = b""
    later: bytes = b""
    """What was not looked at yet: to be fed before anything else."""
    refused: refusals.Refusal | None = None


class Asking:
    """The body of one request that its route allows. `held`: its content alone is given, for who frames it later."""

    __slots__ = ("_asked", "_body", "_digest", "_held", "_print", "done", "up")

    def __init__(self, asked: routes.Asked, *, held: bool = False) -> None:
        self._asked = asked
        self._held = held
        chunked = asked.request.length == requests.CHUNKED
        self._body: bodies.Chunked | bodies.Sized = bodies.Chunked() if chunked else bodies.Sized(asked.request.length)
        self._print = _named(asked)
        self._digest = b""
        self.done = False
        self.up = 0
        """Bytes of content that have come."""

    def feed(self, data: bytes) -> Passed:
        """Take a piece. After a refusal it is not to be fed again."""
        taken = self._body.feed(data)
        if taken.problem:
            return Passed(refused=requests.malformed(f"in the body, {taken.problem}"))
        for piece in taken.pieces:
            self.up += len(piece)
            self._print.update(piece)
        if self.up > routes.BODY_MAX:
            return Passed(refused=routes.too_large(self._asked.route.authority))
        self.done = taken.done
        return Passed(self._framed(taken), taken.done, taken.rest, taken.later)

    @property
    def digest(self) -> bytes:
        """Give what tells this request from others: by its route, method, path, query, and the content so far."""
        return self._digest or self._print.digest()

    def came(self, up: int, digest: bytes) -> None:
        """Take it that another one has read all of the body, which had so many bytes."""
        self.done, self.up, self._digest = True, up, digest

    def _framed(self, taken: bodies.Taken) -> bytes:
        if self._held or isinstance(self._body, bodies.Sized):
            return b"".join(taken.pieces)
        return bodies.chunk(taken.pieces) + (bodies.LAST_CHUNK if taken.done else b"")


def digest(asked: routes.Asked, body: bytes) -> bytes:
    """Give of a request what `Asking.digest` gives when its body has come."""
    found = _named(asked)
    found.update(body)
    return found.digest()


def _named(asked: routes.Asked) -> "hashlib.blake2b":
    request = asked.request
    named = "\0".join((asked.route.name, request.method, asked.path, request.target.query))
    return hashlib.blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16)
