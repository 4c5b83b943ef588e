"""How soon a tunnel that carries data is cut, and that nothing of the agent is read after its watchdog's death."""

import contextlib
import dataclasses
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.integration.watchdog import conftest, rig, world
from tests.support.authority import Authority
from zaum_api import contract, documents

TARGET = "api.example.com:443"
OTHER = documents.HostRule("other.example.com")
CUTS = 25
"""On each of the two hops."""
GRANTED = 3.0
"""Seconds from the new document to the end of the tunnel."""
KILLS = 5
CHUNK = 1024
STAMP = struct.Struct(">Q")


class Outside:
    """The far end: sends a byte every few milliseconds, and keeps whatever it is sent."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.server = world.Server(self._serve)

    def _serve(self, accepted: socket.socket) -> None:
        accepted.settimeout(0.005)
        while True:
            with contextlib.suppress(TimeoutError):
                data = accepted.recv(65536)
                if not data:
                    return
                self.got += data
            accepted.sendall(b"t")


@pytest.fixture
def outside() -> Iterator[Outside]:
    running = Outside()
    yield running
    running.server.close()


@pytest.fixture
def gateway(authority: Authority, outside: Outside) -> Iterator[world.Gateway]:
    running = world.Gateway(authority.server(contract.GATEWAY_TLS_NAME), outside)  # type: ignore[arg-type]  # its port counts
    yield running
    running.server.close()


@pytest.fixture
def signed(gateway: world.Gateway) -> Iterator[world.Signed]:
    running = world.Signed(gateway)
    yield running
    running.server.close()


Hop = Callable[[], rig.Watchdog]


@pytest.fixture(params=["signed heads", "TLS"])
def hop(request: pytest.FixtureRequest, start: conftest.Start, signed: world.Signed) -> Hop:
    """Start a watchdog on one of the hops."""

    def begin() -> rig.Watchdog:
        if request.param == "TLS":
            return start()
        watchdog = start(signed_port=signed.server.port)
        watchdog.record("session")
        return watchdog

    return begin


def flowing(watchdog: rig.Watchdog) -> socket.socket:
    """Open a tunnel in which bytes come."""
    tunnel = watchdog.tunnel(TARGET)
    tunnel.sendall(rig.client_hello("api.example.com"))
    assert tunnel.recv(1) == b"t", "the control: bytes come"
    return tunnel


def test_a_host_that_is_named_no_more_costs_its_tunnel_within_seconds_every_time(
    hop: Hop, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    watchdog = hop()
    named = documents.WatchdogConfig.parse(files.config.read_bytes())
    without = dataclasses.replace(named, hosts=(OTHER,))
    took: list[float] = []
    for _ in range(CUTS):
        rig.until(lambda: allowed(watchdog), "the host does not come back")
        with flowing(watchdog) as tunnel:
            struck = time.monotonic()
            files.write(without.dump())
            read_to_the_end(tunnel)
            took.append(time.monotonic() - struck)
        watchdog.record("tunnel", rule=contract.Rule.CONFIG_REMOVED.value)
        files.write(named.dump())
    print(f"cut: {len(took)} runs, max {max(took):.2f} s")
    assert len(took) >= CUTS
    assert max(took) <= GRANTED, sorted(took)[-5:]


def read_to_the_end(tunnel: socket.socket) -> None:
    """Read what comes until the tunnel ends; bytes that go on coming are no end."""
    deadline = time.monotonic() + world.WAIT
    with contextlib.suppress(ConnectionResetError):
        while tunnel.recv(65536):
            assert time.monotonic() < deadline, "bytes still come"


def allowed(watchdog: rig.Watchdog) -> bool:
    with watchdog.dial() as dialled:
        dialled.sendall(rig.connect_head(TARGET))
        return dialled.recv(4096).startswith(b"HTTP/1.1 200")


def send_stamped(tunnel: socket.socket, ended: threading.Event) -> None:
    """Send chunks that say when they were given to the kernel, until nobody takes them."""
    with contextlib.suppress(OSError):
        while not ended.is_set():
            tunnel.sendall(STAMP.pack(time.monotonic_ns()) * (CHUNK // STAMP.size))


@pytest.mark.parametrize("_run", range(KILLS))
def test_i08_no_byte_of_the_agent_is_read_after_its_watchdog_was_killed(hop: Hop, outside: Outside, _run: int) -> None:
    watchdog = hop()
    hello = rig.client_hello("api.example.com")
    tunnel, ended = watchdog.tunnel(TARGET), threading.Event()
    tunnel.settimeout(world.WAIT)
    tunnel.sendall(hello)
    sending = threading.Thread(target=send_stamped, args=(tunnel, ended))
    sending.start()
    try:
        rig.until(lambda: len(outside.got) > 200 * CHUNK, "the control: bytes go out")
        watchdog.process.kill()
        watchdog.process.wait(world.WAIT)
        killed = time.monotonic_ns()
        # Whoever sends learns that nobody is there; what was on its way arrives before the far end's connection ends.
        sending.join(world.WAIT)
        assert not sending.is_alive()
        with pytest.raises(ConnectionRefusedError):
            watchdog.dial()
        rig.until(lambda: settled(outside), "the far end still gets bytes")
    finally:
        ended.set()
        tunnel.close()
        sending.join(world.WAIT)
    stamps = stamps_of(bytes(outside.got), len(hello))
    assert stamps
    assert max(stamps) <= killed
    assert killed - max(stamps) < 2e9, "the control: it was sending until then"


def settled(outside: Outside) -> bool:
    before = len(outside.got)
    threading.Event().wait(0.2)
    return len(outside.got) == before


def stamps_of(data: bytes, start: int) -> list[int]:
    whole = (len(data) - start) // STAMP.size
    return [STAMP.unpack_from(data, start + at * STAMP.size)[0] for at in range(0, whole, CHUNK // STAMP.size)]
