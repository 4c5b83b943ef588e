"""The judge of healthy agents finds each thing that must not happen to them, and nothing where nothing did."""

from dataclasses import replace

import pytest

from tests.healthy import judge, reading
from tests.healthy.judge import Agent, Deed, Life, Phase, Run

LIFE = Life("u1", "Running", ready=True, restarts=0)
WELL = tuple(Deed("call", at, 0.5, ok=True) for at in (90.0, 110.0, 150.0, 190.0))
BUILDER = Agent("builder", outside=False, before=LIFE, after=(LIFE,), deeds=WELL)
CALLER = Agent("caller", outside=True, before=LIFE, after=(LIFE,), deeds=WELL, rung="Free")
RIGHT = Run(
    (BUILDER, CALLER),
    (Phase("no cpu left", 100.0, 160.0), Phase("ledger killed", 120.0, 140.0, excuses=True)),
    busy=0.99, away={"ledger, killed": True}, began=100.0, settled=180.0,
)  # fmt: skip


def failing(agent: Agent, at: float, *, took: float = 0.5) -> Run:
    deeds = (*agent.deeds, Deed("call", at, took, ok=False, said="503"))
    return replace(RIGHT, agents=(replace(agent, deeds=deeds),))


def agent(**changes: object) -> Run:
    return replace(RIGHT, agents=(replace(CALLER, **changes),))  # type: ignore[arg-type]


def test_where_all_is_right_there_are_no_faults() -> None:
    assert judge.faults(RIGHT) == []
    assert judge.kills(RIGHT) == 0
    assert judge.failed(RIGHT) == {"no cpu left": 0, "ledger killed": 0, "else": 0}


def test_a_call_may_fail_while_a_part_of_the_way_is_away_or_comes_back() -> None:
    for at in (120.0, 139.0):
        assert judge.faults(failing(CALLER, at)) == []
    assert judge.faults(failing(CALLER, 119.0, took=2.0)) == [], "it was under way when the part went"
    assert judge.failed(failing(CALLER, 125.0)) == {"no cpu left": 0, "ledger killed": 1, "else": 0}
    assert judge.failures(failing(CALLER, 125.0)) == ["caller: 1 times from +25 s to +25 s: 503"]


def test_what_failed_while_everything_started_does_not_count() -> None:
    early = failing(BUILDER, 80.0)
    assert (judge.faults(early), judge.failures(early), judge.failed(early)["else"]) == ([], [], 0)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (failing(CALLER, 110.0), "caller: call at +10 s failed: 503"),
        (failing(CALLER, 185.0), "caller: call at +85 s failed: 503"),
        (failing(BUILDER, 125.0), "builder: call at +25 s failed: 503"),
        (agent(after=()), "caller: pod u1 became []"),
        (agent(after=(replace(LIFE, uid="u2"),)), "caller: pod u1 became ['u2']"),
        (agent(after=(LIFE, replace(LIFE, uid="u2"))), "caller: pod u1 became ['u1', 'u2']"),
        (agent(after=(replace(LIFE, restarts=1),)), "caller: 1 restarts of its containers"),
        (agent(after=(replace(LIFE, phase="Failed"),)), "caller: its pod is Failed, ready"),
        (agent(after=(replace(LIFE, ready=False),)), "caller: its pod is Running, not ready"),
        (agent(words=(("wouldKill", "RunawayCPU"),)), "caller: the watchdog says wouldKill RunawayCPU"),
        (agent(rung="Throttled"), "caller: its ladder is at Throttled"),
        (agent(would_kill=1), "caller: 1 breaches would have ended it"),
        (agent(deeds=WELL[:-1]), "caller: it does nothing any more"),
        (agent(deeds=WELL[1:]), "control: caller did nothing before the trouble began"),
        (replace(RIGHT, settled=None), "caller: it was not seen to work again"),
        (replace(RIGHT, incidents=("caller-1 (RunawayCPU)",)), "Incident caller-1 (RunawayCPU)"),
        (replace(RIGHT, killings=("caller: Stopping",)), "event: caller: Stopping"),
        (replace(RIGHT, busy=0.9), "control: the node's cpu was only 90% busy"),
        (replace(RIGHT, away={"gateway": False}), "control: gateway was never seen to be away"),
    ],
)
def test_each_thing_that_must_not_be_is_named(run: Run, words: str) -> None:
    assert words in judge.faults(run)


def test_a_pod_that_is_gone_ended_or_restarted_is_a_kill() -> None:
    for after in ((), (replace(LIFE, uid="u2"),), (replace(LIFE, restarts=2),), (replace(LIFE, phase="Failed"),)):
        assert judge.kills(agent(after=after)) == 1


def test_a_watchdogs_records_are_read_for_what_they_say_of_the_agent() -> None:
    lines = [
        '{"kind":"decision","rule":"egress.allowed"}',
        '{"kind":"ladder","rung":"throttled","reason":"RunawayCPU"}',
        '{"kind":"unhealthy","problem":"it answers with status 500"}',
        "not JSON",
        '{"kind":"ledgerUnavailable","problem":"it hung up"}',
        '{"kind":"breach","reason":"RunawayDenied","sta',
    ]
    assert reading.words(lines) == (("ladder", "RunawayCPU"), ("unhealthy", "it answers with status 500"))


def test_a_pod_is_read_with_the_restarts_of_all_its_containers() -> None:
    pod = {
        "metadata": {"uid": "u1"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "initContainerStatuses": [{"restartCount": 1}],
            "containerStatuses": [{"restartCount": 2}],
        },
    }
    assert reading.life(pod) == Life("u1", "Running", ready=True, restarts=3)
    assert reading.life({**pod, "metadata": {"uid": "u1", "deletionTimestamp": "now"}}).phase == "Ending"
