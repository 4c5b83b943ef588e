"""The ledger's time never goes back and does not follow the wall clock."""

import pytest

from zaum_ledger.core.clock import Clock

SECOND, HOUR = 1_000_000_000, 3_600_000
NOON = 1_790_000_000_000


@pytest.mark.parametrize(
    ("last", "wall", "start"),
    [
        pytest.param(0, NOON, NOON, id="no books: the wall clock"),
        pytest.param(NOON - HOUR, NOON, NOON, id="the wall clock is later than the books"),
        pytest.param(NOON, NOON - HOUR, NOON, id="the wall clock is behind: the books"),
    ],
)
def test_i07_time_starts_at_the_later_of_books_and_wall_clock(last: int, wall: int, start: int) -> None:
    assert Clock.anchored(last=last, wall=wall * 1_000_000, monotonic=77).at(77) == start


def test_time_follows_the_monotonic_clock_alone() -> None:
    clock = Clock.anchored(last=0, wall=NOON * 1_000_000, monotonic=5 * SECOND)

    assert clock.at(6 * SECOND) == NOON + 1000
    assert clock.at(4 * SECOND) == NOON
