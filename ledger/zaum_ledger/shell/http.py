"""HTTP/1.1 with kept connections, on the loop's own protocol: bounded in heads, bodies, time and connections."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import parse_qs

import httptools

from zaum_api import documents
from zaum_api.documents import REFUSAL_STATUS, Refusal
from zaum_ledger.core import crowd

log = logging.getLogger("zaum.ledger.http")

HEAD_MAX: Final = 16 * 1024
"""Bytes; a ServiceAccount's token has about 1,300."""
READ_SECONDS: Final = 10.0
"""From a request's first byte to its last."""
IDLE_SECONDS: Final = 75.0
STRANGER_SECONDS: Final = 10.0
"""The same, of a connection by which nobody has proven yet who it is."""
STRANGERS: Final = 256
"""Of those at a time."""
EACH: Final = 8
"""Connections of one caller: a watchdog has two, and those that broke without a word."""
BUSY_SECONDS: Final = 60.0
"""For an answer, and for the other side to take it; a long poll has 25."""
CLOSE_SECONDS: Final = 1.0
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    named: Callable[[str], None] = lambda _: None
    """To be told who asks, when that is proven."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    status: int
    body: bytes
    kind: str = JSON
    more: tuple[tuple[str, str], ...] = ()
    closes: bool = False
    """The connection ends with it."""

    def head(self, *, closes: bool) -> bytes:
        """Write the head."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(self.body)}",
            "Cache-Control: no-store",
            *(f"{name}: {value}" for name, value in self.more),
        ]
        if closes:
            lines.append("Connection: close")
        return "\r\n".join((*lines, "", "")).encode("ascii")


Answer = Callable[[Request], Awaitable[Response]]


def refused(refusal: Refusal, message: str) -> Response:
    """Give the answer that refuses."""
    more: tuple[tuple[str, str], ...] = ()
    match refusal:
        case Refusal.TOKEN:
            more = (("WWW-Authenticate", "Bearer"),)
        case Refusal.TOO_MANY | Refusal.STORAGE:
            more = (("Retry-After", "1"),)
    body = documents.LedgerError(refusal.value, message).dump()
    # Who asks again without a good token shakes hands again for it.
    return Response(REFUSAL_STATUS[refusal], body, more=more, closes=refusal is Refusal.TOKEN)


class Server:
    """Hands requests to `answer`. No more than `most` connections are kept: a flood costs no memory, see `core.crowd`.

    `asks`: `answer` says of each request who asks; before that a connection has little time and gives way to others.
    """

    def __init__(self, answer: Answer, *, most: int, body_max: int, asks: bool = True) -> None:
        self.answer = answer
        self.body_max = body_max
        self.loop = asyncio.get_running_loop()
        self.open: set[Connection] = set()
        self.stopping = False
        self.crowd: crowd.Crowd[Connection] = crowd.Crowd(
            most=most, strangers=min(STRANGERS, most) if asks else most, each=EACH
        )
        self.first_seconds = STRANGER_SECONDS if asks else IDLE_SECONDS
        self.ended_early = 0
        """Connections that gave way to others."""
        self._empty = asyncio.Event()

    def connection(self) -> "Connection":
        """Make the protocol of a new connection."""
        return Connection(self)

    def came(self, connection: "Connection") -> None:
        """Take in a connection, for which another one may have to go."""
        self.open.add(connection)
        self._go(self.crowd.came(connection))

    def known(self, connection: "Connection", caller: str) -> None:
        """Take down who asks by a connection."""
        self._go(self.crowd.known(connection, caller))

    def _go(self, connection: "Connection | None") -> None:
        if connection is not None:
            self.ended_early += 1
            connection.abort()

    def ended(self, connection: "Connection") -> None:
        """Forget a connection."""
        self.open.discard(connection)
        self.crowd.left(connection)
        if self.stopping and not self.open:
            self._empty.set()

    async def run(self) -> None:
        """End what takes too long, for ever. One look a second at all costs less than a timer for each."""
        while True:
            await asyncio.sleep(1.0)
            now = self.loop.time()
            for connection in [one for one in self.open if one.deadline < now]:
                connection.abort()

    async def drain(self, seconds: float) -> None:
        """Answer what is under way, and end all connections."""
        self.stopping = True
        tasks = {one.task for one in self.open if one.task is not None}
        for connection in list(self.open):
            if connection.task is None:
                connection.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for connection in list(self.open):
            connection.close()
        if not self.open:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), CLOSE_SECONDS)
        for connection in list(self.open):
            connection.abort()


class Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self.task: asyncio.Task[None] | None = None
        self.deadline = server.loop.time() + server.first_seconds
        self._known = False
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_size = self._named_size = self._body_size = 0
        self._refusal: tuple[Refusal, str] | None = None
        self._whole = self._headers_done = False

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End it when what was written has left."""
        if self._transport is not None:
            self._transport.close()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        if self._server.stopping:
            self._transport.abort()
        else:
            self._server.came(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Let go; an answer nobody waits for is not made to its end."""
        self._server.ended(self)
        if self.task is not None:
            self.task.cancel()
        # What holds each other is found late by the garbage collector, and a flood of it is much.
        self._transport = None
        del self._parser

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self.task is not None:
            self._refuse(Refusal.MALFORMED, "one request at a time")
            return
        if not self._head_size:
            self.deadline = self._server.loop.time() + READ_SECONDS
        if not self._headers_done:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refusal = self._refusal or (Refusal.MALFORMED, "this is no HTTP/1.1 request")
        if self._refusal is None and not self._headers_done and self._head_size > HEAD_MAX:
            self._refusal = (Refusal.TOO_LARGE, f"a head has at most {HEAD_MAX} bytes")
        if self._refusal is not None:
            self._refuse(*self._refusal)
        elif self._whole:
            self._dispatch()

    def pause_writing(self) -> None:
        """Take no more requests from who does not take the answers."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """And go on."""
        if self._transport is not None:
            self._transport.resume_reading()

    # the parser's side

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._whole:
            self._refusal = (Refusal.MALFORMED, "one request at a time")

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._named_size += len(name) + len(value)
        key = name.decode("latin-1").lower()
        if key in self._headers:
            self._refusal = (Refusal.MALFORMED, f"the header {key[:64]} stands there twice")
        self._headers[key] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Judge the size that is announced before any of it is taken."""
        self._headers_done = True
        announced = self._headers.get("content-length", "0")
        if self._named_size + len(self._url) > HEAD_MAX:
            self._refusal = (Refusal.TOO_LARGE, f"a head has at most {HEAD_MAX} bytes")
        elif announced.isdecimal() and int(announced[:18]) > self._server.body_max:
            self._refusal = (Refusal.TOO_LARGE, f"a request has at most {self._server.body_max} bytes")

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self._body_size += len(data)
        if self._body_size > self._server.body_max:
            self._refusal = (Refusal.TOO_LARGE, f"a request has at most {self._server.body_max} bytes")
        elif self._refusal is None:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._whole = True

    # ours

    def _dispatch(self) -> None:
        try:
            url = httptools.parse_url(self._url)
            path, query = url.path.decode("ascii"), parse_qs((url.query or b"").decode("ascii"), max_num_fields=16)
        except (httptools.HttpParserInvalidURLError, ValueError, AttributeError):
            self._refuse(Refusal.MALFORMED, "the request's target cannot be read")
            return
        request = Request(
            self._parser.get_method().decode("ascii"),
            path,
            {name: values[-1] for name, values in query.items()},
            self._headers,
            b"".join(self._body),
            self._named,
        )
        closes = not self._parser.should_keep_alive() or self._server.stopping
        self.deadline = self._server.loop.time() + BUSY_SECONDS
        self.task = self._server.loop.create_task(self._answer(request, closes=closes))

    async def _answer(self, request: Request, *, closes: bool) -> None:
        response = await self._server.answer(request)
        self.task = None
        if self._transport is None or self._transport.is_closing():
            return
        closes = closes or response.closes
        self._transport.write(response.head(closes=closes) + response.body)
        self._begin()
        self.deadline = self._server.loop.time() + (IDLE_SECONDS if self._known else self._server.first_seconds)
        if closes:
            self._transport.close()

    def _named(self, caller: str) -> None:
        self._known = True
        self._server.known(self, caller)

    def _refuse(self, refusal: Refusal, message: str) -> None:
        if self.task is not None:
            self.task.cancel()
            self.task = None
        if self._transport is not None and not self._transport.is_closing():
            response = refused(refusal, message)
            self._transport.write(response.head(closes=True) + response.body)
            self._transport.close()
