"""The agent's own health check: what it answers decides over its own probe, and over nothing else."""

import contextlib
import dataclasses
import os
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.integration.watchdog import conftest, rig, test_loop, world
from zaum_api import contract, documents

OWN = os.getuid()
UID = 64996
SAID = b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n"
FLOOD = b"x" * 65536


class Agent:
    """A server on loopback that answers a check as it is told; it keeps what it was sent."""

    def __init__(self) -> None:
        self.answer: Callable[[socket.socket], None] = well
        self.asked: list[bytes] = []
        self.server = world.Server(self._serve)

    def _serve(self, accepted: socket.socket) -> None:
        accepted.settimeout(world.WAIT)
        self.asked.append(accepted.recv(65536))
        self.answer(accepted)

    def liveness(self, **changes: object) -> documents.Liveness:
        usual = documents.Liveness(documents.LivenessKind.HTTP, self.server.port, "/healthz?deep=1", 0, 1, 1, 1)
        return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def says(raw: bytes) -> Callable[[socket.socket], None]:
    return lambda accepted: accepted.sendall(raw)


well = says(SAID % b"200 OK")


def hangs(accepted: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    accepted.recv(1)


def drips(accepted: socket.socket) -> None:
    """Say the right thing, too slowly."""
    for byte in SAID % b"200 OK":
        accepted.sendall(bytes([byte]))
        accepted.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            if not accepted.recv(1):
                return


def floods(accepted: socket.socket) -> None:
    """Say as much as the other side takes, and never end a line."""
    for _ in range(10_000):
        accepted.sendall(FLOOD)


def resets(accepted: socket.socket) -> None:
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.fixture
def agent() -> Iterator[Agent]:
    running = Agent()
    yield running
    running.server.close()


def live(watchdog: rig.Watchdog) -> tuple[int, bytes]:
    answer = watchdog.probe("/agent/live")
    return answer.status, answer.body


UNHEALTHY = (contract.UNHEALTHY_STATUS, b"AgentUnhealthy\n")
WELL = (200, b"OK\n")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (hangs, "no answer within 1 s"),
        (drips, "no answer within 1 s"),
        (floods, "no status line within 1024 bytes"),
        (resets, "hangs up"),
        (says(b""), "hangs up"),
        (says(SAID % b"500 No"), "status 500"),
        (says(SAID % b"400 Bad"), "status 400"),
        (says(SAID % b"100 Continue"), "status 100"),
        (says(b"HTTP/2.0 200 OK\r\n\r\n"), "not HTTP/1.1"),
        (says(b"\x16\x03\x01\x02\x00\x01\n"), "not HTTP/1.1"),
        (says(b"\0" * 5000 + b"\n"), "no status line"),
        (says(b"HTTP/1.1 200" + b" " * 5000 + b"\r\n\r\n"), "no status line"),
        (says(b"HTTP/1.1 200\x1b[31m\r\rOK\r\n\r\n"), "not HTTP/1.1"),
        (says(b"HTTP/1.1 999 \r\n\r\n"), "not HTTP/1.1"),
    ],
)
def test_whatever_is_no_good_answer_fails_the_agent_and_nothing_else(
    start: conftest.Start, agent: Agent, answer: Callable[[socket.socket], None], problem: str
) -> None:
    agent.answer = answer
    watchdog = start(uid=OWN, liveness=agent.liveness())
    assert problem in watchdog.record("unhealthy")["problem"]
    assert live(watchdog) == UNHEALTHY
    assert watchdog.probe("/agent/ready").status == contract.UNHEALTHY_STATUS
    assert watchdog.probe("/healthz").json["status"] == "ok"
    assert watchdog.metric("zaum_agent_unhealthy") == 1
    assert watchdog.metric("zaum_latched") == 0
    watchdog.tunnel("api.example.com:443").close()
    assert watchdog.resident_mib() <= 32


@pytest.mark.parametrize("line", [b"200 OK", b"204 No Content", b"304 Not Modified", b"399 ", b"200"])
def test_a_good_answer_is_well(start: conftest.Start, agent: Agent, line: bytes) -> None:
    agent.answer = says(SAID % line)
    watchdog = start(uid=OWN, liveness=agent.liveness())
    rig.until(lambda: len(agent.asked) >= 2, "not asked again")
    assert live(watchdog) == WELL
    assert agent.asked[0].startswith(b"GET /healthz?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"oken" not in agent.asked[0]


def test_a_redirect_is_not_followed(start: conftest.Start, agent: Agent, echo: world.Echo) -> None:
    where = f"http://127.0.0.1:{echo.server.port}/"
    agent.answer = says(f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())
    watchdog = start(uid=OWN, liveness=agent.liveness())
    rig.until(lambda: len(agent.asked) >= 2, "not asked again")
    assert live(watchdog) == WELL
    assert echo.connected == 0
    watchdog.tunnel("api.example.com:443").close()


def test_as_many_failures_in_a_row_as_the_policy_says(start: conftest.Start, agent: Agent) -> None:
    agent.answer = says(SAID % b"503 No")
    watchdog = start(uid=OWN, liveness=agent.liveness(failure_threshold=3))
    rig.until(lambda: len(agent.asked) >= 2, "not asked again")
    assert live(watchdog) == WELL
    watchdog.record("unhealthy")
    assert len(agent.asked) == 3
    agent.answer = well
    watchdog.record("healthy")
    assert live(watchdog) == WELL


def test_nobody_at_the_port_is_a_failure(start: conftest.Start, agent: Agent) -> None:
    agent.server.close()
    watchdog = start(uid=OWN, liveness=agent.liveness())
    assert "refused" in watchdog.record("unhealthy")["problem"]


def test_a_connection_is_enough_for_tcp(start: conftest.Start, agent: Agent) -> None:
    agent.answer = hangs
    watchdog = start(uid=OWN, liveness=agent.liveness(kind=documents.LivenessKind.TCP, path=""))
    rig.until(lambda: len(agent.asked) >= 2, "not asked again")
    assert agent.asked[0] == b""
    assert live(watchdog) == WELL
    agent.server.close()
    watchdog.record("unhealthy")
    assert live(watchdog) == UNHEALTHY


def test_the_failure_is_the_last_word_until_a_breach_takes_it(
    start: conftest.Start, files: rig.Files, agent: Agent
) -> None:
    files.termination_log.write_bytes(b"what was there before")
    agent.answer = hangs
    runaway = documents.Runaway(None, None, documents.DeniedDetector(1, 60))
    watchdog = start(uid=OWN, liveness=agent.liveness(), runaway=runaway)
    watchdog.record("unhealthy")
    left = documents.LastWord.read(files.termination_log.read_text())
    assert left is not None
    assert left.unhealthy
    for _ in range(2):
        watchdog.connect("evil.example.com:443")
    watchdog.record("breach")
    assert live(watchdog) == (contract.BREACH_STATUS[contract.Breach.RUNAWAY_DENIED], b"RunawayDenied\n")
    assert files.termination_log.read_text() == "RunawayDenied\n"
    agent.answer = well
    watchdog.record("healthy")
    agent.answer = hangs
    watchdog.record("unhealthy")
    assert live(watchdog)[1] == b"RunawayDenied\n"
    assert files.termination_log.read_text() == "RunawayDenied\n"


def test_a_new_document_adds_changes_and_removes_the_check(
    start: conftest.Start, files: rig.Files, config: documents.WatchdogConfig, agent: Agent
) -> None:
    agent.answer = says(SAID % b"500 No")
    watchdog = start(uid=OWN)
    files.write(dataclasses.replace(config, liveness=agent.liveness()).dump())
    watchdog.record("unhealthy")
    files.write(dataclasses.replace(config, liveness=agent.liveness(path="/other", failure_threshold=2)).dump())
    watchdog.record("healthy")
    watchdog.record("unhealthy")
    assert agent.asked[-1].startswith(b"GET /other ")
    files.write(config.dump())
    watchdog.record("healthy")
    assert live(watchdog) == WELL


def test_a_check_that_hangs_ends_with_its_document(
    start: conftest.Start, files: rig.Files, config: documents.WatchdogConfig, agent: Agent
) -> None:
    agent.answer = hangs
    watchdog = start(uid=OWN, liveness=agent.liveness(timeout_seconds=3600))
    rig.until(lambda: len(agent.asked) == 1, "not asked")
    agent.answer = well
    files.write(dataclasses.replace(config, liveness=agent.liveness()).dump())
    rig.until(lambda: len(agent.asked) >= 3, "not asked again")
    assert live(watchdog) == WELL


def test_the_document_of_the_version_before_still_starts_it(
    files: rig.Files, config: documents.WatchdogConfig, agent: Agent
) -> None:
    files.write(dataclasses.replace(config, liveness=agent.liveness()).dump("v2"))
    watchdog = rig.Watchdog(files, uid=OWN)
    try:
        assert live(watchdog) == WELL
        rig.until(lambda: agent.asked, "not asked")
        files.write(dataclasses.replace(config, liveness=agent.liveness()).dump("v3"))
        watchdog.record("config")
        files.write(dataclasses.replace(config, liveness=agent.liveness()).dump("v2"))
        watchdog.record("config")
    finally:
        watchdog.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of another uid")
def test_an_agent_is_not_asked_before_it_is_there(start: conftest.Start, agent: Agent) -> None:
    agent.answer = says(SAID % b"500 No")
    watchdog = start(uid=UID, liveness=agent.liveness())
    beaten = watchdog.metric("zaum_agent_processes")
    assert beaten == 0
    assert live(watchdog) == WELL
    assert agent.asked == []
    process = subprocess.Popen(["/bin/sh", "-c", "exec sleep 60"], user=UID, cwd="/")
    try:
        watchdog.record("unhealthy")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("answer", [floods, says(FLOOD * 16 + b"\n"), says(b"\n" * 65536), hangs])
def test_no_answer_holds_the_event_loop(
    start: conftest.Start, agent: Agent, answer: Callable[[socket.socket], None]
) -> None:
    agent.answer = answer
    held = []
    for _ in range(3):
        watchdog = start(uid=OWN, liveness=agent.liveness(), arguments=test_loop.HEARTBEAT)
        watchdog.record("unhealthy")
        asked = len(agent.asked)
        rig.until(lambda since=asked: len(agent.asked) > since, "not asked again")
        held.append(watchdog.metric("zaum_loop_held_max_seconds"))
        if held[-1] <= test_loop.HELD_MAX_SECONDS:
            return
    pytest.fail(f"held for {held} s")
