"""Bulk between two plain connections: exact to the byte, held back by a slow reader, and nothing kept when idle."""

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zaum_watchdog.shell import listen, reactor, splice, wire

WAIT = 20.0
MIB = 1024 * 1024


class Half(asyncio.Protocol):
    """One side of a relay, as the proxy's two sides are."""

    def __init__(self) -> None:
        self.transport: wire.Wire
        self.other: Half
        self.taken = 0
        self.copied = 0
        self.spliced = 0
        self.lost = asyncio.Event()

    def connection_made(self, transport: wire.Wire) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.taken += len(data)
        self.copied += len(data)
        self.other.transport.write(data)

    def moved(self, count: int) -> None:
        self.taken += count
        self.spliced += count

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self.lost.set()
        self.other.transport.close()


class Relay:
    """A relay in this loop with a socket at each end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.reactor = reactor.Reactor(loop)
        self.near, self.far = Half(), Half()
        self.near.other, self.far.other = self.far, self.near
        self.listening = self.reactor.listen(listen.loopback(0), lambda: self.near)
        port = self.listening._listening.getsockname()[1]
        bound = socket.create_server(("127.0.0.1", 0))
        self.source = socket.create_connection(("127.0.0.1", port))
        self.reactor.dial("127.0.0.1", bound.getsockname()[1], self.far, self._failed)
        self.sink = bound.accept()[0]
        bound.close()
        for end in (self.source, self.sink):
            end.setblocking(False)
        self.run(self._joined())
        near, far = self.near.transport, self.far.transport
        near.sink, far.sink = far, near

    async def _joined(self) -> None:
        await self.until(lambda: hasattr(self.near, "transport") and hasattr(self.far, "transport"))

    def _failed(self) -> None:
        raise AssertionError("not dialled")

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, WAIT))

    async def send(self, data: bytes, *, by: socket.socket | None = None) -> None:
        await self.loop.sock_sendall(by or self.source, data)

    async def receive(self, count: int, *, by: socket.socket | None = None) -> str:
        """Take so many bytes; give their digest."""
        digest, left = hashlib.sha256(), count
        while left:
            data = await self.loop.sock_recv(by or self.sink, min(left, MIB))
            assert data, f"{left} bytes are missing"
            digest.update(data)
            left -= len(data)
        return digest.hexdigest()

    async def until(self, check: Callable[[], bool]) -> None:
        while True:
            if check():
                return
            await asyncio.sleep(0.002)


@pytest.fixture
def relay() -> Iterator[Relay]:
    loop = asyncio.new_event_loop()
    made = Relay(loop)
    yield made
    for half in (made.near, made.far):
        half.transport.abort()
    made.source.close()
    made.sink.close()
    made.listening.close()
    loop.run_until_complete(asyncio.sleep(0.01))
    made.reactor.close()
    loop.close()


BULK = os.urandom(MIB) * 48
DIGEST = hashlib.sha256(BULK).hexdigest()


def test_bulk_is_moved_by_the_kernel_and_counted_to_the_byte(relay: Relay) -> None:
    async def talk() -> str:
        sending = asyncio.ensure_future(relay.send(BULK))
        digest = await relay.receive(len(BULK))
        await sending
        return digest

    assert relay.run(talk()) == DIGEST
    assert relay.near.taken == len(BULK)
    assert relay.near.spliced > len(BULK) / 2, "it was copied"
    assert relay.far.taken == 0


def test_both_directions_at_once_do_not_mix(relay: Relay) -> None:
    async def talk() -> list[str]:
        sending = [asyncio.ensure_future(relay.send(BULK, by=end)) for end in (relay.source, relay.sink)]
        digests = await asyncio.gather(*(relay.receive(len(BULK), by=end) for end in (relay.source, relay.sink)))
        await asyncio.gather(*sending)
        return digests

    assert relay.run(talk()) == [DIGEST, DIGEST]
    assert relay.near.taken == relay.far.taken == len(BULK)


def test_without_splice_bulk_is_copied_to_the_byte(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "splice")

    async def talk() -> str:
        sending = asyncio.ensure_future(relay.send(BULK))
        digest = await relay.receive(len(BULK))
        await sending
        return digest

    assert relay.run(talk()) == DIGEST
    assert (relay.near.spliced, relay.near.copied) == (0, len(BULK))


def test_a_reader_that_stops_holds_the_sender_back(relay: Relay) -> None:
    async def talk() -> None:
        sending = asyncio.ensure_future(relay.send(BULK))
        await relay.receive(8 * MIB)
        await relay.until(lambda: relay.near.spliced > 0)
        before = -1
        while before != relay.near.taken:  # until nothing moves any more
            before = relay.near.taken
            await asyncio.sleep(0.2)
        assert not sending.done()
        # What the reader did not take lies in the kernel's buffers and one pipe, and not here.
        assert relay.near.taken < len(BULK)
        pump = relay.near.transport.pump
        assert pump is None or pump.held <= splice.PIPE_BYTES
        await relay.receive(len(BULK) - 8 * MIB)
        await sending

    relay.run(talk())
    assert relay.near.taken == len(BULK)


def test_an_end_in_the_middle_loses_nothing_that_was_sent(relay: Relay) -> None:
    async def talk() -> str:
        sending = asyncio.ensure_future(relay.send(BULK))
        sending.add_done_callback(lambda _: relay.source.shutdown(socket.SHUT_WR))
        await relay.until(lambda: relay.near.transport.pump is not None or sending.done())
        digest = await relay.receive(len(BULK))
        assert await relay.loop.sock_recv(relay.sink, 1) == b""
        return digest

    assert relay.run(talk()) == DIGEST
    relay.run(relay.far.lost.wait())
    assert relay.reactor.pipes.open <= splice.STOCK


def test_pipes_are_given_back_by_idle_tunnels_and_bulk_goes_on_after(relay: Relay) -> None:
    async def burst() -> str:
        sending = asyncio.ensure_future(relay.send(BULK))
        digest = await relay.receive(len(BULK))
        await sending
        return digest

    for _ in range(3):
        assert relay.run(burst()) == DIGEST
        relay.near.transport.rest()
        assert relay.near.transport.pump is None
        assert relay.far.transport.feed is None
        assert relay.reactor.pipes.open == len(relay.reactor.pipes._stock) <= 1
    assert relay.near.taken == 3 * len(BULK)


def test_small_messages_after_bulk_are_copied_again(relay: Relay) -> None:
    async def talk() -> None:
        sending = asyncio.ensure_future(relay.send(BULK))
        await relay.receive(len(BULK))
        await sending
        assert relay.near.transport.pump is not None
        for number in range(splice.SMALLS + 2):
            message = b"%04d" % number
            await relay.send(message)
            assert await relay.receive(4) == hashlib.sha256(message).hexdigest()
        assert relay.near.transport.pump is None

    relay.run(talk())
    assert relay.near.taken == len(BULK) + 4 * (splice.SMALLS + 2)


@pytest.mark.parametrize("cut", ["source", "sink"])
def test_a_cut_ends_both_sides_and_gives_the_pipe_back(relay: Relay, cut: str) -> None:
    async def talk() -> None:
        sending = asyncio.ensure_future(relay.send(BULK))
        await relay.receive(8 * MIB)
        await relay.until(lambda: relay.near.transport.pump is not None)
        (relay.near if cut == "source" else relay.far).transport.reset()
        other = relay.far if cut == "source" else relay.near
        if cut == "source":
            with contextlib.suppress(ConnectionError):
                while await relay.loop.sock_recv(relay.sink, MIB):
                    pass
        await other.lost.wait()
        with pytest.raises(ConnectionError):
            await sending

    relay.run(talk())
    assert relay.reactor.pipes.open <= splice.STOCK


def test_descriptors_do_not_leak(relay: Relay) -> None:
    async def burst() -> None:
        sending = asyncio.ensure_future(relay.send(BULK[: 8 * MIB]))
        await relay.receive(8 * MIB)
        await sending

    relay.run(burst())
    relay.near.transport.rest()
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(20):
        relay.run(burst())
        relay.near.transport.rest()
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_connection_that_cannot_be_reset_is_closed_and_keeps_nobody_from_being_cut() -> None:
    loop = asyncio.new_event_loop()
    near, far = socket.socketpair()  # Of no TCP: SO_LINGER does as well; what is closed has none.
    made = wire.Wire(reactor.Reactor(loop), near, asyncio.Protocol())
    near.close()
    try:
        made.reset()
        assert made.descriptor < 0
        made.reset()
    finally:
        far.close()
        loop.close()
