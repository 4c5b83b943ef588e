"""An HTTP API with what gives guards trouble: streams, redirects, and answers that repeat what they were sent.

| path                       | answer                                                              |
|----------------------------|---------------------------------------------------------------------|
| `/v1/headers`              | the request's headers, as JSON                                      |
| `/v1/headers/backwards`    | the same, every value backwards, so that nobody recognises it        |
| `/v1/items`                | method and length of the body, as JSON                              |
| `/v1/events?n=5`           | so many server-sent events, EVENT_SECONDS apart                     |
| `/v1/chunks?n=5`           | so many lines, one chunk each                                       |
| `/v1/redirect?to=URL`      | 302 (or `status=`) with that Location                               |
| `/v1/alternative`          | an Alt-Svc that points elsewhere                                    |
| `/v1/credential`           | the credential it was called with, in the body                      |
| `/v1/credential/split`     | the same, cut in two by the border of chunks                        |
| `/v1/credential/base64`    | the same, encoded                                                   |
| `/v1/credential/header`    | the same, in a header                                               |
"""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.cluster import addresses
from tests.cluster.world import http1

EVENT_SECONDS: Final = 0.1
PIECE_SECONDS: Final = 0.05
MOST: Final = 1000
CREDENTIAL_HEADERS: Final = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


def respond(request: http1.Request) -> http1.Answer:
    """Answer one request."""
    query = {key: values[0] for key, values in parse_qs(urlsplit(request.target).query).items()}
    match request.path.split("/")[1:]:
        case ["v1", "headers"]:
            return http1.json_answer(dict(request.headers))
        case ["v1", "headers", "backwards"]:
            return http1.json_answer({name: value[::-1] for name, value in request.headers.items()})
        case ["v1", "items"]:
            return http1.json_answer({"method": request.method, "bytes": len(request.body)})
        case ["v1", "events"]:
            return http1.Answer(status=200, body=_events(_count(query)), content_type="text/event-stream")
        case ["v1", "chunks"]:
            return http1.Answer(status=200, body=_lines(_count(query)))
        case ["v1", "redirect"]:
            return _redirect(query)
        case ["v1", "alternative"]:
            elsewhere = {"Alt-Svc": f'h3="{addresses.OUTLAW_NAME}:443"; ma=60, h2="{addresses.OUTLAW_NAME}:443"'}
            return http1.Answer(status=200, body=b"Come over.\n", headers=elsewhere)
        case ["v1", "credential", *how]:
            return _credential(request, "/".join(how))
        case _:
            return http1.json_answer({"error": "no such path"}, status=404)


def credential_of(request: http1.Request) -> str:
    """Give the key that a request carries, without its scheme; empty where it carries none."""
    found = next((request.headers[name] for name in CREDENTIAL_HEADERS if name in request.headers), "")
    return found.rpartition(" ")[2]


def _redirect(query: dict[str, str]) -> http1.Answer:
    status = int(query.get("status", "302"))
    target = query.get("to", f"https://{addresses.OUTLAW_NAME}/")
    if status not in {301, 302, 303, 307, 308} or not target.isprintable():
        return http1.json_answer({"error": "no such redirect"}, status=400)
    return http1.Answer(status=status, headers={"Location": target})


def _credential(request: http1.Request, how: str) -> http1.Answer:
    key = credential_of(request)
    match how:
        case "":
            return http1.json_answer({"you": {"sent": key}})
        case "split":
            return http1.Answer(status=200, body=_halves(key.encode("latin-1")))
        case "base64":
            return http1.json_answer({"encoded": base64.b64encode(key.encode("latin-1")).decode()})
        case "header":
            return http1.Answer(status=200, headers={"X-Sent": key})
        case _:
            return http1.json_answer({"error": "no such path"}, status=404)


async def _halves(key: bytes) -> AsyncIterator[bytes]:
    middle = len(key) // 2
    yield b"before " + key[:middle]
    await asyncio.sleep(PIECE_SECONDS)
    yield key[middle:] + b" after\n"


async def _events(count: int) -> AsyncIterator[bytes]:
    for number in itertools.islice(itertools.count(), count):
        yield f"data: {json.dumps({'number': number})}\n\n".encode()
        await asyncio.sleep(EVENT_SECONDS)


async def _lines(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield f"line {number}\n".encode()


def _count(query: dict[str, str]) -> int:
    text = query.get("n", "5")
    return min(int(text), MOST) if text.isdecimal() else 5
