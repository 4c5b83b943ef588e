"""What goes on while the ledger is away for a minute, what stops, and who can see it; and one that never was there."""

import dataclasses
import json
import time
from collections.abc import Iterator

import pytest

from tests.integration.limits import conftest
from tests.integration.limits.conftest import NAMED, Pods, opened
from tests.integration.watchdog import metering, rig, upstream
from tests.support.authority import Authority
from zaum_api import documents
from zaum_api.documents import Kind, Meter, Window

AWAY_SECONDS = 60.0
COST = Meter("policy", Kind.COST, Window.DAY, 2_000_000_000)
OUT = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 50 * 1024 * 1024)
IN = Meter("policy", Kind.BYTES_IN, Window.HOUR, 1024**3)
"""As much as a policy has that says nothing of bytes."""


@pytest.fixture
def remote(authority: Authority) -> Iterator[upstream.Upstream]:
    """A host that answers GET, and a model's provider."""
    running = upstream.Upstream(authority.server(NAMED))
    metering.Provider(running)
    model = running.answer

    def answer(asked: upstream.Asked) -> None:
        if asked.line.startswith("GET"):
            asked.send(upstream.OK)
        else:
            model(asked)

    running.answer = answer
    yield running
    running.server.close()


@pytest.fixture
def outside(remote: upstream.Upstream) -> upstream.Upstream:
    return remote


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    return dataclasses.replace(
        config,
        routes=(metering.OPENAI,),
        upstream_ca_pem=authority.pem,
        limits=documents.Limits((OUT, IN, COST), 1, 1),
    )


def asks(watchdog: rig.Watchdog, authority: Authority) -> None:
    """Make a small call by a new tunnel."""
    with opened(watchdog, authority) as tunnel:
        tunnel.sendall(b"GET /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
        assert tunnel.recv(1024).startswith(b"HTTP/1.1 200")


def buys(watchdog: rig.Watchdog) -> tuple[int, str]:
    # An answer without usage costs its worst case: no lease lasts for many.
    answer = metering.call(watchdog, "chat", x_fault="missing")
    assert answer is not None
    return answer.status, answer.rule


def failing(watchdog: rig.Watchdog) -> tuple[float, str]:
    """What its metrics and its health say of the ledger."""
    return watchdog.metric("zaum_ledger_failing"), json.loads(watchdog.probe("/healthz").body)["ledger"]


def until_it_buys(watchdog: rig.Watchdog, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while buys(watchdog)[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_i07_while_the_ledger_is_away_for_a_minute_traffic_goes_on_and_money_stops(
    run: conftest.Run, pods: Pods, authority: Authority
) -> None:
    with run() as service:
        watchdog = pods.start()
        watchdog.record("ledger", problem="")
        asks(watchdog, authority)
        until_it_buys(watchdog)
        assert failing(watchdog) == (0, "ok")
        service.kill()
    began, passed, refused = time.monotonic(), 0, []
    while time.monotonic() - began < AWAY_SECONDS:
        asks(watchdog, authority)
        passed += 1
        status, rule = buys(watchdog)
        if status != 200:
            refused.append((status, rule))
    assert passed > AWAY_SECONDS / 4
    assert set(refused) == {(503, "limits.ledgerUnavailable")}
    assert passed - len(refused) < 5, "what was leased is soon spent, and what is not is given up"
    assert failing(watchdog) == (1, "failing")
    assert watchdog.metric('zaum_decisions_total{rule="limits.ledgerUnavailable"}') == len(refused)
    with run():
        until_it_buys(watchdog)
        asks(watchdog, authority)
        assert failing(watchdog) == (0, "ok")


def test_i07_with_a_ledger_that_never_was_there_nothing_passes_and_the_answer_says_why(pods: Pods) -> None:
    watchdog = pods.start()
    watchdog.record("ledgerUnavailable")
    answer = watchdog.connect(conftest.TARGET)
    assert (answer.status, answer.rule) == (503, "limits.ledgerUnavailable")
    assert int(answer.headers["retry-after"]) > 0
    said = json.loads(answer.body)
    assert "ledger does not answer" in said["message"], said
    assert "ledger" in said["allowedBy"], said
    assert failing(watchdog) == (1, "failing")
