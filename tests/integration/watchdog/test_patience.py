"""What is never waited for too long: slow clients, silent gateways, readers of the log that stop."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.watchdog import rig
from zaum_api import documents
from zaum_watchdog.core import phases, policy
from zaum_watchdog.core.phases import Phase
from zaum_watchdog.shell import clock, files, gateway, hop, log, proxy, watch


class Wire:
    """Remembers how it was used."""

    def __init__(self) -> None:
        self.written = b""
        self.calls: list[str] = []
        self.left = 0

    def write(self, data: bytes) -> None:
        self.written += data

    def untaken(self) -> int:
        return self.left

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.calls.append(name)


class Never(gateway.Dialler):
    """Dials for ever."""

    def __init__(self) -> None:
        """Need nothing."""

    def dial(self, *_: Any, **__: Any) -> None:
        """Do nothing."""


class Refused(gateway.Dialler):
    """Is refused at every address, at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.dials = 0

    def dial(self, peer: object, upstream: object, failed: Callable[[], None], **_: Any) -> None:
        """Count, and fail."""
        self.dials += 1
        self._loop.call_soon(failed)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def side(
    config: documents.WatchdogConfig, pipe: tuple[int, int], loop: asyncio.AbstractEventLoop, tmp_path: Path
) -> proxy.AgentSide:
    (tmp_path / "token").write_text("token")
    token = files.TokenFile(tmp_path / "token")
    token.poll()
    shared = watch.Watch(loop, policy.Policy.of(config), token, log.Log(loop, pipe[1]), tmp_path / "last-word")
    made = proxy.AgentSide(shared, hop.Hop(shared, Never()))
    made.connection_made(Wire())  # type: ignore[arg-type]
    return made


def test_a_gateway_that_refuses_connections_is_dialled_three_times(
    side: proxy.AgentSide, loop: asyncio.AbstractEventLoop
) -> None:
    dialler = Refused(loop)
    side._hop._dialler = dialler
    side.data_received(rig.connect_head("api.example.com:443"))

    async def answered() -> None:
        while True:
            if used(side).written:
                return
            await asyncio.sleep(0.01)

    loop.run_until_complete(asyncio.wait_for(answered(), 5))
    assert b"x-zaum-rule: gateway.unavailable" in used(side).written
    assert dialler.dials == 3


def used(side: proxy.AgentSide) -> Wire:
    found: Any = side.transport
    assert isinstance(found, Wire)
    return found


def later(phase: Phase) -> int:
    return clock.monotonic() + phases.PATIENCE[phase] + 1


def test_a_head_that_never_ends_is_cut(side: proxy.AgentSide) -> None:
    side.data_received(b"CONNECT api.exa")
    side.expire(clock.monotonic())
    assert used(side).calls == []
    side.expire(later(Phase.HEAD))
    assert used(side).calls == ["reset"]


def test_a_gateway_that_never_answers_is_unavailable(side: proxy.AgentSide) -> None:
    side.data_received(rig.connect_head("api.example.com:443"))
    assert side.phase is Phase.DIALLING
    side.expire(clock.monotonic())
    assert used(side).written == b""
    side.expire(later(Phase.DIALLING))
    assert used(side).written.startswith(b"HTTP/1.1 503 ")
    assert b"gateway.unavailable" in used(side).written


def test_an_answered_client_that_does_not_hang_up_is_cut(side: proxy.AgentSide) -> None:
    side.data_received(rig.connect_head("evil.example.com:443"))
    assert used(side).calls == ["write_eof", "resume_reading"]
    side.data_received(b"x" * 100_000)
    side.expire(later(Phase.ENDED))
    assert used(side).calls[-1] == "reset"


def test_bytes_before_the_answer_are_held_up_to_a_bound(side: proxy.AgentSide) -> None:
    side.data_received(rig.connect_head("api.example.com:443"))
    side.data_received(b"x" * 16_000)
    assert used(side).calls == []
    side.data_received(b"x" * 1_000)
    assert used(side).calls == ["pause_reading"]


def test_a_reader_that_stops_costs_records_and_no_time(loop: asyncio.AbstractEventLoop, pipe: tuple[int, int]) -> None:
    out = log.Log(loop, pipe[1])
    line = json.dumps({"text": "y" * 200}) + "\n"
    written = 3 * log.QUEUE_MAX
    for _ in range(written):
        out.write(line)
    out.flush()
    assert out.dropped > 0
    received = b""
    while out.pending:
        received += os.read(pipe[0], 1 << 20)
        out.flush()
    os.set_blocking(pipe[0], False)
    try:
        while more := os.read(pipe[0], 1 << 20):
            received += more
    except BlockingIOError:
        pass
    lines = received.decode().splitlines(keepends=True)
    assert len(lines) == written - out.dropped
    assert set(lines) == {line}
