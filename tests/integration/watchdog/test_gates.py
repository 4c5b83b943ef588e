"""Bytes that pass a gate: never more than it has room for, copied or spliced; the end comes through without room."""

from collections.abc import Callable

import pytest

from tests.integration.watchdog import test_splice
from tests.integration.watchdog.test_splice import MIB, Relay

relay = test_splice.relay


class Gate:
    """Has room for so many bytes, until it is told of more."""

    def __init__(self, room: int) -> None:
        self.left = room
        self.passed = 0
        self.waits: list[Callable[[], None]] = []

    def room(self, most: int) -> int:
        return min(most, self.left)

    def used(self, count: int) -> None:
        self.left -= count
        self.passed += count

    @property
    def reached(self) -> bool:
        """Say whether somebody waits, or passed it without room."""
        return bool(self.waits) or self.left < 0

    def wait(self, then: Callable[[], None]) -> None:
        self.waits.append(then)

    def grant(self, count: int) -> None:
        self.left += count
        waits, self.waits = self.waits, []
        for then in waits:
            then()


@pytest.fixture
def gate(relay: Relay) -> Gate:
    made = Gate(0)
    relay.near.transport.gate = made
    return made


def test_i07_nothing_is_read_without_room(relay: Relay, gate: Gate) -> None:
    async def work() -> None:
        await relay.send(b"x" * 1000)
        await relay.until(lambda: gate.reached)
        assert relay.far.taken == relay.near.taken == 0
        gate.grant(600)
        await relay.receive(600)
        await relay.until(lambda: gate.reached)
        assert relay.near.taken == gate.passed == 600
        gate.grant(10_000)
        await relay.receive(400)

    relay.run(work())
    assert (relay.near.taken, gate.left) == (1000, 9_600)


def test_i07_a_bulk_transfer_stops_where_its_room_ends_to_the_byte(relay: Relay, gate: Gate) -> None:
    async def work() -> None:
        sending = relay.loop.create_task(relay.send(bytes(16 * MIB)))
        for room in (5 * MIB + 1, 3 * MIB + 7, 8 * MIB - 8):
            await relay.until(lambda: gate.reached)
            assert gate.left == 0
            gate.grant(room)
            await relay.receive(room)
        await sending

    relay.run(work())
    assert relay.near.spliced > MIB, "in the kernel for the most part"
    assert relay.near.taken == gate.passed == 16 * MIB


def test_the_end_needs_no_room(relay: Relay, gate: Gate) -> None:
    async def work() -> None:
        relay.source.close()
        await relay.far.lost.wait()

    relay.run(work())
    assert gate.waits == []
