"""A 2 GB body, ten thousand idle connections, drips: none of it costs memory, and none of it a neighbour.

The neighbour is a connection of the same pod to the same routes, which makes a small call two hundred times a second
from a process of its own. The watchdogs are those of `bench/limits`: one meters its calls, the other one does not.
"""

import concurrent.futures
import contextlib
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bench.limits.rig import KINDS, Rig, Way

GROWTH_MIB = 64.0
SLOWER = 2.0
FLOOR_MS = 15.0
"""Under which a difference is the machine's: two cores for the load, both watchdogs, the provider and other work."""
BODY = 2 * 1024**3
PIECE = b"x" * (1 << 20)
IDLE = 10_000
SLOW = 200
TRIES = 3
"""Other work on the machine slows a neighbour down too, but not three times in a row."""
HARM_SECONDS = 25.0
"""What any harm may take."""

Harm = Callable[[], None]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with contextlib.ExitStack() as stack:
        yield Rig(stack, tmp_path_factory.mktemp("hygiene"), minutely=False)


def dial(way: Way) -> socket.socket:
    return socket.create_connection(("127.0.0.1", way.proxy.port), HARM_SECONDS)


@contextlib.contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Have so many of them for a while; the watchdog keeps those that it began with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), max(hard, count)))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def head(way: Way, *lines: str) -> bytes:
    first = (f"POST {way.path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json")
    return "\r\n".join([*first, *lines, "", ""]).encode()


def p99(rig: Rig, way: Way, seconds: float) -> float:
    """Let a neighbour speak on one connection; a call that fails raises."""
    return rig.ask(way, KINDS[0], seconds=seconds, concurrency=1, rate=200)["p99ms"]


def undisturbed(rig: Rig, way: Way, harm: Harm, seconds: float) -> None:
    """Do harm for about so long, and see that neither memory nor a neighbour minds."""
    before, told = way.proxy.resident_mb(), []
    for _ in range(TRIES):
        calm = p99(rig, way, seconds=3)
        highest, slow = disturbed(rig, way, harm, seconds)
        assert highest - before <= GROWTH_MIB, f"{before:.1f} MiB became {highest:.1f}"
        told.append(f"p99 of {calm:.1f} ms became {slow:.1f}")
        if slow <= max(SLOWER * calm, FLOOR_MS):
            return
    pytest.fail(f"the neighbour's {told}")


def disturbed(rig: Rig, way: Way, harm: Harm, seconds: float) -> tuple[float, float]:
    """Give the most memory that is used while harm is done, and the neighbour's p99."""
    highest, over = list[float](), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            highest.append(way.proxy.resident_mb())

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        watching, speaking = threads.submit(watch), threads.submit(p99, rig, way, seconds)
        time.sleep(0.3)  # the neighbour was there before
        began = time.monotonic()
        try:
            harm()
        finally:
            over.set()
        assert time.monotonic() - began < HARM_SECONDS
        watching.result()
        return max(highest), speaking.result()


@pytest.mark.parametrize("framing", [f"Content-Length: {BODY}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("name", ["unmetered", "metered"])
def test_two_gigabytes_are_refused_and_none_of_it_is_kept(rig: Rig, name: str, framing: str) -> None:
    """What is metered is held until it is read, what is not passes at once; both have a bound."""
    way = rig.metered if name == "metered" else rig.unmetered
    answers = list[bytes]()

    def harm() -> None:
        with dial(way) as sender:
            sender.sendall(head(way, framing))
            chunk = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if "chunked" in framing else PIECE
            start = b'{"model":"world-1","messages":[{"role":"user","content":"'
            sender.sendall(b"%x\r\n%b\r\n" % (len(start), start) if "chunked" in framing else start)
            with contextlib.suppress(ConnectionError, TimeoutError):
                for _ in range(BODY // len(PIECE)):
                    sender.sendall(chunk)  # nobody keeps what comes after the refusal
            with contextlib.suppress(ConnectionError, TimeoutError):
                answers.append(sender.recv(4096))

    undisturbed(rig, way, harm, seconds=2)
    assert b"".join(answers[-1:]).startswith(b"HTTP/1.1 413 ")


def test_ten_thousand_connections_that_say_nothing(rig: Rig) -> None:
    opened = []

    def harm() -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(IDLE):
                with contextlib.suppress(ConnectionError):
                    opened.append(stack.enter_context(dial(rig.unmetered)).fileno())
            time.sleep(1)

    with descriptors(IDLE + 1000):
        undisturbed(rig, rig.unmetered, harm, seconds=5)
    assert len(opened) > IDLE * 9 // 10


def test_heads_that_drip(rig: Rig) -> None:
    def harm() -> None:
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(dial(rig.unmetered)) for _ in range(SLOW)]
            text = head(rig.unmetered, "X-Slow: " + "z" * 100)
            for at in range(60):
                for one in slow:
                    one.sendall(text[at : at + 1])
                time.sleep(0.08)

    undisturbed(rig, rig.unmetered, harm, seconds=5)
