from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_operator.core import backoff

ENDED = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("in_a_row", "seconds"), [(0, 0), (1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (7, 300), (10**6, 300)]
)
def test_the_pause_doubles_from_ten_seconds_to_five_minutes(in_a_row: int, seconds: int) -> None:
    assert backoff.delay(in_a_row) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("before", "ran", "failures"), [(0, 0, 1), (4, 599, 5), (4, 600, 1), (0, 600, 1), (-5, 0, 1)])
def test_ten_minutes_of_running_forgive(before: int, ran: int, failures: int) -> None:
    assert backoff.failures(before=before, ran=timedelta(seconds=ran)) == failures


@given(st.integers(min_value=0, max_value=10**9))
def test_more_failures_never_wait_less(in_a_row: int) -> None:
    assert backoff.due(ended=ENDED, in_a_row=in_a_row) <= backoff.due(ended=ENDED, in_a_row=in_a_row + 1)
