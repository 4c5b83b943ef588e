"""Listen, and shake hands: as many at a time as memory is set aside for, the longest in it giving way to the next.

A handshake holds some 50 KiB, and nothing is known of whoever does not end it.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterable
from typing import Final

from zaum_ledger.shell import http

log = logging.getLogger("zaum.ledger.door")

HANDSHAKE_SECONDS: Final = 5.0
SHUTDOWN_SECONDS: Final = 1.0
PENDING: Final = 256
"""Handshakes at a time."""
_BACKLOG: Final = 4096
_AT_ONCE: Final = 64
"""Connections that are taken in one turn of the loop."""
_REST_SECONDS: Final = 0.1
"""Where there are no descriptors, until some may be."""


class Door:
    """The sockets that listen for one server."""

    def __init__(self, front: http.Server, context: ssl.SSLContext, *, pending: int = PENDING) -> None:
        self._front, self._context, self._most = front, context, pending
        self._loop = asyncio.get_running_loop()
        self._listening: list[socket.socket] = []
        self._pending: dict[asyncio.Task[None], socket.socket] = {}
        self.ended = 0
        """Handshakes that gave way."""

    @property
    def pending(self) -> int:
        """Count the handshakes that are under way."""
        return len(self._pending)

    def listen(self, host: str, port: int) -> int:
        """Listen at a host's addresses, all where it is empty; give the port. Raises OSError."""
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                listening = socket.socket(family, socket.SOCK_STREAM)
            except OSError:
                continue  # a kernel without this family
            self._listening.append(listening)
            listening.setblocking(False)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind((address[0], port or self._port(), *address[2:]))
            listening.listen(_BACKLOG)
        self._open(self._listening)
        return self._port()

    def close(self) -> None:
        """Take nobody more, and end what is not shaken yet."""
        for listening in self._listening:
            self._loop.remove_reader(listening.fileno())
            listening.close()
        self._listening = []
        for task in [*self._pending]:
            task.cancel()

    def _port(self) -> int:
        """Give the port of the first socket, 0 before it is bound."""
        return int(self._listening[0].getsockname()[1])

    def _open(self, sockets: Iterable[socket.socket]) -> None:
        for listening in sockets:
            if listening.fileno() >= 0:
                self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # it has gone already
            except OSError as error:
                log.error("cannot-accept", extra={"fields": {"error": str(error)}})
                self._loop.remove_reader(listening.fileno())
                self._loop.call_later(_REST_SECONDS, self._open, [listening])
                return
            self._begin(accepted)

    def _begin(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        task = self._loop.create_task(self._shake(accepted))
        self._pending[task] = accepted
        task.add_done_callback(self._over)
        if len(self._pending) > self._most:
            oldest = next(iter(self._pending))
            self.ended += 1
            # Its end is seen in the next turn of the loop, so it must not be chosen again before.
            given_up = self._pending.pop(oldest)
            with contextlib.suppress(OSError):
                given_up.shutdown(socket.SHUT_RDWR)
            oldest.cancel()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._pending.pop(task, None)

    async def _shake(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._front.connection,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except (OSError, asyncio.CancelledError):
            accepted.close()
