"""One connection to a route's upstream: a tunnel through the gateway, TLS inside it, kept for later requests.

| stage   | waits for                  | then                                       |
|---------|----------------------------|--------------------------------------------|
| DIALLED | a connection to the gateway| ASKED                                      |
| ASKED   | the gateway's answer       | SHAKING, READY (plain HTTP), or gone       |
| SHAKING | the upstream's handshake   | READY, or gone                             |
| READY   | bytes for the user         | READY, idle in the pool or in use; or gone |
| GONE    | nothing                    |                                            |
"""

import asyncio
import ssl
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from zaum_api import contract, documents
from zaum_watchdog.core import gateway_answer, refusals, routes
from zaum_watchdog.shell import brake, clock, flow, gateway, hop, tls

TURN_NS: Final = 300_000
"""How long records are decrypted and passed on before others get their turn: one may hold a single byte."""


class Stage(Enum):
    """See the table above."""

    DIALLED = auto()
    ASKED = auto()
    SHAKING = auto()
    READY = auto()
    GONE = auto()


class User(Protocol):
    """Who uses a connection: one exchange after another."""

    def ready(self) -> None:
        """Use the connection from now on."""

    def declined(self, answer: gateway_answer.Declined, *, again: bool) -> None:
        """Take the gateway's refusal; `again`: over TLS it may be another one."""

    def failed(self, rule: contract.Rule, problem: str, *, again: bool) -> None:
        """Take the end of a connection that was never ready; `again`: nothing has heard of it, so try another."""

    def received(self, data: bytes) -> None:
        """Take bytes of the upstream."""

    def ended(self, *, clean: bool) -> None:
        """Take the end of a connection that was ready; `clean`: the upstream has said that it ends here."""

    def stop(self) -> None:
        """Send no more until told to go on."""

    def go_on(self) -> None:
        """Send again."""

    def limited(self, refused: refusals.Refusal) -> None:
        """Take it that no more bytes may pass; the connection is gone."""

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""


class Connection(gateway.Upstream):
    """See the module. Without a user it is idle, and whatever happens to it then ends it."""

    __slots__ = (
        "_free", "_hop", "_in", "_lost", "_out", "_queued", "_raw", "_resumed", "_tls", "_waiting", "born", "brake",
        "context", "remembered", "route", "sealed", "stage", "transport", "until", "user",
    )  # fmt: skip

    def __init__(
        self,
        way: hop.Hop,
        route: routes.Route,
        user: User,
        context: ssl.SSLContext | None,
        resumed: ssl.SSLSession | None,
        *,
        free: bool = False,
    ) -> None:
        """Take whose it is; `free`: its bytes are the watchdog's own, and count for no limit."""
        self._free = free
        self._out: flow.Flow | None = None
        self._in: flow.Flow | None = None
        self._queued = b""
        self._waiting = b""
        """What is to go up, and what came down, and may not yet."""
        self._hop = way
        self._lost = False
        self._raw = b""
        self._resumed = resumed
        self._tls = tls.Session(context, route.config.host, resumed) if context is not None else None
        self.born = self.until = clock.monotonic()
        self.brake: brake.Brake
        self.context = context
        self.route = route
        self.sealed = False
        """What came for the user is not decrypted yet."""
        self.remembered = False
        self.stage = Stage.DIALLED
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # none before connection_made
        self.user: User | None = user

    @property
    def wanted(self) -> bool:
        """Say whether anybody still waits for the connection."""
        return self.stage is not Stage.GONE

    @property
    def resumable(self) -> ssl.SSLSession | None:
        """Give what a later connection to the same upstream may resume."""
        return self._tls.resumable if self._tls is not None else None

    def dial(self, *, secure: bool) -> None:
        """Begin. Plain HTTP always goes by TLS to the gateway."""
        self._hop.dial(self, self._undialled, secure=secure or not self.route.config.tls)

    def _undialled(self) -> None:
        if self.stage is not Stage.GONE:
            self._fail(contract.Rule.GATEWAY_UNAVAILABLE, "no address of the gateway answers", again=False)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Take the transport."""
        self.transport = transport
        self.brake = brake.Brake(transport)
        if self.stage is Stage.GONE:
            transport.abort()
            return
        self.stage = Stage.ASKED
        self._hop.say(self.route.authority, transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self.stage is Stage.ASKED:
            self._answered(data)
        elif self._in is None or (not self._waiting and self._in.passes(len(data))):
            self._take(data)
        elif self._waiting:
            self._waiting += data
        else:
            self._waiting = data
            self._go_down()

    def _take(self, data: bytes) -> None:
        if self.stage is Stage.READY:
            self._open(data)
        elif self.stage is Stage.SHAKING:
            self._shake(data)

    def pause_writing(self) -> None:
        """Tell the user to wait."""
        if self.user is not None:
            self.user.stop()

    def resume_writing(self) -> None:
        """Tell the user to go on."""
        if self.user is not None:
            self.user.go_on()

    def eof_received(self) -> None:
        """Let the transport close."""

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of this connection."""
        stage = self.stage
        if (stage is Stage.READY and self.sealed) or (stage in {Stage.SHAKING, Stage.READY} and self._waiting):
            self._lost = True  # All that came is here, and is still being decrypted, or waits for its turn.
        else:
            self._over(stage)

    def _over(self, stage: Stage) -> None:
        if stage is Stage.READY:
            self._end(clean=self._tls is None or self._tls.ended)
        elif stage is Stage.ASKED and not self._raw:
            self._fail(contract.Rule.GATEWAY_UNAVAILABLE, "the gateway hung up without an answer", again=True)
        elif stage is not Stage.GONE:
            self._fail(contract.Rule.UPSTREAM_UNAVAILABLE, "the upstream hung up before it was asked", again=False)

    # Stage by stage.

    def _answered(self, data: bytes) -> None:
        self._raw += data
        answer = gateway_answer.read(self._raw)
        if answer is None:
            return
        self._raw = b""
        if isinstance(answer, gateway_answer.Declined):
            again = self._hop.distrusted(self.transport, answer.rule)
            user = self._gone()
            if user is not None:
                user.declined(answer, again=again)
            return
        ours, at = self._hop.limits, self.route.authority
        if ours.on and not self._free:
            self._out = flow.Flow(ours, at, documents.Kind.BYTES_OUT, self._spent)
            self._in = flow.Flow(ours, at, documents.Kind.BYTES_IN, self._spent)
        if self._tls is None:
            self._ready(b"")
        else:
            self.stage = Stage.SHAKING
            self._shake(b"")
        if answer.early:
            self.data_received(answer.early)

    # Bytes that are limited.

    def _write(self, data: bytes) -> None:
        """Send what may pass now, and the rest when it may."""
        if self._out is None or (not self._queued and self._out.passes(len(data))):
            self.transport.write(data)
        elif self._queued:
            self._queued += data
        else:
            self._queued = data
            self._go_up()

    def _go_up(self) -> None:
        gate = self._out
        while self._queued and gate is not None and self.stage is not Stage.GONE:
            room = gate.room(len(self._queued))
            if not room:
                if self.user is not None:
                    self.user.stop()
                gate.wait(self._go_on_up)
                return
            piece, self._queued = self._queued[:room], self._queued[room:]
            gate.used(room)
            self.transport.write(piece)

    def _go_on_up(self) -> None:
        self._go_up()
        if not self._queued and self.user is not None:
            self.user.go_on()

    def _go_down(self) -> None:
        """Take what may pass of what came, and read on only behind it."""
        gate = self._in
        while self._waiting and gate is not None and self.stage is not Stage.GONE:
            room = gate.room(len(self._waiting))
            if not room:
                self.brake.pull(brake.Why.LIMITED)
                gate.wait(self._go_down)
                return
            piece, self._waiting = self._waiting[:room], self._waiting[room:]
            gate.used(room)
            self._take(piece)
        if self.stage is Stage.GONE:
            return
        self.brake.release(brake.Why.LIMITED)
        if self._lost and not self.sealed:
            self._over(self.stage)

    def _spent(self, refused: refusals.Refusal) -> None:
        """End for want of bytes. In the mode Report they pass, and the request was counted already."""
        if not self._hop.limits.reported(refused):
            user = self._gone()
            if user is not None:
                user.limited(refused)

    def _shake(self, data: bytes) -> None:
        assert self._tls is not None
        try:
            done = self._tls.shake(data)
        except tls.Broken as broken:
            self._write(self._tls.pending())
            self._fail(contract.Rule.UPSTREAM_TLS, f"the upstream {self.route.config.host}: {broken}", again=False)
            return
        self._write(self._tls.pending())
        if done:
            self._ready(b"")

    def _ready(self, early: bytes) -> None:
        self.stage = Stage.READY
        if self.user is not None:
            self.user.ready()
        # Behind the handshake there may be more in what came.
        self._open(early)

    def _open(self, data: bytes) -> None:
        session = self._tls
        if session is None:
            if data:
                self._pass_on(data)
            return
        session.take(data)
        if not self.sealed:
            self._decrypt(session)

    def _decrypt(self, session: tls.Session) -> None:
        until = clock.monotonic() + TURN_NS
        try:
            while self.stage is Stage.READY and (content := session.next()):
                self._pass_on(content)
                # Whatever comes without a user ends the connection at once.
                if self.user is not None and clock.monotonic() > until:
                    self.sealed = True
                    self.brake.pull(brake.Why.SEALED)
                    self.user.soon(self._decrypt_on)
                    break
        except tls.Broken:
            self._end(clean=False)
            return
        reply = session.pending()
        if reply:
            self._write(reply)  # A change of keys is answered (RFC 8446 §4.6.3).
        if self.stage is Stage.READY and (session.ended or (self._lost and not self.sealed and not self._waiting)):
            self._end(clean=session.ended)

    def _decrypt_on(self) -> None:
        self.sealed = False
        if self.stage is Stage.READY and self._tls is not None:
            self.brake.release(brake.Why.SEALED)
            self._decrypt(self._tls)

    def _pass_on(self, content: bytes) -> None:
        if self.user is None:
            self.close()  # Whatever it is, nobody asked for it.
        else:
            self.user.received(content)

    # What the user calls.

    def send(self, data: bytes) -> None:
        """Send."""
        if self.stage is Stage.READY:
            self._write(data if self._tls is None else self._tls.seal(data))

    def close(self) -> None:
        """End it; nothing is told to the user any more."""
        self._gone()

    def _fail(self, rule: contract.Rule, problem: str, *, again: bool) -> None:
        user = self._gone()
        if user is not None:
            user.failed(rule, problem, again=again)

    def _end(self, *, clean: bool) -> None:
        user = self._gone()
        if user is not None:
            user.ended(clean=clean)

    def _gone(self) -> User | None:
        user, self.user = self.user, None
        self.stage = Stage.GONE
        for way in (self._out, self._in):
            if way is not None:
                way.close()
        self._queued = self._waiting = b""
        if self.transport is not None:
            self.transport.close()
        return user
