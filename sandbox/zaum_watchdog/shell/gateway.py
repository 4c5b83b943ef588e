"""Dial the gateway: TLS to one of its addresses, or plain where a measurement says so."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

from zaum_api import documents
from zaum_watchdog.shell import reactor

HANDSHAKES_AT_ONCE: Final = 2
"""The event loop takes all handshakes that are due in one go, and each costs it up to half a millisecond."""


class Upstream(asyncio.Protocol):
    """What is connected."""

    @property
    def wanted(self) -> bool:
        """Say whether anybody still waits for the connection."""
        raise NotImplementedError


class Dialler:
    """Opens connections to the gateway of the policy in force; prefers the address that answered last."""

    def __init__(self, plain: reactor.Reactor) -> None:
        self._reactor = plain
        self._peer: documents.GatewayPeer | None = None
        self._context: ssl.SSLContext | None = None
        self._first = 0
        self._dials: set[asyncio.Task[None]] = set()
        self._handshakes = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    def prepare(self, peer: documents.GatewayPeer) -> None:
        """Trust the CA of this peer from now on: that takes a millisecond, which the first dial need not spend."""
        if peer is not self._peer:
            if peer != self._peer:  # A new document rarely has a new peer in it.
                self._context, self._first = None if peer.unsafe_plaintext else tls_context(peer.ca_pem), 0
            self._peer = peer

    def dial(
        self, peer: documents.GatewayPeer, upstream: Upstream, failed: Callable[[], None], *, at: str = ""
    ) -> None:
        """Connect `upstream`, or call `failed` when no address answers. Addresses are tried one after another.

        `at` names one of them that is meant alone.
        """
        self.prepare(peer)
        if at and not peer.unsafe_plaintext:
            self._begin(peer, (at,), upstream, failed)
        elif self._context is None:
            self.dial_plain(self._in_order(peer.addresses), peer.port, upstream, failed)
        else:
            self._begin(peer, self._in_order(peer.addresses), upstream, failed)

    def dial_plain(
        self,
        addresses: tuple[str, ...],
        port: int,
        upstream: Upstream,
        failed: Callable[[], None],
        missed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Connect `upstream` without TLS, or call `failed` when none of `addresses` answers, tried in their order.

        `missed` is told of each that does not.
        """
        if not addresses or not upstream.wanted:
            failed()
            return
        first, *others = addresses

        def next_one() -> None:
            missed(first)
            self.dial_plain((*others,), port, upstream, failed, missed)

        self._reactor.dial(first, port, upstream, next_one)

    def _in_order(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return addresses[self._first :] + addresses[: self._first]

    def _begin(
        self, peer: documents.GatewayPeer, order: tuple[str, ...], upstream: Upstream, failed: Callable[[], None]
    ) -> None:
        assert self._context is not None
        task = self._reactor.loop.create_task(self._secure(peer, order, self._context, upstream, failed))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _secure(
        self,
        peer: documents.GatewayPeer,
        order: tuple[str, ...],
        context: ssl.SSLContext,
        upstream: Upstream,
        failed: Callable[[], None],
    ) -> None:
        for address in order:
            try:
                connected = await self._connected(address, peer.port)
                async with self._handshakes:
                    await self._shaken(connected, peer.tls_name, context, upstream)
            except (OSError, TimeoutError):  # ssl.SSLError is an OSError: an answer that is not our gateway's is none
                continue
            if peer is self._peer:
                self._first = peer.addresses.index(address)
            return
        failed()

    async def _connected(self, address: str, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            if made.connect_ex((address, port)) and not reactor.stands(made):
                await self._writable(made)
        except (OSError, TimeoutError):
            made.close()
            raise
        return made

    async def _writable(self, made: socket.socket) -> None:
        loop = self._reactor.loop
        ready = loop.create_future()
        loop.add_writer(made, _settle, ready)
        try:
            async with asyncio.timeout(reactor.DIAL_SECONDS):
                await ready
        finally:
            loop.remove_writer(made)
        error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error or not reactor.stands(made):
            raise OSError(error or errno.ECONNREFUSED, "the gateway's address does not answer")

    async def _shaken(self, connected: socket.socket, name: str, context: ssl.SSLContext, upstream: Upstream) -> None:
        """Shake hands, unless nobody waits any more; the transport owns the socket from here on."""
        if not upstream.wanted:
            connected.close()
            return
        await self._reactor.loop.create_connection(
            lambda: upstream,
            sock=connected,
            ssl=context,
            server_hostname=name,
            ssl_handshake_timeout=reactor.DIAL_SECONDS,  # as long again as for TCP
            ssl_shutdown_timeout=1.0,
        )


def tls_context(ca_pem: str) -> ssl.SSLContext:
    """Trust the one CA and nothing else; both ends are ours, so TLS 1.3 is the least (RFC 8446)."""
    context = ssl.create_default_context(cadata=ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
