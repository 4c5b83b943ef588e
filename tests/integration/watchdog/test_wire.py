"""The plain TCP transport, on real sockets."""

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from zaum_watchdog.shell import gateway, listen, reactor

WAIT = 5.0
POISON = b"poison"
"""What makes a recorder raise."""


class Recorder(asyncio.Protocol):
    """Remembers everything; sends what it is told as soon as it may."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.received = bytearray()
        self.paused = 0
        self.made = asyncio.Event()
        self.writable = asyncio.Event()
        self.got = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.made.set()
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        if data == POISON:
            raise ValueError("an error of ours")
        self.received += data
        self.got.set()

    def pause_writing(self) -> None:
        self.paused += 1
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, _: Exception | None) -> None:
        self.lost.set()


class Pair:
    """A listener, its connections' recorders, and the errors that were reported."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.reactor = reactor.Reactor(loop)
        bound = listen.loopback(0)
        self.port: int = bound.getsockname()[1]
        self.accepted: list[Recorder] = []
        self.dialled: list[Recorder] = []
        self.listening = self.reactor.listen(bound, self._accept)
        self.faults: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: self.faults.append(context))

    def _accept(self) -> Recorder:
        self.accepted.append(Recorder())
        return self.accepted[-1]

    async def accepted_with(self, data: bytes) -> Recorder:
        """Wait for the accepted side that got these bytes."""
        while True:
            for recorder in self.accepted:
                if recorder.received == data:
                    return recorder
            await asyncio.sleep(0.001)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, WAIT))

    async def dial(self, port: int | None = None) -> tuple[Recorder, list[str]]:
        dialled, failures = Recorder(), list[str]()
        self.dialled.append(dialled)
        failed = asyncio.Event()

        def fail() -> None:
            failures.append("failed")
            failed.set()

        self.reactor.dial("127.0.0.1", port or self.port, dialled, fail)
        waits = [asyncio.ensure_future(event.wait()) for event in (dialled.made, failed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return dialled, failures


@pytest.fixture
def pair() -> Iterator[Pair]:
    loop = asyncio.new_event_loop()
    made = Pair(loop)
    yield made
    for recorder in (*made.accepted, *made.dialled):
        if recorder.transport is not None:
            recorder.transport.abort()
    made.listening.close()
    loop.run_until_complete(asyncio.sleep(0))
    made.reactor.close()
    loop.close()


def test_a_dial_that_is_refused_fails_once(pair: Pair) -> None:
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        dialled, failures = pair.run(pair.dial(unbound.getsockname()[1]))
    assert failures == ["failed"]
    assert not dialled.made.is_set()


def test_a_dial_that_stands_at_once_is_used_at_once(pair: Pair) -> None:
    async def talk() -> None:
        recorder = Recorder()
        pair.dialled.append(recorder)
        pair.reactor.dial("127.0.0.1", pair.port, recorder, lambda: None)
        assert recorder.made.is_set()
        recorder.transport.write(b"first")
        (await pair.accepted_with(b"first")).transport.write(b"second")
        await recorder.got.wait()
        assert bytes(recorder.received) == b"second"

    pair.run(talk())


def test_a_dial_that_takes_its_time_is_waited_for(pair: Pair) -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        stack.enter_context(socket.create_connection(full.getsockname(), WAIT))

        async def talk() -> None:
            waiting = asyncio.ensure_future(pair.dial(full.getsockname()[1]))
            await asyncio.sleep(0)
            assert not pair.dialled[0].made.is_set()
            stack.enter_context(full.accept()[0])  # makes room; the kernel asks again by itself
            dialled, failures = await waiting
            assert failures == []
            late = stack.enter_context(full.accept()[0])
            dialled.transport.write(b"first")
            assert late.recv(5) == b"first"
            late.sendall(b"second")
            await dialled.got.wait()
            assert bytes(dialled.received) == b"second"

        pair.run(talk())


def test_a_dial_without_an_answer_fails_once_and_is_given_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactor, "DIAL_SECONDS", 0.2)
    with mute() as address:
        began = time.monotonic()
        dialled, failures = pair.run(pair.dial(address[1]))
        assert time.monotonic() - began < 1.5
        assert failures == ["failed"]
        assert not dialled.made.is_set()
    assert pair.run(pair.dial())[1] == [], "the control: one that is answered"
    pair.run(asyncio.sleep(0.4))
    assert failures == ["failed"]
    assert pair.faults == []


@contextlib.contextmanager
def mute() -> Iterator[tuple[str, int]]:
    """Give an address at which connections are neither taken nor refused: its queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname(), WAIT):
            yield full.getsockname()


def test_the_tcp_below_tls_is_waited_for_and_a_refusal_is_an_error(pair: Pair) -> None:
    dialler = gateway.Dialler(pair.reactor)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        stack.enter_context(socket.create_connection(full.getsockname(), WAIT))

        async def talk() -> None:
            waiting = asyncio.ensure_future(dialler._connected("127.0.0.1", full.getsockname()[1]))
            await asyncio.sleep(0)
            assert not waiting.done()
            stack.enter_context(full.accept()[0])
            made = stack.enter_context(await waiting)
            late = stack.enter_context(full.accept()[0])
            assert made.getsockname() == late.getpeername()

        pair.run(talk())
    with pytest.raises(ConnectionRefusedError):
        pair.run(dialler._connected("127.0.0.1", left_port()))


def left_port() -> int:
    """Give a port at which nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port: int = gone.getsockname()[1]
    return port


def test_an_error_of_ours_in_the_first_bytes_ends_their_connection_alone(pair: Pair) -> None:
    with (
        socket.create_connection(("127.0.0.1", pair.port), WAIT) as poisonous,
        socket.create_connection(("127.0.0.1", pair.port), WAIT) as harmless,
    ):
        poisonous.sendall(POISON)
        harmless.sendall(b"x")

        async def accept() -> Recorder:
            return await pair.accepted_with(b"x")

        unhurt = pair.run(accept())
        assert poisonous.recv(1) == b""
        harmless.sendall(b"y")
        unhurt.received.clear()

        async def more() -> Recorder:
            return await pair.accepted_with(b"y")

        assert pair.run(more()) is unhurt
    assert [type(fault["exception"]) for fault in pair.faults] == [ValueError]


def test_bytes_and_the_end_arrive(pair: Pair) -> None:
    async def talk() -> None:
        dialled, _ = await pair.dial()
        dialled.transport.write(b"hello")
        dialled.transport.close()
        await dialled.lost.wait()
        await pair.accepted[0].lost.wait()

    pair.run(talk())
    assert bytes(pair.accepted[0].received) == b"hello"


def test_a_reader_that_stops_stops_the_writer_and_nothing_is_lost(pair: Pair) -> None:
    block, blocks = bytes(range(256)) * 128, 600

    async def talk() -> None:
        dialled, _ = await pair.dial()
        dialled.transport.write(b"x")
        slow = await pair.accepted_with(b"x")
        slow.transport.pause_reading()
        sent = 0
        while dialled.paused == 0:
            dialled.transport.write(block)
            sent += 1
            assert sent < blocks, "the writer is never told to stop"
        assert len(slow.received) == 1
        slow.transport.resume_reading()
        while sent < blocks:
            await dialled.writable.wait()
            dialled.transport.write(block)
            sent += 1
        dialled.transport.close()
        await slow.lost.wait()

    pair.run(talk())
    assert bytes(pair.accepted[0].received) == b"x" + block * blocks


def test_an_end_waits_for_what_is_unsent(pair: Pair) -> None:
    async def talk() -> None:
        size = 8 << 20
        dialled, _ = await pair.dial()
        dialled.transport.write(b"hello")
        accepted = await pair.accepted_with(b"hello")
        dialled.transport.pause_reading()
        accepted.transport.write(bytes(size))
        assert accepted.paused, "the control: the kernel has not taken all of it"
        assert accepted.transport.untaken() == size - len(dialled.received)
        accepted.transport.write_eof()
        dialled.transport.resume_reading()
        await dialled.lost.wait()
        assert len(dialled.received) == size

    pair.run(talk())


def test_an_error_of_ours_ends_its_own_connection_alone(pair: Pair) -> None:
    async def talk() -> None:
        first, _ = await pair.dial()
        second, _ = await pair.dial()
        second.transport.write(b"b")
        unhurt = await pair.accepted_with(b"b")
        first.transport.write(POISON)
        await first.lost.wait()
        second.transport.write(b"b")
        assert await pair.accepted_with(b"bb") is unhurt

    pair.run(talk())
    assert [type(fault["exception"]) for fault in pair.faults] == [ValueError]


def test_a_reset_is_seen_as_a_reset(pair: Pair) -> None:
    async def accept() -> Recorder:
        return await pair.accepted_with(b"x")

    with socket.create_connection(("127.0.0.1", pair.port), WAIT) as plain:
        plain.sendall(b"x")
        pair.run(accept()).transport.reset()
        with pytest.raises(ConnectionResetError):
            plain.recv(1)


class Laborious(Recorder):
    """Costs more than a turn of the reactor when it is lost."""

    def connection_lost(self, _: Exception | None) -> None:
        until = time.monotonic_ns() + reactor.TURN_NS
        while time.monotonic_ns() <= until:
            pass
        self.lost.set()


def test_of_many_that_end_at_once_each_hears_of_it_in_a_turn_of_its_own(pair: Pair) -> None:
    async def talk() -> list[int]:
        for recorder in (laborious := [Laborious() for _ in range(8)]):
            pair.dialled.append(recorder)
            pair.reactor.dial("127.0.0.1", pair.port, recorder, lambda: None)
            await recorder.made.wait()
        for recorder in laborious:
            recorder.transport.abort()
        heard = [0]
        while heard[-1] < len(laborious):
            await asyncio.sleep(0)
            heard.append(sum(recorder.lost.is_set() for recorder in laborious))
        return heard

    heard = pair.run(talk())
    assert max(after - before for before, after in itertools.pairwise(heard)) == 1, heard
