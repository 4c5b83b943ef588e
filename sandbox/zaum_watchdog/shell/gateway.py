"""Dial the gateway: TLS to one of its addresses, or plain where a measurement says so."""

import asyncio
import ssl
from typing import Final

from zaum_api import documents

DIAL_SECONDS: Final = 3.0
"""For one address, TCP and TLS each."""


class Dialler:
    """Opens connections to the gateway of the policy in force; prefers the address that answered last."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._peer: documents.GatewayPeer | None = None
        self._context: ssl.SSLContext | None = None
        self._first = 0

    async def dial(self, peer: documents.GatewayPeer, upstream: asyncio.Protocol) -> bool:
        """Connect `upstream`; False when no address answers. Addresses are tried one after another."""
        if peer is not self._peer:
            self._context = None if peer.unsafe_plaintext else tls_context(peer.ca_pem)
            self._peer, self._first = peer, 0
        context = self._context
        count = len(peer.addresses)
        for turn in range(count):
            index = (self._first + turn) % count
            try:
                if context is None:
                    await self._loop.create_connection(lambda: upstream, peer.addresses[index], peer.port)
                else:
                    async with asyncio.timeout(DIAL_SECONDS):
                        await self._loop.create_connection(
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
            return True
        return False


def tls_context(ca_pem: str) -> ssl.SSLContext:
    """Trust the one CA and nothing else; both ends are ours, so TLS 1.3 is the least (RFC 8446)."""
    context = ssl.create_default_context(cadata=ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
