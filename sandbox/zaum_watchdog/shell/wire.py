"""One plain TCP connection on the nested epoll.

`Wire` has the part of `asyncio.Transport` that the protocols use, with the same meaning, so a protocol cannot tell it
from the event loop's own TLS transport. Sockets are registered once, edge-triggered, for reading; for writing too as
soon as the kernel takes less than it is given. Closing one takes it out again.
"""

import asyncio
import contextlib
import fcntl
import select
import struct
import sys
import termios
from collections.abc import Callable
from socket import (
    IPPROTO_TCP,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    SHUT_WR,
    SO_ERROR,
    SO_LINGER,
    SOL_SOCKET,
    TCP_USER_TIMEOUT,
    SocketType,
)
from typing import Final, Protocol

from zaum_watchdog.shell import splice

PEEK: Final = MSG_DONTWAIT | MSG_PEEK
READ_MAX: Final = 64 * 1024
READS_AT_ONCE: Final = 4
"""How often one connection is read before others get their turn."""
HIGH_WATER: Final = 64 * 1024
"""Unsent bytes from which on the other side is no longer read."""
UNTAKEN_MILLIS: Final = 10_000
"""How long the other side may take no bytes after we closed (tcp(7), TCP_USER_TIMEOUT)."""
READ_EDGES: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
EDGES: Final = READ_EDGES | select.EPOLLOUT
READABLE: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
BROKEN: Final = select.EPOLLHUP | select.EPOLLERR
WRITABLE: Final = select.EPOLLOUT
_ENDING: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_SEND: Final = MSG_DONTWAIT | MSG_NOSIGNAL
_RESET: Final = struct.pack("ii", 1, 0)


class Owner(Protocol):
    """What a wire asks of its reactor."""

    loop: asyncio.AbstractEventLoop
    pipes: splice.Pipes

    def forget(self, descriptor: int) -> None:
        """Report nothing more."""

    def change(self, descriptor: int, events: int) -> None:
        """Report other events of a descriptor, if it is registered already."""

    def end(self, wire: "Wire") -> None:
        """Tell the wire's protocol that it is lost, soon."""


class Gate(Protocol):
    """What bytes pass before they are read; see `shell.flow`."""

    def room(self, most: int) -> int:
        """Give how many may be read now."""

    def used(self, count: int) -> None:
        """Count what was read."""

    def wait(self, then: Callable[[], None]) -> None:
        """Call when there is room again."""


class Wire:
    """One TCP connection, as much of an `asyncio.Transport` as the proxy uses."""

    __slots__ = (
        "_bulk",
        "_closing",
        "_eof",
        "_paused",
        "_reactor",
        "_receive",
        "_send",
        "_socket",
        "_unread",
        "_unsent",
        "descriptor",
        "events",
        "feed",
        "gate",
        "peer",
        "protocol",
        "pump",
        "sink",
    )

    def __init__(self, reactor: Owner, connected: SocketType, protocol: asyncio.Protocol) -> None:
        self._reactor = reactor
        self._socket = connected
        self._receive = connected.recv
        self._send = connected.send
        self._bulk = False
        self._closing = False
        self._eof = False
        self._paused = False
        self._unread = False
        self._unsent = b""
        self.descriptor = connected.fileno()
        self.events = READ_EDGES
        self.peer = ""
        """The address that was dialled; empty for a connection that was accepted."""
        self.protocol = protocol
        self.sink: Wire | None = None
        """Where all bytes of this connection go as they are: then a bulk transfer is moved inside the kernel."""
        self.gate: Gate | None = None
        """Bounds what is read; None: nothing does."""
        self.pump: splice.Pump | None = None
        self.feed: splice.Pump | None = None
        """What moves bytes from here, and what moves bytes to here, while that is so."""

    def ready(self, mask: int) -> None:
        """Take what epoll reports."""
        if mask & WRITABLE:
            if self._unsent:
                self._flush()
            elif self.feed is not None:
                self.feed.flush()
        if mask & READABLE:
            self._read(ending=mask & _ENDING)

    def begin(self) -> None:
        """Take what has come before there were events."""
        self._read(ending=0)

    def _read(self, *, ending: int = 1) -> None:
        """Read until nothing is left; a short read is the end of it, unless the other side is ending."""
        if self._bulk:
            self._begin_pump()
        if self.pump is not None:
            self.pump.pull()
            return
        full = self.sink is not None
        for _ in range(READS_AT_ONCE):
            if self._paused or self._closing:
                self._unread = True
                return
            gate, most = self.gate, READ_MAX
            if gate is not None and not (most := gate.room(READ_MAX)):
                self.starve()
                return
            try:
                data = self._receive(most, MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                self._drop_and_tell()
                return
            if not data:
                self.protocol.eof_received()
                self.close()
                return
            if gate is not None:
                gate.used(len(data))
            self.protocol.data_received(data)
            if not ending and len(data) < most:
                return
            if len(data) < most:
                full = False
        self._bulk = full
        self._reactor.loop.call_soon(self._read)

    def room(self, most: int) -> int:
        """Give how many bytes may be taken from here now."""
        return most if self.gate is None else self.gate.room(most)

    def starve(self) -> None:
        """Read on when there is room, if there is anything to be read; the end of it needs none."""
        gate = self.gate
        try:
            ended = not self._receive(1, PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._drop_and_tell()
            return
        if ended:
            self.ended()
        elif gate is not None:
            self._unread = True
            gate.wait(self.read_on)

    def _begin_pump(self) -> None:
        """Leave the copying to the kernel from here on, once nothing that was copied waits."""
        sink = self.sink
        if sink is None or self._closing or sink._closing or sink.feed is not None:
            self._bulk = False
        elif not sink._unsent:
            self._bulk = False
            splice.begin(self._reactor.pipes, self, sink)

    def write(self, data: bytes) -> None:
        """Send now what the kernel takes, the rest when it takes more."""
        if self._closing:
            return
        if self._unsent:
            self._unsent += data
            if len(self._unsent) > HIGH_WATER:
                self.protocol.pause_writing()
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
            self.await_writable()
            if len(self._unsent) > HIGH_WATER:
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
            return
        if self._eof:
            self._shut()
        self.protocol.resume_writing()

    # What a pump asks for.

    @property
    def stopped(self) -> bool:
        """Say whether nothing is to be read now."""
        if self._paused or self._closing:
            self._unread = True
            return True
        return False

    def moved(self, count: int) -> None:
        """Count bytes that a pump took."""
        if self.gate is not None:
            self.gate.used(count)
        self.protocol.moved(count)  # type: ignore[attr-defined]  # who names a sink has it

    def read_on(self) -> None:
        """Read again, soon."""
        self._reactor.loop.call_soon(self._read)

    def ended(self) -> None:
        """Take the end of what the other side sends."""
        self.protocol.eof_received()
        self.close()

    def failed(self) -> None:
        """Take an error of this connection."""
        self._drop_and_tell()

    def await_writable(self) -> None:
        """Report when more can be sent."""
        if self.events != EDGES:
            self.events = EDGES
            self._reactor.change(self.descriptor, EDGES)

    def drained(self) -> None:
        """Hear from a pump without a source that all is sent."""
        if self.feed is not None:
            self.feed.rest()
        if self._closing:
            self._drop_and_tell()

    def rest(self) -> None:
        """Give the pipe back, if nothing lies in it; copying begins again."""
        if self.pump is not None:
            self.pump.rest()

    def write_eof(self) -> None:
        """End this direction after what is unsent is sent; nothing is to be written any more."""
        self._eof = True
        if not self._unsent:
            self._shut()

    def untaken(self) -> int:
        """Count the bytes that were written and have not arrived at the other side's kernel."""
        if self.descriptor < 0:
            return 0
        queued = fcntl.ioctl(self.descriptor, termios.TIOCOUTQ, bytes(4))  # tcp(7), SIOCOUTQ
        return len(self._unsent) + int.from_bytes(queued, sys.byteorder)

    def _shut(self) -> None:
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
            if not self._unsent and (self.feed is None or not self.feed.held):
                self._drop_and_tell()
            else:  # Whoever takes no bytes must not pile up connections that wait for it.
                self._socket.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, UNTAKEN_MILLIS)

    def abort(self) -> None:
        """End the connection now."""
        self._drop_and_tell()

    def reset(self) -> None:
        """End the connection now, and let the other side see that it was cut (RST)."""
        if self.descriptor >= 0:
            # What cannot be reset is closed all the same: others are to be cut after it.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            self._drop_and_tell()

    def broken(self) -> None:
        """End the connection, because a protocol raised."""
        self.abort()

    def pending_error(self) -> int:
        """Give the error of a connection that could not be made, 0 if there is none."""
        return self._socket.getsockopt(SOL_SOCKET, SO_ERROR)

    def let_go(self) -> None:
        """Break the cycle of wire and protocol, so that both are freed without the collector."""
        self.protocol = _NOBODY

    def drop(self) -> None:
        """Close without telling the protocol."""
        if self.descriptor >= 0:
            self._closing = True
            self._unsent = b""
            self.sink = self.gate = None
            if self.pump is not None:
                self.pump.source_lost()
            if self.feed is not None:
                self.feed.sink_lost()
            self._reactor.forget(self.descriptor)
            self.descriptor = -1
            self._socket.close()

    def _drop_and_tell(self) -> None:
        if self.descriptor >= 0:
            self.drop()
            self._reactor.end(self)


_NOBODY: Final = asyncio.Protocol()
"""The protocol of a wire that is lost."""
