"""The ladder: what trips the detectors of a running watchdog, what it does then, and what it is ordered to do."""

import asyncio
import contextlib
import dataclasses
import http.client
import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.integration.watchdog import conftest, metering, rig, test_control, test_routes, upstream
from tests.integration.watchdog.test_metered import api, gateway, ledger
from tests.support.authority import Authority
from zaum_api import contract, documents
from zaum_watchdog.shell import log, processes

__all__ = ["api", "gateway", "ledger"]

TARGET = f"{conftest.NAMED}:443"
DENIED = documents.Runaway(None, None, documents.DeniedDetector(above=2, per_seconds=60))
OFF = documents.Runaway(None, None, None)
Step, Action = documents.Step, documents.Action
needs_root = test_control.needs_root


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    return dataclasses.replace(
        config, routes=(test_routes.ROUTE,), upstream_ca_pem=authority.pem, containment=documents.Containment()
    )


@pytest.fixture(autouse=True)
def credential(files: rig.Files) -> None:
    test_routes.write_credential(files, test_routes.SECRET)


@pytest.fixture
def ordered(start: conftest.Start, files: rig.Files, authority: Authority) -> rig.Watchdog:
    """A watchdog that has spoken to the ledger."""
    files.ledger_token.write_text("ledger-token-1")
    peer = documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, authority.pem)
    watchdog = start(ledger=peer, runaway=DENIED)
    watchdog.record("ledger")
    return watchdog


def with_one(**detector: object) -> documents.Runaway:
    return dataclasses.replace(OFF, **detector)  # type: ignore[arg-type]


def trip(watchdog: rig.Watchdog, attempts: int = 3) -> None:
    """Try what is denied once more than it may be."""
    for _ in range(attempts):
        assert watchdog.connect("evil.example.com:443").rule == "egress.hosts"


def rung(watchdog: rig.Watchdog) -> str:
    return str(watchdog.probe("/healthz").json["rung"])


def post(body: bytes) -> bytes:
    return test_routes.post(body)


# What trips.


def test_the_same_request_again_and_again_is_noticed(start: conftest.Start) -> None:
    watchdog = start(runaway=with_one(repeated=documents.RepeatedDetector(3, 60)))
    with test_routes.Client(watchdog) as client:
        for number in range(8):
            assert client.ask(post(b'{"n": %d}' % number), "POST").status == 200
            assert client.ask(test_routes.head()).status == 200
        for _ in range(4):
            assert client.ask(post(b'{"n": 8}'), "POST").status == 200
        assert watchdog.record("breach")["reason"] == "RunawayRepeated"


def test_answers_that_call_the_request_wrong_are_noticed_and_outages_are_not(
    start: conftest.Start, api: upstream.Upstream
) -> None:
    status = "503 Unavailable"
    api.answer = lambda asked: asked.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    watchdog = start(runaway=with_one(errors=documents.ErrorDetector(50, 5, 3600)))
    with test_routes.Client(watchdog) as client:
        for number in range(9):
            assert client.ask(post(b'{"n": %d}' % number), "POST").status == 503
        rig.until(lambda: watchdog.metric("zaum_agent_processes") >= 0, "no look")
        status = "422 Unprocessable"
        for number in range(12):
            assert client.ask(post(b'{"n": %d}' % number), "POST").status == 422
        assert watchdog.record("breach")["reason"] == "RunawayErrors"
    facts = [record for record in watchdog.records if record["kind"] == "breach"]
    assert facts == [], "one breach is said once"


def test_much_that_leaves_at_once_is_noticed(start: conftest.Start) -> None:
    watchdog = start(runaway=with_one(egress_bytes=documents.EgressDetector(100_000, 60)))
    with test_routes.Client(watchdog) as client:
        for number in range(3):
            assert client.ask(post(b"%d" % number + bytes(60_000)), "POST").status == 200
        assert watchdog.record("breach")["reason"] == "RunawayEgress"


@needs_root
@pytest.mark.parametrize(
    ("detector", "count", "script", "reason"),
    [
        ({"forks": documents.ForkDetector(300, 60)}, 1, "while :; do /bin/true; done", "RunawayForks"),
        (
            {"files": documents.FileDetector(70, 1)},
            8,
            "exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null 8</dev/null 9</dev/null; exec sleep 60",
            "RunawayFiles",
        ),
    ],
)
def test_what_processes_do_is_noticed(
    start: conftest.Start, detector: dict[str, object], count: int, script: str, reason: str
) -> None:
    watchdog = start(runaway=with_one(**detector), uid=test_control.UID)
    with test_control.agents(count, script):
        assert watchdog.record("breach")["reason"] == reason


def test_a_look_sees_memory_open_files_and_what_was_begun() -> None:
    table = processes.ProcessTable(os.getuid())
    before = asyncio.run(table.look())
    me = next(each for (pid, _), each in before.table.items() if pid == os.getpid())
    assert me.memory > 10 * 2**20
    held = [os.dup(0) for _ in range(50)]
    try:
        after = asyncio.run(table.look())
    finally:
        for descriptor in held:
            os.close(descriptor)
    again = next(each for (pid, _), each in after.table.items() if pid == os.getpid())
    assert again.files - me.files == 50
    for _ in range(5):
        subprocess.run(["/bin/true"], check=True)
    assert asyncio.run(table.look()).newest - after.newest >= 5


def test_an_agent_that_asks_for_nothing_is_ended_in_any_mode_and_blamed_for_nothing(start: conftest.Start) -> None:
    watchdog = start(mode=documents.Mode.REPORT, runaway=with_one(idle=documents.IdleDetector(1)))
    assert watchdog.record("breach")["reason"] == "Idle"
    assert watchdog.probe("/agent/live").status == contract.BREACH_STATUS[contract.Breach.IDLE]


def test_a_watchdog_that_gets_no_processor_ends_the_agent(start: conftest.Start) -> None:
    watchdog = start(runaway=with_one(starved=documents.StarvedDetector(1, 3)))
    for _ in range(8):
        watchdog.process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)  # This is what is tested: the time in which it does not run.
        watchdog.process.send_signal(signal.SIGCONT)
        if watchdog.probe("/agent/live").status != 200:
            break
    assert watchdog.record("breach")["reason"] == "WatchdogStarved"


# What follows.


def test_i09_a_cut_closes_everything_and_lets_the_agent_live(start: conftest.Start, gateway: metering.Gateway) -> None:
    watchdog = start(runaway=DENIED, containment=documents.Containment(Step.CUT))
    before = time.time_ns() // 1_000_000
    with test_control.spliced(watchdog, TARGET) as tunnel:
        trip(watchdog)
        assert watchdog.record("ladder")["rung"] == "cut"
        rig.drain(tunnel)
    refused = watchdog.connect(TARGET)
    assert (refused.status, refused.rule) == (403, "containment.latched")
    assert test_routes.ask(watchdog, test_routes.head()).rule == "containment.latched"
    assert watchdog.probe("/agent/live").status == 200
    assert (rung(watchdog), watchdog.metric('zaum_rung{rung="Cut"}')) == ("Cut", 1)
    report = gateway.report(lambda report: report.contained is not None and report.contained.cut)
    assert report.contained is not None
    since = report.contained.since
    assert report.contained == documents.Contained(documents.Rung.CUT, "RunawayDenied", 0, since)
    assert before <= since <= time.time_ns() // 1_000_000, "by the wall, when it had cut"


def test_i09_each_word_on_the_ladder_says_when_so_that_the_last_one_is_known(
    start: conftest.Start, gateway: metering.Gateway, files: rig.Files
) -> None:
    def since(rung: documents.Rung) -> int:
        report = gateway.report(lambda report: report.contained is not None and report.contained.rung is rung)
        assert report.contained is not None
        return report.contained.since

    began = time.time_ns() // 1_000_000
    watchdog = start(runaway=DENIED, containment=documents.Containment(Step.CUT))
    free = since(documents.Rung.FREE)
    trip(watchdog)
    cut = since(documents.Rung.CUT)
    config = documents.WatchdogConfig.parse(files.config.read_bytes())
    files.write(dataclasses.replace(config, runaway=OFF).dump())  # No detector, no breach.
    assert began <= free < cut < since(documents.Rung.FREE)


def test_a_throttled_agent_has_a_tenth_of_its_rate(start: conftest.Start) -> None:
    watchdog = start(
        runaway=DENIED, requests=documents.RequestRate(60, 20), containment=documents.Containment(Step.THROTTLE)
    )
    trip(watchdog)
    assert watchdog.record("ladder")["rung"] == "throttled"
    with test_control.spliced(watchdog, TARGET), test_control.spliced(watchdog, TARGET):
        refused = watchdog.connect(TARGET)
    assert (refused.status, refused.rule) == (429, "limits.requests.perMinute")
    assert "over 6 requests per minute (burst 2)" in refused.json["message"]
    assert 5 <= int(refused.headers["retry-after"]) <= 10
    assert watchdog.probe("/agent/live").status == 200


def test_a_changed_document_does_not_end_a_throttle(
    start: conftest.Start, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    throttle = {"runaway": DENIED, "containment": documents.Containment(Step.THROTTLE)}
    watchdog = start(requests=documents.RequestRate(60, 20), **throttle)
    trip(watchdog)
    watchdog.record("ladder")
    files.write(dataclasses.replace(config, requests=documents.RequestRate(600, 10), **throttle).dump())  # type: ignore[arg-type]
    watchdog.record("config")
    test_control.spliced(watchdog, TARGET).close()
    refused = watchdog.connect(TARGET)
    assert refused.status == 429
    assert "over 60 requests per minute (burst 1)" in refused.json["message"]


def test_the_mode_report_says_once_whom_it_would_have_ended(
    start: conftest.Start, gateway: metering.Gateway, files: rig.Files
) -> None:
    watchdog = start(mode=documents.Mode.REPORT, runaway=with_one(repeated=documents.RepeatedDetector(2, 60)))
    with test_routes.Client(watchdog) as client:
        for _ in range(3):
            assert client.ask(post(b"{}"), "POST").status == 200
        assert watchdog.record("wouldKill")["reason"] == "RunawayRepeated"
        assert rung(watchdog) == "Free"
        for _ in range(6):
            assert client.ask(post(b"{}"), "POST").status == 200
    files.write(b"{")  # Whatever is wrong is reported at once.
    report = gateway.report(lambda report: bool(report.problem))
    assert report.contained is not None
    assert dataclasses.replace(report.contained, since=0) == documents.Contained(documents.Rung.FREE, "", 1)
    assert watchdog.metric('zaum_would_kill_total{reason="RunawayRepeated"}') == 1
    assert watchdog.probe("/agent/live").status == 200
    watchdog.stop()
    assert not [record for record in watchdog.drained() if record["kind"] in {"wouldKill", "breach", "ladder"}]


def test_a_breach_is_not_lost_to_a_flood_of_records() -> None:
    async def flood() -> bytes:
        near, far = os.pipe()
        out = log.Log(asyncio.get_running_loop(), far)
        for _ in range(log.QUEUE_MAX + 10):
            out.write("a decision\n")
        out.write("the breach\n", rare=True)
        assert out.dropped == 10
        read = b""
        while out.pending:
            out.flush()
            read += os.read(near, 1 << 20)
        os.close(near)
        os.close(far)
        return read

    assert asyncio.run(flood()).endswith(b"a decision\nthe breach\n")


def test_i08_a_watchdog_without_memory_opens_nothing(start: conftest.Start, gateway: metering.Gateway) -> None:
    watchdog = start(runaway=DENIED)
    status = Path(f"/proc/{watchdog.process.pid}/status").read_text()
    size = int(status.split("VmSize:")[1].split()[0]) * 1024
    resource.prlimit(watchdog.process.pid, resource.RLIMIT_AS, (size + 2**20, size + 2**20))
    with contextlib.ExitStack() as held, contextlib.suppress(OSError):
        for _ in range(60):  # As many heads as it reads at the same time, none of which ends.
            dialled = held.enter_context(watchdog.dial())
            dialled.sendall(b"CONNECT evil.example.com:443 HTTP/1.1\r\nX-Filler: " + bytes(16_000).replace(b"\0", b"x"))
    for _ in range(10):
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert watchdog.connect("evil.example.com:443").status in {403, 429}
    assert not [head for head in gateway.heads if b"evil.example.com" in head]

    def over() -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if watchdog.probe("/agent/live").status == contract.BREACH_STATUS[contract.Breach.RUNAWAY_DENIED]:
                return True
        return watchdog.process.poll() is not None

    rig.until(over, "it neither ended nor saw what went on")


# What the ledger hears and orders.


def test_i09_the_ledger_hears_of_a_breach_at_once(ordered: rig.Watchdog, ledger: metering.Ledger) -> None:
    trip(ordered)
    ordered.record("breach")
    since = time.monotonic()
    metering.eventually(lambda: any(sync.latched for sync in ledger.syncs), "the ledger was not told")
    assert time.monotonic() - since < 1.0
    told = next(sync for sync in ledger.syncs if sync.latched)
    assert (told.latched, told.containment) == ("RunawayDenied", documents.Containment())
    facts = {fact.name: fact.value for fact in told.facts}
    assert int(facts["denied"]) >= 1
    assert all(not sync.facts for sync in ledger.syncs if not sync.latched)


@pytest.mark.parametrize("wild", [True, False])
def test_a_watchdog_that_has_ended_its_agent_waits_for_no_ledger_at_its_own_end(
    ordered: rig.Watchdog, ledger: metering.Ledger, *, wild: bool
) -> None:
    if wild:
        trip(ordered)
        metering.eventually(lambda: any(sync.latched for sync in ledger.syncs), "the ledger was not told")
    threading.Event().wait(0.5)  # until the answer has been heard
    before = len(ledger.syncs)
    assert ordered.stop() == 0
    last = ledger.syncs[before:]
    assert bool(last) is not wild, "it may have no way out any more; all others give back what they have left"


def test_i09_an_order_to_cut_and_its_release_are_obeyed_within_a_second(
    ordered: rig.Watchdog, ledger: metering.Ledger
) -> None:
    with test_control.spliced(ordered, TARGET) as tunnel:
        since = time.monotonic()
        ledger.order(Action.CUT)
        rig.drain(tunnel)
        assert time.monotonic() - since < 1.0
    assert ordered.connect(TARGET).rule == "containment.latched"
    assert (rung(ordered), ordered.probe("/agent/live").status) == ("Cut", 200)
    ledger.order(Action.RELEASE)
    ordered.record("ladder", rung="free")
    test_control.spliced(ordered, TARGET).close()


@pytest.mark.parametrize("reason", ["Manual", "RunawayDenied"])
def test_i09_an_order_to_kill_fails_the_agents_probe_for_good(
    ordered: rig.Watchdog, ledger: metering.Ledger, files: rig.Files, reason: str
) -> None:
    files.termination_log.write_bytes(b"")
    since = time.monotonic()
    ledger.order(Action.KILL, reason)
    assert ordered.record("breach")["reason"] == "Ordered"
    assert time.monotonic() - since < 1.0
    assert ordered.probe("/agent/live").status == contract.BREACH_STATUS[contract.Breach.ORDERED]
    assert files.termination_log.read_bytes() == b"Ordered\n"
    metering.eventually(lambda: any(sync.latched == "Ordered" for sync in ledger.syncs), "the ledger was not told")
    ledger.order(Action.RELEASE)
    ordered.record("order", action="release")
    assert ordered.connect(TARGET).rule == "containment.latched"


@pytest.mark.parametrize("reason", ["Manual", "RunawayCPU"])
def test_i09_who_ended_its_agent_for_a_breach_of_its_own_says_so_whatever_is_ordered_then(
    ordered: rig.Watchdog, ledger: metering.Ledger, files: rig.Files, reason: str
) -> None:
    files.termination_log.write_bytes(b"")
    trip(ordered)
    assert ordered.record("breach")["reason"] == "RunawayDenied"
    ledger.order(Action.KILL, reason)
    ordered.record("order", action="kill")
    assert ordered.probe("/agent/live").status == contract.BREACH_STATUS[contract.Breach.RUNAWAY_DENIED]
    assert files.termination_log.read_bytes() == b"RunawayDenied\n"
    metering.eventually(lambda: any(sync.latched for sync in ledger.syncs), "the ledger was not told")
    assert {sync.latched for sync in ledger.syncs} == {"", "RunawayDenied"}
