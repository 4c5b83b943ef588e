"""What is judged is the slowest, and what was not measured is no success."""

import dataclasses

import pytest

from bench.contain import report, run
from bench.contain.times import How, Part, Seen
from tests.unit.bench.contain import test_times as good

CLAIMED = {step: at for step, at in good.CLAIMED.items() if step != "Quarantined"}
QUICK = dataclasses.replace(good.GOOD, incident=good.incident(good.CLAIMED | {"Quarantined": 1.99}))
KILL = dataclasses.replace(good.GOOD, part=Part(How.KILL), incident=good.incident(CLAIMED))
UNPROVEN = dataclasses.replace(QUICK, incident=good.incident(CLAIMED))
BY_HAND = dataclasses.replace(good.GOOD, part=Part(How.HAND))


def missed(result: report.Result) -> set[str]:
    return {aim.name for aim in report.aims(result) if not aim.met}


def late(**claimed: float) -> Seen:
    return dataclasses.replace(QUICK, incident=good.incident(good.CLAIMED | {"Quarantined": 1.99} | claimed))


def deaf(exited: float | None) -> Seen:
    return dataclasses.replace(QUICK, part=Part(How.QUARANTINE, deaf=True), exited=exited)


def test_the_last_line_is_of_the_breaches() -> None:
    slow = dataclasses.replace(BY_HAND, exited=good.BEGUN + 9)
    assert report.last_line(report.Result(seen=[QUICK, KILL, deaf(good.BEGUN + 2.1), slow])) == (
        "bench: contain max cut 0.00 s dead 2.10 s quarantined 1.99 s proof 2.20 s (n=3)"
    )


def test_it_is_told_how_many_took_more_than_the_aim_of_what_was_granted() -> None:
    result = report.Result(seen=[QUICK, deaf(good.BEGUN + 3.24), deaf(good.BEGUN + 2.9)])
    assert report.granted(result) == [
        "dead: 1 of 2 agents deaf to SIGTERM took more than 3.0 s; 3.25 s are granted to them"
    ]
    assert report.granted(report.Result(seen=[QUICK])) == []


def test_of_fifty_breaches_ten_rounds_are_played_each_with_one_that_is_throttled() -> None:
    assert len(run.rounds(run.plan(50, 50 // run.HAND_EACH))) == 10


def test_a_good_run_meets_every_aim() -> None:
    assert missed(report.Result(seen=[QUICK, KILL, BY_HAND])) == set()


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (dataclasses.replace(QUICK, heard=[*QUICK.heard, good.BEGUN + 0.26]), {"breach -> cut, max"}),
        (dataclasses.replace(QUICK, exited=good.BEGUN + 3.01), {"breach -> dead, max"}),
        (late(Quarantined=2.01), {"breach -> quarantined, max"}),
        (late(IdentityDead=15.01), {"breach -> proof, max"}),
        (dataclasses.replace(BY_HAND, exited=good.BEGUN + 3.01), {"zaum contain -> dead, max"}),
        (dataclasses.replace(QUICK, exited=None), {"breach -> dead, max"}),
        (deaf(good.BEGUN + 3.24), set()),
        (deaf(good.BEGUN + 3.26), {"breach -> dead, deaf to SIGTERM, max"}),
        (deaf(None), {"breach -> dead, deaf to SIGTERM, max"}),
        (UNPROVEN, {"breach -> quarantined, max", "breach -> proof, max"}),
    ],
)  # fmt: skip
def test_one_that_is_late_or_was_not_measured_misses_its_aim(one: Seen, names: set[str]) -> None:
    assert missed(report.Result(seen=[QUICK, one, KILL])) == names


def test_a_wrong_claim_misses_an_aim() -> None:
    assert missed(report.Result(seen=[QUICK], faults=["x"])) == {"claims and records that were wrong or missing"}


def test_nothing_at_all_is_no_success() -> None:
    assert len(missed(report.Result())) == 4


def test_the_table_has_every_figure_with_its_aim() -> None:
    lines = report.table(report.Result(seen=[QUICK, KILL, BY_HAND], throttled=[0.1, 0.3]))
    assert [line.split("  ")[0] for line in lines[1:-1]] == [
        "breach -> throttled", "breach -> cut", "breach -> agent dead", "breach -> quarantined",
        "breach -> identity dead", "breach -> proof complete", "zaum contain -> cut", "zaum contain -> agent dead",
        "zaum contain -> quarantined", "zaum contain -> identity dead", "zaum contain -> proof complete",
    ]  # fmt: skip
    assert lines[1].split()[3:] == ["2", "0.20", "0.30", "-"]
    assert lines[3].split()[4:] == ["2", "1.50", "1.50", "3.00", "1.90", "1.90"]
    assert lines[-1] == "  the world's last request came p50 0.000 s, max 0.000 s before"


def test_waits_are_told_the_longest_first_whatever_the_pod() -> None:
    result = report.Result(
        waits=[
            report.Wait("Killed", "pod zaum-a-0-1f: container agent runs", 2.0),
            report.Wait("Killed", "pod zaum-b-0-2e: container agent runs", 4.0),
            report.Wait("Cut", "authorizer 10.244.0.10, 10.244.0.14 does not answer", 5.0),
        ]
    )
    assert report.waits(result) == [
        "  Cut waited 5.00 s, at most 5.00 s (1 times): authorizer * does not answer",
        "  Killed waited 3.00 s, at most 4.00 s (2 times): pod *: container agent runs",
    ]


@pytest.mark.parametrize(("breaches", "by_hand"), [(50, 10), (7, 3), (1, 0), (3, 3)])
def test_the_plan_has_them_all(breaches: int, by_hand: int) -> None:
    every = run.plan(breaches, by_hand)
    hows = [part.how for part in every]
    assert hows.count(How.HAND) == by_hand
    assert len(every) == breaches + by_hand
    assert (How.KILL in hows) == (breaches >= 3)
    assert [one for together in run.rounds(every) for one in together] == every


def test_the_last_of_the_plan_is_no_special_case() -> None:
    assert run.plan(5, 1) == [
        Part(How.QUARANTINE), Part(How.QUARANTINE, deaf=True), Part(How.KILL),
        Part(How.QUARANTINE), Part(How.QUARANTINE, deaf=True), Part(How.HAND),
    ]  # fmt: skip
