"""Plain TCP connections on an epoll of their own, nested in the event loop.

Most of a short tunnel's cost in a general event loop is the making and the ending of its two connections: handles,
futures, tasks. This does only what the proxy needs. The epoll's descriptor is itself watched by the event loop, so
everything still happens on one thread, between the loop's other callbacks.

Sockets are registered once, edge-triggered, for both directions; closing one takes it out again. `Wire` has the part of
`asyncio.Transport` that the protocols use, with the same meaning, so a protocol cannot tell it from the loop's own TLS
transport. Sockets are `socket.SocketType`, the plain C type, with all fields given, which saves asking the kernel.
"""

import asyncio
import select
import struct
from collections.abc import Callable
from errno import EINPROGRESS
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SHUT_WR,
    SO_ERROR,
    SO_LINGER,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_NODELAY,
    TCP_QUICKACK,
    SocketType,
    socket,
)
from typing import Final, Protocol

READ_MAX: Final = 64 * 1024
READS_AT_ONCE: Final = 4
"""How often one connection is read before others get their turn."""
HIGH_WATER: Final = 64 * 1024
"""Unsent bytes from which on the other side is no longer read."""
EVENTS_AT_ONCE: Final = 128
ROUNDS_AT_ONCE: Final = 4
ACCEPTS_AT_ONCE: Final = 16
ACCEPT_PAUSE_SECONDS: Final = 0.1
_EDGES: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_READABLE: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_ENDING: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_BROKEN: Final = select.EPOLLHUP | select.EPOLLERR
_WRITABLE: Final = select.EPOLLOUT
_SEND: Final = MSG_DONTWAIT | MSG_NOSIGNAL
_RESET: Final = struct.pack("ii", 1, 0)


class Ready(Protocol):
    """Whatever can be registered."""

    def ready(self, mask: int) -> None:
        """Take what epoll reports."""


class Reactor:
    """The nested epoll: listens, dials, and tells each wire what happened to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._poll = select.epoll()
        self._wires: dict[int, Ready] = {}
        self._ended: list[Wire] = []
        self._turning = False
        loop.add_reader(self._poll.fileno(), self._turn)

    def _turn(self) -> None:
        """Ask for events until there are none, but not for ever: going round the event loop costs more than asking."""
        self._turning = True
        try:
            for _ in range(ROUNDS_AT_ONCE):
                if not self._round():
                    break
        finally:
            self._turning = False
            if self._ended:
                self._bury()

    def _round(self) -> bool:
        wires = self._wires
        events = self._poll.poll(0, EVENTS_AT_ONCE)
        for descriptor, mask in events:
            # A descriptor that was closed and taken again in this round may get an event that is not its own: every
            # `ready` takes one that turns out to be nothing.
            wire = wires.get(descriptor)
            if wire is not None:
                wire.ready(mask)
        return bool(events)

    def register(self, descriptor: int, wire: Ready, events: int) -> None:
        """Report a descriptor's events to a wire."""
        self._wires[descriptor] = wire
        self._poll.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Report nothing more; the descriptor is about to be closed."""
        self._wires.pop(descriptor, None)

    def end(self, wire: "Wire") -> None:
        """Tell the wire's protocol that it is lost, after what is going on now is done."""
        self._ended.append(wire)
        if not self._turning and len(self._ended) == 1:
            self.loop.call_soon(self._bury)

    def _bury(self) -> None:
        while self._ended:
            ended, self._ended = self._ended, []
            for wire in ended:
                wire.protocol.connection_lost(None)
                wire.let_go()

    def dial(self, address: str, port: int, protocol: asyncio.Protocol, failed: Callable[[], None]) -> None:
        """Connect; then either `protocol.connection_made` or `failed` is called, never both, and never from here."""
        family = AF_INET6 if ":" in address else AF_INET
        try:
            dialling = SocketType(family, SOCK_STREAM | SOCK_NONBLOCK, 0)
            dialling.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            # Our first write follows at once, so the handshake's last ACK rides on it (tcp(7), TCP_QUICKACK).
            dialling.setsockopt(IPPROTO_TCP, TCP_QUICKACK, 0)
            error = dialling.connect_ex((address, port))
        except OSError as refused:  # No descriptor left, or no such family here.
            error = refused.errno or 1
        if error not in {0, EINPROGRESS}:
            self.loop.call_soon(failed)
            return
        wire = Wire(self, dialling, protocol)
        self.register(wire.descriptor, Dialling(wire, failed), _EDGES)

    def listen(self, listening: socket, accepted: Callable[[], asyncio.Protocol]) -> "Listening":
        """Accept connections; each gets a protocol from `accepted`. Their sockets inherit TCP_NODELAY."""
        listening.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        found = Listening(self, listening, accepted)
        self.register(listening.fileno(), found, select.EPOLLIN)
        return found

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
            wire = Wire(reactor, SocketType(family, SOCK_STREAM, 0, descriptor), protocol)
            reactor.register(descriptor, wire, _EDGES)
            protocol.connection_made(wire)  # type: ignore[arg-type]  # the part of a transport that is used

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

    __slots__ = ("_failed", "_wire")

    def __init__(self, wire: "Wire", failed: Callable[[], None]) -> None:
        self._wire = wire
        self._failed = failed

    def ready(self, mask: int) -> None:
        """Hand over to the wire when it stands."""
        wire = self._wire
        if mask & _BROKEN:
            if wire.pending_error():
                wire.drop()
                self._failed()
        elif mask & _WRITABLE:
            wire.hand_over()
            wire.protocol.connection_made(wire)  # type: ignore[arg-type]  # the part of a transport that is used
            if mask & _READABLE:
                wire.ready(mask)


class Wire:
    """One TCP connection, as much of an `asyncio.Transport` as the proxy uses."""

    __slots__ = (
        "_closing",
        "_paused",
        "_reactor",
        "_receive",
        "_send",
        "_socket",
        "_unread",
        "_unsent",
        "descriptor",
        "protocol",
    )

    def __init__(self, reactor: Reactor, connected: SocketType, protocol: asyncio.Protocol) -> None:
        self._reactor = reactor
        self._socket = connected
        self._receive = connected.recv
        self._send = connected.send
        self._closing = False
        self._paused = False
        self._unread = False
        self._unsent = b""
        self.descriptor = connected.fileno()
        self.protocol = protocol

    def ready(self, mask: int) -> None:
        """Take what epoll reports."""
        if self._unsent and mask & _WRITABLE:
            self._flush()
        if mask & _READABLE:
            self._read(ending=mask & _ENDING)

    def _read(self, *, ending: int = 1) -> None:
        """Read until nothing is left; a short read is the end of it, unless the other side is ending."""
        for _ in range(READS_AT_ONCE):
            if self._paused or self._closing:
                self._unread = True
                return
            try:
                data = self._receive(READ_MAX, MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                self._drop_and_tell()
                return
            if not data:
                self.protocol.eof_received()
                self.close()
                return
            self.protocol.data_received(data)
            if not ending and len(data) < READ_MAX:
                return
        self._reactor.loop.call_soon(self._read)

    def write(self, data: bytes) -> None:
        """Send now what the kernel takes, the rest when it takes more."""
        if self._closing:
            return
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._send(data, _SEND)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop_and_tell()
            return
        if sent < len(data):
            self._unsent = data[sent:]
            if len(self._unsent) > HIGH_WATER or sent == 0:
                self.protocol.pause_writing()

    def _flush(self) -> None:
        try:
            sent = self._socket.send(self._unsent, _SEND)
        except BlockingIOError:
            return
        except OSError:
            self._drop_and_tell()
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            return
        if self._closing:
            self._drop_and_tell()
        else:
            self.protocol.resume_writing()

    def write_eof(self) -> None:
        """End this direction; what is unsent is lost, which for an answer of ours it never is."""
        try:
            self._socket.shutdown(SHUT_WR)
        except OSError:
            self._drop_and_tell()

    def pause_reading(self) -> None:
        """Take no more bytes."""
        self._paused = True

    def resume_reading(self) -> None:
        """Take bytes again."""
        self._paused = False
        if self._unread:
            self._unread = False
            self._reactor.loop.call_soon(self._read)

    def close(self) -> None:
        """End the connection after what is unsent is sent."""
        if not self._closing:
            self._closing = True
            if not self._unsent:
                self._drop_and_tell()

    def abort(self) -> None:
        """End the connection now."""
        self._drop_and_tell()

    def reset(self) -> None:
        """End the connection now, and let the other side see that it was cut (RST)."""
        if self.descriptor >= 0:
            self._socket.setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            self._drop_and_tell()

    def pending_error(self) -> int:
        """Give the error of a connection that could not be made, 0 if there is none."""
        return self._socket.getsockopt(SOL_SOCKET, SO_ERROR)

    def hand_over(self) -> None:
        """Take the place of what dialled this."""
        self._reactor._wires[self.descriptor] = self

    def let_go(self) -> None:
        """Break the cycle of wire and protocol, so that both are freed without the collector."""
        self.protocol = _NOBODY

    def drop(self) -> None:
        """Close without telling the protocol."""
        if self.descriptor >= 0:
            self._closing = True
            self._unsent = b""
            self._reactor.forget(self.descriptor)
            self.descriptor = -1
            self._socket.close()

    def _drop_and_tell(self) -> None:
        if self.descriptor >= 0:
            self.drop()
            self._reactor.end(self)


_NOBODY: Final = asyncio.Protocol()
"""The protocol of a wire that is lost."""
