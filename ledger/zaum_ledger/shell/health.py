"""Answer the kubelet and the scraper: GET /healthz, /readyz, /metrics."""

from collections.abc import Callable
from typing import Final

from zaum_api import documents
from zaum_api.documents import Refusal
from zaum_ledger.shell import http, ledger, metrics
from zaum_ledger.shell.denied import Denied

Missing = Callable[[], str]
CONNECTIONS: Final = 32
FRESH_SECONDS: Final = 5.0
"""Scrapes that follow each other sooner see the same policies."""


class Health:
    """The pages. `missing` names what is not there yet, empty when nothing is."""

    def __init__(
        self,
        missing: Missing,
        figures: metrics.Metrics,
        books: ledger.Ledger,
        monotonic: Callable[[], float],
    ) -> None:
        self._missing = missing
        self._figures = figures
        self._books = books
        self._monotonic = monotonic
        self._seen: tuple[float, list[documents.PolicyUsage]] = (float("-inf"), [])

    async def answer(self, request: http.Request) -> http.Response:
        """Answer one request."""
        text = "text/plain"
        match request.method, request.path:
            case "GET", "/healthz":
                return http.Response(200, b"ok\n", text)
            case "GET", "/readyz":
                missing = self._missing()
                return http.Response(503 if missing else 200, f"{missing or 'ok'}\n".encode(), text)
            case "GET", "/metrics":
                return http.Response(200, self._figures.text(await self._policies()), metrics.CONTENT_TYPE)
        return http.refused(Refusal.UNKNOWN_PATH, "GET /healthz, /readyz or /metrics")

    async def _policies(self) -> list[documents.PolicyUsage]:
        now = self._monotonic()
        if now - self._seen[0] < FRESH_SECONDS:
            return self._seen[1]
        found: list[documents.PolicyUsage] = []
        after = ""
        try:
            while True:
                page = await self._books.usage(after)
                found += page.policies
                after = page.after
                if not after:
                    break
        except Denied:
            found = []  # no series is better than a part of them: sums over it would be wrong
        self._seen = (now, found)
        return found
