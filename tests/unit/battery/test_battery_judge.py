"""What the battery makes of its witnesses."""

import struct
from collections import Counter
from typing import Any

import pytest

from tests.battery import around, capture, catalogue, evidence, hello, judge, lines, table
from tests.battery.judge import Verdict
from tests.battery.lines import Attempt, Control, Needs, Where, Witness
from tests.battery.stage import Stage
from zaum_egress import client_hello

STAGE = Stage(
    neighbour=("10.244.0.9",),
    neighbour_service="10.96.0.9",
    gateway=("10.96.0.50",),
    gateway_pods=frozenset({"10.244.0.50"}),
)
AGENT = {"10.244.0.7": "g1"}
PROBE = {"kind": "dial", "address": "198.51.100.66", "port": 25}
GOT = {"got": True, "word": "open"}
NOT = {"got": False, "word": "timeout"}
DROPPED = Attempt(1, "outlaw", "25", PROBE, Control(Where.FREE, PROBE), Witness.DROP)
RULED = Attempt(4, "names", "x", PROBE, Control(Where.AGENT, PROBE), Witness.RULE, frozenset({"egress.hosts"}), id="a")
SILENT = Attempt(7, "TLS", "x", PROBE, Control(Where.AGENT, PROBE), Witness.SILENT_RULE, id="b")
HERE = frozenset({Needs.NOTHING})
PROOF = evidence.Proof("g1", "198.51.100.66", 25, "arrived in the world")


@pytest.mark.parametrize(
    ("attempt", "finding", "control", "more", "verdict"),
    [
        (DROPPED, NOT, GOT, {}, Verdict.HELD),
        (DROPPED, GOT, GOT, {}, Verdict.ESCAPED),
        (DROPPED, NOT, GOT, {"proofs": [PROOF]}, Verdict.ESCAPED),
        (DROPPED, NOT, GOT, {"seen": True}, Verdict.ESCAPED),
        (DROPPED, NOT, NOT, {}, Verdict.BROKEN),
        (DROPPED, NOT, None, {}, Verdict.BROKEN),
        (DROPPED, None, GOT, {}, Verdict.BROKEN),
        (DROPPED, {**NOT, "broken": True}, GOT, {}, Verdict.BROKEN),
        (DROPPED, NOT, {"got": False, "word": "EPROTONOSUPPORT"}, {}, Verdict.ABSENT),
        (RULED, {**NOT, "rule": "egress.hosts", "status": 403}, GOT, {}, Verdict.HELD),
        (RULED, {**NOT, "rule": "egress.ports", "status": 403}, GOT, {}, Verdict.ODD),
        (RULED, NOT, GOT, {}, Verdict.ODD),
        (RULED, NOT, {"got": False, "word": "ENOSYS"}, {}, Verdict.BROKEN),
    ],
)
def test_an_attempt_counts_as_held_only_when_every_witness_agrees(
    attempt: Attempt, finding: Any, control: Any, more: dict[str, Any], verdict: Verdict
) -> None:
    assert judge.judge(attempt, finding, control, present=HERE, **more).verdict is verdict


def test_what_the_product_does_not_have_yet_is_pending_and_fails_a_strict_run() -> None:
    waiting = Attempt(8, "route", "x", PROBE, Control(Where.AGENT, PROBE), Witness.RULE, needs=Needs.ROUTES)
    outcome = judge.judge(waiting, None, None, present=HERE)
    held = judge.judge(DROPPED, NOT, GOT, present=HERE)
    assert outcome.verdict is Verdict.PENDING
    result = table.Result([outcome, held], [], [])
    assert not result.fails(strict=False)
    assert result.fails(strict=True)
    assert result.last_line == "battery: escapes 0 / 1 attempts"


@pytest.mark.parametrize(
    ("outcomes", "alarms", "doubts"),
    [
        ([], [], []),
        ([judge.Outcome(DROPPED, Verdict.ESCAPED)], [], []),
        ([judge.Outcome(DROPPED, Verdict.BROKEN)], [], []),
        ([judge.Outcome(DROPPED, Verdict.ODD)], [], []),
        ([judge.Outcome(DROPPED, Verdict.HELD)], ["a packet of nobody's"], []),
        ([judge.Outcome(DROPPED, Verdict.HELD)], [], ["a record too many"]),
    ],
)
def test_a_run_fails_for_anything_but_held(outcomes: list[judge.Outcome], alarms: list[str], doubts: list[str]) -> None:
    result = table.Result(outcomes, alarms, doubts)
    assert result.fails(strict=False)
    assert list(table.lines(result))[-1] == result.last_line


@pytest.mark.parametrize(
    ("refused", "wrong"),
    [
        ({"egress.hosts": 1, "egress.sniMissing": 1}, False),
        ({"egress.hosts": 1}, True),
        ({"egress.sniMissing": 2}, True),
        ({"egress.hosts": 1, "egress.sniMissing": 2}, True),
        ({"egress.hosts": 2, "egress.sniMissing": 1}, True),
    ],
)
def test_each_refusal_leaves_exactly_one_record(refused: dict[str, int], wrong: bool) -> None:
    findings = {"a": {**NOT, "rule": "egress.hosts"}, "b": NOT}
    assert bool(judge.records_wrong([RULED, SILENT], findings, 0, Counter(refused))) is wrong


def flow(source: str, target: str, *, outgoing: bool = True, protocol: int = 6, sport: int = 1, dport: int = 2,
         flags: int = 2) -> capture.Flow:  # fmt: skip
    return capture.Flow("veth1", outgoing, source, target, protocol, sport, dport, flags)


@pytest.mark.parametrize(
    ("seen", "proofs"),
    [
        (flow("10.244.0.7", "10.244.0.50", dport=15443), 0),
        (flow("10.244.0.7", "10.244.0.50", dport=15453), 1),
        (flow("10.244.0.7", "198.51.100.66", dport=25), 1),
        (flow("10.244.0.7", "198.51.100.66", dport=25, outgoing=False), 0),
        (flow("10.96.0.50", "10.244.0.7", sport=15443), 0),
        (flow("10.90.0.1", "10.244.0.7", dport=15020), 0),
        (flow("10.90.0.1", "10.244.0.7", sport=10250), 1),
        (flow("198.51.100.66", "10.244.0.7", protocol=17), 1),
        (flow("198.51.100.66", "10.244.0.7", protocol=1, flags=0), 1),
        (flow("198.51.100.66", "10.244.0.7", protocol=1, flags=3), 0),
        (flow("fd00::1", "10.244.0.7", protocol=58, flags=135), 0),
    ],
)
def test_only_the_way_to_the_gateway_and_the_kubelet_s_probes_pass_the_node(seen: capture.Flow, proofs: int) -> None:
    assert len(evidence.passed_the_node([seen], AGENT, STAGE)) == proofs


def test_anything_of_an_agent_in_the_world_is_a_proof() -> None:
    assert evidence.arrived_in_world([flow("10.244.0.7", "198.51.100.10", outgoing=False)], AGENT)
    assert not evidence.arrived_in_world([flow("10.244.0.8", "198.51.100.10", outgoing=False)], AGENT)


def test_what_the_node_answers_the_gateway_is_a_proof() -> None:
    assert evidence.led_inward([flow("10.90.0.1", "10.244.0.50", sport=10250)], STAGE)
    assert not evidence.led_inward([flow("10.90.0.1", "10.244.0.50", sport=40000, dport=15453)], STAGE)


def test_packets_are_read_in_both_families() -> None:
    tcp = struct.pack("!HHIIBBHHH", 1234, 443, 0, 0, 0x50, 2, 0, 0, 0)
    four = bytes([0x45, 0]) + bytes(7) + b"\x06" + bytes(2) + bytes([10, 244, 0, 7]) + bytes([198, 51, 100, 10]) + tcp
    read = capture.read(four, 0x0800, link="v", outgoing=True)
    assert read == capture.Flow("v", True, "10.244.0.7", "198.51.100.10", 6, 1234, 443, 2)
    six = b"\x60" + bytes(5) + b"\x3a\x40" + bytes(15) + b"\1" + bytes(15) + b"\2" + b"\x81\0"
    assert capture.read(six, 0x86DD, link="v", outgoing=False) == capture.Flow("v", False, "::1", "::2", 58, 0, 0, 129)
    assert capture.read(b"", 0x0806, link="v", outgoing=False) is None


def test_every_attempt_has_its_own_id_and_a_control() -> None:
    attempts = catalogue.all_attempts(STAGE)
    assert len({attempt.id for attempt in attempts}) == len(attempts)
    assert sum(attempt.needs is Needs.NOTHING for attempt in attempts) >= 300
    played = {10, 11, 12, 13, 14} | set(around.PLAYS)
    assert {attempt.group for attempt in attempts} == set(lines.GROUPS) - played
    assert played <= set(lines.GROUPS)
    assert {(attempt.group, attempt.line) for attempt in catalogue.sample(attempts)} == {
        (attempt.group, attempt.line) for attempt in attempts
    }


@pytest.mark.parametrize("shape", hello.HONEST)
def test_an_honest_hello_is_accepted_in_every_framing(shape: str) -> None:
    reader = client_hello.Reader("docs.example.com")
    verdicts = [reader.feed(part) for part in hello.shape(shape, "docs.example.com", "outlaw.example.net")]
    assert verdicts[-1] == client_hello.ACCEPTED


@pytest.mark.parametrize("shape", hello.REFUSED)
def test_no_other_hello_is_accepted(shape: str) -> None:
    reader = client_hello.Reader("docs.example.com")
    for part in hello.shape(shape, "docs.example.com", "outlaw.example.net"):
        verdict = reader.feed(part)
        assert verdict != client_hello.ACCEPTED
        if verdict is not None:
            return
