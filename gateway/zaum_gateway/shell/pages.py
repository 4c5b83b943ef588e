"""A few pages over HTTP/1.1: GET, one request per connection, bounded in number, size and time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Final

READ_SECONDS: Final = 2.0
WRITE_SECONDS: Final = 10.0
HEAD_MAX: Final = 16 * 1024
"""Bytes; a ServiceAccount's token has about 1,300."""
TEXT: Final = "text/plain"

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: int
    body: bytes
    kind: str = TEXT
    more: tuple[tuple[str, str], ...] = ()
    """Further headers."""


Answer = Callable[[str, str, str, Headers], Awaitable[Page]]
"""From method, path, query without its `?`, and headers by lower-case name."""


class Pages:
    """Answers by `answer`; what comes beyond `most` connections at a time is closed: a flood costs no memory."""

    def __init__(self, answer: Answer, *, most: int) -> None:
        self._answer = answer
        self._most = most
        self._open = 0

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self._open += 1
        try:
            if self._open <= self._most:
                async with asyncio.timeout(READ_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                async with asyncio.timeout(WRITE_SECONDS):
                    page = await _unless_gone(reader, self._page(head))
                    if page is not None:
                        writer.write(_write(page))
                        await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the caller went away or sends no head; there is nobody to tell
        finally:
            self._open -= 1
            writer.close()

    async def _page(self, head: bytes) -> Page:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        headers: Headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon and name.lower() in headers:
                return Page(400, b"a header stands there twice\n")
            headers[name.lower()] = value.strip()
        path, _, query = rest.partition(" ")[0].partition("?")
        return await self._answer(method, path, query, headers)


async def _unless_gone(reader: asyncio.StreamReader, making: Coroutine[None, None, Page]) -> Page | None:
    """Give the page, None where the caller hangs up before it is made: a page may wait, and nobody waits for it."""
    page = asyncio.ensure_future(making)
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({page, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not page.done() and not gone.exception() and gone.result():
            await page  # who says more than was asked for is still there
        return page.result() if page.done() else None
    finally:
        page.cancel()
        gone.cancel()


def _write(page: Page) -> bytes:
    lines = (
        f"HTTP/1.1 {page.status} -",
        f"Content-Type: {page.kind}",
        f"Content-Length: {len(page.body)}",
        *(f"{name}: {value}" for name, value in page.more),
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + page.body
