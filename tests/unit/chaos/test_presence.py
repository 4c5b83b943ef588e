"""Who leads, told from the lease and from what was done to the processes."""

from tests.chaos import presence
from tests.chaos.history import Change
from tests.chaos.presence import Life, Turn

ONE, TWO = "operator-1", "operator-2"


def lease(at: float, holder: str) -> Change:
    return Change(int(at * 10), at, presence.LEASE, {"spec": {"holderIdentity": f"{holder}_0a1b" if holder else None}})


def absent(*events: Turn | Change) -> list[tuple[float, float | None]]:
    turns = [event for event in events if isinstance(event, Turn)]
    leases = [event for event in events if isinstance(event, Change)]
    found = presence.without_leader(turns, leases, begin=0, end=100)
    return [(item.since, item.until) for item in found]


def runs(at: float, name: str) -> Turn:
    return Turn(at, name, Life.RUNS)


def test_nobody_leads_before_the_lease_is_taken() -> None:
    assert absent(runs(1, ONE), lease(3, ONE)) == [(0, 3)]


def test_without_any_lease_nobody_ever_led() -> None:
    assert absent(runs(1, ONE)) == [(0, 100)]


def test_a_killed_leader_leaves_a_gap_until_another_takes_the_lease() -> None:
    killed = Turn(20, ONE, Life.DEAD)
    assert absent(runs(1, ONE), runs(1, TWO), lease(2, ONE), killed, lease(36, TWO)) == [(0, 2), (20, 36)]


def test_a_killed_standby_leaves_no_gap() -> None:
    assert absent(runs(1, ONE), runs(1, TWO), lease(2, ONE), Turn(20, TWO, Life.DEAD), lease(22, ONE)) == [(0, 2)]


def test_a_frozen_leader_leads_again_when_it_renews() -> None:
    frozen, thawed = Turn(20, ONE, Life.FROZEN), runs(23, ONE)
    assert absent(runs(1, ONE), lease(2, ONE), frozen, thawed, lease(24, ONE)) == [(0, 2), (20, 24)]


def test_a_lease_that_was_released_or_deleted_has_no_leader() -> None:
    gone = Change(50, 30, presence.LEASE, None)
    assert absent(runs(1, ONE), lease(2, ONE), lease(10, ""), lease(12, ONE), gone, lease(33, ONE)) == [
        (0, 2),
        (10, 12),
        (30, 33),
    ]


def test_a_stranger_who_holds_the_lease_is_no_leader() -> None:
    assert absent(runs(1, ONE), lease(2, ONE), lease(9, "stranger")) == [(0, 2), (9, 100)]
