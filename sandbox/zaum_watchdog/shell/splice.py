"""Move the bytes of a bulk transfer from one socket to another inside the kernel (splice(2)), without copying them.

A pump is one direction of a tunnel between two plain connections: source, pipe, sink. What was taken from the source
and is not with the sink yet lies in the pipe, so a sink that takes nothing stops the source. Pipes are made when a
transfer turns out to be one, and go back to a small stock when it pauses: idle tunnels hold none.
"""

import contextlib
import fcntl
import os
from typing import Final, Protocol

PIPE_BYTES: Final = 512 * 1024
"""As much as lies between two sockets; more gains nothing and costs the event loop longer turns."""
PULLS_AT_ONCE: Final = 4
"""How often one pump is filled before others get their turn."""
SMALL: Final = 32 * 1024
SMALLS: Final = 16
"""So many pulls of less than SMALL in a row, and copying is as cheap: the pipe goes back."""
STOCK: Final = 4
"""Empty pipes that are kept."""
_FLAGS: Final = getattr(os, "SPLICE_F_MOVE", 0) | getattr(os, "SPLICE_F_NONBLOCK", 0)
Pipe = tuple[int, int]


class End(Protocol):
    """What a pump needs of each of its two connections."""

    descriptor: int
    feed: "Pump | None"
    pump: "Pump | None"

    @property
    def stopped(self) -> bool:
        """Say whether nothing is to be read now: paused, or closing."""

    def room(self, most: int) -> int:
        """Give how many bytes may be taken from this connection now."""

    def starve(self) -> None:
        """Read on when some may be taken."""

    def moved(self, count: int) -> None:
        """Count bytes that were taken from this connection."""

    def read_on(self) -> None:
        """Read again, soon."""

    def ended(self) -> None:
        """Take the end of what the other side sends."""

    def failed(self) -> None:
        """Take an error of this connection."""

    def await_writable(self) -> None:
        """Report when more can be sent."""

    def drained(self) -> None:
        """Hear that nothing is left to be sent."""


class Pipes:
    """Makes pipes and keeps a few empty ones."""

    def __init__(self) -> None:
        self._stock: list[Pipe] = []
        self.open = 0
        """Those in use and in stock."""

    def take(self) -> Pipe | None:
        """Give an empty pipe; None where there is no splice(2) or no descriptor left: then bytes are copied."""
        if self._stock:
            return self._stock.pop()
        if not hasattr(os, "splice"):
            return None
        try:
            made = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        with contextlib.suppress(OSError):  # The kernel lets a user's pipes grow so far; a small one works too.
            fcntl.fcntl(made[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.open += 1
        return made

    def give(self, pipe: Pipe, *, empty: bool) -> None:
        """Take a pipe back; one with bytes in it is of no use to anybody else."""
        if empty and len(self._stock) < STOCK:
            self._stock.append(pipe)
            return
        self.open -= 1
        for descriptor in pipe:
            os.close(descriptor)


class Pump:
    """One direction while it moves in bulk. `held` bytes lie in the pipe."""

    __slots__ = ("_pipe", "_pipes", "_sink", "_smalls", "_source", "held")

    def __init__(self, pipes: Pipes, pipe: Pipe, source: End, sink: End) -> None:
        self._pipes = pipes
        self._pipe = pipe
        self._source: End | None = source
        self._sink: End | None = sink
        self._smalls = 0
        self.held = 0
        source.pump = sink.feed = self

    def pull(self) -> None:
        """Take from the source what is there, and hand it on; leave off when the sink takes no more."""
        for _ in range(PULLS_AT_ONCE):
            source = self._source
            if source is None or source.stopped or (self.held and not self._push()):
                return
            most = source.room(PIPE_BYTES)
            if not most:
                source.starve()
                return
            try:
                # Into an empty pipe, so EAGAIN says that the source has nothing, and not that the pipe is full.
                taken = os.splice(source.descriptor, self._pipe[1], most, flags=_FLAGS)
            except BlockingIOError:
                return
            except OSError:
                source.failed()
                return
            if not taken:
                source.ended()
                return
            self.held += taken
            source.moved(taken)
            self._smalls = 0 if taken >= SMALL else self._smalls + 1
            if self._push() and self._smalls >= SMALLS:
                self.rest()
                source.read_on()
                return
        if self._source is not None:
            self._source.read_on()

    def flush(self) -> None:
        """Go on after the sink said that it takes more."""
        if self.held and self._push():
            if self._source is not None:
                self._source.read_on()
            elif self._sink is not None:
                self._sink.drained()

    def rest(self) -> None:
        """Go back to copying, if nothing lies in the pipe."""
        if not self.held:
            self._end()

    def source_lost(self) -> None:
        """Go on with what lies in the pipe; nothing more will come."""
        if self._source is not None:
            self._source.pump = None
            self._source = None
        self.rest()

    def sink_lost(self) -> None:
        """Drop what lies in the pipe."""
        self._end()

    def _push(self) -> bool:
        """Hand on what lies in the pipe; say whether it is empty."""
        sink = self._sink
        while self.held and sink is not None:
            try:
                self.held -= os.splice(self._pipe[0], sink.descriptor, self.held, flags=_FLAGS)
            except BlockingIOError:
                sink.await_writable()
                return False
            except OSError:
                sink.failed()
                return False
        return sink is not None

    def _end(self) -> None:
        if self._source is not None:
            self._source.pump = None
        if self._sink is None:
            return
        self._sink.feed = None
        self._source = self._sink = None
        self._pipes.give(self._pipe, empty=not self.held)


def begin(pipes: Pipes, source: End, sink: End) -> bool:
    """Make a pump from source to sink; say whether there is one now."""
    pipe = pipes.take()
    if pipe is None:
        return False
    for end in (source, sink):
        os.set_blocking(end.descriptor, False)  # splice(2) heeds the descriptor's own flag on sockets.
    Pump(pipes, pipe, source, sink)
    return True
