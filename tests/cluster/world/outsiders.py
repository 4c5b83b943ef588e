"""Those whom no policy names: the outlaw, who takes whatever he gets, and a cloud's metadata service."""

import asyncio
from typing import Final

from tests.cluster.world import http1

SINK_LIMIT: Final = 64 * 1024 * 1024
SINK_SECONDS: Final = 120.0
GREETINGS: Final[dict[int, bytes]] = {25: b"220 outlaw.example.net ESMTP\r\n"}
"""By port, for clients that wait for the server to speak first."""


def outlaw(request: http1.Request) -> http1.Answer:
    """Thank for whatever came."""
    return http1.Answer(status=200, body=f"Thanks for {len(request.body)} bytes.\n".encode())


def metadata(request: http1.Request) -> http1.Answer:
    """Hand credentials that open nothing to whoever asks."""
    del request
    return http1.json_answer({"AccessKeyId": "FAKE-KEY-ID", "SecretAccessKey": "fake-secret", "Token": "fake-token"})


async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, port: int) -> int:
    """Greet, swallow what comes until the peer ends or the time is over; give the number of bytes."""
    writer.write(GREETINGS.get(port, b""))
    taken = 0
    try:
        async with asyncio.timeout(SINK_SECONDS):
            while taken < SINK_LIMIT and (part := await reader.read(65536)):
                taken += len(part)
    except TimeoutError:
        pass  # a peer that holds the line is not waited for
    return taken
