"""One tunnel's connection to the gateway."""

import asyncio
from typing import Final, Protocol

from zaum_api import contract
from zaum_watchdog.core import gateway_answer
from zaum_watchdog.core.phases import Phase
from zaum_watchdog.shell import gateway, wire

_SPLICED, _HELLO = Phase.SPLICED, Phase.HELLO


class Owner(Protocol):
    """What this side has to know of the agent's side."""

    phase: Phase
    transport: wire.Wire
    down: int
    held_down: bytes
    choked: bool
    """What comes down is handed over, to pass when it may."""

    def come_down(self, data: bytes) -> None:
        """Take what came down."""

    def ask(self, over: asyncio.Transport) -> None:
        """Ask for the tunnel on this connection, which ends where nothing may be said."""

    def answered(self, answer: gateway_answer.Established | gateway_answer.Declined) -> None:
        """Take the gateway's answer."""

    def lost_gateway(self) -> None:
        """Take the end of the gateway's side."""

    def cut(self, rule: contract.Rule) -> None:
        """End the tunnel."""


class GatewaySide(gateway.Upstream):
    """One connection to the gateway, for one tunnel."""

    __slots__ = ("_agent", "_answer", "transport")

    HELD_MAX: Final = 64 * 1024
    """Bytes that the outside may send before the ClientHello went up; TLS servers send none."""

    def __init__(self, agent: Owner) -> None:
        self._agent: Owner | None = agent
        self._answer = b""
        self.transport: asyncio.Transport | wire.Wire = None  # type: ignore[assignment]  # none before connection_made

    @property
    def wanted(self) -> bool:
        """Say whether the agent still waits for this connection."""
        return self._agent is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Take the transport."""
        self.transport = transport
        if self._agent is None:
            transport.abort()
        else:
            self._agent.ask(transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        agent = self._agent
        if agent is None:
            return
        if agent.phase is _SPLICED:
            if agent.choked:
                agent.come_down(data)
                return
            agent.down += len(data)
            agent.transport.write(data)
        elif agent.phase is _HELLO:
            agent.held_down += data
            if len(agent.held_down) > self.HELD_MAX:
                agent.cut(contract.Rule.SNI_MISSING)
        elif agent.phase is Phase.ASKED:
            self._answer += data
            answer = gateway_answer.read(self._answer)
            if answer is not None:
                self._answer = b""
                agent.answered(answer)

    def moved(self, count: int) -> None:
        """Count bytes that went down without passing through here."""
        if self._agent is not None:
            self._agent.down += count

    def pause_writing(self) -> None:
        """Stop reading from the other side until this one has taken what is queued."""
        if self._agent is not None:
            self._agent.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read from the other side again."""
        if self._agent is not None:
            self._agent.transport.resume_reading()

    def eof_received(self) -> None:
        """Let the transport close."""

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of this connection."""
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.lost_gateway()

    def pause(self) -> None:
        """Stop reading from the gateway until the agent has taken what is queued."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read from the gateway again."""
        if self.transport is not None:
            self.transport.resume_reading()

    def close(self) -> None:
        """End this side after what is queued is sent."""
        self._agent = None
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """End this side now."""
        self._agent = None
        if self.transport is not None:
            self.transport.abort()
