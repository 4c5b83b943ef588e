"""What routes may cost: memory, start, and the time for which the event loop is held. See test_loop for how."""

import contextlib
from collections.abc import Callable

import pytest

from tests.integration.watchdog import conftest, rig, test_loop, test_routes, upstream
from tests.integration.watchdog.test_routes import api, config, credential, gateway
from zaum_api import documents

__all__ = ["api", "config", "credential", "gateway"]

TINY = b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"
LARGE = bytes(range(256)) * 4096


def tiny_up(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    raw = test_routes.head("Transfer-Encoding: chunked", start=test_routes.POST) + TINY
    assert test_routes.ask(watchdog, raw).status == 200
    assert len(api.asked[-1].body) == 100_000


def tiny_down(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    api.answer = lambda asked: asked.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + TINY)
    assert test_routes.ask(watchdog, test_routes.head()).body == b"x" * 100_000


def tiny_and_gone(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    def answer(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + TINY[-30_005:])
        raise EOFError

    api.answer = answer
    for _ in range(5):
        assert test_routes.ask(watchdog, test_routes.head()).body == b"x" * 5000


def tiny_records(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    def answer(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n")
        for number in range(40_000):
            asked.send(b"%d" % (number % 10))

    api.answer = answer
    assert test_routes.ask(watchdog, test_routes.head()).body == b"0123456789" * 4000


def tiny_records_and_gone(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    def answer(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for number in range(5000):
            asked.send(b"%d" % (number % 10))
        raise EOFError

    api.answer = answer
    for _ in range(3):
        assert test_routes.ask(watchdog, test_routes.head()).body == b"0123456789" * 500


def interim(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    api.answer = lambda asked: asked.send(b"HTTP/1.1 102 Wait\r\n\r\n" * 20_000 + upstream.OK)
    assert test_routes.ask(watchdog, test_routes.head()).rule == "routes.upstreamMalformed"


def large(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    api.answer = lambda asked: asked.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(asked.body), asked.body)
    )
    for _ in range(4):
        assert test_routes.ask(watchdog, test_routes.post(LARGE)).body == LARGE


def many(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    with contextlib.ExitStack() as stack:
        with test_loop.stopped(watchdog):
            clients = [stack.enter_context(test_routes.Client(watchdog)) for _ in range(8)]
            for client in clients:
                client.socket.sendall(test_routes.post(b"x" * 1000) * 20)
        for client in clients:
            assert {client.answer().status for _ in range(20)} == {200}


@pytest.mark.parametrize(
    "work", [tiny_up, tiny_down, tiny_and_gone, tiny_records, tiny_records_and_gone, interim, large, many]
)
def test_the_event_loop_is_not_held_by_requests(
    start: conftest.Start, api: upstream.Upstream, work: Callable[[rig.Watchdog, upstream.Upstream], None]
) -> None:
    held = []
    for _ in range(3):
        watchdog = start(arguments=test_loop.HEARTBEAT, requests=documents.RequestRate(60_000, 1000), connections=64)
        work(watchdog, api)
        held.append(watchdog.metric("zaum_loop_held_max_seconds"))
        if held[-1] <= test_loop.HELD_MAX_SECONDS:
            return
    pytest.fail(f"held for {held} s")


def test_memory_stays_small_with_routes_and_after_many_requests(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    with test_routes.Client(watchdog) as client:
        for _ in range(90):
            assert client.ask(test_routes.post(b"x" * 1000)).status == 200
    assert len(api.asked) == 90
    assert watchdog.resident_mib() <= 32
