"""Answer the kubelet and the scraper: GET /healthz, /readyz, /metrics over HTTP/1.1, one request per connection."""

import asyncio
from collections.abc import Callable
from typing import Final

from zaum_gateway.shell import metrics

READ_SECONDS: Final = 2.0
HEAD_MAX: Final = 4096
TEXT: Final = "text/plain"
CONNECTIONS: Final = 32
"""Kubelet and scraper need two; the rest is refused so that a flood costs no memory."""

Page = tuple[int, str, bytes]


class Health:
    """The pages. `ready` is asked at each request; it names what is missing, empty when nothing is."""

    def __init__(self, ready: Callable[[], str], figures: metrics.Metrics) -> None:
        self._ready = ready
        self._figures = figures
        self._open = 0

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen; an empty host means every address of both families."""
        return await asyncio.start_server(self._answer, host or None, port, limit=HEAD_MAX)

    def page(self, path: str) -> Page:
        """Give status, content type and body for a path."""
        match path:
            case "/healthz":
                return 200, TEXT, b"ok\n"
            case "/readyz":
                missing = self._ready()
                return (503, TEXT, f"waiting for {missing}\n".encode()) if missing else (200, TEXT, b"ok\n")
            case "/metrics":
                return 200, metrics.CONTENT_TYPE, self._figures.text()
            case _:
                return 404, TEXT, b"not found\n"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS:
                await self._exchange(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the caller went away or sends no head; there is nobody to tell
        finally:
            self._open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(READ_SECONDS):
            request = await reader.readuntil(b"\r\n\r\n")
            method, _, rest = request.partition(b"\r\n")[0].decode("latin-1").partition(" ")
            path = rest.partition(" ")[0].partition("?")[0]
            status, kind, body = self.page(path) if method == "GET" else (405, TEXT, b"GET only\n")
            lines = (
                f"HTTP/1.1 {status} -",
                f"Content-Type: {kind}",
                f"Content-Length: {len(body)}",
                "Connection: close",
            )
            writer.write("\r\n".join((*lines, "", "")).encode() + body)
            await writer.drain()
