"""The request rate: never more than burst plus rate, whatever the arrival and the clock."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from zaum_api import documents
from zaum_watchdog.core import rate

SECOND = 1_000_000_000


def meter(per_minute: int, burst: int) -> rate.Meter:
    return rate.Meter(documents.RequestRate(per_minute, burst))


def admitted(asked: rate.Meter, times: list[int]) -> list[int]:
    return [now for now in times if asked.take(now) == 0]


def test_a_rested_agent_gets_its_burst_and_then_one_per_interval() -> None:
    asked = meter(60, 3)
    assert [asked.take(0) for _ in range(4)] == [0, 0, 0, SECOND]
    assert asked.take(SECOND - 1) == 1
    assert asked.take(SECOND) == 0
    assert asked.take(SECOND) == SECOND


def test_a_refused_request_costs_nothing() -> None:
    asked = meter(60, 1)
    assert asked.take(0) == 0
    assert all(asked.take(1) > 0 for _ in range(1000))
    assert asked.take(SECOND) == 0


def test_i01_zero_admits_nothing() -> None:
    for asked in (meter(0, 10), meter(60, 0), meter(0, 0)):
        assert {asked.take(now * rate.MINUTE) for now in range(10)} == {rate.MINUTE}


def test_the_interval_is_rounded_up() -> None:
    asked = meter(7, 1)
    assert asked.take(0) == 0
    assert asked.take(rate.MINUTE // 7) == 1


def test_a_clock_that_steps_back_gives_nothing() -> None:
    asked = meter(60, 2)
    assert admitted(asked, [3600 * SECOND] * 5) == [3600 * SECOND] * 2
    assert admitted(asked, [0] * 5) == []


def test_a_clock_that_steps_forward_gives_one_burst() -> None:
    asked = meter(60, 2)
    admitted(asked, [0] * 5)
    assert len(admitted(asked, [3600 * SECOND] * 50)) == 2


def test_a_changed_rate_keeps_what_is_spent() -> None:
    asked = meter(60, 5)
    admitted(asked, [0] * 5)
    asked.retune(documents.RequestRate(60, 5), 0)
    assert asked.take(0) > 0


def test_a_higher_rate_is_felt_at_once_even_after_a_very_slow_one() -> None:
    asked = meter(1, 1)
    asked.take(0)
    asked.retune(documents.RequestRate(60, 1), 0)
    assert asked.take(0) == SECOND
    assert asked.take(SECOND) == 0


def test_a_rate_taken_away_admits_nothing() -> None:
    asked = meter(60, 5)
    asked.retune(documents.RequestRate(0, 0), 0)
    assert asked.take(0) > 0


GAPS = st.one_of(st.just(0), st.integers(0, 2 * SECOND), st.integers(0, 3 * rate.MINUTE))


@given(st.integers(1, 10_000), st.integers(1, 20), st.lists(GAPS, max_size=60))
def test_i07_no_window_ever_holds_more_than_burst_and_rate(per_minute: int, burst: int, gaps: list[int]) -> None:
    crowd = [0] * burst  # A crowd first and after a rest: where a meter that counts wrong shows it.
    times = list(itertools.accumulate([*crowd, *gaps, 2 * burst * rate.MINUTE, *crowd, 0, 0]))
    passed = admitted(meter(per_minute, burst), times)
    for (first, start), (last, end) in itertools.combinations(enumerate(passed), 2):
        assert last - first + 1 <= burst + (end - start) * per_minute // rate.MINUTE


@given(st.lists(st.integers(0, 10 * SECOND), min_size=1, max_size=100))
def test_the_wait_is_the_truth(times: list[int]) -> None:
    asked = meter(60, 2)
    for now in times:
        wait = asked.take(now)
        if wait:
            assert asked.take(now + wait - 1) > 0
            assert asked.take(now + wait) == 0
