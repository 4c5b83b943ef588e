"""The real watchdog at the real gateway: a session, signed heads, and what becomes of them when the gateway changes."""

import dataclasses
import shutil
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.gateway import conftest, lab
from tests.integration.gateway.test_gateway import opened
from tests.integration.watchdog import canaries, rig
from zaum_api import contract, documents

Rule = contract.Rule
Start = Callable[..., rig.Watchdog]


@pytest.fixture
def start(fragile: conftest.World, tmp_path: Path) -> Iterator[Start]:
    directory = tmp_path / "pod"
    directory.mkdir()
    running: list[rig.Watchdog] = []

    def begin(*, signed: bool = True, **changes: object) -> rig.Watchdog:
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
        config = dataclasses.replace(config, **changes)  # type: ignore[arg-type]
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


def taken(world: conftest.World) -> float:
    """Count the reports that the authorizer took."""
    with urllib.request.urlopen(f"http://127.0.0.1:{world.lab.health_port}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if "reports_received_total " in line and line[0] != "#")


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


@pytest.mark.parametrize("signed", [True, False])
def test_i02_the_gateway_refuses_the_cage_tests_control_as_it_must(
    fragile: conftest.World, start: Start, signed: bool
) -> None:
    cage = documents.Cage((canaries.NOWHERE,), required=True)
    watchdog = start(signed=signed, cage=cage)
    watchdog.record("cage", proven="true")
    fragile.lab.authorizer.await_line(
        event="decision", rule=Rule.HOST_NOT_NAMED.value, authority=f"{contract.CAGE_HOST}:443"
    )
    talk(fragile, watchdog).close()


def test_i02_a_pod_that_the_gateway_does_not_know_proves_nothing(fragile: conftest.World, start: Start) -> None:
    watchdog = start(cage=documents.Cage((canaries.NOWHERE,), required=True))
    watchdog.record("cage", proven="true")
    fragile.lab.cluster.pods.delete(fragile.pod)
    watchdog.files.write(
        dataclasses.replace(
            documents.WatchdogConfig.parse(watchdog.files.config.read_bytes()),
            cage=documents.Cage((canaries.NOWHERE, canaries.refusing()), required=True),
        ).dump(),
        token=fragile.token(),
    )
    assert "control cage.invalid:443 identity.podUnknown" in watchdog.record("cage", proven="false")["problem"]
    assert watchdog.connect(fragile.authority).rule == Rule.NO_PROOF.value


def test_a_report_is_taken(fragile: conftest.World, start: Start) -> None:
    watchdog = start()
    watchdog.record("session")
    rig.until(lambda: taken(fragile) > 0, "no report arrives")
    assert watchdog.metric("zaum_report_failing") == 0
