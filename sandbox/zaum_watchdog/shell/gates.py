"""The gates of a tunnel's bytes: they pass, each way, no further than they are reserved.

What came before there was room for it waits here, and nothing more is read on that side until it is gone.
"""

from collections.abc import Callable
from typing import Final, Protocol

from zaum_api import documents
from zaum_egress import hosts
from zaum_watchdog.core import refusals
from zaum_watchdog.core.phases import Phase
from zaum_watchdog.shell import flow, gateway_side, limits, wire

_SPLICED: Final = Phase.SPLICED


class Tunnel(Protocol):
    """What the gates have to know of the tunnel, which is spliced as long as they are used."""

    phase: Phase
    transport: wire.Wire
    upstream: gateway_side.GatewaySide | None
    up: int
    down: int
    held_down: bytes
    full: bool
    """The agent takes nothing more for now."""

    def end_lost(self) -> None:
        """End as the gateway's side has ended."""


class Gates:
    """Both ways of one tunnel."""

    __slots__ = ("_held", "_in", "_lost", "_out", "_tunnel")

    def __init__(
        self, tunnel: Tunnel, shared: limits.Limits, at: hosts.Authority, spent: Callable[[refusals.Refusal], None]
    ) -> None:
        """Take whom to tell that no more may pass; in the mode Report it is told too, and all passes."""
        self._tunnel = tunnel
        self._held = b""
        self._out: flow.Flow | None = flow.Flow(shared, at, documents.Kind.BYTES_OUT, spent)
        self._in: flow.Flow | None = flow.Flow(shared, at, documents.Kind.BYTES_IN, spent)
        self._lost = False

    def open(self, first: bytes) -> None:
        """Stand on both sides from here on, and let through what has come already."""
        tunnel, far = self._tunnel, self._tunnel.upstream
        tunnel.transport.gate = self._out
        if far is not None and isinstance(far.transport, wire.Wire):
            far.transport.gate = self._in
        self._held = first
        self._go_up()
        if tunnel.phase is _SPLICED and tunnel.held_down:
            self._go_down()

    def come_down(self, data: bytes) -> None:
        """Take what came by a connection that reads without asking."""
        waits = bool(self._tunnel.held_down)
        self._tunnel.held_down += data
        if not waits:
            self._go_down()

    def lose(self) -> None:
        """Take the end of the gateway's side while something waits: all of it is here, and waits for its turn."""
        self._lost = True
        self._tunnel.transport.pause_reading()

    def close(self) -> None:
        """End: give everything back."""
        for way in (self._out, self._in):
            if way is not None:
                way.close()
        self._out = self._in = None

    def _go_up(self) -> None:
        """Send what is held, before anything else is read."""
        gate, tunnel, far = self._out, self._tunnel, self._tunnel.upstream
        while self._held and gate is not None and far is not None and tunnel.phase is _SPLICED:
            room = gate.room(len(self._held))
            if not room:
                tunnel.transport.pause_reading()
                gate.wait(self._go_on_up)
                return
            piece, self._held = self._held[:room], self._held[room:]
            gate.used(room)
            tunnel.up += room
            far.transport.write(piece)

    def _go_on_up(self) -> None:
        self._go_up()
        if not self._held and self._tunnel.phase is _SPLICED and not self._lost:
            self._tunnel.transport.resume_reading()

    def _go_down(self) -> None:
        """Hand down what is held, and read on only behind it."""
        gate, tunnel = self._in, self._tunnel
        while tunnel.held_down and gate is not None and tunnel.phase is _SPLICED:
            room = gate.room(len(tunnel.held_down))
            if not room:
                if tunnel.upstream is not None:
                    tunnel.upstream.pause()
                gate.wait(self._go_down)
                return
            piece, tunnel.held_down = tunnel.held_down[:room], tunnel.held_down[room:]
            gate.used(room)
            tunnel.down += room
            tunnel.transport.write(piece)
        if tunnel.phase is not _SPLICED:
            return
        if self._lost:
            tunnel.end_lost()
        elif tunnel.upstream is not None and not tunnel.full:
            tunnel.upstream.resume()
