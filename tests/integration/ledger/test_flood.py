"""Floods of the ledger's port: they cost a bounded amount of memory, and no pod that speaks to it a sync."""

import concurrent.futures
import contextlib
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import contract, documents

IDLE = 10_000
GROWTH_MIB = 64.0
SLOW_SECONDS = 1.0
"""For one sync of a neighbour, on two cores that the flood is made on too."""
EACH, STRANGERS = 8, 256

Neighbour = Callable[[], list[float]]


@pytest.fixture(scope="module", autouse=True)
def descriptors() -> Iterator[None]:
    """Both sides of the flood are on this machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(soft, min(hard, IDLE + 4_000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def service(tmp_path: Path, api: ledger.FakeApi, authority: Authority) -> Iterator[ledger.Process]:
    with ledger.running(tmp_path, api, authority) as process:
        yield process


def resident(process: ledger.Process) -> float:
    lines = Path(f"/proc/{process.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def metric(service: ledger.Process, name: str) -> float:
    text = service.page("/metrics")[1]
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


@contextlib.contextmanager
def neighbour(service: ledger.Process, api: ledger.FakeApi) -> Iterator[list[float]]:
    """Let a pod sync five times a second; give how long each took. One that fails raises in the end."""
    took, over = list[float](), threading.Event()
    pod = ledger.Watchdog(service, api.token(policy="agents/neighbour", uid="neighbour"))
    pod.sync()

    def speak() -> None:
        while not over.wait(0.2):
            began = time.monotonic()
            pod.sync()
            took.append(time.monotonic() - began)

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        speaking = thread.submit(speak)
        try:
            yield took
        finally:
            over.set()
            speaking.result(30)
            pod.close()


@contextlib.contextmanager
def dialled(service: ledger.Process, count: int) -> Iterator[list[socket.socket]]:
    """Open connections and say nothing."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 30)))
        yield found


def secured(service: ledger.Process) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", service.port), 30)
    return service.context.wrap_socket(plain, server_hostname=contract.LEDGER_TLS_NAME)


def ended(connection: socket.socket) -> bool:
    """Say whether the other side has ended it."""
    connection.settimeout(0.0)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def undisturbed(took: list[float], least: int) -> None:
    until = time.monotonic() + 20
    while len(took) < least:
        assert time.monotonic() < until, f"{len(took)} syncs"
        time.sleep(0.05)
    assert sorted(took)[len(took) * 9 // 10] < SLOW_SECONDS, sorted(took)[-5:]


def test_ten_thousand_connections_that_say_nothing_cost_little_and_nobody(
    service: ledger.Process, api: ledger.FakeApi
) -> None:
    before = resident(service)
    with neighbour(service, api) as took, dialled(service, IDLE):
        late = ledger.Watchdog(service, api.token(uid="late"))
        late.sync()  # and whoever comes behind them is let in
        late.close()
        assert metric(service, "zaum_ledger_handshakes") > STRANGERS // 2, (
            "the control: the flood stands before the door"
        )
        assert resident(service) - before < GROWTH_MIB
        undisturbed(took, 3)
    assert metric(service, "zaum_ledger_connections_ended") >= IDLE - STRANGERS - 2


def test_connections_that_shake_hands_and_say_nothing_give_way_to_others(
    service: ledger.Process, api: ledger.FakeApi
) -> None:
    before = resident(service)
    with neighbour(service, api) as took, contextlib.ExitStack() as stack:
        flood = [stack.enter_context(secured(service)) for _ in range(3 * STRANGERS)]
        assert metric(service, "zaum_ledger_strangers") == STRANGERS
        assert ended(flood[0])
        assert not ended(flood[-1]), "the control: the last ones are in"
        assert resident(service) - before < GROWTH_MIB
        late = ledger.Watchdog(service, api.token(uid="late"))
        late.sync()
        late.close()
        undisturbed(took, 3)


def test_who_drips_a_request_is_ended_and_holds_up_nobody(service: ledger.Process, api: ledger.FakeApi) -> None:
    head = b"POST /v1/sync HTTP/1.1\r\nHost: ledger\r\nX-Slow: "
    with neighbour(service, api) as took, contextlib.ExitStack() as stack:
        drips = [stack.enter_context(secured(service)) for _ in range(200)]
        for drip in drips:
            drip.sendall(head)
        until, alive = time.monotonic() + 25, drips
        while alive:
            assert time.monotonic() < until, f"{len(alive)} drip on"
            for drip in alive:
                with contextlib.suppress(OSError):
                    drip.settimeout(1)
                    drip.sendall(b"x")
            time.sleep(0.5)
            alive = [drip for drip in alive if not ended(drip)]
        undisturbed(took, 20)


def test_one_pods_many_connections_are_taken_from_itself(service: ledger.Process, api: ledger.FakeApi) -> None:
    with neighbour(service, api) as took, contextlib.ExitStack() as stack:
        greedy = [ledger.Watchdog(service, api.token(uid="greedy")) for _ in range(5 * EACH)]
        for one in greedy:
            stack.callback(one.close)
            one.ask("GET", contract.PATH_LEDGER_ORDERS)  # refused for its words, by a token that is good
        assert metric(service, "zaum_ledger_connections") == EACH + 1
        undisturbed(took, 3)


def test_bad_tokens_end_their_connection_and_do_not_flood_the_log(service: ledger.Process, api: ledger.FakeApi) -> None:
    with neighbour(service, api) as took:
        for _ in range(300):
            bad = ledger.Watchdog(service, "a.b.c")
            status, raw = bad.ask("POST", contract.PATH_LEDGER_SYNC, b"{}")
            assert (status, documents.LedgerError.parse(raw).error) == (401, "token")
            assert bad._connection is None, "it hung up"
        undisturbed(took, 3)
    assert metric(service, 'zaum_ledger_refusals_total{reason="token"}') == 300
    assert sum(line["event"] == "refused" for line in service.lines) < 200
