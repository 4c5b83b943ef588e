"""Every malformed kind, in whatever pieces: the same answer, the connection closed, the upstream untouched."""

import contextlib
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings, strategies

from tests.integration.watchdog import conftest, rig, test_routes, upstream, world
from tests.support.authority import Authority
from tests.support.properties import examples
from tests.unit.zaum_watchdog import test_bodies, test_requests
from zaum_api import contract, documents


@pytest.fixture(scope="module")
def api(authority: Authority) -> Iterator[upstream.Upstream]:
    running = upstream.Upstream(authority.server(conftest.NAMED))
    yield running
    running.server.close()


@pytest.fixture(scope="module")
def watchdog(
    authority: Authority, api: upstream.Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[rig.Watchdog]:
    """One for all: whatever is sent to it, it goes on."""
    gateway = world.Gateway(authority.server(contract.GATEWAY_TLS_NAME), api)  # type: ignore[arg-type]  # its port counts
    peer = documents.GatewayPeer(("127.0.0.1",), gateway.server.port, contract.GATEWAY_TLS_NAME, authority.pem)
    files = rig.Files(tmp_path_factory.mktemp("volume"))
    config = documents.WatchdogConfig(
        "agents", "researcher", peer, (documents.HostRule(conftest.NAMED),), documents.RequestRate(60_000, 1000), 8,
        documents.Runaway(None, None, None), routes=(test_routes.ROUTE,), upstream_ca_pem=authority.pem,
    )  # fmt: skip
    files.write(config.dump())
    test_routes.write_credential(files, test_routes.SECRET)
    running = rig.Watchdog(files)
    yield running
    running.stop()
    gateway.server.close()


CHUNKED = test_routes.head("Transfer-Encoding: chunked", start=test_routes.POST)
KINDS = {
    **test_requests.WRONG,
    **{f"chunks: {kind}": CHUNKED + raw for kind, raw in test_bodies.WRONG.items()},
}


def outcome(watchdog: rig.Watchdog, raw: bytes, cuts: list[int]) -> tuple[int, str, bool]:
    with test_routes.Client(watchdog) as client:
        at = 0
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for cut in [*sorted({cut for cut in cuts if 0 < cut < len(raw)}), len(raw)]:
                client.socket.sendall(raw[at:cut])
                at = cut
                if cuts:
                    time.sleep(0.001)  # so that the pieces are read as pieces, most of the time
        answer = client.answer()
        return answer.status, answer.rule, client.closed()


@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_request_is_refused_and_the_upstream_hears_nothing(
    watchdog: rig.Watchdog, api: upstream.Upstream, kind: str
) -> None:
    assert outcome(watchdog, KINDS[kind], []) == (400, "request.malformed", True)
    assert watchdog.record("decision", rule="request.malformed")["status"] == 400
    assert b"hello" not in api.received
    assert api.asked == []


def test_the_control_passes_in_any_pieces(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    raw = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
    for cut in range(1, len(raw), 7):
        assert outcome_of_good(watchdog, raw, cut) == (200, b"{}")
    assert {asked.body for asked in api.asked} == {b"hello"}


def outcome_of_good(watchdog: rig.Watchdog, raw: bytes, cut: int) -> tuple[int, bytes]:
    with test_routes.Client(watchdog) as client:
        client.socket.sendall(raw[:cut])
        answer = client.ask(raw[cut:])
        return answer.status, answer.body


@given(
    kind=strategies.sampled_from(sorted(KINDS)),
    cuts=strategies.lists(strategies.integers(1, 300), min_size=1, max_size=5),
)
@settings(max_examples=examples(60))
def test_the_same_bytes_in_other_pieces_have_the_same_outcome(
    watchdog: rig.Watchdog, kind: str, cuts: list[int]
) -> None:
    assert outcome(watchdog, KINDS[kind], cuts) == (400, "request.malformed", True)
