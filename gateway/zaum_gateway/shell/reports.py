"""Give the operator what is held for it and what is seen: two pages over HTTPS, for one bearer token."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from zaum_api import contract, documents, reading
from zaum_gateway.shell import certificates, pages

log = logging.getLogger("zaum.gateway.reports")

CONNECTIONS: Final = 16
"""Two operators need two."""
HANDSHAKE_SECONDS: Final = 3.0
SETTLE_SECONDS: Final = 0.01
"""After a change, before it is looked at: what comes together is said together."""
_PATHS: Final = (contract.PATH_REPORTS, contract.PATH_SEEN)
CHALLENGE: Final = (("WWW-Authenticate", f'Bearer realm="{contract.AUDIENCE_AUTHORIZER}"'),)


class Reports:
    """`judge` gives what is wrong with an Authorization header, empty for the operator's.

    `body` gives all reports, `seen` what is seen of what is asked for. `ring` is called when that may have changed.
    """

    def __init__(
        self,
        judge: Callable[[str], Awaitable[str]],
        body: Callable[[], bytes],
        seen: Callable[[documents.SeenAsked], documents.Seen],
    ) -> None:
        self._judge = judge
        self._body = body
        self._seen = seen
        self._news = asyncio.Event()
        self._pages = pages.Pages(self._answer, most=CONNECTIONS)

    async def serve(self, host: str, port: int, tls_dir: Path) -> asyncio.Server:
        """Listen with the authorizer's certificate; each handshake takes the files that stand there then."""
        files = certificates.Files(tls_dir)
        serving = files.first().context

        def renew(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
            nonlocal serving
            fresh = files.fresh()
            serving = serving if fresh is None else fresh.context
            connection.context = serving

        front = serving
        front.sni_callback = renew
        return await asyncio.start_server(
            self._pages.exchange,
            host or None,
            port,
            limit=pages.HEAD_MAX,
            ssl=front,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=1.0,
        )

    async def _answer(self, method: str, path: str, query: str, headers: pages.Headers) -> pages.Page:
        if method != "GET" or path not in _PATHS:
            return pages.Page(404, f"GET {' or '.join(_PATHS)} is all there is here\n".encode())
        problem = await self._judge(headers.get("authorization", ""))
        if problem:
            log.warning("reports-refused", extra={"fields": {"problem": problem}})
            return pages.Page(401, f"{problem}\n".encode(), more=CHALLENGE)
        if path == contract.PATH_REPORTS:
            return _json(self._body())
        try:
            asked = documents.SeenAsked.parse(query)
        except reading.DocumentError as error:
            return pages.Page(400, f"{error}\n".encode())
        return _json((await self._waited(asked)).dump())

    def ring(self) -> None:
        """Have those who wait for a change look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _waited(self, asked: documents.SeenAsked) -> documents.Seen:
        """Give the answer as soon as it is another one than the asker has, at the latest when its time is up."""
        until = asyncio.get_running_loop().time() + asked.wait
        while True:
            news, found = self._news, self._seen(asked)
            if not asked.wait or found.mark != asked.unlike:
                return found
            try:
                async with asyncio.timeout_at(until):
                    await news.wait()
                    await asyncio.sleep(SETTLE_SECONDS)
            except TimeoutError:
                return self._seen(asked)


def _json(body: bytes) -> pages.Page:
    return pages.Page(200, body, "application/json", more=(("Cache-Control", "no-store"),))
