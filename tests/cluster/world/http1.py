"""Speak HTTP/1.1 as a server, just enough for real clients: keep-alive, Content-Length and chunked bodies."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

HEAD_LIMIT: Final = 64 * 1024
BODY_LIMIT: Final = 8 * 1024 * 1024
IDLE_SECONDS: Final = 60.0


class BadRequestError(ValueError):
    """Bytes that are no request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are lower-case, the last of equal names wins."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Give the target without its query."""
        return self.target.partition("?")[0]

    @property
    def keep_alive(self) -> bool:
        """Tell whether the connection may carry another request."""
        return self.headers.get("connection", "").lower() != "close"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a whole body, or a stream that is sent in chunks as it is made.

    `pause`: seconds before it begins. `complete` False: a stream that does not end, but its connection does. Status 0:
    the connection ends without an answer. `told`: what the witness writes down beside it.
    """

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0.0
    complete: bool = True
    told: Mapping[str, str | int] = field(default_factory=dict)


Responder = Callable[[Request], Answer]
Saw = Callable[[Request, Answer], None]


def json_answer(value: object, *, status: int = 200) -> Answer:
    """Answer with a JSON document."""
    return Answer(status=status, body=json.dumps(value).encode(), content_type="application/json")


def parse_head(head: bytes) -> Request:
    """Read a request line and headers, ended by an empty line; raise BadRequestError."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError("no HTTP/1 request line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        if line:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequestError("a header without a colon")
            headers[name.lower()] = value.strip()
    return Request(method=parts[0], target=parts[1], headers=headers)


def head_bytes(answer: Answer, *, keep_alive: bool) -> bytes:
    """Write the status line and headers, with the framing that fits the body."""
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", f"Content-Type: {answer.content_type}"]
    if isinstance(answer.body, bytes):
        lines.append(f"Content-Length: {len(answer.body)}")
    else:
        lines.append("Transfer-Encoding: chunked")
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Responder, saw: Saw) -> None:
    """Answer requests on one connection until either side ends it; `saw(request, answer)` comes before each answer."""
    keep_alive = True
    while keep_alive:
        try:
            request = await asyncio.wait_for(_request(reader, writer), IDLE_SECONDS)
        except BadRequestError as error:
            answer = Answer(status=400, body=f"{error}\n".encode())
            saw(Request(method="?", target="?", headers={}), answer)
            await _send(writer, answer, keep_alive=False, with_body=True)
            return
        if request is None:
            return
        answer = respond(request)
        saw(request, answer)
        await asyncio.sleep(answer.pause)
        if not answer.status:
            return
        keep_alive = request.keep_alive and answer.complete
        await _send(writer, answer, keep_alive=keep_alive, with_body=request.method != "HEAD")


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadRequestError("the head has no end") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequestError("the head is too long") from error
    request = parse_head(head)
    if request.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _body(reader, request.headers)
    return Request(method=request.method, target=request.target, headers=request.headers, body=body)


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    length = _number(headers.get("content-length", "0"), base=10)
    return await reader.readexactly(length)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = _number((await reader.readline()).split(b";")[0].strip().decode("latin-1"), base=16)
        chunk = await reader.readexactly(size)
        await reader.readline()
        if size == 0:
            return body
        body += chunk
        if len(body) > BODY_LIMIT:
            raise BadRequestError("the body is too long")


def _number(text: str, *, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError as error:
        raise BadRequestError("a length that is no number") from error
    if not 0 <= number <= BODY_LIMIT:
        raise BadRequestError("a length out of bounds")
    return number


async def _send(writer: asyncio.StreamWriter, answer: Answer, *, keep_alive: bool, with_body: bool) -> None:
    writer.write(head_bytes(answer, keep_alive=keep_alive))
    if with_body:
        if isinstance(answer.body, bytes):
            writer.write(answer.body)
        else:
            async for part in answer.body:
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                await writer.drain()
            if answer.complete:
                writer.write(b"0\r\n\r\n")
    await writer.drain()
