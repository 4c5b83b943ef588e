"""The way to the gateway: signed heads in the plain where there is a session, TLS where there is none."""

import asyncio
import contextlib
import dataclasses
import socket
import ssl
import time
import types
from collections.abc import Iterator

import pytest

from tests.integration.watchdog import conftest, rig, test_wire, world
from tests.support.authority import Authority
from zaum_api import contract, documents
from zaum_egress import hosts, signed_head
from zaum_watchdog.core import policy
from zaum_watchdog.shell import hop as hop_of_watchdog
from zaum_watchdog.shell import reactor

TARGET = f"{conftest.NAMED}:443"
Rule = contract.Rule


@pytest.fixture
def signed(gateway: world.Gateway) -> Iterator[world.Signed]:
    running = world.Signed(gateway)
    yield running
    running.server.close()


@pytest.fixture
def hop(start: conftest.Start, signed: world.Signed) -> rig.Watchdog:
    """A watchdog that has its session."""
    watchdog = start(signed_port=signed.server.port)
    watchdog.record("session")
    return watchdog


def shaken(watchdog: rig.Watchdog, authority: Authority) -> ssl.SSLSocket:
    """Open a tunnel and speak TLS to its far end."""
    tls = authority.client().wrap_socket(watchdog.tunnel(TARGET), server_hostname=conftest.NAMED)
    tls.sendall(b"ping")
    assert tls.recv(4) == b"ping"
    return tls


def nonces(signed: world.Signed) -> list[str]:
    lines = [line for head in signed.heads for line in head.decode().split("\r\n")]
    inputs = [line.partition(": ")[2] for line in lines if line.lower().startswith("signature-input")]
    claims = [signed_head.read(each, f"zaum=:{'A' * 43}=:") for each in inputs]
    return [claim.nonce for claim in claims if claim is not None]


def test_a_tunnel_goes_by_the_plain_hop_with_a_signed_head_and_without_the_token(
    hop: rig.Watchdog, signed: world.Signed, gateway: world.Gateway, authority: Authority
) -> None:
    for _ in range(3):
        shaken(hop, authority).close()
    assert signed.tokens == [b"token-1"]
    assert gateway.heads == []
    assert len(signed.heads) == len(set(nonces(signed))) == 3
    for head in signed.heads:
        assert signed.signer(head) == signed.given[0]
        assert b"token-1" not in head
        assert b"forged" not in head
        assert b"X-Agent" not in head


def test_a_head_is_dated_by_the_authorizers_clock(hop: rig.Watchdog, signed: world.Signed) -> None:
    hop.tunnel(TARGET).close()
    (head,) = signed.heads
    created = int(head.partition(b"created=")[2].partition(b";")[0])
    assert abs(created - (time.time() - 1000)) < 5


def test_without_a_session_every_hop_is_tls(
    start: conftest.Start, signed: world.Signed, gateway: world.Gateway
) -> None:
    signed.refusal = Rule.SOURCE_ADDRESS
    watchdog = start(signed_port=signed.server.port)
    assert watchdog.record("sessionRefused")["rule"] == Rule.SOURCE_ADDRESS.value
    watchdog.tunnel(TARGET).close()
    assert signed.heads == []
    assert b"Bearer token-1" in gateway.heads[0]
    signed.refusal = None
    watchdog.record("session")
    watchdog.tunnel(TARGET).close()
    assert len(signed.heads) == len(gateway.heads) == 1


def test_without_a_port_for_signed_heads_nobody_asks_for_a_session(
    start: conftest.Start, signed: world.Signed, gateway: world.Gateway
) -> None:
    watchdog = start(signed_port=0)
    watchdog.tunnel(TARGET).close()
    assert (signed.tokens, signed.heads, len(gateway.heads)) == ([], [], 1)


def test_a_change_of_the_config_takes_the_hop_back_to_tls_and_cuts_nothing(
    hop: rig.Watchdog,
    gateway: world.Gateway,
    authority: Authority,
    files: rig.Files,
    config: documents.WatchdogConfig,
) -> None:
    with shaken(hop, authority) as tunnel:
        files.write(dataclasses.replace(config, signed_port=0).dump())
        hop.record("config")
        hop.tunnel(TARGET).close()
        assert b"Bearer token-1" in gateway.heads[0]
        tunnel.sendall(b"pong")
        assert tunnel.recv(4) == b"pong"


def test_a_session_is_renewed_ahead_of_its_end_and_tunnels_stay(
    start: conftest.Start, signed: world.Signed, gateway: world.Gateway, authority: Authority
) -> None:
    signed.life = 6
    watchdog = start(signed_port=signed.server.port)
    watchdog.record("session")
    with shaken(watchdog, authority) as tunnel:
        rig.until(lambda: len(signed.given) == 2, "not renewed")
        watchdog.tunnel(TARGET).close()
        assert signed.signer(signed.heads[-1]) == signed.given[-1]
        tunnel.sendall(b"pong")
        assert tunnel.recv(4) == b"pong"
    assert gateway.heads == []


def test_a_session_that_the_gateway_does_not_know_is_replaced_and_the_call_goes_on(
    hop: rig.Watchdog, signed: world.Signed, gateway: world.Gateway
) -> None:
    lost, signed.given = signed.given, []
    hop.tunnel(TARGET).close()
    assert len(signed.heads) == len(gateway.heads) == 1
    rig.until(lambda: signed.given, "no new session")
    rig.until(lambda: _plain(hop, signed), "the new session is not used")
    assert signed.given != lost


def _plain(watchdog: rig.Watchdog, signed: world.Signed) -> bool:
    before = len(signed.heads)
    watchdog.tunnel(TARGET).close()
    return len(signed.heads) > before


def test_when_nobody_listens_for_signed_heads_the_hop_is_tls(
    hop: rig.Watchdog, signed: world.Signed, gateway: world.Gateway
) -> None:
    signed.server.close()
    hop.tunnel(TARGET).close()
    assert len(gateway.heads) == 1


def test_when_nothing_answers_at_the_port_for_signed_heads_the_hop_is_tls_within_seconds(
    hop: rig.Watchdog,
    signed: world.Signed,
    gateway: world.Gateway,
    files: rig.Files,
    config: documents.WatchdogConfig,
) -> None:
    with test_wire.mute() as (_, port):
        files.write(dataclasses.replace(config, signed_port=port).dump())
        hop.record("config")
        began = time.monotonic()
        hop.tunnel(TARGET).close()
        first = time.monotonic() - began
        assert reactor.DIAL_SECONDS <= first < reactor.DIAL_SECONDS + 1.5
        began = time.monotonic()
        hop.tunnel(TARGET).close()
        assert time.monotonic() - began < 1, "what came to nothing is not tried again at once"
    assert (len(signed.heads), len(gateway.heads)) == (0, 2)


@pytest.mark.parametrize("hung_up", [1, 2])
def test_a_gateway_that_hangs_up_before_it_answers_is_asked_again(
    hop: rig.Watchdog, signed: world.Signed, gateway: world.Gateway, hung_up: int
) -> None:
    gateway.silent = hung_up
    hop.tunnel(TARGET).close()
    assert len(set(nonces(signed))) == len(signed.heads) == hung_up + 1
    decisions = [hop.record("decision")] if hop.process.poll() is None else []
    assert len(decisions) == 1


def test_a_gateway_that_always_hangs_up_is_unavailable(hop: rig.Watchdog, gateway: world.Gateway) -> None:
    gateway.silent = 1000
    answer = hop.connect(TARGET)
    assert (answer.status, answer.rule) == (503, Rule.GATEWAY_UNAVAILABLE.value)
    assert gateway.silent == 1000 - 3


def test_an_authorizer_without_an_answer_is_asked_again(
    hop: rig.Watchdog, signed: world.Signed, gateway: world.Gateway
) -> None:
    gateway.answers[conftest.NAMED.encode()] = world.refusal(Rule.GATEWAY_UNAVAILABLE)
    answer = hop.connect(TARGET)
    assert (answer.status, answer.rule) == (503, Rule.GATEWAY_UNAVAILABLE.value)
    assert len(signed.heads) == 3


def test_a_refusal_is_not_asked_again(hop: rig.Watchdog, signed: world.Signed, gateway: world.Gateway) -> None:
    gateway.answers[conftest.NAMED.encode()] = world.refusal(Rule.HOST_NOT_NAMED)
    assert hop.connect(TARGET).rule == Rule.HOST_NOT_NAMED.value
    assert len(signed.heads) == 1


@pytest.mark.parametrize("rule", [Rule.POD_UNKNOWN, Rule.POLICY_GONE, Rule.QUARANTINED])
def test_tunnels_end_with_a_session_whose_successor_is_refused_for_good(
    start: conftest.Start, signed: world.Signed, authority: Authority, rule: Rule
) -> None:
    signed.life = 3
    watchdog = start(signed_port=signed.server.port)
    watchdog.record("session")
    with shaken(watchdog, authority) as tunnel:
        signed.refusal = rule
        assert watchdog.record("sessionRefused")["rule"] == rule.value
        rig.drain(tunnel)
    assert watchdog.record("tunnel")["rule"] == rule.value


def test_tunnels_outlive_a_session_when_nobody_gives_another(
    start: conftest.Start, signed: world.Signed, gateway: world.Gateway, authority: Authority
) -> None:
    signed.life = 3
    watchdog = start(signed_port=signed.server.port)
    watchdog.record("session")
    with shaken(watchdog, authority) as tunnel:
        signed.refusal = Rule.GATEWAY_UNAVAILABLE
        watchdog.record("sessionRefused")
        rig.until(lambda: _by_tls(watchdog, gateway), "the session has no end")
        tunnel.sendall(b"pong")
        assert tunnel.recv(4) == b"pong"


def _by_tls(watchdog: rig.Watchdog, gateway: world.Gateway) -> bool:
    watchdog.tunnel(TARGET).close()
    return bool(gateway.heads)


def test_keys_and_signatures_are_in_no_record(hop: rig.Watchdog, signed: world.Signed) -> None:
    hop.tunnel(TARGET).close()
    assert hop.stop() == 0
    written = repr(hop.drained()).encode()
    assert b"decision" in written or b"stopped" in written
    for line in signed.heads[0].split(b"\r\n")[2:4]:
        assert line.partition(b": ")[2] not in written
    assert signed.given[0].key.hex().encode() not in written
    assert b'"key"' not in written


def test_an_idle_tunnel_ends_by_its_deadline(start: conftest.Start, authority: Authority) -> None:
    watchdog = start(tunnels=documents.Tunnels(idle_seconds=1, max_seconds=3600))
    with shaken(watchdog, authority) as tunnel:
        rig.drain(tunnel)
    assert watchdog.record("tunnel")["rule"] == Rule.EXPIRED.value


def test_a_busy_tunnel_ends_by_its_deadline(start: conftest.Start, authority: Authority) -> None:
    watchdog = start(tunnels=documents.Tunnels(idle_seconds=3600, max_seconds=2))
    began = time.monotonic()
    with shaken(watchdog, authority) as tunnel, contextlib.suppress(ConnectionError, ssl.SSLError):
        while time.monotonic() - began < world.WAIT:
            tunnel.sendall(b"ping")
            if not tunnel.recv(4):
                break
    assert watchdog.record("tunnel")["rule"] == Rule.EXPIRED.value
    assert 1.5 < time.monotonic() - began < 4.5


def test_the_policys_connections_cap_live_tunnels(hop: rig.Watchdog, authority: Authority) -> None:
    tunnels: list[socket.socket] = [shaken(hop, authority) for _ in range(8)]
    assert hop.connect(TARGET).rule == Rule.CONNECTIONS.value
    tunnels.pop().close()
    rig.until(lambda: hop.metric("zaum_tunnels") == 7, "the place is not given back")
    tunnels.append(shaken(hop, authority))
    for tunnel in tunnels:
        tunnel.close()


@pytest.mark.parametrize(("header", "begins"), [(b"Proxy-Authorization: Bearer t\r\n", b"CONNECT "), (b"", b"")])
def test_i04_nothing_is_said_to_the_gateway_without_a_proof(
    config: documents.WatchdogConfig, header: bytes, begins: bytes
) -> None:
    shared = types.SimpleNamespace(
        policy=policy.Policy.of(config), token=types.SimpleNamespace(header=header)
    )  # fmt: skip
    way = hop_of_watchdog.Hop(shared, None)  # type: ignore[arg-type]  # what `ask` looks at
    said = way.ask(hosts.Authority(hosts.Host(conftest.NAMED), 443), asyncio.Transport())
    assert said[:8] == begins
    assert header in said
