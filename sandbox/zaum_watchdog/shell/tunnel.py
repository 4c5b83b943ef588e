"""One connection of the agent to the loopback proxy: what it holds, and every way in which it ends."""

import asyncio
from typing import Final

from zaum_api import contract
from zaum_egress import client_hello, hosts
from zaum_watchdog.core import answers, gateway_answer, phases, policy, records
from zaum_watchdog.core.phases import SECOND, Phase
from zaum_watchdog.shell import clock, gates, gateway_side, hop, watch, wire

_SPLICED: Final = Phase.SPLICED


class Tunnel(asyncio.Protocol):
    """See the module. Who derives from it takes it from phase to phase."""

    __slots__ = (
        "_call",
        "_gates",
        "_held",
        "_hello",
        "_hop",
        "_moved",
        "_since",
        "_tries",
        "_watch",
        "authority",
        "choked",
        "counted",
        "down",
        "full",
        "held_down",
        "phase",
        "started",
        "transport",
        "up",
        "upstream",
        "would_deny",
    )  # fmt: skip

    def __init__(self, shared: watch.Watch, way: hop.Hop) -> None:
        self._watch = shared
        self._hop = way
        self._held = b""
        self._hello: client_hello.Reader | None = None
        self._since = self.started = clock.monotonic()
        self._moved = 0
        self._tries = 0
        self._call = 0
        """Waits for the ledger under this number; 0: it does not wait."""
        self._gates: gates.Gates | None = None
        self.full = False
        self.choked = False
        self.phase = Phase.HEAD
        self.authority: hosts.Authority | None = None
        self.would_deny: contract.Rule | None = None
        self.counted = False
        self.up = 0
        self.down = 0
        self.held_down = b""
        self.transport: wire.Wire
        self.upstream: gateway_side.GatewaySide | None = None

    # Ends.

    def cut(self, rule: contract.Rule | None) -> None:
        """End the tunnel at once, both sides, and say which rule did it."""
        if self.phase in {Phase.DIALLING, Phase.ASKED} and self.authority is not None:
            self._decline(rule or contract.Rule.GATEWAY_UNAVAILABLE, "the tunnel was cut before it stood")
        elif self.phase is not Phase.ENDED:
            self._finish(rule)
            self._reset()

    def expire(self, now: int) -> None:
        """End the connection if its phase has lasted too long, or the tunnel has carried nothing for too long."""
        if self.phase is _SPLICED:
            self._expire_tunnel(now)
            return
        if now - self._since <= phases.PATIENCE[self.phase]:
            return
        if self.phase in {Phase.DIALLING, Phase.ASKED}:
            self._decline(contract.Rule.GATEWAY_UNAVAILABLE, "the gateway does not answer in time")
        else:
            self._reset()

    def _expire_tunnel(self, now: int) -> None:
        limits, moved = self._watch.policy.config.tunnels, self.up + self.down
        if now - self.started > limits.max_seconds * SECOND:
            self.cut(contract.Rule.EXPIRED)
        elif moved != self._moved:
            self._moved, self._since = moved, now
        elif now - self._since > limits.idle_seconds * SECOND:
            self.cut(contract.Rule.EXPIRED)
        else:
            self._rest()

    def _rest(self) -> None:
        """Give back what a bulk transfer needed: nothing has moved since the last look."""
        self.transport.rest()
        if self.upstream is not None and isinstance(self.upstream.transport, wire.Wire):
            self.upstream.transport.rest()

    def end_lost(self) -> None:
        """End as the gateway's side has ended."""
        self._finish(None)
        self.transport.close()

    def _decline(self, rule: contract.Rule, message: str) -> None:
        assert self.authority is not None
        self._refuse(policy.Refusal(rule, message, "", self.authority.host.name, self.authority.port))

    def _refuse(self, refused: policy.Refusal) -> None:
        self._end(self._watch.answer(refused))

    def _relay(self, answer: gateway_answer.Declined) -> None:
        assert self.authority is not None
        host, port = self.authority.host.name, self.authority.port
        if not answer.body:
            self._watch.record(answer.rule, host, port, status=answer.status, by=records.BY_GATEWAY)
            refused = policy.Refusal(answer.rule, "refused by the gateway", "", host, port, answer.retry_after * SECOND)
            config = self._watch.policy.config
            self._end(answers.refusal(refused, namespace=config.namespace, name=config.policy))
            return
        self._watch.record(answer.rule, host, port, status=answer.status, by=records.BY_GATEWAY)
        self._end(answers.write(answer.status, answer.rule, answer.body, retry_after=answer.retry_after))

    def _end(self, answer: bytes) -> None:
        """Answer, and wait a little for the agent to hang up: a close with bytes unread would reset the answer."""
        self._finish(None)
        if self.upstream is not None:
            self.upstream.close()
            self.upstream = None
        self._held = b""
        self.transport.write(answer)
        self.transport.write_eof()
        self.transport.resume_reading()

    def _reset(self) -> None:
        self._finish(None)
        self.transport.reset()
        if self.upstream is not None:
            self.upstream.abort()

    def _finish(self, rule: contract.Rule | None) -> None:
        """Give back the place among the tunnels and write the tunnel's record; once."""
        if self._call:
            self._watch.limits.give_up(self._call)
            self._call = 0
        if self._gates is not None:
            self._gates.close()
            self._gates = None
        if self.counted:
            self.counted = False
            self._watch.tunnels -= 1
            if self.phase is Phase.SPLICED:
                self._record_closed(rule)
            elif self.phase is Phase.HELLO and self._hello is not None:
                self._unheard(rule or contract.Rule.SNI_MISSING)
        self._enter(Phase.ENDED)

    def _record_closed(self, rule: contract.Rule | None) -> None:
        assert self.authority is not None
        wall, millis = clock.wall(), (clock.monotonic() - self.started) // 1_000_000
        line = self._watch.writer.closed(
            wall, self.authority.host.name, self.authority.port, up=self.up, down=self.down, millis=millis, rule=rule
        )
        self._watch.out.write(line)

    def _unheard(self, rule: contract.Rule) -> None:
        """Record a tunnel that ended before its ClientHello; no attempt at anything."""
        assert self.authority is not None
        host, port = self.authority.host.name, self.authority.port
        self._watch.record(rule, host, port, status=200, attempt=False)

    def _enter(self, phase: Phase) -> None:
        self.phase = phases.step(self.phase, phase)
        if not self._tries or phase > Phase.ASKED:
            self._since = clock.monotonic()
