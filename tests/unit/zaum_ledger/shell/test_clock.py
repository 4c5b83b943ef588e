"""The books' time in the running process."""

from zaum_ledger.shell import clock

SECOND = 1_000_000_000


def test_i07_a_step_of_the_wall_clock_changes_nothing_and_shows() -> None:
    wall, monotonic = [1_000 * SECOND], [5 * SECOND]
    books = clock.LedgerClock(0, wall_ns=lambda: wall[0], monotonic_ns=lambda: monotonic[0])
    assert books.now() == 1_000_000
    wall[0] -= 3600 * SECOND
    monotonic[0] += SECOND
    assert books.now() == 1_001_000
    assert books.ahead() == 3601


def test_i07_a_start_under_a_clock_that_is_behind_goes_on_from_the_books() -> None:
    books = clock.LedgerClock(2_000_000, wall_ns=lambda: 1_000 * SECOND, monotonic_ns=lambda: 0)
    assert (books.now(), books.ahead()) == (2_000_000, 1000)
