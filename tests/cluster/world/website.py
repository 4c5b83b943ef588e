"""The website that policies name: a page, bytes by the number, a page that takes its time, and an echo."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.cluster.world import http1

BYTES_LIMIT: Final = 256 * 1024 * 1024
SLOW_LIMIT_SECONDS: Final = 120
_BLOCK: Final = bytes(range(256)) * 256


def respond(request: http1.Request) -> http1.Answer:
    """Answer one request."""
    match request.path.split("/")[1:]:
        case [""]:
            return http1.Answer(status=200, body=b"Welcome to the documentation.\n")
        case ["bytes", number] if number.isdecimal() and int(number) <= BYTES_LIMIT:
            return http1.Answer(status=200, body=_bytes(int(number)), content_type="application/octet-stream")
        case ["slow"]:
            return http1.Answer(status=200, body=_slow(_seconds(request.target)))
        case ["echo"]:
            return http1.json_answer(
                {
                    "method": request.method,
                    "target": request.target,
                    "headers": dict(request.headers),
                    "body": request.body.decode("latin-1"),
                }
            )
        case _:
            return http1.Answer(status=404, body=b"No such page.\n")


async def _bytes(number: int) -> AsyncIterator[bytes]:
    left = number
    while left > 0:
        part = _BLOCK[: min(left, len(_BLOCK))]
        left -= len(part)
        yield part


async def _slow(seconds: int) -> AsyncIterator[bytes]:
    for second in range(seconds):
        yield f"{second}\n".encode()
        await asyncio.sleep(1)
    yield b"done\n"


def _seconds(target: str) -> int:
    """Read `?seconds=N` (default 10)."""
    text = parse_qs(urlsplit(target).query).get("seconds", ["10"])[0]
    return min(int(text), SLOW_LIMIT_SECONDS) if text.isdecimal() else 10
