"""Promises and loans of one shared meter, turn by turn."""

import pytest

from zaum_api.documents import Demand, Kind, Meter, Window
from zaum_ledger.core import shares
from zaum_ledger.core.shares import LOAN, Lending, Part, Promise

RATE = Meter("policy", Kind.REQUESTS, Window.MINUTE, 100, 10)
TOKENS = Meter("policy", Kind.TOKENS, Window.MINUTE, 100)
NOW = 1_790_000_000_000
ID = RATE.id


def turn(
    lending: Lending, ordinal: int, used: int, asked: int, *, meter: Meter = RATE, at: int = 0, fresh: bool = False
) -> Lending:
    part = shares.floor(meter.limit, 2, ordinal)
    side = shares.amount_side(ordinal, part, Demand(meter.id, used, asked), fresh=fresh)
    return shares.turn(lending, side, shares.terms(meter), NOW + at)


def part(lending: Lending, ordinal: int, at: int = 0) -> Part | None:
    return shares.part(lending, ordinal, 50, NOW + at)


def lent(meter: Meter = RATE) -> Lending:
    """0 is idle and has promised, 1 is busy and has got a loan."""
    lending = turn(Lending(), 1, 50, 90, meter=meter)
    lending = turn(lending, 0, 0, 0, meter=meter)
    lending = turn(lending, 0, 0, 0, meter=meter, at=100)
    return turn(lending, 1, 50, 90, meter=meter, at=200)


@pytest.mark.parametrize(("limit", "replicas"), [(0, 3), (1, 3), (10, 3), (100, 7), (5, 1)])
def test_i07_the_floors_together_are_the_limit(limit: int, replicas: int) -> None:
    floors = [shares.floor(limit, replicas, ordinal) for ordinal in range(replicas + 2)]

    assert sum(floors) == limit
    assert sorted(floors, reverse=True) == floors


def test_nobody_is_asked_for_anything_while_nobody_wants_more() -> None:
    assert turn(Lending(), 0, 0, 0).empty


def test_an_idle_pod_keeps_a_quarter_and_lends_the_rest_to_a_busy_one() -> None:
    lending = lent()

    assert part(lending, 0, 200) == Part(50 - 38, 40)
    assert part(lending, 1, 200) == Part(50 + 38, LOAN // 1000)


def test_i07_a_promise_backs_nothing_before_it_was_heard() -> None:
    lending = turn(turn(Lending(), 1, 50, 90), 0, 0, 0)

    assert part(lending, 0) == Part(12, 40)
    assert part(turn(lending, 1, 50, 90, at=100), 1) is None


def test_i07_of_two_promises_the_smaller_one_counts_until_the_second_was_heard() -> None:
    lending = Lending(said={0: Promise(38, 9)}, heard={0: Promise(10, 20)})

    assert lending.certain(0) == Promise(10, 9)


def test_i07_tokens_of_the_last_minute_must_be_below_the_promise() -> None:
    lending = turn(turn(Lending(), 1, 50, 90, meter=TOKENS), 0, 0, 0, meter=TOKENS)

    spent = turn(lending, 0, 30, 30, meter=TOKENS, at=100)
    assert part(turn(spent, 1, 50, 90, meter=TOKENS, at=200), 1, 200) is None
    idle = turn(lending, 0, 12, 12, meter=TOKENS, at=100)
    assert part(turn(idle, 1, 50, 90, meter=TOKENS, at=200), 1, 200) == Part(82, 15)


@pytest.mark.parametrize(("meter", "weighs"), [(RATE, LOAN + 5_000), (TOKENS, LOAN + 65_000)])
def test_i07_a_pod_that_wakes_has_its_floor_again_only_when_the_loan_weighs_no_more(meter: Meter, weighs: int) -> None:
    lending = turn(lent(meter), 0, 12, 90, meter=meter, at=300)

    assert part(lending, 0, 200 + weighs - 1) == Part(12, 1)
    assert part(lending, 0, 200 + weighs) is None
    assert part(lending, 1, 200 + LOAN) is None


def test_a_loan_is_renewed_as_long_as_the_promise_is() -> None:
    lending = lent()
    for at in range(10_000, 60_000, 10_000):
        lending = turn(lending, 0, 0, 0, at=at)
        lending = turn(lending, 1, 88, 88, at=at + 1)
        assert part(lending, 1, at + 1) == Part(88, 15)


def test_i07_a_new_pod_is_bound_by_what_the_one_before_it_has_lent() -> None:
    assert part(turn(lent(), 0, 0, 0, at=300, fresh=True), 0, 300) == Part(12, 20)


def test_i07_what_another_session_heard_backs_nothing_new() -> None:
    lending = turn(lent(), 0, 0, 0, at=300, fresh=True)

    assert lending.certain(0).amount == 0


def test_i07_under_another_clock_nothing_is_lent_on_and_what_was_lent_weighs_anew() -> None:
    lending = lent().taken_over(NOW + 5_000)

    assert part(lending, 1, 5_000) is None
    assert part(lending, 0, 5_000) == Part(12, 80)
    assert lending.certain(0).amount == 0
    assert part(turn(lending, 1, 50, 90, at=5_001), 1, 5_001) is None


def test_a_pod_without_any_burst_gets_one_from_an_idle_pod_and_from_no_other() -> None:
    def side(ordinal: int, asked: int) -> shares.Side:
        return shares.burst_side(ordinal, shares.floor(1, 2, ordinal), Demand(ID, 0, asked), fresh=False)

    def after(asked: int) -> Part | None:
        lending = Lending()
        for ordinal, wants in ((1, 5), (0, asked), (0, asked), (1, 5)):
            lending = shares.turn(lending, side(ordinal, wants), shares.terms(RATE), NOW)
        return shares.part(lending, 1, 0, NOW)

    assert after(asked=0) == Part(1, 15)
    assert after(asked=1) is None
