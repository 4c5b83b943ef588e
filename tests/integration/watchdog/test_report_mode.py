"""The mode Report: hosts and limits are counted instead of refused, and nothing else is."""

import dataclasses

import pytest

from tests.integration.watchdog import conftest, rig, world
from zaum_api import contract, documents

REPORT = documents.Mode.REPORT
NEW = "new.example.com:443"
ATTEMPTS = 4
DETECTOR = documents.Runaway(None, None, documents.DeniedDetector(above=2, per_seconds=60))


def spliced(watchdog: rig.Watchdog, target: str) -> None:
    with watchdog.tunnel(target) as tunnel:
        tunnel.sendall(rig.client_hello(target.partition(":")[0]))
        assert tunnel.recv(1) == b"\x16"


def test_a_host_that_is_not_named_passes_and_its_one_record_says_what_would_have_refused_it(
    start: conftest.Start, gateway: world.Gateway
) -> None:
    watchdog = start(mode=REPORT)
    spliced(watchdog, NEW)
    found = watchdog.record("decision", host="new.example.com")
    assert (found["rule"], found["wouldDeny"], found["status"]) == ("egress.hosts", True, 200)
    spliced(watchdog, "api.example.com:443")
    assert "wouldDeny" not in watchdog.record("decision", host="api.example.com", rule="egress.allowed")
    assert watchdog.metric('zaum_would_deny_total{rule="egress.hosts"}') == 1
    assert watchdog.metric('zaum_decisions_total{rule="egress.allowed"}') == 2
    assert watchdog.metric('zaum_decisions_total{rule="egress.hosts"}') == 0
    watchdog.files.write(b"{")
    report = gateway.report(lambda report: bool(report.problem))
    assert (report.requests, report.denied, report.would_deny) == (2, 0, 1)
    watchdog.stop()
    assert [record for record in watchdog.drained() if record["kind"] == "decision"] == []


def test_what_is_over_a_limit_passes(start: conftest.Start) -> None:
    watchdog = start(mode=REPORT, connections=0, requests=documents.RequestRate(0, 0))
    spliced(watchdog, "api.example.com:443")
    assert watchdog.record("decision", wouldDeny=True)["rule"] == "limits.connections"
    watchdog = start(mode=REPORT, requests=documents.RequestRate(0, 0))
    spliced(watchdog, "api.example.com:443")
    assert watchdog.record("decision", wouldDeny=True)["rule"] == "limits.requests.perMinute"


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("10.0.0.1:443", "egress.addressAsHost"),
        ("[::1]:443", "egress.addressAsHost"),
        ("web:443", "egress.hostSyntax"),
        ("kubernetes.default.svc:443", "egress.hostSyntax"),
    ],
)
def test_i06_no_address_and_no_odd_name_passes(
    start: conftest.Start, gateway: world.Gateway, target: str, rule: str
) -> None:
    watchdog = start(mode=REPORT)
    assert watchdog.connect(target).rule == rule
    assert gateway.heads == []
    spliced(watchdog, NEW)


def test_i06_another_name_in_the_client_hello_is_refused_as_ever(start: conftest.Start, echo: world.Echo) -> None:
    watchdog = start(mode=REPORT)
    with watchdog.tunnel(NEW) as tunnel:
        tunnel.sendall(rig.client_hello("other.example.com"))
        rig.drain(tunnel)
    assert "wouldDeny" not in watchdog.record("decision", rule="egress.sniMismatch")
    assert echo.received == 0


def test_the_detector_of_denied_requests_hears_of_refusals_alone(start: conftest.Start) -> None:
    reporting = start(mode=REPORT, runaway=DETECTOR)
    for _ in range(ATTEMPTS):
        spliced(reporting, NEW)
    enforcing = start(runaway=DETECTOR)
    for _ in range(ATTEMPTS):
        assert enforcing.connect(NEW).rule == "egress.hosts"
    enforcing.record("breach", reason=contract.Breach.RUNAWAY_DENIED.value)
    # As long as that took the other one, whose attempts came first, has had its ticks too.
    assert reporting.probe("/agent/live").status == 200


def test_a_policy_that_is_enforced_again_cuts_what_it_does_not_name(
    start: conftest.Start, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    watchdog = start(mode=REPORT)
    with watchdog.tunnel(NEW) as unnamed, watchdog.tunnel("api.example.com:443") as named:
        unnamed.sendall(rig.client_hello("new.example.com"))
        assert unnamed.recv(1) == b"\x16"
        files.write(config.dump())
        watchdog.record("config", mode="Enforce")
        watchdog.record("tunnel", rule="config.removed", host="new.example.com")
        rig.drain(unnamed)
        named.sendall(rig.client_hello("api.example.com"))
        assert named.recv(1) == b"\x16"
    assert watchdog.connect(NEW).rule == "egress.hosts"
    files.write(dataclasses.replace(config, mode=REPORT).dump())
    watchdog.record("config", mode="Report")
    spliced(watchdog, NEW)
