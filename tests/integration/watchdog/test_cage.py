"""The watchdog tries to get out of its cage, says what it found, and holds the agent back where a proof is required."""

import contextlib
import dataclasses
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.integration.watchdog import canaries, conftest, rig, world
from zaum_api import contract, documents

TARGET = f"{conftest.NAMED}:443"
CAGE_HOST = contract.CAGE_HOST.encode()
Rule = contract.Rule


@pytest.fixture
def silent() -> Iterator[canaries.Silent]:
    made = canaries.Silent()
    yield made
    made.close()


@pytest.fixture
def mute() -> Iterator[canaries.Names]:
    made = canaries.Names(answers=False)
    yield made
    made.close()


@pytest.fixture
def names() -> Iterator[canaries.Names]:
    made = canaries.Names(answers=True)
    yield made
    made.close()


@pytest.fixture
def held(silent: canaries.Silent, mute: canaries.Names) -> tuple[documents.CageTarget, ...]:
    """What a cage that holds looks like: silence, and no way."""
    return silent.target, canaries.NOWHERE, mute.target


def escape(target: documents.CageTarget, outcome: str) -> documents.Escape:
    return documents.Escape(target.name, f"{target.address}:{target.port}", outcome)


def test_i02_a_cage_that_holds_is_proven_and_said_to_be(
    start: conftest.Start, gateway: world.Gateway, held: tuple[documents.CageTarget, ...], mute: canaries.Names
) -> None:
    watchdog = start(cage=documents.Cage(held))
    assert gateway.report().tested == 0, "the first report waits for no test"
    report = gateway.report(lambda report: report.tested > 0)
    assert (report.tested, report.escapes, report.proven) == (3, (), True)
    assert watchdog.record("cage")["proven"] == "true"
    assert watchdog.metric("zaum_cage_proven") == 1
    assert watchdog.probe("/healthz").json["cage"] == "proven"
    assert len(mute.asked) == 3, "a question that is lost is asked again"
    assert set(gateway.report_tokens) == {b"token-1"}


def test_i02_whatever_is_reached_is_named(
    start: conftest.Start,
    gateway: world.Gateway,
    echo: world.Echo,
    held: tuple[documents.CageTarget, ...],
    names: canaries.Names,
) -> None:
    open_ = documents.CageTarget("open", documents.Transport.TCP, "127.0.0.1", echo.server.port)
    refusing = canaries.refusing()
    watchdog = start(cage=documents.Cage((*held, open_, refusing, names.target)))
    report = gateway.report(lambda report: report.tested > 0)
    assert not report.proven
    assert report.tested == 6
    assert report.escapes == (escape(open_, "connected"), escape(refusing, "refused"), escape(names.target, "answered"))
    problem = watchdog.record("cage", proven="false")["problem"]
    assert f"open 127.0.0.1:{open_.port} connected" in problem
    assert (watchdog.metric("zaum_cage_proven"), watchdog.metric("zaum_cage_escapes")) == (0, 3)
    assert watchdog.probe("/healthz").status == 200, "no proof is required"
    watchdog.tunnel(TARGET).close()


def test_its_own_node_is_tried_too(
    start: conftest.Start, gateway: world.Gateway, held: tuple[documents.CageTarget, ...]
) -> None:
    start(cage=documents.Cage(held), nodes="127.0.0.1")
    report = gateway.report(lambda report: report.tested > 0)
    assert [(each.target, each.address, each.reached) for each in report.escapes] == [("node", "127.0.0.1:10250", True)]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (world.refusal(Rule.POD_UNKNOWN), "identity.podUnknown"),
        (world.refusal(Rule.HOST_NOT_NAMED, 503), "egress.hosts"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "established"),
        (b"", "gateway.unavailable"),
    ],
)
def test_i02_a_failed_control_is_no_proof_and_no_escape(
    start: conftest.Start,
    gateway: world.Gateway,
    held: tuple[documents.CageTarget, ...],
    answer: bytes,
    outcome: str,
) -> None:
    gateway.answers[CAGE_HOST] = answer
    watchdog = start(cage=documents.Cage(held))
    report = gateway.report(lambda report: report.tested > 0)
    assert report.escapes == (documents.Escape(documents.CONTROL, "cage.invalid:443", outcome),)
    assert not any(each.reached for each in report.escapes)
    assert watchdog.metric("zaum_cage_escapes") == 0
    gateway.answers[CAGE_HOST] = world.refusal(Rule.HOST_NOT_NAMED)
    watchdog.record("cage", proven="true")


def test_i02_the_control_goes_by_the_signed_hop_where_tunnels_do(
    start: conftest.Start, gateway: world.Gateway, held: tuple[documents.CageTarget, ...]
) -> None:
    signed = world.Signed(gateway)
    try:
        watchdog = start(signed_port=signed.server.port)
        watchdog.record("session")
        with contextlib.suppress(IndexError):
            gateway.heads.clear()
        watchdog.files.write(_with(watchdog, cage=documents.Cage(held)))
        watchdog.record("cage", proven="true")
        assert [signed.signer(head) for head in signed.heads] == [signed.given[0]]
        assert gateway.heads == []
    finally:
        signed.server.close()


def _with(watchdog: rig.Watchdog, **changes: object) -> bytes:
    """Give the document in force with fields replaced."""
    config = documents.WatchdogConfig.parse(watchdog.files.config.read_bytes())
    return dataclasses.replace(config, **changes).dump()  # type: ignore[arg-type]


def test_i02_with_the_proof_required_the_agent_waits_for_it_and_a_later_failure_cuts_it_off(
    start: conftest.Start, gateway: world.Gateway, held: tuple[documents.CageTarget, ...]
) -> None:
    gateway.answers[CAGE_HOST] = world.refusal(Rule.POD_UNKNOWN)
    required = documents.Cage(held, required=True)
    watchdog = start(cage=required)
    for _ in range(2):  # before the first test has ended, and after it has failed
        assert (watchdog.probe("/healthz").status, watchdog.connect(TARGET).rule) == (503, Rule.NO_PROOF.value)
        watchdog.record("decision", rule=Rule.NO_PROOF.value, status=503)
        assert watchdog.metric("zaum_cage_proven") == 0
        gateway.report(lambda report: report.tested > 0)
    watchdog.record("cage", proven="false")
    gateway.answers[CAGE_HOST] = world.refusal(Rule.HOST_NOT_NAMED)
    watchdog.record("cage", proven="true")
    assert watchdog.probe("/healthz").status == 200
    tunnel = watchdog.tunnel(TARGET)

    leaking = dataclasses.replace(required, targets=(*held, canaries.refusing()))
    watchdog.files.write(_with(watchdog, cage=leaking))
    watchdog.record("cage", proven="false")
    assert watchdog.connect(TARGET).rule == Rule.NO_PROOF.value
    assert watchdog.probe("/healthz").status == 200, "a watchdog is not ended for it"
    with tunnel:
        tunnel.sendall(rig.client_hello(conftest.NAMED))
        assert tunnel.recv(1) == b"\x16", "a tunnel that stands is left alone"

    watchdog.files.write(_with(watchdog, cage=required))
    watchdog.record("cage", proven="true")
    watchdog.tunnel(TARGET).close()


def test_i02_with_the_proof_required_a_route_is_held_back_too(
    start: conftest.Start, held: tuple[documents.CageTarget, ...]
) -> None:
    route = documents.Route("web", conftest.NAMED, 443, "", (documents.Allowed(("GET",), "/*"),))
    watchdog = start(cage=documents.Cage((*held, canaries.refusing()), required=True), routes=(route,))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", watchdog.routes, timeout=world.WAIT)) as asking:
        asking.request("GET", "/web/x")
        answer = asking.getresponse()
        assert (answer.status, answer.getheader(contract.HEADER_RULE)) == (503, Rule.NO_PROOF.value)
        assert json.loads(answer.read())["allowedBy"]
    watchdog.record("decision", rule=Rule.NO_PROOF.value)


def test_the_test_is_repeated(
    start: conftest.Start, gateway: world.Gateway, silent: canaries.Silent, mute: canaries.Names
) -> None:
    watchdog = start(cage=documents.Cage((silent.target, mute.target), period_seconds=5))
    watchdog.record("cage", proven="true")
    silent.open()
    until = time.monotonic() + 3 * world.WAIT
    report = gateway.report()
    while report.proven or not report.tested:
        assert time.monotonic() < until
        with contextlib.suppress(AssertionError):
            report = gateway.report(lambda report: report.tested > 0 and not report.proven)
    assert report.escapes == (escape(silent.target, "connected"),)


def test_a_change_of_state_is_reported_and_whoever_does_not_hear_is_told_again(
    start: conftest.Start, gateway: world.Gateway, files: rig.Files
) -> None:
    gateway.report_answer = None
    watchdog = start()
    gateway.report()
    rig.until(lambda: watchdog.metric("zaum_report_failing") == 1, "the failure does not show")
    assert watchdog.probe("/healthz").json["reports"] == "failing"
    gateway.report_answer = world.TAKEN
    assert gateway.report().problem == ""
    rig.until(lambda: watchdog.metric("zaum_report_failing") == 0, "still failing")
    watchdog.connect("evil.example.com:443")
    files.write(b"{")
    report = gateway.report(lambda report: bool(report.problem))
    assert "is not JSON" in report.problem
    assert (report.requests, report.denied, report.would_deny) == (1, 1, 0)
    assert report.config.startswith("sha256:")
    watchdog.stop()
    kinds = {record["kind"] for record in watchdog.drained()}
    assert kinds <= {"degraded", "decision", "stopped"}, "a report that fails is not logged"


def test_a_route_without_its_credential_is_reported(start: conftest.Start, gateway: world.Gateway) -> None:
    route = documents.Route(
        "model", conftest.NAMED, 443, "", (documents.Allowed(("GET",), "/*"),), documents.Credential("x-key", "")
    )
    watchdog = start(routes=(route,))
    assert gateway.report().missing == ("model",)
    folder = watchdog.files.credentials / "model"
    folder.mkdir(parents=True)
    (folder / contract.CREDENTIAL_FILE).write_text("long-enough-for-a-search")
    gateway.report(lambda report: report.missing == ())


def test_without_a_test_in_the_document_nothing_is_dialled_and_nothing_proven(
    watchdog: rig.Watchdog, gateway: world.Gateway
) -> None:
    report = gateway.report()
    assert (report.tested, report.proven) == (0, False)
    assert watchdog.probe("/healthz").status == 200
    assert gateway.heads == []


def test_it_stays_small_while_it_tests_and_reports(
    start: conftest.Start, gateway: world.Gateway, held: tuple[documents.CageTarget, ...]
) -> None:
    refusing = tuple(canaries.refusing() for _ in range(20))
    watchdog = start(cage=documents.Cage((*held, *refusing), period_seconds=5))
    for _ in range(3):
        gateway.report(lambda report: report.tested > 0)
    assert watchdog.resident_mib() <= 32


REJECTS = """
table inet cage {
    chain out {
        type filter hook output priority 0
        tcp dport 81 reject with icmpx port-unreachable
        tcp dport 82 reject with icmpx admin-prohibited
        tcp dport 83 drop
        tcp dport 84 reject with tcp reset
    }
}
"""
TRIES = """
import asyncio, json
from zaum_api import documents
from zaum_watchdog.core import cage
from zaum_watchdog.shell import cage as tries

async def run():
    tcp = documents.Transport.TCP
    targets = [documents.CageTarget("t", tcp, address, port) for address in ("127.0.0.1", "::1") for port in PORTS]
    ended = [tries.attempt(asyncio.get_running_loop(), target) for target in targets]
    return [cage.judge(tcp, error) for error in await asyncio.gather(*ended)]

print(json.dumps(asyncio.run(run())))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="a network namespace with a firewall of its own takes root")
def test_i02_a_firewall_that_rejects_is_told_from_a_target_that_does() -> None:
    ports = [81, 82, 83, 84, 85]  # nobody listens at any of them
    script = f"ip link set lo up && nft -f - <<'END' && exec {sys.executable} -c \"$TRIES\"\n{REJECTS}END\n"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{rig.ROOT / 'crds'}:{rig.ROOT / 'sandbox'}",
        "TRIES": TRIES.replace("PORTS", str(ports)),
    }
    command = ["unshare", "--net", "sh", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(done.stdout) == ["", "", "", "refused", "refused"] * 2
