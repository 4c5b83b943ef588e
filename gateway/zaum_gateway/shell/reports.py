"""Give the operator what is held for it: one page over HTTPS, for one bearer token."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from zaum_api import contract
from zaum_gateway.shell import certificates, pages

log = logging.getLogger("zaum.gateway.reports")

CONNECTIONS: Final = 16
"""Two operators need two."""
HANDSHAKE_SECONDS: Final = 3.0
CHALLENGE: Final = (("WWW-Authenticate", f'Bearer realm="{contract.AUDIENCE_AUTHORIZER}"'),)


class Reports:
    """`judge` gives what is wrong with an Authorization header, empty for the operator's; `body` the whole answer."""

    def __init__(self, judge: Callable[[str], Awaitable[str]], body: Callable[[], bytes]) -> None:
        self._judge = judge
        self._body = body
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

    async def _answer(self, method: str, path: str, headers: pages.Headers) -> pages.Page:
        if (method, path) != ("GET", contract.PATH_REPORTS):
            return pages.Page(404, f"GET {contract.PATH_REPORTS} is all there is here\n".encode())
        problem = await self._judge(headers.get("authorization", ""))
        if problem:
            log.warning("reports-refused", extra={"fields": {"problem": problem}})
            return pages.Page(401, f"{problem}\n".encode(), more=CHALLENGE)
        return pages.Page(200, self._body(), "application/json", more=(("Cache-Control", "no-store"),))
