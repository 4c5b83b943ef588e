"""The real watchdog at the real gateway: a session, signed heads, and what becomes of them when the gateway changes."""

import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.gateway import conftest, lab
from tests.integration.gateway.test_gateway import opened
from tests.integration.watchdog import rig
from zaum_api import contract, documents

Rule = contract.Rule
Start = Callable[..., rig.Watchdog]


@pytest.fixture
def start(fragile: conftest.World, tmp_path: Path) -> Iterator[Start]:
    directory = tmp_path / "pod"
    directory.mkdir()
    running: list[rig.Watchdog] = []

    def begin(*, signed: bool = True) -> rig.Watchdog:
        here = fragile.lab
        opened(fragile)
        config = documents.WatchdogConfig(
            namespace="agents",
            policy="demo",
            gateway=documents.GatewayPeer(
                ("127.0.0.1",), here.gateway_port, contract.GATEWAY_TLS_NAME, here.ca.read_text()
            ),
            hosts=(documents.HostRule(conftest.HOST, (here.tls_port,)), documents.HostRule("unknown.example.com")),
            requests=documents.RequestRate(6000, 100),
            connections=8,
            runaway=documents.Runaway(None, None, None),
            signed_port=here.signed_port if signed else 0,
        )
        files = rig.Files(directory)
        files.write(config.dump(), token=fragile.token())
        running.append(rig.Watchdog(files))
        return running[-1]

    yield begin
    for watchdog in running:
        watchdog.stop()
    shutil.rmtree(directory)


def talk(world: conftest.World, watchdog: rig.Watchdog) -> ssl.SSLSocket:
    """Open a tunnel through both, TLS to its far end."""
    context = ssl.create_default_context(cafile=str(world.lab.ca))
    tls = context.wrap_socket(watchdog.tunnel(world.authority), server_hostname=conftest.HOST)
    tls.sendall(b"ping")
    assert tls.recv(4) == b"ping"
    return tls


def last_tunnel(world: conftest.World, listener: contract.Listener) -> None:
    world.lab.authorizer.await_line(
        event="decision", rule=Rule.ALLOWED.value, method="CONNECT", authority=world.authority, listener=listener.value
    )


def test_the_watchdogs_signed_head_opens_a_tunnel(fragile: conftest.World, start: Start) -> None:
    watchdog = start()
    assert watchdog.record("session")["seconds"] > 590
    talk(fragile, watchdog).close()
    last_tunnel(fragile, contract.Listener.SIGNED)


def test_told_so_the_watchdog_speaks_tls_alone(fragile: conftest.World, start: Start) -> None:
    watchdog = start(signed=False)
    talk(fragile, watchdog).close()
    asked = {line["listener"] for line in fragile.lab.authorizer.lines if line.get("event") == "decision"}
    assert asked == {contract.Listener.TLS.value}


def test_what_the_gateway_refuses_is_said_to_the_agent(fragile: conftest.World, start: Start) -> None:
    watchdog = start()
    watchdog.record("session")
    talk(fragile, watchdog).close()
    answer = watchdog.connect("unknown.example.com:443")
    assert (answer.status, answer.rule) == (403, Rule.HOST_NOT_NAMED.value)


def test_a_rotation_of_the_master_keys_fails_no_call(fragile: conftest.World, start: Start) -> None:
    watchdog = start()
    watchdog.record("session")
    first = fragile.lab.volumes.sessions.read()["current"]
    with talk(fragile, watchdog) as tunnel:
        fragile.lab.volumes.sessions_have(current=lab.master("c", age=1000), previous=first)
        fragile.lab.authorizer.await_line(event="session keys", ids=["b", "c"])
        talk(fragile, watchdog).close()
        tunnel.sendall(b"pong")
        assert tunnel.recv(4) == b"pong"
    assert not [line for line in fragile.lab.authorizer.lines if line.get("rule") == Rule.SIGNATURE_INVALID.value]


def test_lost_master_keys_fail_no_call(fragile: conftest.World, start: Start) -> None:
    watchdog = start()
    watchdog.record("session")
    with talk(fragile, watchdog) as tunnel:
        fragile.lab.volumes.sessions_have(current=lab.master("z", age=0))
        fragile.lab.authorizer.await_line(event="session keys", ids=["z"])
        talk(fragile, watchdog).close()
        fragile.lab.authorizer.await_line(event="decision", rule=Rule.SIGNATURE_INVALID.value)
        tunnel.sendall(b"pong")
        assert tunnel.recv(4) == b"pong"
