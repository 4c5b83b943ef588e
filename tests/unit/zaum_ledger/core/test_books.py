"""One meter's book: what is charged when, and what a lease becomes."""

import pytest

from zaum_api.documents import Window
from zaum_ledger.core import windows
from zaum_ledger.core.books import Book, Lease
from zaum_ledger.core.windows import DAY, HOUR, MINUTE

NOON = 20_000 * DAY + DAY // 2


def book(window: Window = Window.DAY, **leases: Lease) -> Book:
    return Book(window, leases=leases)


def lease(amount: int = 100, session: str = "s") -> Lease:
    return Lease(session, 2, amount)


def test_i07_an_outstanding_lease_weighs_as_much_as_a_charge() -> None:
    assert book(a=lease(100)).settled("a", 30, NOON).used(NOON) == 100


def test_what_is_given_back_can_be_lent_again_and_what_was_spent_cannot() -> None:
    given_back = book(a=lease(100)).settled("a", 30, NOON).returned("a")

    assert given_back.used(NOON) == 30
    assert not given_back.leases


def test_i07_the_same_sum_again_or_a_smaller_one_charges_nothing() -> None:
    once = book(a=lease(100)).settled("a", 30, NOON)

    assert once.settled("a", 30, NOON) == once
    assert once.settled("a", 10, NOON) == once


def test_i07_more_than_the_lease_is_charged_too() -> None:
    assert book(a=lease(100)).settled("a", 130, NOON).charged(NOON) == 130


def test_i07_a_silent_session_is_charged_for_all_that_it_had_left() -> None:
    silent = book(a=lease(100)).settled("a", 30, NOON).assumed("s", NOON + MINUTE)

    assert (silent.charged(NOON + MINUTE), silent.outstanding) == (100, 0)
    assert silent.assumed("s", NOON + 2 * MINUTE) == silent


def test_a_silent_session_leaves_the_leases_of_others_alone() -> None:
    assert book(a=lease(100), b=lease(50, "other")).assumed("s", NOON).outstanding == 50


def test_what_a_late_session_proves_corrects_the_charge_once_it_is_final() -> None:
    silent = book(a=lease(100)).settled("a", 30, NOON).assumed("s", NOON)
    told = silent.settled("a", 45, NOON + MINUTE)

    assert told.charged(NOON + MINUTE) == 100
    assert told.returned("a").charged(NOON + MINUTE) == 45


def test_i07_a_correction_never_frees_more_than_was_assumed() -> None:
    silent = book(a=lease(100)).settled("a", 30, NOON).assumed("s", NOON)

    assert silent.returned("a").charged(NOON) == 30
    assert silent.settled("a", 170, NOON).returned("a").charged(NOON) == 170


def test_a_correction_after_the_window_changes_nothing() -> None:
    silent = book(Window.HOUR, a=lease(100)).assumed("s", NOON).at(NOON + 2 * HOUR)

    assert silent == book(Window.HOUR)


def test_i07_what_is_outstanding_at_midnight_weighs_on_both_days() -> None:
    midnight = 20_001 * DAY
    held = book(a=lease(100))

    assert held.used(midnight - 1) == held.used(midnight) == 100
    later = held.settled("a", 60, midnight + 1).returned("a")
    assert (later.charged(midnight + 1), later.charged(midnight + DAY)) == (60, 0)


@pytest.mark.parametrize("second", [0, 1, 59])
def test_i07_a_charge_of_the_sliding_hour_counts_a_whole_hour_at_least(second: int) -> None:
    at = NOON + second * 1000
    charged = book(Window.HOUR, a=lease(100)).settled("a", 100, at).returned("a")

    assert charged.charged(at + HOUR) == 100
    assert charged.charged(at + HOUR + MINUTE) == 0


def test_the_wait_is_until_enough_has_left_the_window() -> None:
    charges = {NOON // MINUTE: 10, NOON // MINUTE + 5: 20}

    assert windows.until_free(Window.HOUR, charges, NOON, 5) == HOUR + MINUTE
    assert windows.until_free(Window.HOUR, charges, NOON, 11) == HOUR + 6 * MINUTE
    assert windows.until_free(Window.HOUR, charges, NOON, 99) == HOUR + 6 * MINUTE
    assert windows.until_free(Window.HOUR, charges, NOON, 0) == 0


@pytest.mark.parametrize("window", [Window.NOW, Window.MINUTE])
def test_there_are_no_charges_of_what_is_shared_by_shares(window: Window) -> None:
    with pytest.raises(windows.NoWindowError, match="shared by shares"):
        windows.bucket(window, NOON)
