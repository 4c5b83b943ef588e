"""Hold the API server's public signing keys.

They are fetched at start and every minute; a token under a key that is not known asks for one fetch more, at most
every `RENEW_SECONDS`, so that a rotation is noticed with the first token and a flood of made-up key ids costs nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from zaum_gateway import signatures
from zaum_gateway.cluster import api

log = logging.getLogger("zaum.gateway.cluster")

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
KEYS_PATH: Final = "/openid/v1/jwks"
PERIOD_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 1.0
RENEW_SECONDS: Final = 10.0
WAIT_SECONDS: Final = 0.3
"""How long one decision waits for a fetch: Envoy waits 0.5 s for the whole decision."""


class Source(Protocol):
    """The part of the cluster's API that keys come from."""

    async def get(self, path: str) -> api.Body:
        """Get one JSON object."""


class Keys:
    """The key set as last fetched; None before the first."""

    def __init__(self, source: Source, clock: Callable[[], float]) -> None:
        self.current: signatures.KeySet | None = None
        self._source = source
        self._clock = clock
        self._asked = float("-inf")
        self._fetch: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Fetch for ever."""
        while True:
            await self._once()
            await api.pause(PERIOD_SECONDS if self.current else RETRY_SECONDS)

    async def renewed(self) -> signatures.KeySet | None:
        """Give the key set, fetched again when that has not been asked for lately."""
        if self._fetch is None and self._clock() - self._asked >= RENEW_SECONDS:
            self._asked = self._clock()
            self._fetch = asyncio.create_task(self._once())
            self._fetch.add_done_callback(self._fetched)
        if self._fetch is not None:
            await asyncio.wait({self._fetch}, timeout=WAIT_SECONDS)
        return self.current

    def _fetched(self, _: "asyncio.Task[None]") -> None:
        self._fetch = None

    async def _once(self) -> None:
        try:
            discovery = await self._source.get(DISCOVERY_PATH)
            document = await self._source.get(KEYS_PATH)
            self.current = signatures.KeySet.read(discovery.get("issuer"), document)
        except (api.Unreachable, api.Expired, signatures.KeySetError) as error:
            log.warning("keys-unavailable", extra={"fields": {"error": str(error)}})
