"""Answer the kubelet's probes and the metrics, on the pod's address.

The agent can reach this port too. So a connection has one short request, one answer and two seconds; when there are
too many, the oldest goes, which is never the one that the kubelet just opened.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from zaum_watchdog.shell import clock

CONNECTIONS_MAX: Final = 64
HEAD_MAX: Final = 4096
LIFE_NS: Final = 2_000_000_000


class Answer(NamedTuple):
    """What a path answers."""

    status: int
    reason: str
    content_type: str
    body: bytes


Routes = dict[str, Callable[[], Answer]]
NOT_FOUND: Final = Answer(404, "Not Found", "text/plain", b"not found\n")
BAD: Final = Answer(400, "Bad Request", "text/plain", b"GET a path of this watchdog\n")


class Board:
    """The open probe connections, oldest first."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.open: dict[ProbeSide, int] = {}

    def expire(self, now: int) -> None:
        """Drop connections that had their time."""
        for side, since in [*self.open.items()]:
            if now - since > LIFE_NS:
                side.transport.abort()

    def connect(self) -> "ProbeSide":
        """Make the protocol of one connection."""
        return ProbeSide(self)


class ProbeSide(asyncio.Protocol):
    """One connection: a request head in, one answer out, closed."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._held = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Take the transport."""
        self.transport = transport
        self._board.open[self] = clock.monotonic()
        if len(self._board.open) > CONNECTIONS_MAX:
            next(iter(self._board.open)).drop()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._held += data
        if b"\r\n\r\n" in self._held:
            self._write(self._answer(self._held.split(b"\r\n", 1)[0]))
        elif len(self._held) > HEAD_MAX:
            self._write(BAD)

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of this connection."""
        self._board.open.pop(self, None)

    def drop(self) -> None:
        """Make room."""
        self._board.open.pop(self, None)
        self.transport.abort()

    def _answer(self, line: bytes) -> Answer:
        words = line.decode("latin-1").split(" ")
        if len(words) != 3 or words[0] != "GET" or not words[2].startswith("HTTP/1."):
            return BAD
        route = self._board.routes.get(words[1].partition("?")[0])
        return NOT_FOUND if route is None else route()

    def _write(self, answer: Answer) -> None:
        head = (
            f"HTTP/1.1 {answer.status} {answer.reason}\r\ncontent-type: {answer.content_type}\r\n"
            f"content-length: {len(answer.body)}\r\nconnection: close\r\n\r\n"
        )
        self._held = b""
        self.transport.write(head.encode("ascii") + answer.body)
        self.transport.close()
