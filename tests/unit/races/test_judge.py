"""The judge of races finds each kind of wrong, and nothing in a race where all is right."""

from dataclasses import replace

import pytest

from tests.races import judge
from tests.races.judge import Book, Call, Charge, Done, Race

CALLS = (
    Call("a.1", "a", 100.0, 101.0, 200, whole=True, tokens=30),
    Call("a.2", "a", 100.0, 102.0, 200, fault="truncated", tokens=None),
    Call("a.3", "a", 100.0, 100.1, 429, "limits.tokens.perMinute", whole=True),
    Call("a.4", "a", 110.0, 111.0, 402, "limits.cost.perDay", whole=True),
    Call("b.1", "b", 100.0, 101.0, 200, whole=True, tokens=40),
)
DONE = (Done("a.1", "a", 100.2, 30, 300), Done("a.2", "a", 100.3, 50, 500), Done("b.1", "b", 161.0, 40, 400))
CHARGES = (Charge("a", 30, 300, ""), Charge("a", 90, 900, "it broke off"), Charge("b", 40, 400, ""))
RIGHT = Race(100, 2000, CALLS, DONE, CHARGES, Book(160, 0), Book(1600, 0))
KILLED = replace(
    RIGHT,
    calls=(*CALLS[:-1], Call("b.1", "b", 160.0)),
    charges=CHARGES[:-1],
    tokens=Book(190, 70),
    cost=Book(1900, 700),
    killed={"b": 162.0},
)


def test_a_race_where_all_is_right_has_no_faults() -> None:
    assert judge.faults(RIGHT) == []
    refused = "'402 limits.cost.perDay': 1, '429 limits.tokens.perMinute': 1"
    assert f"5 calls {{'200': 3, {refused}}}, 0 died" in judge.summary(RIGHT)
    assert "1200 of 2000 micro-dollars, at most 80 of 100 tokens in a minute; charged 1600" in judge.summary(RIGHT)


def test_what_a_killed_pod_had_in_hand_is_charged_and_need_not_be_answered() -> None:
    assert judge.faults(KILLED) == []
    assert "1 died with their pod" in judge.summary(KILLED)


def calls(at: int, **changes: object) -> Race:
    listed = list(CALLS)
    listed[at] = replace(listed[at], **changes)  # type: ignore[arg-type]
    return replace(RIGHT, calls=tuple(listed))


@pytest.mark.parametrize(
    ("race", "words"),
    [
        (calls(0, ended=None), ["a.1: never answered"]),
        (calls(2, status=0, problem="reset"), ["a.3: no answer: reset"]),
        (calls(0, whole=False), ["a.1: 200, but its answer broke off"]),
        (calls(0, tokens=29), ["a.1: told of 29 tokens, in the books are 30"]),
        (calls(0, status=429), ["a.1: refused with 429"]),
        (replace(RIGHT, done=DONE[1:]), ["a.1: answered, but in nobody's books", "charged (30, 300)"]),
        (replace(RIGHT, done=(*DONE, DONE[0])), ["a.1: done 2 times"]),
        (replace(RIGHT, tokens_minute=79), ["80 tokens in the minute from 100.200, more than 79"]),
        (replace(RIGHT, cost_day=1199), ["1200 micro-dollars of 1199 spent", "charged 1600 of 1199"]),
        (
            replace(RIGHT, charges=(Charge("a", 31, 310, ""), *CHARGES[1:])),
            ["a: charged (31, 310)", "1 calls of (30, 300) came to their end", "the charges are 161"],
        ),
        (
            replace(RIGHT, charges=(CHARGES[0], CHARGES[2])),
            ["a: 1 calls have no charge that is certain", "the charges are 70"],
        ),
        (
            replace(RIGHT, charges=(CHARGES[0], Charge("a", 40, 400, "it broke off"), CHARGES[2])),
            ["a: a call in doubt is charged 400, but one cost 500"],
        ),
        (replace(RIGHT, cost=Book(1199, 0)), ["the ledger has 1199 of cost, the provider 1200"]),
        (replace(RIGHT, cost=Book(1700, 100)), ["the ledger has 1700 of cost and 100 unproven, the charges are 1600"]),
        (replace(KILLED, cost=Book(1900, 699)), ["the ledger was told of 1201 of cost, the charges are 1200"]),
        (replace(KILLED, tokens=Book(119, 0)), ["the ledger has 119 of tokens, the provider 120"]),
        (
            replace(KILLED, charges=(*CHARGES[:2], Charge("b", 39, 390, ""))),
            ["b: charged (39, 390) 1 times more often than the provider"],
        ),
        (
            replace(KILLED, calls=(*CALLS[:-1], replace(CALLS[-1], begun=160.0, ended=160.9))),
            ["b: 1 calls of (40, 400) came to their end, but are not charged so"],
        ),
    ],
)
def test_each_wrong_is_found(race: Race, words: list[str]) -> None:
    found = "\n".join(judge.faults(race))
    assert [word for word in words if word not in found] == [], found
