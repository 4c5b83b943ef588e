"""Those who wait for the ledger stand in one line for all that they want, rates and budgets alike."""

from zaum_api import documents
from zaum_api.documents import Kind, Meter, Window
from zaum_watchdog.core.limits import reservations, shares
from zaum_watchdog.core.limits.recent import SECOND

MINUTE = Meter("policy", Kind.TOKENS, Window.MINUTE, 100)
DAY = Meter("policy", Kind.TOKENS, Window.DAY, 1_000)
CALL = {MINUTE.id: 60, DAY.id: 60}
NOW = 1_000 * SECOND


def books() -> reservations.Books:
    """Give the books of a pod that knows its shares and has leased nothing."""
    made = reservations.Books((MINUTE, DAY), shares.Place(1, 0), NOW)
    share = documents.Share(MINUTE.id, 100, 0, 15, 0)
    made.hear(documents.Synced("s", 1, (), (share,)), returned=(), sent=NOW, now=NOW)
    return made


def ask(made: reservations.Books, call: int, now: int = NOW) -> reservations.Reservation | reservations.Refused:
    found = made.reserve(call, CALL, now=now, until=now + 60 * SECOND)
    if isinstance(found, reservations.Refused) and found.leased:
        made.wait(call, CALL)
    return found


def test_who_would_find_the_minute_used_by_those_before_him_is_told_so_at_once_and_asks_for_no_budget() -> None:
    made = books()
    first, second = ask(made, 1), ask(made, 2)
    assert isinstance(first, reservations.Refused)
    assert isinstance(second, reservations.Refused)
    assert (first.meter, first.leased) == (DAY, True)
    assert (second.meter, second.leased, second.left) == (MINUTE, False, 40)
    assert [want.amount for want in made.report(NOW).wants] == [60], "for the one who can use it"


def test_the_first_in_the_line_is_served_and_when_he_is_done_the_next_one() -> None:
    made = books()
    ask(made, 1)
    made.hear(documents.Synced("s", 2, (documents.Lease("l", DAY.id, 200, 120),)), returned=(), sent=NOW, now=NOW)
    assert isinstance(ask(made, 1), reservations.Reservation)
    assert isinstance(ask(made, 2), reservations.Refused)
    made.settle(1, {MINUTE.id: 10, DAY.id: 10}, NOW)
    assert isinstance(ask(made, 2), reservations.Reservation)


def test_i07_nobody_overtakes_who_waits_though_there_is_enough_for_him() -> None:
    made = books()
    assert isinstance(made.reserve(1, {DAY.id: 100}, now=NOW, until=NOW + SECOND), reservations.Refused)
    made.wait(1, {DAY.id: 100})
    made.hear(documents.Synced("s", 2, (documents.Lease("l", DAY.id, 80, 120),)), returned=(), sent=NOW, now=NOW)
    assert isinstance(made.reserve(2, {DAY.id: 50}, now=NOW, until=NOW + SECOND), reservations.Refused)
    made.give_up(1)
    assert isinstance(made.reserve(3, {DAY.id: 50}, now=NOW, until=NOW + SECOND), reservations.Reservation)


def test_while_calls_under_way_hold_the_minute_it_is_worth_asking_soon() -> None:
    minute = shares.Minute(MINUTE, shares.Place(1, 0), NOW)
    minute.hear(None, sent=NOW, heard=NOW)
    minute.reserve(60)
    assert minute.wait(60, NOW) == SECOND, "what they use is not known yet"
    assert minute.wait(101, NOW) == shares.MINUTE
    minute.settle(60, 50, NOW)
    minute.reserve(40)
    assert minute.wait(60, NOW + SECOND) == shares.MINUTE, "and not before enough is a minute old"
    assert minute.wait(20, NOW + SECOND) == SECOND
