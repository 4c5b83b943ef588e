"""Two gateways and two authorizers: what an outage of each part leaves, and that an orderly restart fails no call."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.gateway import callers, conftest, lab, loopback, operator_side
from tests.integration.gateway.test_gateway import IN_FORCE_SECONDS, KEYS_SECONDS, eventually, refused, stranger
from tests.integration.gateway.test_signed_heads import proof
from tests.integration.gateway.test_with_watchdog import talk
from tests.integration.watchdog import rig
from zaum_api import contract, documents

Rule = contract.Rule


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[conftest.World]:
    """Two of each; every gateway asks the authorizers by a Service's address."""
    yield from conftest.make(tmp_path, replicas=2)


def ask(world: conftest.World, gateway: lab.Gateway, token: str | None = None, authority: str = "") -> callers.Answer:
    return callers.ask(world.lab, authority or world.authority, token=token or world.token(), port=gateway.tls_port)


def everywhere(world: conftest.World, rule: Rule, **more: str) -> None:
    """Ask often enough at both gateways that both authorizers have been asked."""
    for gateway in world.lab.gateways:
        eventually(lambda gateway=gateway: ask(world, gateway, **more), rule)


def decided(world: conftest.World) -> list[int]:
    return [sum(line.get("event") == "decision" for line in replica.process.lines) for replica in world.lab.authorizers]


def test_both_replicas_of_each_decide(pair: conftest.World) -> None:
    everywhere(pair, Rule.ALLOWED)
    deadline = time.monotonic() + 20
    while not all(decided(pair)):
        everywhere(pair, Rule.ALLOWED)
        assert time.monotonic() < deadline, decided(pair)


def test_a_policy_that_is_removed_opens_nothing_anywhere_within_a_second(pair: conftest.World) -> None:
    everywhere(pair, Rule.ALLOWED)
    pair.lab.cluster.policies.delete(pair.policy)
    began = time.monotonic()
    for gateway in pair.lab.gateways:
        left = IN_FORCE_SECONDS - (time.monotonic() - began)
        refused(eventually(lambda gateway=gateway: ask(pair, gateway), Rule.POLICY_GONE, left), Rule.POLICY_GONE)
    for gateway in pair.lab.gateways * 3:
        refused(ask(pair, gateway), Rule.POLICY_GONE)


def test_i08_without_an_api_server_what_is_known_stays_and_what_is_new_is_refused(pair: conftest.World) -> None:
    everywhere(pair, Rule.ALLOWED)
    cluster = pair.lab.cluster
    cluster.close()
    for replica in pair.lab.authorizers:
        replica.process.await_line(event="unreachable")
    newcomer = conftest.pod("new", "127.0.0.1")
    cluster.pods.put(newcomer)
    cluster.policies.put(conftest.policy("new", pair.lab.tls_port))
    fresh = conftest.World(pair.lab, pair.key, newcomer, pair.policy)
    for gateway in pair.lab.gateways * 2:
        assert ask(pair, gateway).status == 200
        refused(ask(pair, gateway, authority="outlaw.example.net:443"), Rule.HOST_NOT_NAMED)
        refused(ask(pair, gateway, token=fresh.token()), Rule.POD_UNKNOWN)
    answer = callers.ask(
        pair.lab, contract.PATH_SESSION, token=pair.token(), method="GET", host=contract.GATEWAY_TLS_NAME
    )
    given = documents.Session.parse(answer.body)
    assert callers.ask_plain(pair.lab, pair.authority, proof(given, pair.authority)).status == 200
    assert operator_side.ask(pair.lab, operator_side.token(pair))[0] == 200


def test_i08_an_authorizer_that_starts_without_an_api_server_opens_nothing(pair: conftest.World) -> None:
    everywhere(pair, Rule.ALLOWED)
    pair.lab.cluster.close()
    fresh = lab.start_authorizer(pair.lab.directory, pair.lab.volumes, pair.lab.cluster)
    try:
        started = fresh.await_line(event="started")
        status, body = lab.fetch(started["health"], "/readyz")
        assert status == 503, "so no Service sends anything there"
        assert b"keys" in body
        assert pair.lab.service is not None
        pair.lab.service.backends = [started["grpc"]]
        for replica in pair.lab.authorizers:
            replica.process.end()
        eventually(lambda: ask(pair, pair.lab.gateways[0]), Rule.GATEWAY_UNAVAILABLE)
    finally:
        fresh.end()


def test_keys_rotate_with_overlap_and_the_old_one_ends(pair: conftest.World) -> None:
    everywhere(pair, Rule.ALLOWED)
    rotated = stranger()
    pair.lab.cluster.keys["second"] = rotated.public_key()
    new = pair.token(key=rotated, key_id="second")
    for gateway in pair.lab.gateways:
        eventually(lambda gateway=gateway: ask(pair, gateway, token=new), Rule.ALLOWED, KEYS_SECONDS)
        assert ask(pair, gateway).status == 200, "tokens of the key before are good as long as it is published"
    for gateway in pair.lab.gateways * 2:
        assert ask(pair, gateway, token=new).status == 200
        assert ask(pair, gateway).status == 200
    assert not [
        line for replica in pair.lab.authorizers for line in replica.process.lines if line["event"] == "contact"
    ]


def test_a_contact_is_known_where_it_was_made_and_the_operator_hears_of_it(pair: conftest.World) -> None:
    everywhere(pair, Rule.ALLOWED)
    refused(callers.ask(pair.lab, pair.authority, token=None), Rule.TOKEN_MISSING)
    held = [operator_side.read(pair, port=replica.reports_port)["contacts"] for replica in pair.lab.authorizers]
    assert sum("pod-demo" in contacts for contacts in held) == 1, "replicas share nothing: the operator asks them all"


@dataclass
class Load:
    """One caller after the other, until it is told to stop."""

    call: Callable[[], None]
    failures: list[str] = field(default_factory=list)
    calls: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self, threads: int = 2) -> Iterator[None]:
        workers = [threading.Thread(target=self._run) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            self._stop.set()
            for worker in workers:
                worker.join()

    def more(self, number: int = 20) -> None:
        """Wait until that many calls more were made."""
        goal, deadline = self.calls + number, time.monotonic() + 30
        while self.calls < goal:
            assert time.monotonic() < deadline, f"{self.calls} calls of {goal}: {self.failures[:3]}"
            self._stop.wait(0.02)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.call()
            except (AssertionError, OSError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            self.calls += 1


def through(world: conftest.World, gateway: lab.Gateway) -> None:
    """Open a tunnel, say something by it, and close it."""
    authority = f"{conftest.HOST}:{world.lab.tcp_port}"
    answer = callers.ask(world.lab, authority, token=world.token(), port=gateway.tls_port)
    try:
        assert answer.status == 200, answer.body
        answer.tunnel.sendall(b"ping")
        assert answer.tunnel.recv(4) == b"ping"
    finally:
        answer.tunnel.close()


def test_authorizers_that_are_replaced_in_order_fail_no_call(pair: conftest.World) -> None:
    everywhere(pair, Rule.ALLOWED)
    here, service = pair.lab, pair.lab.service
    assert service is not None
    load = Load(lambda: through(pair, here.gateways[0]))
    with load.running():
        for replica in here.authorizers[:2]:
            load.more()
            fresh = lab.start_replica(here.directory, here.volumes, here.cluster)
            here.authorizers.append(fresh)
            # What a rollout does: the new one is ready, then the endpoint of the old one goes, then the process.
            service.backends = [each for each in [*service.backends, fresh.grpc_port] if each != replica.grpc_port]
            load.more(5)
            replica.process.end()
            load.more()
    try:
        assert load.failures == []
    finally:
        for replica in here.authorizers[2:]:
            replica.process.end()


def test_i08_an_authorizer_that_dies_opens_nothing_and_the_other_one_goes_on(pair: conftest.World) -> None:
    everywhere(pair, Rule.ALLOWED)
    here, service = pair.lab, pair.lab.service
    assert service is not None
    here.authorizers[0].process.kill()
    for gateway in here.gateways * 2:
        answer = ask(pair, gateway)
        assert answer.headers[contract.HEADER_RULE] in {Rule.ALLOWED.value, Rule.GATEWAY_UNAVAILABLE.value}
    service.backends = [here.authorizers[1].grpc_port]
    everywhere(pair, Rule.ALLOWED)


@pytest.mark.parametrize("signed", [True, False])
def test_gateways_that_are_replaced_in_order_fail_no_call_of_a_watchdog(
    pair: conftest.World, tmp_path: Path, signed: bool
) -> None:
    everywhere(pair, Rule.ALLOWED)
    here = pair.lab
    directory = tmp_path / "pod"
    directory.mkdir()
    with contextlib.ExitStack() as stack:
        secure = stack.enter_context(loopback.service([each.tls_port for each in here.gateways]))
        plain = stack.enter_context(loopback.service([each.signed_port for each in here.gateways]))
        peer = documents.GatewayPeer(("127.0.0.1",), secure.port, contract.GATEWAY_TLS_NAME, here.ca.read_text())
        config = documents.WatchdogConfig(
            namespace="agents",
            policy="demo",
            gateway=peer,
            hosts=(documents.HostRule(conftest.HOST, (here.tls_port, here.tcp_port)),),
            requests=documents.RequestRate(100_000, 10_000),
            connections=64,
            runaway=documents.Runaway(None, None, None),
            signed_port=plain.port if signed else 0,
        )
        files = rig.Files(directory)
        files.write(config.dump(), token=pair.token())
        watchdog = rig.Watchdog(files)
        stack.callback(watchdog.stop)
        if signed:
            watchdog.record("session")

        load = Load(lambda: talk(pair, watchdog).close())
        fresh = lab.start_gateway(here.directory, 2, authorizer_port=here.authorizer_port, names_port=here.names_port)
        stack.callback(fresh.process.end)
        serving = [*here.gateways, fresh]
        with load.running():
            for _ in here.gateways:
                load.more()
                ending, *serving = serving
                secure.backends = [each.tls_port for each in serving]
                plain.backends = [each.signed_port for each in serving]
                load.more(5)
                ending.process.end()
                load.more()
        assert load.failures == []
        assert load.calls > 80


def test_the_services_stand_in_sends_new_connections_to_its_backends_alone() -> None:
    with (
        loopback.echo() as one,
        loopback.service([one]) as service,
        socket.create_connection(("127.0.0.1", service.port), timeout=5) as before,
    ):
        before.sendall(b"a")
        assert before.recv(1) == b"a"
        service.backends = []
        before.sendall(b"b")
        assert before.recv(1) == b"b", "what is open stays"
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as late:
            assert late.recv(1) == b""
