"""An epoll of its own for plain TCP, nested in the event loop.

In a general event loop a short tunnel also pays for the handles, futures and tasks of its two connections; this does
only what the proxy needs (docs/adr/0003-hop-to-the-gateway.md has the numbers). The epoll's descriptor is itself
watched by the event loop, so everything still happens on one thread, between the loop's other callbacks. Sockets are
`socket.SocketType`, the plain C type, with all fields given.
"""

import asyncio
import select
from collections import deque
from collections.abc import Callable
from errno import EINPROGRESS
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    TCP_INFO,
    TCP_NODELAY,
    TCP_QUICKACK,
    SocketType,
    socket,
)
from typing import Final, Protocol

from zaum_watchdog.shell import clock, splice, wire

EVENTS_AT_ONCE: Final = 4
"""Few, because what is asked for has to be served: edges are reported once."""
TURN_NS: Final = 300_000
"""How long one turn may go on asking for more events, or telling protocols that they are lost."""
ROUNDS_AT_ONCE: Final = 32
ACCEPT_PAUSE_SECONDS: Final = 0.1
ACCEPTS_AT_ONCE: Final = 4
DIAL_SECONDS: Final = 3.0
"""For one address: a SYN that was lost has been sent a second time by then, and the next address is worth more."""
_ESTABLISHED: Final = b"\1"
"""The first byte of struct tcp_info, its state (linux/tcp.h)."""


def stands(dialling: SocketType) -> bool:
    """Say whether the connection that was asked for is made."""
    return dialling.getsockopt(IPPROTO_TCP, TCP_INFO, 1) == _ESTABLISHED


class Ready(Protocol):
    """Whatever can be registered."""

    def ready(self, mask: int) -> None:
        """Take what epoll reports."""

    def broken(self) -> None:
        """End, because `ready` raised."""


class Reactor:
    """The nested epoll: listens, dials, and tells each wire what happened to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.pipes = splice.Pipes()
        self._poll = select.epoll()
        self._wires: dict[int, Ready] = {}
        self._ended: deque[wire.Wire] = deque()
        self._turning = False
        self._burying = False
        loop.add_reader(self._poll.fileno(), self._turn)

    def _turn(self) -> None:
        """Ask for events until there are none, but not for ever: going round the event loop costs more than asking."""
        self._turning = True
        until = clock.monotonic() + TURN_NS
        try:
            for _ in range(ROUNDS_AT_ONCE):
                if not self._round() or clock.monotonic() > until:
                    break
        finally:
            self._turning = False
            if self._ended and not self._burying:
                self._bury(until)

    def _round(self) -> bool:
        wires = self._wires
        events = self._poll.poll(0, EVENTS_AT_ONCE)
        for descriptor, mask in events:
            # A descriptor that was closed and taken again in this round may get an event that is not its own: every
            # `ready` takes one that turns out to be nothing.
            found = wires.get(descriptor)
            if found is not None:
                try:
                    found.ready(mask)
                except Exception as error:  # noqa: BLE001 - the others' events are reported only once (edge-triggered)
                    self.fault(found, error)
        return bool(events)

    def fault(self, hit: Ready, error: Exception) -> None:
        """End the one connection that an error of ours hit, and say so; all others go on."""
        self.loop.call_exception_handler({"message": "a connection failed by an error of ours", "exception": error})
        hit.broken()

    def register(self, descriptor: int, watched: Ready, events: int) -> None:
        """Report a descriptor's events."""
        self._wires[descriptor] = watched
        self._poll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Report other events of a descriptor; nothing happens while it is not registered."""
        if descriptor in self._wires:
            self._poll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Report nothing more; the descriptor is about to be closed."""
        self._wires.pop(descriptor, None)

    def take_over(self, descriptor: int, watched: Ready) -> None:
        """Report a registered descriptor's events to another one."""
        self._wires[descriptor] = watched

    def end(self, ended: wire.Wire) -> None:
        """Tell the wire's protocol that it is lost, after what is going on now is done."""
        self._ended.append(ended)
        if not self._turning:
            self._bury_soon()

    def _bury_soon(self) -> None:
        if not self._burying:
            self._burying = True
            self.loop.call_soon(self._bury_again)

    def _bury_again(self) -> None:
        self._burying = False
        self._bury(clock.monotonic() + TURN_NS)

    def _bury(self, until: int) -> None:
        """Tell those that ended, one at least; what is left when the time is over waits for the loop's next turn."""
        while self._ended:
            ended = self._ended.popleft()
            try:
                ended.protocol.connection_lost(None)
            except Exception as error:  # noqa: BLE001 - the others that ended must hear of it too
                self.fault(ended, error)
            ended.let_go()
            if self._ended and clock.monotonic() > until:
                self._bury_soon()
                return

    def dial(self, address: str, port: int, protocol: asyncio.Protocol, failed: Callable[[], None]) -> None:
        """Connect; then either `protocol.connection_made` or `failed` is called, never both.

        On one machine a connection may stand at once: then `connection_made` is called from here, without a round of
        the epoll. `failed` never is; DIAL_SECONDS without a word are a failure too.
        """
        family = AF_INET6 if ":" in address else AF_INET
        try:
            dialling = SocketType(family, SOCK_STREAM | SOCK_NONBLOCK, 0)
            # Our first write follows at once, so the handshake's last ACK rides on it (tcp(7), TCP_QUICKACK).
            dialling.setsockopt(IPPROTO_TCP, TCP_QUICKACK, 0)
            error = dialling.connect_ex((address, port))
        except OSError as refused:  # No descriptor left, or no such family here.
            error = refused.errno or 1
        if error not in {0, EINPROGRESS}:
            self.loop.call_soon(failed)
            return
        made = wire.Wire(self, dialling, protocol)
        made.peer = address
        if stands(dialling):
            protocol.connection_made(made)  # type: ignore[arg-type]  # the part of a transport that is used
            self.watch(made)
        else:
            made.events = wire.EDGES
            self.register(made.descriptor, Dialling(self, made, failed), wire.EDGES)
        if made.descriptor >= 0:
            # Behind the first write, which nothing unacknowledged can hold back.
            dialling.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    def watch(self, made: wire.Wire) -> None:
        """Report a wire's events, those included that are there by now; nothing if it has ended already."""
        if made.descriptor >= 0:
            self.register(made.descriptor, made, made.events)

    def listen(self, listening: socket, accepted: Callable[[], asyncio.Protocol]) -> "Listening":
        """Accept connections; each gets a protocol from `accepted`. Their sockets inherit TCP_NODELAY."""
        listening.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        found = Listening(self, listening, accepted)
        self.register(listening.fileno(), found, select.EPOLLIN)
        return found

    def close(self) -> None:
        """Report nothing more at all."""
        self.loop.remove_reader(self._poll.fileno())
        self._poll.close()

    def unregister(self, descriptor: int) -> None:
        """Take out a descriptor that stays open."""
        self._wires.pop(descriptor, None)
        self._poll.unregister(descriptor)


class Listening:
    """A listening socket."""

    def __init__(self, reactor: Reactor, listening: socket, accepted: Callable[[], asyncio.Protocol]) -> None:
        self._reactor = reactor
        self._listening = listening
        self._accepted = accepted
        self._open = True

    def ready(self, _: int) -> None:
        """Accept what waits."""
        reactor, family = self._reactor, self._listening.family
        for _turn in range(ACCEPTS_AT_ONCE):
            try:
                descriptor, _peer = self._listening._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError:  # No descriptor left: wait for some to be given back instead of spinning.
                reactor.unregister(self._listening.fileno())
                reactor.loop.call_later(ACCEPT_PAUSE_SECONDS, self._again)
                return
            protocol = self._accepted()
            made = wire.Wire(reactor, SocketType(family, SOCK_STREAM, 0, descriptor), protocol)
            try:
                protocol.connection_made(made)  # type: ignore[arg-type]  # the part of a transport that is used
                made.begin()  # The first bytes are mostly there, and registering afterwards misses none.
                reactor.watch(made)
            except Exception as error:  # noqa: BLE001 - it hits this connection alone
                reactor.fault(made, error)

    def broken(self) -> None:
        """Go on: there is no other way to be reached."""

    def close(self) -> None:
        """Accept nothing more."""
        if self._open:
            self._open = False
            self._reactor.forget(self._listening.fileno())
            self._listening.close()

    def _again(self) -> None:
        if self._open:
            self._reactor.register(self._listening.fileno(), self, select.EPOLLIN)


class Dialling:
    """A connection that is being made."""

    __slots__ = ("_failed", "_made", "_patience", "_reactor")

    def __init__(self, reactor: Reactor, made: wire.Wire, failed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._made = made
        self._failed = failed
        self._patience = reactor.loop.call_later(DIAL_SECONDS, self._unanswered)

    def ready(self, mask: int) -> None:
        """Hand over to the wire when it stands."""
        made = self._made
        if mask & wire.BROKEN:
            if made.pending_error():
                self._patience.cancel()
                made.drop()
                self._failed()
        elif mask & wire.WRITABLE:
            self._patience.cancel()
            self._reactor.take_over(made.descriptor, made)
            made.protocol.connection_made(made)  # type: ignore[arg-type]  # the part of a transport that is used
            if mask & wire.READABLE:
                made.ready(mask)

    def broken(self) -> None:
        """End the wire."""
        self._patience.cancel()
        self._made.abort()

    def _unanswered(self) -> None:
        self._made.drop()
        self._failed()
