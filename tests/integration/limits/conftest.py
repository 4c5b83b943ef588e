"""Watchdogs of one policy with a real ledger behind a gateway, all on loopback."""

import contextlib
import dataclasses
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.watchdog import rig, world
from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import contract, documents
from zaum_api.documents import Kind, Meter, Window

NAMED = "api.example.com"
TARGET = f"{NAMED}:443"
OUT = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 1_000_000)
IN = Meter("policy", Kind.BYTES_IN, Window.HOUR, 100_000_000)


class Gateway(world.Gateway):
    """One that leads the ledger's name to the ledger, too."""

    ledger: int = 0
    """Its port; 0: there is none."""

    def __init__(self, context: ssl.SSLContext, echo: world.Echo) -> None:
        self.asked_ledger = 0
        super().__init__(context, echo)

    def tunnel(self, head: bytes, near: socket.socket) -> None:
        if not head.startswith(b"CONNECT " + contract.LEDGER_TLS_NAME.encode()):
            super().tunnel(head, near)
            return
        self.asked_ledger += 1
        try:
            outside = socket.create_connection(("127.0.0.1", self.ledger), world.WAIT)
        except OSError:
            near.sendall(world.refusal(contract.Rule.UPSTREAM_UNAVAILABLE, 503))
            return
        with outside:
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            world.relay(near, outside)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def echo(authority: Authority) -> Iterator[world.Echo]:
    running = world.Echo(authority.server(NAMED))
    yield running
    running.server.close()


@pytest.fixture
def outside(echo: world.Echo) -> world.Echo:
    """What the gateway leads to; a file whose tests need something else gives that: its port counts."""
    return echo


@pytest.fixture
def gateway(authority: Authority, outside: world.Echo) -> Iterator[Gateway]:
    running = Gateway(authority.server(contract.GATEWAY_TLS_NAME), outside)
    yield running
    running.server.close()


@pytest.fixture
def signed(gateway: Gateway) -> Iterator[world.Signed]:
    running = world.Signed(gateway)
    yield running
    running.server.close()


@pytest.fixture
def api() -> Iterator[ledger.FakeApi]:
    made = ledger.FakeApi()
    yield made
    made.close()


Run = Callable[[], contextlib.AbstractContextManager[ledger.Process]]


@pytest.fixture
def run(tmp_path: Path, api: ledger.FakeApi, authority: Authority, gateway: Gateway) -> Run:
    """Give what runs the ledger, again and again with the same books."""
    folder = tmp_path / "books"
    folder.mkdir()

    @contextlib.contextmanager
    def running() -> Iterator[ledger.Process]:
        with ledger.running(folder, api, authority) as process:
            gateway.ledger = process.port
            try:
                yield process
            finally:
                gateway.ledger = 0

    return running


@pytest.fixture
def service(run: Run) -> Iterator[ledger.Process]:
    with run() as process:
        yield process


@pytest.fixture
def config(authority: Authority, gateway: Gateway) -> documents.WatchdogConfig:
    return documents.WatchdogConfig(
        namespace="agents",
        policy="researcher",
        gateway=documents.GatewayPeer(("127.0.0.1",), gateway.server.port, contract.GATEWAY_TLS_NAME, authority.pem),
        hosts=(documents.HostRule(NAMED),),
        requests=documents.RequestRate(6000, 100),
        connections=8,
        runaway=documents.Runaway(None, None, None),
        limits=documents.Limits((OUT, IN), 1, 1),
        ledger=documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, authority.pem),
    )


class Pods:
    """Starts pods of the policy."""

    def __init__(self, folder: Path, api: ledger.FakeApi, config: documents.WatchdogConfig) -> None:
        self._folder = folder
        self.api = api
        self._config = config
        self.running: list[rig.Watchdog] = []

    def change(self, **changes: object) -> None:
        """Give all pods that are yet to start another configuration."""
        self._config = dataclasses.replace(self._config, **changes)  # type: ignore[arg-type]

    def start(self, ordinal: int = 0, **changes: object) -> rig.Watchdog:
        uid = f"uid-{len(self.running)}"
        directory = self._folder / uid
        directory.mkdir()
        files = rig.Files(directory)
        files.ledger_token.write_text(self.api.token(ordinal=ordinal, uid=uid))
        files.write(dataclasses.replace(self._config, **changes).dump())  # type: ignore[arg-type]
        self.running.append(rig.Watchdog(files, ordinal=ordinal))
        return self.running[-1]


@pytest.fixture
def pods(tmp_path: Path, api: ledger.FakeApi, config: documents.WatchdogConfig) -> Iterator[Pods]:
    made = Pods(tmp_path, api, config)
    yield made
    for watchdog in made.running:
        watchdog.stop()


def shared(config: documents.WatchdogConfig, replicas: int, *meters: documents.Meter) -> documents.Limits:
    """Give the limits of several pods."""
    return documents.Limits(meters or config.limits.meters, replicas, 1)


@contextlib.contextmanager
def opened(watchdog: rig.Watchdog, authority: Authority) -> Iterator[ssl.SSLSocket]:
    """Open a tunnel and shake hands with the echo server."""
    with watchdog.dial() as dialled:
        dialled.sendall(rig.connect_head(TARGET))
        rig.read_established(dialled)
        with authority.client().wrap_socket(dialled, server_hostname=NAMED) as tunnel:
            yield tunnel


def pour(tunnel: ssl.SSLSocket, most: int, piece: int = 16_384) -> int:
    """Send and read back until that much has passed or the tunnel ends; give how much came back."""
    back = 0
    with contextlib.suppress(OSError):
        while back < most:
            tunnel.sendall(bytes(piece))
            left = piece
            while left:
                data = tunnel.recv(left)
                if not data:
                    return back
                left -= len(data)
            back += piece
    return back
