"""The loopback CONNECT proxy: the agent's side of a tunnel, phase by phase as `core.phases` tables them."""

import asyncio
from typing import Final

from zaum_api import contract
from zaum_egress import client_hello
from zaum_watchdog.core import answers, gateway_answer, heads, policy
from zaum_watchdog.core.phases import SECOND, Phase
from zaum_watchdog.shell import gates, gateway_side, llhttp, tunnel, wire

RETRY_SECONDS: Final = (0.05, 0.5)
"""Pauses before a CONNECT that the gateway did not answer is tried once more, and once again."""
_NO_TOKEN: Final = contract.Rule.TOKEN_MISSING, "the pod's token for the gateway is not there"
_HUNG_UP: Final = contract.Rule.GATEWAY_UNAVAILABLE, "the gateway hung up without an answer"
_HEAD, _SPLICED, _HELLO, _ENDED = Phase.HEAD, Phase.SPLICED, Phase.HELLO, Phase.ENDED


class AgentSide(tunnel.Tunnel):
    """One connection of the agent, from its first byte to its last."""

    __slots__ = ()

    # What the event loop calls.

    def connection_made(self, transport: wire.Wire) -> None:  # type: ignore[override]  # always one
        """Take the transport."""
        self.transport = transport
        shared = self._watch
        shared.connections.add(self)
        most = shared.policy.sockets
        if len(shared.connections) > most:
            self._refuse(policy.Refusal(contract.Rule.CONNECTIONS, f"more than {most} sockets", retry_after=SECOND))
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        phase = self.phase
        if phase is _SPLICED:
            self.up += len(data)
            self.upstream.transport.write(data)  # type: ignore[union-attr]  # set before SPLICED, for ever
        elif phase is _HELLO:
            self._check(data)
        elif phase is _HEAD and not self._call:
            self._collect(data)
        elif phase is not _ENDED:
            self._held += data
            if len(self._held) >= heads.EARLY_MAX:
                self.transport.pause_reading()

    def moved(self, count: int) -> None:
        """Count bytes that went up without passing through here."""
        self.up += count

    def pause_writing(self) -> None:
        """Stop reading from the other side until this one has taken what is queued."""
        self.full = True
        if self.upstream is not None:
            self.upstream.pause()

    def resume_writing(self) -> None:
        """Read from the other side again."""
        self.full = False
        if self.upstream is not None and not self.held_down:
            self.upstream.resume()

    def eof_received(self) -> None:
        """Let the transport close: see the module on why one side's end is both sides' end."""

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of this connection."""
        self._finish(None)
        self._watch.connections.discard(self)
        self._watch.bytes_out += self.up
        self._watch.bytes_in += self.down
        if self.upstream is not None:
            self.upstream.close()
            self.upstream = None

    # Phase by phase.

    def _collect(self, data: bytes) -> None:
        held = self._held = self._held + data if self._held else data
        end = held.find(b"\r\n\r\n")
        if end < 0:
            if len(held) > heads.HEAD_MAX:
                self._refuse(_malformed(f"the head is larger than {heads.HEAD_MAX} bytes"))
            elif b"\n\n" in held or held[:1] == b"\x16":
                self._refuse(_malformed("this is an HTTP proxy; lines end with CR LF"))
            return
        head = llhttp.parse(held[: end + 4])
        self._held = held[end + 4 :]
        if end > heads.HEAD_MAX or head is None:
            self._refuse(_malformed("the head is no HTTP/1.1"))
            return
        self._call = call = self._watch.limits.number()
        self._watch.admit(head, call, self._decided)

    def _decided(self, admitted: policy.Admitted | policy.Refusal) -> None:
        self._call = 0
        if isinstance(admitted, policy.Refusal):
            self._refuse(admitted)
        else:
            self._open(admitted)

    def _open(self, admitted: policy.Admitted) -> None:
        self.authority, self.would_deny = admitted
        shared = self._watch
        if not self._hop.usable:
            self._decline(*_NO_TOKEN)
            return
        shared.tunnels += 1
        self.counted = True
        self._enter(Phase.DIALLING)
        self._dial(secure=False)

    def _dial(self, *, secure: bool) -> None:
        self.upstream = gateway_side.GatewaySide(self)
        self._hop.dial(self.upstream, self._undialled, secure=secure)

    def _again(self, *, secure: bool = False) -> bool:
        """Ask another connection, if this one said nothing that counts; say whether that is done.

        Nothing of the agent has gone up before the gateway's 200, so nothing can happen twice. All tries share the
        time of the first.
        """
        if self._tries >= len(RETRY_SECONDS) or not self._hop.usable:
            return False
        pause = 0.0 if secure else RETRY_SECONDS[self._tries]
        self._tries += 1
        if self.upstream is not None:
            self.upstream.close()
            self.upstream = None
        if self.phase is not Phase.DIALLING:
            self._enter(Phase.DIALLING)
        self._watch.loop.call_later(pause, self._redial, self._tries, secure)
        return True

    def _redial(self, tries: int, secure: bool) -> None:
        if self.phase is Phase.DIALLING and self._tries == tries:
            self._dial(secure=secure)

    def _undialled(self) -> None:
        if self.phase is Phase.DIALLING and not self._again():
            self._decline(contract.Rule.GATEWAY_UNAVAILABLE, "no address of the gateway answers")

    def ask(self, over: asyncio.Transport) -> None:
        """Ask the gateway: nothing of the agent's head is in it."""
        assert self.authority is not None
        self._enter(Phase.ASKED)
        self._hop.say(self.authority, over)

    def answered(self, answer: gateway_answer.Established | gateway_answer.Declined) -> None:
        """Take the gateway's answer: pass a refusal on, or tell the agent that the tunnel stands."""
        assert self.authority is not None
        if isinstance(answer, gateway_answer.Declined):
            if not self._ask_again(answer):
                self._relay(answer)
            return
        self.held_down = answer.early
        self._enter(Phase.HELLO)
        self.transport.write(answers.ESTABLISHED)
        self._hello = client_hello.Reader(self.authority.host.name)
        held, self._held = self._held, b""
        if held:
            self.transport.resume_reading()
            self._check(held)

    def _ask_again(self, answer: gateway_answer.Declined) -> bool:
        """Try once more where the gateway was between two states, or did not know the session any more."""
        assert self.upstream is not None
        if answer.rule is contract.Rule.GATEWAY_UNAVAILABLE:
            return self._again()
        return self._hop.distrusted(self.upstream.transport, answer.rule) and self._again(secure=True)

    def _check(self, data: bytes) -> None:
        assert self._hello is not None
        assert self.authority is not None
        assert self.upstream is not None
        checked = self._hello.feed(data)
        if checked is None:
            return
        host, port = self.authority.host.name, self.authority.port
        if isinstance(checked, client_hello.Refused):
            self._watch.record(checked.rule, host, port, status=200)
            self._hello = None
            self._reset()
            return
        first = self._hello.raw
        self._hello = None
        self._enter(Phase.SPLICED)
        self._watch.allowed(host, port, self.would_deny)
        far = self.upstream.transport
        if isinstance(far, wire.Wire):
            self.transport.sink, far.sink = far, self.transport
        if self._watch.limits.on:
            self._limit(first)
            return
        self.up += len(first)
        far.write(first)
        if self.held_down:
            self.down += len(self.held_down)
            self.transport.write(self.held_down)
            self.held_down = b""

    def lost_gateway(self) -> None:
        """Take the end of the gateway's side."""
        if self.phase is Phase.ASKED:
            if not self._again():
                self._decline(*(_HUNG_UP if self._hop.usable else _NO_TOKEN))
        elif self.phase is _SPLICED and self._gates is not None and self.held_down:
            self._gates.lose()
        elif self.phase is not Phase.ENDED:
            self.end_lost()

    # Bytes that are limited.

    def _limit(self, first: bytes) -> None:
        """Let bytes pass no further than they are reserved from here on, those included that have come."""
        assert self.authority is not None
        assert self.upstream is not None
        self.choked = not isinstance(self.upstream.transport, wire.Wire)
        self._gates = opened = gates.Gates(self, self._watch.limits, self.authority, self._spent)
        opened.open(first)

    def come_down(self, data: bytes) -> None:
        """Take what came by a connection that reads without asking."""
        if self._gates is not None:
            self._gates.come_down(data)

    def _spent(self, refused: policy.Refusal) -> None:
        """End for want of bytes; in the mode Report only count it."""
        if not self._watch.limits.reported(refused):
            self.cut(refused.rule)
        elif self.would_deny is None:
            self.would_deny = refused.rule
            self._watch.would_deny[refused.rule] += 1


def _malformed(problem: str) -> policy.Refusal:
    return policy.Refusal(contract.Rule.REQUEST_MALFORMED, problem)
