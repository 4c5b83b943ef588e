"""How far the watchdog goes: one table, by detectors and by orders."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_watchdog.core import ladder
from zaum_watchdog.core.ladder import Event, Ladder, Rung

SECOND = 1_000_000_000
CPU, DENIED, IDLE = contract.Breach.RUNAWAY_CPU, contract.Breach.RUNAWAY_DENIED, contract.Breach.IDLE
STEP = documents.Step


def containment(step: documents.Step) -> documents.Containment:
    return documents.Containment(on_runaway=step)


def climb(step: documents.Step | None, raised: dict[range, tuple[contract.Breach, ...]], *, until: int) -> list[Rung]:
    """Tick once a second; give the rung at each. `raised`: which breaches are, in which seconds."""
    now, found = Ladder(), []
    for second in range(until):
        breaches = next((each for seconds, each in raised.items() if second in seconds), ())
        now = ladder.tick(now, breaches, containment(step) if step else None, second * SECOND)
        found.append(now.rung)
    return found


def order(action: documents.Action, number: int = 1) -> documents.Order:
    return documents.Order(number, action, "Manual")


def test_the_table_is_whole() -> None:
    assert set(ladder.TABLE) == set(Rung)
    assert all(set(row) == set(Event) for row in ladder.TABLE.values())


@pytest.mark.parametrize("event", Event)
def test_i09_there_is_no_way_back_from_killed(event: Event) -> None:
    killed = Ladder(Rung.KILLED, "RunawayCPU", 1)
    assert killed.on(event, "other", 2) is killed


@pytest.mark.parametrize(
    ("step", "rung"),
    [
        (STEP.THROTTLE, Rung.THROTTLED), (STEP.CUT, Rung.CUT), (STEP.KILL, Rung.KILLED), (STEP.QUARANTINE, Rung.KILLED),
        (None, Rung.KILLED),
    ],
)  # fmt: skip
def test_the_first_answer_is_the_policys(step: documents.Step | None, rung: Rung) -> None:
    assert climb(step, {range(5, 6): (CPU,)}, until=6) == [Rung.FREE] * 5 + [rung]


@pytest.mark.parametrize(("step", "rung"), [(STEP.THROTTLE, Rung.THROTTLED), (STEP.CUT, Rung.CUT)])
def test_it_ends_by_itself_when_no_breach_is_raised_any_more(step: documents.Step, rung: Rung) -> None:
    assert climb(step, {range(3): (CPU,)}, until=5) == [rung] * 3 + [Rung.FREE] * 2


def test_a_breach_that_lasts_goes_one_rung_further_at_a_time() -> None:
    patience = ladder.PATIENCE // SECOND
    rungs = climb(STEP.THROTTLE, {range(1000): (CPU,)}, until=1000)
    steps = [(rung, len([*same])) for rung, same in itertools.groupby(rungs)]
    assert steps == [(Rung.THROTTLED, patience), (Rung.CUT, patience), (Rung.KILLED, 1000 - 2 * patience)]


def test_one_breach_after_another_is_no_rest() -> None:
    rungs = climb(STEP.CUT, {range(100): (CPU,), range(100, 1000): (DENIED,)}, until=200)
    assert rungs[-1] is Rung.KILLED


@pytest.mark.parametrize("step", STEP)
def test_what_blames_nobody_ends_the_pod_whatever_the_first_answer_is(step: documents.Step) -> None:
    assert climb(step, {range(1): (IDLE,)}, until=1) == [Rung.KILLED]


def test_the_first_breach_is_the_word_until_the_rung_changes() -> None:
    now = ladder.tick(Ladder(), (CPU,), containment(STEP.THROTTLE), 0)
    now = ladder.tick(now, (DENIED, CPU), containment(STEP.THROTTLE), SECOND)
    assert now == Ladder(Rung.THROTTLED, "RunawayCPU", 0)
    assert ladder.tick(now, (DENIED, CPU), containment(STEP.THROTTLE), ladder.PATIENCE).word == "RunawayDenied"
    assert ladder.tick(now, (), containment(STEP.THROTTLE), SECOND) == Ladder()


def test_a_cut_by_order_is_held_until_another_order() -> None:
    held = ladder.order(Ladder(), order(documents.Action.CUT), 7)
    assert held == Ladder(Rung.HELD, "Manual", 7)
    assert (held.cut, held.said) == (True, documents.Rung.CUT)
    assert ladder.tick(held, (), containment(STEP.THROTTLE), 10**15) is held
    assert ladder.tick(held, (CPU,), containment(STEP.THROTTLE), 10**15) is held
    assert ladder.tick(held, (CPU,), containment(STEP.KILL), 10**15).rung is Rung.KILLED
    assert ladder.order(held, order(documents.Action.RELEASE), 9) == Ladder()
    assert ladder.order(held, order(documents.Action.KILL), 9) == Ladder(Rung.KILLED, "Manual", 9)


def test_a_release_does_not_free_whom_a_detector_holds_for_long() -> None:
    cut = ladder.tick(Ladder(), (CPU,), containment(STEP.CUT), 0)
    freed = ladder.order(cut, order(documents.Action.RELEASE), SECOND)
    assert freed.rung is Rung.FREE
    assert ladder.tick(freed, (CPU,), containment(STEP.CUT), 2 * SECOND).rung is Rung.CUT


@given(st.lists(st.sampled_from([*Event]), max_size=30))
def test_a_ladder_has_a_word_exactly_while_it_is_not_free(events: list[Event]) -> None:
    now = Ladder()
    for at, event in enumerate(events):
        before, now = now, now.on(event, f"word{at}", at)
        assert bool(now.word) == (now.rung is not Rung.FREE)
        assert now is before or now.rung is not before.rung
        assert before.rung is not Rung.KILLED or now.rung is Rung.KILLED


@pytest.mark.parametrize(
    ("before", "after"), [((0, 0), (0, 0)), ((1, 1), (1, 1)), ((60, 10), (6, 1)), ((100000, 255), (10000, 25))]
)
def test_throttled_is_a_tenth_and_never_more_than_before(before: tuple[int, int], after: tuple[int, int]) -> None:
    assert ladder.throttled(documents.RequestRate(*before)) == documents.RequestRate(*after)


@pytest.mark.parametrize(("word", "said"), [("RunawayCPU", "RunawayCPU"), ("", ""), ("two words\n", "Ordered")])
def test_a_report_says_one_word_whatever_an_order_said(word: str, said: str) -> None:
    report = Ladder(Rung.HELD if word else Rung.FREE, word, 1).report(3, 7)
    assert (report.breach, report.would_kill) == (said, 3)
    assert report.since == 7, "also while free: it tells a newer word from an older one"
    assert documents.Contained.read(report.write(), "") == report
