"""Dial the gateway: TLS to one of its addresses, or plain where a measurement says so."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from zaum_api import documents
from zaum_watchdog.shell import reactor

DIAL_SECONDS: Final = 3.0
"""For one address, TCP and TLS together."""


class Dialler:
    """Opens connections to the gateway of the policy in force; prefers the address that answered last."""

    def __init__(self, plain: reactor.Reactor) -> None:
        self._reactor = plain
        self._peer: documents.GatewayPeer | None = None
        self._context: ssl.SSLContext | None = None
        self._first = 0
        self._dials: set[asyncio.Task[None]] = set()

    def dial(self, peer: documents.GatewayPeer, upstream: asyncio.Protocol, failed: Callable[[], None]) -> None:
        """Connect `upstream`, or call `failed` when no address answers. Addresses are tried one after another."""
        if peer is not self._peer:
            self._context = None if peer.unsafe_plaintext else tls_context(peer.ca_pem)
            self._peer, self._first = peer, 0
        if self._context is None:
            self._plain(peer, upstream, failed, 0)
        else:
            task = self._reactor.loop.create_task(self._secure(peer, self._context, upstream, failed))
            self._dials.add(task)
            task.add_done_callback(self._dials.discard)

    def _plain(
        self, peer: documents.GatewayPeer, upstream: asyncio.Protocol, failed: Callable[[], None], turn: int
    ) -> None:
        if turn == len(peer.addresses):
            failed()
            return
        address = peer.addresses[(self._first + turn) % len(peer.addresses)]
        self._reactor.dial(address, peer.port, upstream, lambda: self._plain(peer, upstream, failed, turn + 1))

    async def _secure(
        self,
        peer: documents.GatewayPeer,
        context: ssl.SSLContext,
        upstream: asyncio.Protocol,
        failed: Callable[[], None],
    ) -> None:
        count = len(peer.addresses)
        for turn in range(count):
            index = (self._first + turn) % count
            try:
                async with asyncio.timeout(DIAL_SECONDS):
                    await self._reactor.loop.create_connection(
                        lambda: upstream,
                        peer.addresses[index],
                        peer.port,
                        ssl=context,
                        server_hostname=peer.tls_name,
                        ssl_handshake_timeout=DIAL_SECONDS,
                        ssl_shutdown_timeout=1.0,
                    )
            except (OSError, TimeoutError):  # ssl.SSLError is an OSError: an answer that is not our gateway's is none
                continue
            self._first = index
            return
        failed()


def tls_context(ca_pem: str) -> ssl.SSLContext:
    """Trust the one CA and nothing else; both ends are ours, so TLS 1.3 is the least (RFC 8446)."""
    context = ssl.create_default_context(cadata=ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
