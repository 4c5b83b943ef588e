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

from zaum_api import contract
from zaum_watchdog.core import gateway_answer, routes
from zaum_watchdog.shell import brake, clock, gateway, hop, tls

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

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""


class Connection(gateway.Upstream):
    """See the module. Without a user it is idle, and whatever happens to it then ends it."""

    __slots__ = (
        "_hop", "_lost", "_raw", "_resumed", "_tls", "born", "brake", "context", "remembered", "route", "sealed",
        "stage", "transport", "until", "user",
    )  # fmt: skip

    def __init__(
        self,
        way: hop.Hop,
        route: routes.Route,
        user: User,
        context: ssl.SSLContext | None,
        resumed: ssl.SSLSession | None,
    ) -> None:
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
        match self.stage:
            case Stage.READY:
                self._open(data)
            case Stage.ASKED:
                self._answered(data)
            case Stage.SHAKING:
                self._shake(data)
            case Stage.DIALLED | Stage.GONE:
                pass

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
        if stage is Stage.READY and self.sealed:
            self._lost = True  # All that came is here, and is still being decrypted.
        elif stage is Stage.READY:
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
        if self._tls is None:
            self._ready(answer.early)
        else:
            self.stage = Stage.SHAKING
            self._shake(answer.early)

    def _shake(self, data: bytes) -> None:
        assert self._tls is not None
        try:
            done = self._tls.shake(data)
        except tls.Broken as broken:
            self.transport.write(self._tls.pending())
            self._fail(contract.Rule.UPSTREAM_TLS, f"the upstream {self.route.config.host}: {broken}", again=False)
            return
        self.transport.write(self._tls.pending())
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
            self.transport.write(reply)  # A change of keys is answered (RFC 8446 §4.6.3).
        if self.stage is Stage.READY and (session.ended or (self._lost and not self.sealed)):
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
            self.transport.write(data if self._tls is None else self._tls.seal(data))

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
        if self.transport is not None:
            self.transport.close()
        return user
