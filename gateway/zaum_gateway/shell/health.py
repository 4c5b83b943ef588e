"""Answer the kubelet and the scraper: GET /healthz, /readyz, /metrics."""

import asyncio
from collections.abc import Callable
from typing import Final

from zaum_gateway.shell import metrics, pages

CONNECTIONS: Final = 32
"""Kubelet and scraper need two."""


class Health:
    """The pages. `ready` is asked at each request; it names what is missing, empty when nothing is."""

    def __init__(self, ready: Callable[[], str], figures: metrics.Metrics) -> None:
        self._ready = ready
        self._figures = figures
        self._pages = pages.Pages(self._answer, most=CONNECTIONS)

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen; an empty host means every address of both families."""
        return await asyncio.start_server(self._pages.exchange, host or None, port, limit=pages.HEAD_MAX)

    async def _answer(self, method: str, path: str, _: str, __: pages.Headers) -> pages.Page:
        if method != "GET":
            return pages.Page(405, b"GET only\n")
        match path:
            case "/healthz":
                return pages.Page(200, b"ok\n")
            case "/readyz":
                missing = self._ready()
                return pages.Page(503, f"waiting for {missing}\n".encode()) if missing else pages.Page(200, b"ok\n")
            case "/metrics":
                return pages.Page(200, self._figures.text(), metrics.CONTENT_TYPE)
            case _:
                return pages.Page(404, b"not found\n")
