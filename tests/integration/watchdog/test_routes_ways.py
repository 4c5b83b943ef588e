"""The way of a route to its upstream: signed where TLS goes end to end, by TLS to the gateway where it does not."""

import threading
from collections.abc import Iterator

import pytest

from tests.integration.watchdog import conftest, rig, test_routes, upstream, world
from tests.integration.watchdog.test_routes import api, config, credential, gateway
from tests.support.authority import Authority
from zaum_api import contract, documents

__all__ = ["api", "config", "credential", "gateway"]

SERVICE = documents.Route(
    "tools", "tools.apps.svc.cluster.local", 8080, "/base", (documents.Allowed(("GET",), "/*"),), None, False, True
)


@pytest.fixture
def signed(gateway: world.Gateway) -> Iterator[world.Signed]:
    running = world.Signed(gateway)
    yield running
    running.server.close()


@pytest.fixture
def plain() -> Iterator[upstream.Upstream]:
    running = upstream.Upstream(None)
    yield running
    running.server.close()


def test_a_route_with_tls_goes_by_signed_heads_once_there_is_a_session(
    start: conftest.Start, api: upstream.Upstream, signed: world.Signed
) -> None:
    watchdog = start(signed_port=signed.server.port)

    def by_signature() -> bool:
        api.answer = lambda asked: asked.send(upstream.OK.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"))
        return test_routes.ask(watchdog, test_routes.head()).status == 200 and bool(signed.heads)

    rig.until(by_signature, "no head is signed")
    assert signed.heads[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
    assert b"Bearer" not in signed.heads[0]


def test_a_service_in_plain_http_goes_by_tls_to_the_gateway_even_where_heads_are_signed(
    start: conftest.Start, plain: upstream.Upstream, signed: world.Signed, authority: Authority
) -> None:
    own = world.Gateway(authority.server(contract.GATEWAY_TLS_NAME), plain)  # type: ignore[arg-type]  # its port counts
    own.session = signed.answer
    peer = documents.GatewayPeer(("127.0.0.1",), own.server.port, contract.GATEWAY_TLS_NAME, authority.pem)
    try:
        watchdog = start(gateway=peer, routes=(SERVICE,), signed_port=signed.server.port)
        rig.until(lambda: bool(signed.given), "there is no session")
        answer = test_routes.ask(watchdog, test_routes.head(start="GET /tools/x?y=z HTTP/1.1"))
        assert answer.status == 200
        assert own.heads[-1].startswith(b"CONNECT tools.apps.svc.cluster.local:8080 HTTP/1.1\r\n")
        assert signed.heads == []
        assert plain.asked[0].line == "GET /base/x?y=z HTTP/1.1"
        assert plain.asked[0].header("host") == ["tools.apps.svc.cluster.local:8080"]
    finally:
        own.server.close()


def test_a_refused_signature_is_asked_again_over_tls(
    start: conftest.Start, api: upstream.Upstream, signed: world.Signed
) -> None:
    signed.signer = lambda head: None  # type: ignore[method-assign]
    watchdog = start(signed_port=signed.server.port)
    rig.until(lambda: bool(signed.given), "there is no session")
    for _ in range(3):
        assert test_routes.ask(watchdog, test_routes.head()).status == 200
    assert api.asked


def test_i04_a_session_that_is_refused_for_good_ends_requests_and_kept_connections(
    start: conftest.Start, api: upstream.Upstream, gateway: world.Gateway, signed: world.Signed
) -> None:
    """Else the agent could go on asking by a connection that stands, though its policy is gone."""
    signed.life = 3
    watchdog = start(signed_port=signed.server.port)
    rig.until(lambda: bool(signed.given), "no session is given")
    assert test_routes.ask(watchdog, test_routes.head()).status == 200
    signed.refusal = contract.Rule.POLICY_GONE
    gateway.answers[b"api.example.com"] = world.refusal(contract.Rule.POLICY_GONE)
    assert test_routes.ask(watchdog, test_routes.head()).status == 200, "the session has not ended yet"
    arrived = len(api.asked) + 1

    def wait(asked: upstream.Asked) -> None:
        asked.receive()

    api.answer = wait
    with test_routes.Client(watchdog) as client:
        client.socket.sendall(test_routes.head())
        rig.until(lambda: len(api.asked) == arrived, "it does not arrive")
        watchdog.record("request", rule="policy.gone")
        assert client.answer().rule == "policy.gone"
    assert test_routes.ask(watchdog, test_routes.head()).rule == "policy.gone"
    assert len(api.asked) == arrived


def test_a_gateway_that_hangs_up_in_silence_is_asked_again(
    watchdog: rig.Watchdog, api: upstream.Upstream, gateway: world.Gateway
) -> None:
    gateway.silent = 1
    assert test_routes.ask(watchdog, test_routes.post()).status == 200
    assert (len(gateway.heads), len(api.asked)) == (2, 1)


def test_a_client_that_hangs_up_takes_the_upstreams_connection_with_it(
    watchdog: rig.Watchdog, api: upstream.Upstream
) -> None:
    gone = threading.Event()

    def wait(asked: upstream.Asked) -> None:
        try:
            asked.receive()
        except (EOFError, OSError):
            gone.set()
            raise

    api.answer = wait
    with test_routes.Client(watchdog) as client:
        client.socket.sendall(test_routes.head())
        rig.until(lambda: bool(api.asked), "nothing is asked")
    assert gone.wait(world.WAIT)
    assert watchdog.record("request")["status"] == 0
