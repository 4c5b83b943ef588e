"""Try to get out: dial all that must be out of reach, at once, and the gateway for what it must refuse.

Every try has its own time and none waits for another; the event loop gets its turn between them.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Final

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_watchdog.core import cage, gateway_answer
from zaum_watchdog.shell import clock, gateway, hop, watch

TRY_SECONDS: Final = 1.5
QUESTIONS: Final = 3
"""Datagrams by which a DNS server is asked, spread over that time. TCP repeats its SYN by itself after a second."""
CONTROL_SECONDS: Final = 5.0
CONTROL_TRIES: Final = 3
CONTROL_PAUSE_SECONDS: Final = 0.2
AT_ONCE: Final = 4
"""Tries that are begun in one turn of the event loop."""
_ANSWER_MAX: Final = 512
_INFO_BYTES: Final = 256
_AUTHORITY: Final = hosts.Authority(hosts.Host(contract.CAGE_HOST), cage.CONTROL_PORT)
Answer = gateway_answer.Established | gateway_answer.Declined | None


class Cage:
    """Tests when it is time; the result stands in `watch.cage`."""

    def __init__(self, shared: watch.Watch, way: hop.Hop, nodes: tuple[str, ...], tested: Callable[[], None]) -> None:
        self._watch = shared
        self._hop = way
        self._nodes = nodes
        self._tested = tested
        self._config: documents.Cage | None = None
        self._due = 0
        self._said: tuple[documents.Escape, ...] | None = None
        self._test: asyncio.Task[None] | None = None

    def tick(self) -> None:
        """Begin a test if one is due. One under a document that is no longer in force is given up."""
        config, now = self._watch.policy.config.cage, clock.monotonic()
        if config != self._config:
            self._config, self._due = config, now
            if self._test is not None:
                self._test.cancel()
                self._test = None
            self._watch.cage = self._watch.cage.begun(config) if config else self._watch.cage.untested().begun(None)
        if config is not None and self._test is None and now >= self._due:
            self._due = now + cage.SECOND  # Should the test itself fail.
            self._test = self._watch.loop.create_task(self._run(config))
            self._test.add_done_callback(self._ended)

    def close(self) -> None:
        """Give up a test that goes on."""
        if self._test is not None:
            self._test.cancel()

    def _ended(self, test: asyncio.Task[None]) -> None:
        if test is self._test:
            self._test = None
        if not test.cancelled():
            test.result()

    async def _run(self, config: documents.Cage) -> None:
        control = asyncio.ensure_future(self._control())
        tries: list[tuple[documents.CageTarget, asyncio.Future[int | None]]] = []
        try:
            for number, target in enumerate(cage.targets(config, self._nodes)):
                tries.append((target, asyncio.ensure_future(attempt(self._watch.loop, target))))
                if number % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
            ended = [(target, cage.judge(target.transport, await one)) for target, one in tries]
            found = cage.findings(ended, control=cage.judge_control(await control))
        finally:
            control.cancel()
            for _, one in tries:
                one.cancel()
        self._take(config, len(tries), found)

    def _take(self, config: documents.Cage, tested: int, found: tuple[documents.Escape, ...]) -> None:
        self._watch.cage = self._watch.cage.after(config, tested, found)
        self._due = clock.monotonic() + self._watch.cage.wait(config)
        if found != self._said:
            self._said = found
            what = ", ".join(f"{item.target} {item.address} {item.outcome}" for item in found)
            self._watch.event("cage", proven=str(self._watch.cage.proven).lower(), tested=tested, problem=what)
        self._tested()

    async def _control(self) -> Answer:
        """Ask for what must be refused, like any tunnel: again where the gateway has not answered."""
        secure = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONTROL_SECONDS):
                for _ in range(CONTROL_TRIES):
                    if not self._hop.usable:
                        return gateway_answer.Declined(503, contract.Rule.TOKEN_MISSING, b"", 0)
                    asking = Control(self._hop, self._watch.loop)
                    answer = await asking.ask(secure=secure)
                    if asking.distrusted:
                        secure = True
                    elif not _is_outage(answer):
                        return answer
                    await asyncio.sleep(CONTROL_PAUSE_SECONDS)
        return None


class Control(gateway.Upstream):
    """One CONNECT that must be refused."""

    def __init__(self, way: hop.Hop, loop: asyncio.AbstractEventLoop) -> None:
        self._hop = way
        self._held = b""
        self._transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[Answer] = loop.create_future()
        self.distrusted = False
        """The signature was not taken: the token over TLS still may be."""

    @property
    def wanted(self) -> bool:
        """Say whether the answer is still waited for."""
        return not self.answer.done()

    async def ask(self, *, secure: bool) -> Answer:
        """Give the gateway's answer, None where there is none."""
        try:
            self._hop.dial(self, self.failed, secure=secure)
            return await self.answer
        finally:
            self.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Ask."""
        self._transport = transport
        if self.wanted:
            self._hop.say(_AUTHORITY, transport)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the answer."""
        self._held += data
        answer = gateway_answer.read(self._held)
        if answer is not None and self.wanted:
            if isinstance(answer, gateway_answer.Declined) and self._transport is not None:
                self.distrusted = self._hop.distrusted(self._transport, answer.rule)
            self.answer.set_result(answer)
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of the connection."""
        self.failed()

    def failed(self) -> None:
        """Take it that nobody answers."""
        if self.wanted:
            self.answer.set_result(None)

    def close(self) -> None:
        """Hang up."""
        if not self.answer.done():
            self.answer.cancel()
        if self._transport is not None:
            self._transport.abort()


async def attempt(loop: asyncio.AbstractEventLoop, target: documents.CageTarget) -> int | None:
    """Try one target: 0 where it was reached, an errno, or None where nothing happened in time."""
    datagrams = target.transport is documents.Transport.DNS
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    try:
        made = socket.socket(family, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
        with made:
            made.setblocking(False)
            async with asyncio.timeout(TRY_SECONDS):
                return await (_question if datagrams else _connection)(loop, made, (target.address, target.port))
    except TimeoutError as error:
        return error.errno
    except OSError as error:
        return error.errno or -1


async def _connection(loop: asyncio.AbstractEventLoop, made: socket.socket, to: tuple[str, int]) -> int:
    error = made.connect_ex(to)
    if error != errno.EINPROGRESS:
        return _refused(made) if error in cage.REACHED else error
    ready = loop.create_future()
    loop.add_writer(made, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_writer(made)
    error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return _refused(made) if error in cage.REACHED else error


def _refused(made: socket.socket) -> int:
    """Tell a target that refuses from a firewall that says so in its place."""
    info = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    return errno.ECONNREFUSED if cage.reset_by_target(info) else errno.EHOSTUNREACH


async def _question(loop: asyncio.AbstractEventLoop, made: socket.socket, to: tuple[str, int]) -> int | None:
    """Ask more than once: a datagram that is lost must not pass for a cage that holds."""
    made.connect(to)
    ready = loop.create_future()
    loop.add_reader(made, _settle, ready)
    try:
        for _ in range(QUESTIONS):
            made.send(cage.QUESTION)
            await asyncio.wait({ready}, timeout=TRY_SECONDS / QUESTIONS)
            if ready.done():
                made.recv(_ANSWER_MAX)
                return 0
    finally:
        loop.remove_reader(made)
    return None


def _is_outage(answer: Answer) -> bool:
    """Say whether the gateway has not answered, which another try may change."""
    if isinstance(answer, gateway_answer.Declined):
        return answer.rule is contract.Rule.GATEWAY_UNAVAILABLE
    return answer is None


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
