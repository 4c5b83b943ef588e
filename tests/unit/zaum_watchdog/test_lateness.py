"""Whose doing a late beat is. Times in microseconds here: the reckoning has no unit of its own."""

import itertools

import pytest

from zaum_watchdog.core import lateness

PERIOD = 1000


@pytest.mark.parametrize(
    ("late", "used", "waited", "own"),
    [
        (0, 200, 0, 0),  # on time, however busy
        (4500, 5000, 0, 4500),  # nobody else's doing
        (9500, 5000, 5000, 4500),  # the same work, with others on the core
        (3000, 100, 3000, 0),  # the others alone
        (304_500, 5000, 300, 4000),  # stopped for 300 ms: up to a period of the work was done in time
        (300_000, 400, 300, 0),  # stopped, and next to no work
    ],
)
def test_others_on_the_core_and_stops_are_not_the_loops_doing(late: int, used: int, waited: int, own: int) -> None:
    assert lateness.own(late=late, used=used, waited=waited, period=PERIOD) == own


def test_a_callback_shows_less_at_most_one_period() -> None:
    """Whenever it begins in the period, whatever ran before it, and wherever in between the thread had no core."""
    tenths = range(0, PERIOD + 1, 100)
    for begin, length, before, during, stop in itertools.product(
        tenths, (500, 1000, 5000, 20_000), tenths, (0, 300, 8000), (0, 50_000)
    ):
        if before <= begin:  # the rest of the time before `begin` the thread waited for a core
            now = begin + length + during + stop
            own = lateness.own(
                late=max(now - PERIOD, 0), used=before + length, waited=begin - before + during, period=PERIOD
            )
            assert own >= length - PERIOD, (begin, length, before, during, stop)
