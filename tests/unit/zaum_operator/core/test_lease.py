"""The table of the Lease: who may take it, when, and until when its holder may act."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_operator.core import lease
from zaum_operator.core.lease import Move, Seen

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def held_by(holder: str | None, version: str = "7", seconds: Any = 15) -> dict[str, Any]:
    return {
        "metadata": {"resourceVersion": version},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds},
    }


@pytest.mark.parametrize(
    ("found", "seen", "now", "move"),
    [
        (None, None, 0, Move.CREATE),
        (held_by("me"), None, 0, Move.RENEW),
        (held_by(None), None, 0, Move.TAKE),
        (held_by(""), None, 0, Move.TAKE),
        ({"metadata": {"resourceVersion": "1"}}, None, 0, Move.TAKE),
        (held_by("other"), None, 1000, Move.WAIT),
        (held_by("other"), Seen("6", 0), 1000, Move.WAIT),
        (held_by("other"), Seen("7", 0), 14.9, Move.WAIT),
        (held_by("other"), Seen("7", 0), 15, Move.TAKE),
        (held_by("other", seconds=60), Seen("7", 0), 59, Move.WAIT),
        (held_by("other", seconds=1), Seen("7", 0), 14, Move.WAIT),
        (held_by("other", seconds="x"), Seen("7", 0), 15, Move.TAKE),
        (held_by("other", seconds=10**9), Seen("7", 0), 15, Move.TAKE),
    ],
)  # fmt: skip
def test_the_table(found: dict[str, Any] | None, seen: Seen | None, now: float, move: Move) -> None:
    assert lease.decide(found, "me", seen, now=now).move is move


def test_a_lease_of_another_is_watched_from_when_it_last_changed() -> None:
    first = lease.decide(held_by("other", "7"), "me", None, now=10)
    again = lease.decide(held_by("other", "7"), "me", first.seen, now=20)
    renewed = lease.decide(held_by("other", "8"), "me", again.seen, now=22)
    assert (first.seen, again.seen, renewed.seen) == (Seen("7", 10), Seen("7", 10), Seen("8", 22))


@given(st.floats(0, 100), st.floats(0, 5))
def test_a_leader_has_ceased_before_another_takes_over(began: float, looked: float) -> None:
    """The renewal is seen by another no sooner than it was begun; from there its whole duration counts."""
    seen = Seen("8", began + looked)
    earliest = next(
        now for now in (seen.since + step / 10 for step in range(1000))
        if lease.decide(held_by("other", "8"), "me", seen, now=now).move is Move.TAKE
    )  # fmt: skip
    assert earliest - lease.leads_until(began) >= lease.DURATION - lease.DEADLINE - 0.001


def test_what_is_written_says_since_when_and_how_often_it_changed_hands() -> None:
    taken = lease.held(held_by("other"), "me", now=NOW)
    assert (taken["holderIdentity"], taken["leaseDurationSeconds"], taken["leaseTransitions"]) == ("me", 15, 1)
    kept = lease.held({"metadata": {}, "spec": taken}, "me", now=NOW.replace(second=2))
    assert (kept["acquireTime"], kept["leaseTransitions"]) == ("2026-03-01T12:00:00.000000Z", 1)
    assert kept["renewTime"] == "2026-03-01T12:00:02.000000Z"
    assert lease.released(now=NOW)["holderIdentity"] is None
