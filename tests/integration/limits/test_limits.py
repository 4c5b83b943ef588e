"""Limits that hold over several watchdogs, by a real ledger."""

import contextlib
import signal
import ssl
import time
from typing import Any

import pytest

from tests.integration.limits import conftest
from tests.integration.limits.conftest import IN, OUT, TARGET, Pods, opened, pour, shared
from tests.integration.watchdog import rig, world
from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import documents
from zaum_api.documents import Kind, Meter, Window

READY = 1.5
"""Seconds to the first answer, on a machine that does other things too."""


@pytest.fixture(params=["tls", "plain"])
def hop(request: pytest.FixtureRequest, signed: world.Signed) -> int:
    """Give the port for signed heads, or none: then bytes go another way through the watchdog."""
    return signed.server.port if request.param == "plain" else 0


def ready(watchdog: rig.Watchdog, hop: int) -> rig.Watchdog:
    watchdog.record("ledger")
    if hop:
        watchdog.record("session")
    return watchdog


def used(service: ledger.Process, api: ledger.FakeApi, meter: Meter) -> int:
    """Ask the ledger what the policy has used."""
    reader = ledger.Watchdog(service, api.reader())
    with contextlib.closing(reader):
        raw = reader.ask("GET", "/v1/usage")[1]
    policies = documents.UsagePage.parse(raw).policies
    return next((one.used for policy in policies for one in policy.meters if one.meter == meter.id), 0)


def test_the_first_call_waits_for_the_first_answer(service: ledger.Process, pods: Pods) -> None:
    began = time.monotonic()
    watchdog = pods.start()
    watchdog.tunnel(TARGET).close()
    assert time.monotonic() - began < READY + watchdog.ready
    watchdog.record("ledger", problem="")
    assert service.process.poll() is None


def test_i07_bytes_out_stop_at_the_limit(
    service: ledger.Process, pods: Pods, authority: Authority, echo: world.Echo, hop: int
) -> None:
    watchdog = ready(pods.start(signed_port=hop), hop)
    with opened(watchdog, authority) as tunnel:
        back = pour(tunnel, 2 * OUT.limit)
    closed = watchdog.record("tunnel", rule="limits.bytes.outPerHour")
    assert OUT.limit * 0.9 < echo.received <= OUT.limit
    assert closed["bytesOut"] == echo.received, "counted exactly"
    assert back < OUT.limit
    answer = watchdog.connect(TARGET)
    assert (answer.status, answer.rule) == (402, "limits.bytes.outPerHour")
    assert int(answer.headers["retry-after"]) > 0
    rig.until(lambda: OUT.limit - 4096 <= used(service, pods.api, OUT) <= OUT.limit, "and the ledger knows it")


def test_i07_bytes_in_stop_at_the_limit(
    service: ledger.Process, pods: Pods, authority: Authority, config: documents.WatchdogConfig, hop: int
) -> None:
    limit = Meter("policy", Kind.BYTES_IN, Window.HOUR, 500_000)
    watchdog = ready(pods.start(signed_port=hop, limits=shared(config, 1, limit)), hop)
    with opened(watchdog, authority) as tunnel:
        pour(tunnel, 2 * limit.limit)
    closed = watchdog.record("tunnel", rule="limits.bytes.inPerHour")
    assert 0.9 * limit.limit < closed["bytesIn"] <= limit.limit
    assert watchdog.connect(TARGET).status == 402
    assert service.process.poll() is None


def test_a_bulk_transfer_within_the_limit_is_not_held_up_for_long(
    service: ledger.Process, pods: Pods, authority: Authority, config: documents.WatchdogConfig, hop: int
) -> None:
    out = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 10**9)
    watchdog = ready(pods.start(signed_port=hop, limits=shared(config, 1, out, IN)), hop)
    with opened(watchdog, authority) as tunnel:
        began = time.monotonic()
        assert pour(tunnel, 20_000_000, 200_000) == 20_000_000
        took = time.monotonic() - began
    assert took < 20, took
    assert service.process.poll() is None


@pytest.mark.parametrize(
    ("changes", "status", "rule"),
    [
        (
            {"limits": documents.Limits((Meter("policy", Kind.BYTES_OUT, Window.HOUR, 0),), 1, 1)},
            402,
            "bytes.outPerHour",
        ),
        ({"limits": documents.Limits((Meter("policy", Kind.BYTES_IN, Window.HOUR, 0),), 1, 1)}, 402, "bytes.inPerHour"),
        ({"requests": documents.RequestRate(0, 0)}, 429, "requests.perMinute"),
        ({"connections": 0}, 429, "connections"),
        (
            {"limits": documents.Limits((Meter("host/api.example.com", Kind.REQUESTS, Window.MINUTE, 0),), 1, 1)},
            429,
            "requests.perMinute",
        ),
    ],
)
def test_i07_a_limit_of_nothing_denies_all(
    service: ledger.Process, pods: Pods, changes: dict[str, Any], status: int, rule: str
) -> None:
    watchdog = ready(pods.start(**changes), 0)
    answer = watchdog.connect(TARGET)
    assert (answer.status, answer.rule) == (status, f"limits.{rule}")
    assert service.process.poll() is None


def test_a_report_counts_what_the_limits_would_deny(service: ledger.Process, pods: Pods, authority: Authority) -> None:
    nothing = documents.Limits((Meter("policy", Kind.BYTES_OUT, Window.HOUR, 0),), 1, 1)
    watchdog = ready(pods.start(limits=nothing, mode=documents.Mode.REPORT), 0)
    with opened(watchdog, authority) as tunnel:
        assert pour(tunnel, 100_000) >= 100_000
    assert watchdog.metric('zaum_would_deny_total{rule="limits.bytes.outPerHour"}') == 1
    assert service.process.poll() is None


def held(watchdog: rig.Watchdog, stack: contextlib.ExitStack) -> bool:
    """Open a tunnel that stays open, or be refused."""
    dialled = stack.enter_context(watchdog.dial())
    dialled.sendall(rig.connect_head(TARGET))
    if dialled.recv(12) != b"HTTP/1.1 200":
        return False
    rig.read_established(dialled, b"HTTP/1.1 200")
    dialled.sendall(rig.client_hello(conftest.NAMED))
    return dialled.recv(1) == b"\x16"


def test_i07_three_pods_never_hold_more_connections_than_the_policy_has(
    service: ledger.Process, pods: Pods, config: documents.WatchdogConfig
) -> None:
    three = [ready(pods.start(number, connections=6, limits=shared(config, 3)), 0) for number in range(3)]

    def open_() -> float:
        return sum(watchdog.metric("zaum_tunnels") for watchdog in three)

    with contextlib.ExitStack() as stack:
        deadline = time.monotonic() + 40
        while three[0].metric("zaum_tunnels") < 4 and time.monotonic() < deadline:
            if not held(three[0], stack):
                time.sleep(0.2)
        assert three[0].metric("zaum_tunnels") >= 4, "what idle pods do not use is lent"
        for _ in range(12):
            for watchdog in three:
                held(watchdog, stack)
            assert open_() <= 6
        service.kill()  # Then loans end, and everybody has his floor again.
        deadline = time.monotonic() + 40
        while three[0].metric("zaum_tunnels") > 2:
            assert time.monotonic() < deadline, "what was lent is taken back"
            assert open_() <= 6
            time.sleep(0.2)
        three[0].record("tunnel", rule="limits.connections")


def test_i07_three_pods_share_the_bytes_of_an_hour(
    service: ledger.Process,
    pods: Pods,
    authority: Authority,
    echo: world.Echo,
    config: documents.WatchdogConfig,
) -> None:
    three = [ready(pods.start(number, limits=shared(config, 3)), 0) for number in range(3)]
    for watchdog in three:
        with contextlib.suppress(AssertionError, ssl.SSLError), opened(watchdog, authority) as tunnel:
            pour(tunnel, 400_000)
    assert echo.received <= OUT.limit
    with contextlib.suppress(AssertionError, ssl.SSLError, OSError), opened(three[0], authority) as tunnel:
        pour(tunnel, 400_000)
    assert 0.9 * OUT.limit < echo.received <= OUT.limit
    assert service.process.poll() is None


def test_i07_without_the_ledger_rates_go_on_and_budgets_stop_and_with_it_all_goes_on(
    run: conftest.Run, pods: Pods, authority: Authority, config: documents.WatchdogConfig
) -> None:
    with run() as service:
        metered = ready(pods.start(), 0)
        rated = ready(pods.start(limits=documents.Limits((), 1, 1)), 0)
        with opened(metered, authority) as tunnel:
            assert pour(tunnel, 32_768) == 32_768
        service.kill()
    with opened(rated, authority) as tunnel:
        assert pour(tunnel, 32_768) == 32_768, "rates need nobody"
    began = time.monotonic()
    with contextlib.suppress(AssertionError, ssl.SSLError), opened(metered, authority) as tunnel:
        pour(tunnel, 2 * OUT.limit)
    answer = metered.connect(TARGET)
    assert (answer.status, answer.rule) == (503, "limits.ledgerUnavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert time.monotonic() - began < 15
    metered.record("ledgerUnavailable")
    assert metered.probe("/healthz").status == 200
    with run():
        deadline = time.monotonic() + 20
        while metered.connect(TARGET).status == 503:
            assert time.monotonic() < deadline
        with opened(metered, authority) as tunnel:
            assert pour(tunnel, 32_768) == 32_768


def test_i07_what_a_killed_pod_held_is_nobody_elses(
    service: ledger.Process, pods: Pods, authority: Authority, echo: world.Echo
) -> None:
    first = ready(pods.start(), 0)
    with opened(first, authority) as tunnel:
        pour(tunnel, 300_000)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(world.WAIT)
    spent = echo.received
    second = ready(pods.start(), 0)
    with opened(second, authority) as tunnel:
        pour(tunnel, 2 * OUT.limit)
    assert spent > 0
    assert echo.received <= OUT.limit
    assert used(service, pods.api, OUT) <= OUT.limit


def test_i07_a_pod_that_ends_gives_back_what_it_has_not_spent(
    service: ledger.Process, pods: Pods, authority: Authority, echo: world.Echo
) -> None:
    first = ready(pods.start(), 0)
    with opened(first, authority) as tunnel:
        pour(tunnel, 100_000)
    began = time.monotonic()
    assert first.stop() == 0
    assert time.monotonic() - began < 2
    assert used(service, pods.api, OUT) == echo.received, "and not a byte more"


def test_i07_an_idle_tunnel_holds_nothing_but_its_pods_stock(
    service: ledger.Process, pods: Pods, authority: Authority, echo: world.Echo, config: documents.WatchdogConfig
) -> None:
    idle, busy = (ready(pods.start(number, limits=shared(config, 2)), 0) for number in range(2))
    with opened(idle, authority) as tunnel:
        pour(tunnel, 100_000)
        deadline = time.monotonic() + 40
        while echo.received < 0.95 * OUT.limit:
            assert time.monotonic() < deadline, "what it does not use is everybody's again"
            with contextlib.suppress(AssertionError, OSError), opened(busy, authority) as other:
                pour(other, OUT.limit)
            time.sleep(0.5)
        assert echo.received <= OUT.limit
        assert used(service, pods.api, OUT) >= 0.95 * OUT.limit
