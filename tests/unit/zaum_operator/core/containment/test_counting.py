"""Kills in 24 hours, and what follows from them."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.scenes import made, true
from zaum_api import incidents
from zaum_operator.core.containment import counting
from zaum_operator.core.containment.incident import Incident

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
KILL, QUARANTINE = incidents.Action.KILL, incidents.Action.QUARANTINE


def kill(name: str, *, hours: float, **fields: object) -> Incident:
    stamp = f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
    return made(name, created=stamp, action="Kill", pod=("p", name), **fields)


@pytest.mark.parametrize(
    ("found", "count"),
    [
        ([], 0),
        ([kill("a", hours=1), kill("b", hours=23)], 2),
        ([kill("a", hours=1), kill("b", hours=24)], 1),
        ([kill("a", hours=1), kill("b", hours=2, reporter="Human", reason="Manual")], 1),
        ([kill("a", hours=1), kill("b", hours=2, reporter="Operator", reason="WatchdogRestarted")], 1),
        ([kill("a", hours=1), kill("b", hours=2, reporter="Operator", reason="WatchdogSilent")], 2),
        ([kill("a", hours=1), kill("b", hours=3, status=true("Released", at="2026-03-02T10:00:00Z"))], 1),
        ([kill("a", hours=3), kill("b", hours=4, status=true("Released", at="2026-03-02T10:00:00Z"))], 0),
    ],
)
def test_kills_are_those_of_a_day_since_the_last_release(found: list[Incident], count: int) -> None:
    assert counting.kills(found, at=NOW) == count


def test_one_counts_those_before_it_and_of_the_same_second_by_name() -> None:
    found = [kill("a", hours=1), kill("b", hours=1), kill("c", hours=1)]
    assert [counting.kills(found, at=item.created, but=item.name) for item in found] == [0, 1, 2]


@pytest.mark.parametrize(
    ("before", "told", "allowed", "on", "action"),
    [
        (0, 0, 3, "Kill", KILL),
        (2, 0, 3, "Kill", KILL),
        (3, 0, 3, "Kill", QUARANTINE),
        (0, 3, 3, "Kill", QUARANTINE),
        (0, 0, 0, "Kill", QUARANTINE),
        (0, 0, 3, "Quarantine", QUARANTINE),
        (0, 0, 3, "Throttle", KILL),
        (3, 0, 3, "Cut", QUARANTINE),
    ],
)
def test_the_stricter_count_decides(
    before: int, told: int, allowed: int, on: counting.Answer, action: incidents.Action
) -> None:
    assert counting.answer(before, on=on, allowed=allowed, told=told) is action


def test_what_a_person_asks_for_is_never_raised_and_what_is_closed_neither() -> None:
    human = kill("a", hours=1, reporter="Human", reason="Manual")
    closed = kill("b", hours=1, status=true("Closed"))
    assert not counting.is_due(human, [human], allowed=0)
    restarted = kill("r", hours=1, reporter="Operator", reason="WatchdogRestarted")
    assert not counting.is_due(restarted, [restarted], allowed=0), "nobody blames the agent for it"
    assert not counting.is_due(closed, [closed], allowed=0)
    assert not counting.is_due(made(), [made()], allowed=0), "it is one already"
    other = kill("c", hours=1)
    assert counting.is_due(other, [other], allowed=0)


def test_the_oldest_open_quarantine_stays() -> None:
    one, two, three = made("a"), made("b"), made("c", status=true("Closed"))
    assert counting.duplicates([one, two, three, kill("d", hours=1)]) == {"b": "a"}


def test_one_that_is_being_released_stands_in_for_no_later_one() -> None:
    going, one, two = made("a", release={"by": "ann", "reason": "mended"}), made("b"), made("c")
    assert counting.duplicates([going]) == {}
    assert counting.duplicates([going, one, two]) == {"c": "b"}
    assert counting.duplicates([one, going, two]) == {"a": "b", "c": "b"}, "nothing hangs on a later one"
