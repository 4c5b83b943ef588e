"""Detectors: a threshold AND a duration, fed on every tick."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_watchdog.core.detectors import denied, engine, held
from zaum_watchdog.core.detectors.sample import Sample

SECOND = 1_000_000_000
CPU = documents.CpuDetector(above_percent=90, for_seconds=3, limit_millis=500)
PROCESSES = documents.ProcessDetector(above=8, for_seconds=2)
DENIED = documents.DeniedDetector(above=3, per_seconds=60)
ALL = documents.Runaway(CPU, PROCESSES, DENIED)


def busy(second: int, percent_of_limit: int = 100) -> Sample:
    """Use this share of the 500 millicores for one second."""
    return Sample(second * SECOND, cpu=percent_of_limit * SECOND // 200, elapsed=SECOND)


def crowded(second: int, processes: int = 9) -> Sample:
    return Sample(second * SECOND, processes=processes)


def refused(second: int, *at: float) -> Sample:
    return Sample(second * SECOND, denied=tuple(int(when * SECOND) for when in at))


def breaches(samples: Iterable[Sample], config: documents.Runaway = ALL) -> list[tuple[int, contract.Breach]]:
    """Feed every sample; give (number of the tick, breach)."""
    now = engine.Engine()
    found: list[tuple[int, contract.Breach]] = []
    for number, sample in enumerate(samples):
        now, tripped = now.feed(config, sample)
        found += [(number, breach) for breach in tripped]
    return found


def test_cpu_above_the_threshold_for_the_duration_trips() -> None:
    assert breaches(busy(second) for second in range(4)) == [(3, contract.Breach.RUNAWAY_CPU)]


def test_cpu_at_the_threshold_does_not_trip() -> None:
    assert breaches(busy(second, 90) for second in range(50)) == []
    assert breaches(busy(second, 91) for second in range(4)) == [(3, contract.Breach.RUNAWAY_CPU)]


def test_one_calm_tick_starts_the_duration_again() -> None:
    pattern = [100, 100, 100, 10] * 20
    assert breaches(busy(second, percent) for second, percent in enumerate(pattern)) == []


def test_a_first_look_without_a_span_is_no_usage() -> None:
    assert breaches([Sample(0, cpu=10**12, elapsed=0)] * 10) == []


def held_down(second: int, ticks: int) -> Sample:
    """Use so many hundredths of a second in one, as a throttled agent whose 500 millicores may have become 50."""
    return Sample(second * SECOND, cpu=ticks * SECOND // 100, elapsed=SECOND, throttled=True)


def raised(samples: Iterable[Sample]) -> list[bool]:
    """Feed every sample after an agent that spun; say after each whether the breach is not over yet."""
    now, found = engine.Engine(), []
    for second in range(-4, 0):
        now, _ = now.feed(ALL, busy(second))
    for sample in samples:
        now, _ = now.feed(ALL, sample)
        found.append(contract.Breach.RUNAWAY_CPU in now.raised)
    return found


def test_an_agent_that_spins_on_what_throttling_leaves_it_is_not_at_rest() -> None:
    uneven = (held_down(second, 4 + second % 3) for second in range(200))
    assert all(raised(uneven)), "50 millicores are five hundredths of each second, give or take one"


def test_an_agent_that_a_resize_takes_down_late_is_not_at_rest_meanwhile() -> None:
    assert all(raised(held_down(second, 50 if second < 7 else 5) for second in range(200)))


def test_a_throttled_agent_that_works_little_is_at_rest_after_a_while() -> None:
    found = raised(held_down(second, 3) for second in range(60))
    assert found[0]
    assert not any(found[40:])


def test_a_throttled_agent_that_no_cluster_could_resize_is_held_against_its_whole_limit() -> None:
    assert not any(raised(held_down(second, 25) for second in range(60))[40:])
    assert all(raised(held_down(second, 50) for second in range(200)))
    assert not any(raised(held_down(second, 50 if second % 10 == 0 else 3) for second in range(60))[45:]), (
        "a short burst"
    )


def test_processes_above_the_threshold_for_the_duration_trip() -> None:
    assert breaches(crowded(second) for second in range(3)) == [(2, contract.Breach.RUNAWAY_PROCESSES)]
    assert breaches(crowded(second, 8) for second in range(50)) == []
    assert breaches(crowded(second, 9 - second % 2) for second in range(50)) == []


def test_more_denials_than_the_threshold_within_a_window_trip() -> None:
    assert breaches([refused(1, 0.1, 0.2, 0.3), refused(2, 1.5)]) == [(1, contract.Breach.RUNAWAY_DENIED)]


def test_as_many_denials_as_the_threshold_do_not_trip() -> None:
    assert breaches([refused(1, 0.1, 0.2, 0.3), *(refused(second) for second in range(2, 60))]) == []


def test_denials_further_apart_than_the_window_do_not_trip() -> None:
    assert breaches(refused(second, second) for second in range(0, 2000, 20)) == []
    assert breaches(refused(second, second) for second in range(0, 2000, 19)) != []


def test_a_detector_that_is_switched_off_sees_nothing() -> None:
    wild = [Sample(s * SECOND, cpu=SECOND, elapsed=SECOND, processes=99, denied=(s,) * 9) for s in range(20)]
    assert breaches(wild, documents.Runaway(None, None, None)) == []
    assert {breach for _, breach in breaches(wild)} == {
        contract.Breach.RUNAWAY_CPU, contract.Breach.RUNAWAY_PROCESSES, contract.Breach.RUNAWAY_DENIED
    }  # fmt: skip


def test_every_detector_is_fed_although_another_trips() -> None:
    wild = [Sample(s * SECOND, cpu=SECOND, elapsed=SECOND, processes=99) for s in range(4)]
    assert breaches(wild) == [
        (2, contract.Breach.RUNAWAY_PROCESSES),
        (3, contract.Breach.RUNAWAY_PROCESSES),
        (3, contract.Breach.RUNAWAY_CPU),
    ]


def test_a_new_threshold_applies_from_the_next_tick_with_what_was_held() -> None:
    now = engine.Engine()
    for second in range(3):
        now, tripped = now.feed(ALL, busy(second))
        assert not tripped
    shorter = documents.Runaway(documents.CpuDetector(90, 1, 500), None, None)
    _, tripped = now.feed(shorter, busy(3))
    assert tripped == (contract.Breach.RUNAWAY_CPU,)


def test_a_clock_that_steps_forward_does_not_trip() -> None:
    slow = documents.Runaway(documents.CpuDetector(90, 60, 500), documents.ProcessDetector(8, 60), None)
    wild = Sample(0, cpu=SECOND, elapsed=SECOND, processes=99)
    stepped = Sample(3600 * SECOND, cpu=SECOND, elapsed=SECOND, processes=99)
    assert breaches([wild, stepped], slow) == []


def test_a_clock_that_steps_back_neither_trips_nor_forgives() -> None:
    assert breaches([busy(1000), busy(0), busy(1), busy(2)]) == []
    assert breaches([busy(1000), busy(0), busy(1), busy(2), busy(3)]) == [(4, contract.Breach.RUNAWAY_CPU)]
    assert breaches([refused(1, 1000, 0, 0, 0)]) == [(0, contract.Breach.RUNAWAY_DENIED)]


@given(st.lists(st.tuples(st.booleans(), st.integers(-(10**13), 10**13)), max_size=60))
def test_what_is_held_never_exceeds_what_was_watched(ticks: list[tuple[bool, int]]) -> None:
    state, since = held.Held(), 0
    for number, (over, now) in enumerate(ticks):
        since = since if over else number + 1
        state = state.after(over=over, now=now)
        assert 0 <= state.span <= max(0, number - since) * held.STEP_MAX
        assert over or state == held.Held()


@given(st.lists(st.integers(0, 10**12), max_size=80), st.integers(1, 10), st.integers(1, 100))
def test_denials_trip_exactly_when_a_window_holds_too_many(times: list[int], above: int, per: int) -> None:
    times = sorted(times)
    config = documents.DeniedDetector(above, per)
    state: denied.Times = ()
    tripped = False
    for start in range(0, len(times), 7):
        state, now = denied.feed(config, state, Sample(0, denied=tuple(times[start : start + 7])))
        tripped |= now
        assert len(state) <= above + 1
    expected = any(sum(at <= other < at + per * SECOND for other in times) > above for at in times)
    assert tripped is expected
