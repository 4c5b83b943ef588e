"""A watchdog and a ledger that know what follows on a breach: the word there, the order back."""

import time
from typing import Any

import pytest

from tests.integration.limits import conftest
from tests.integration.limits.conftest import OUT
from tests.integration.watchdog import rig, world
from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import contract, documents, incidents
from zaum_api.documents import Action, Containment, Posted, Step

DENIED = documents.Runaway(None, None, documents.DeniedDetector(above=2, per_seconds=60))
CONTAINED: dict[str, Any] = {"runaway": DENIED, "containment": Containment()}


@pytest.fixture
def watchdog(pods: conftest.Pods, service: ledger.Process) -> rig.Watchdog:
    """One that the ledger has heard."""
    assert service.port
    started = pods.start(**CONTAINED)
    started.record("ledger")
    return started


def order(service: ledger.Process, api: ledger.FakeApi, action: Action) -> float:
    """Order something as the operator does; give when."""
    operator = ledger.Watchdog(service, api.reader(ledger.OPERATOR))
    posted = Posted("agents", "researcher", action, "researcher-1", "Manual")
    at = time.monotonic()
    status, raw = operator.ask("POST", contract.PATH_LEDGER_ORDERS, posted.dump())
    operator.close()
    assert status == 200, raw
    return at


def test_i09_a_breach_is_an_incident_within_a_second(watchdog: rig.Watchdog, api: ledger.FakeApi) -> None:
    for _ in range(3):
        watchdog.connect("evil.example.com:443")
    watchdog.record("breach")
    since = time.monotonic()
    key = f"agents/{incidents.name('agents', 'researcher', 'uid-0')}"
    rig.until(lambda: key in api.incidents, "nobody made an Incident")
    assert time.monotonic() - since < 1.0
    spec = api.incidents[key]["spec"]
    assert (spec["reason"], spec["action"]) == ("RunawayDenied", "Kill")
    assert "denied" in {fact["name"] for fact in spec["evidence"]["facts"]}


def test_i09_an_order_reaches_the_watchdog_within_a_second(
    watchdog: rig.Watchdog, service: ledger.Process, api: ledger.FakeApi
) -> None:
    rig.until(lambda: watchdog.connect("evil.example.com:443").rule == "egress.hosts", "it does not answer")
    with watchdog.tunnel(conftest.TARGET) as tunnel:
        tunnel.sendall(rig.client_hello(conftest.NAMED))
        assert tunnel.recv(1) == b"\x16"
        since = order(service, api, Action.CUT)
        rig.drain(tunnel)
        assert time.monotonic() - since < 1.0
    assert watchdog.connect(conftest.TARGET).rule == "containment.latched"
    since = order(service, api, Action.RELEASE)
    watchdog.record("ladder", rung="free")
    assert time.monotonic() - since < 2.0
    watchdog.tunnel(conftest.TARGET).close()


def test_i10_a_pod_that_comes_after_an_order_is_cut_at_its_first_word(
    pods: conftest.Pods, watchdog: rig.Watchdog, service: ledger.Process, api: ledger.FakeApi
) -> None:
    order(service, api, Action.CUT)
    watchdog.record("ladder", rung="held")
    after = pods.start(**CONTAINED)
    after.record("ladder", rung="held")
    assert after.connect(conftest.TARGET).rule == "containment.latched"


def test_an_agent_that_is_ended_without_blame_is_no_incident(
    pods: conftest.Pods, service: ledger.Process, api: ledger.FakeApi
) -> None:
    idle = documents.Runaway(None, None, None, idle=documents.IdleDetector(1))
    watchdog = pods.start(runaway=idle, containment=Containment())
    watchdog.record("ledger")
    watchdog.record("breach", reason="Idle")
    other = pods.start(1, **CONTAINED, limits=documents.Limits((conftest.OUT, conftest.IN), 2, 2))
    other.record("ledger")
    for _ in range(3):
        other.connect("evil.example.com:443")
    rig.until(lambda: bool(api.incidents), "the control: nobody made an Incident")
    assert [each["spec"]["reason"] for each in api.incidents.values()] == ["RunawayDenied"]
    assert service.port


def test_i09_who_needs_more_of_a_spent_budget_is_an_incident_and_nobody_else(
    pods: conftest.Pods, service: ledger.Process, api: ledger.FakeApi, authority: Authority, echo: world.Echo
) -> None:
    """By a tunnel that goes on, and by one that is asked for."""
    assert service.port
    spending: dict[str, Any] = {"containment": Containment(on_budget=Step.KILL)}
    spender = pods.start(**spending)
    spender.record("ledger")
    with conftest.opened(spender, authority) as tunnel:
        conftest.pour(tunnel, 2 * OUT.limit)
    assert OUT.limit * 0.9 < echo.received <= OUT.limit, "it had it all before it was ended for it"
    rig.until(lambda: len(api.incidents) == 1, "nobody made an Incident of the spender")
    idle, late = (pods.start(**spending) for _ in range(2))
    for watchdog in (idle, late):
        watchdog.record("ledger")
    assert late.connect(conftest.TARGET).rule == contract.Rule.BYTES_OUT_PER_HOUR.value
    rig.until(lambda: len(api.incidents) == 2, "nobody made an Incident of whoever came later")
    found = [each["spec"] for each in api.incidents.values()]
    assert {spec["reason"] for spec in found} == {incidents.Cause.BUDGET_SPENT.value}
    assert [spec["pod"]["uid"] for spec in found] == ["uid-0", "uid-2"]
