"""Fixtures: certificates once, the world and a watchdog per test."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.watchdog import rig, world
from tests.support.authority import Authority
from zaum_api import contract, documents

NAMED = "api.example.com"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def echo(authority: Authority) -> Iterator[world.Echo]:
    running = world.Echo(authority.server(NAMED))
    yield running
    running.server.close()


@pytest.fixture
def gateway(authority: Authority, echo: world.Echo) -> Iterator[world.Gateway]:
    running = world.Gateway(authority.server(contract.GATEWAY_TLS_NAME), echo)
    yield running
    running.server.close()


@pytest.fixture
def config(authority: Authority, gateway: world.Gateway) -> documents.WatchdogConfig:
    return documents.WatchdogConfig(
        namespace="agents",
        policy="researcher",
        gateway=documents.GatewayPeer(("127.0.0.1",), gateway.server.port, contract.GATEWAY_TLS_NAME, authority.pem),
        hosts=(documents.HostRule(NAMED), documents.HostRule("other.example.com")),
        requests=documents.RequestRate(6000, 100),
        connections=8,
        runaway=documents.Runaway(None, None, None),
    )


@pytest.fixture
def files(tmp_path: Path) -> Iterator[rig.Files]:
    directory = tmp_path / "volume"
    directory.mkdir()
    yield rig.Files(directory)
    shutil.rmtree(directory)


Start = Callable[..., rig.Watchdog]


@pytest.fixture
def start(files: rig.Files, config: documents.WatchdogConfig) -> Iterator[Start]:
    """Start a watchdog on the default config, with fields of it replaced."""
    running: list[rig.Watchdog] = []

    def begin(
        *,
        uid: int = 64999,
        interpreter: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
        capture: bool = False,
        nodes: str = "",
        **changes: object,
    ) -> rig.Watchdog:
        files.write(dataclasses.replace(config, **changes).dump())  # type: ignore[arg-type]
        running.append(
            rig.Watchdog(files, uid=uid, interpreter=interpreter, arguments=arguments, capture=capture, nodes=nodes)
        )
        return running[-1]

    yield begin
    for watchdog in running:
        watchdog.stop()


@pytest.fixture
def watchdog(start: Start) -> rig.Watchdog:
    return start()
