"""Watchdogs' books and the ledger's accounts together: whatever fails, nothing real passes a limit (I07).

A failing walk prints the call that leads there again. `make walks STEPS=...` walks on.
"""

from typing import Any

import pytest

from tests.limits import run, world
from zaum_ledger.core import accounts, slices
from zaum_watchdog.core.limits import slices as held

STEPS = 2_500
WALKS = [(replicas, seed) for replicas in (1, 2, 3, 5) for seed in range(5)]


@pytest.mark.parametrize("changes", [False, True], ids=["one document", "documents change"])
@pytest.mark.parametrize(("replicas", "seed"), WALKS)
def test_i07_no_walk_passes_a_limit(replicas: int, seed: int, changes: bool) -> None:
    """Take 10^5 steps over all."""
    found = run.walk(seed, steps=STEPS, replicas=replicas, honest=seed % 2 == 0, changes=changes)
    assert found.counts[world.RATE.id] > 20


@pytest.mark.parametrize(("replicas", "seed"), [(replicas, seed) for replicas in (1, 2, 3) for seed in range(3)])
def test_i07_no_walk_through_policies_that_never_ran_passes_a_limit(replicas: int, seed: int) -> None:
    found = run.walk(seed, steps=STEPS, replicas=replicas, honest=seed % 2 == 0, others=True)
    assert found.counts["new"] > 0, "of some the ledger knows that they never ran"


def test_walks_go_as_far_as_the_limits() -> None:
    found = [run.walk(seed, steps=STEPS, replicas=2) for seed in range(100, 106)]

    for meter in world.METERS:
        assert max(one.truth[meter.id].highest for one in found) > 0.8, meter.id
    for what in ("borrowed", "lent", "carried", "leases"):
        assert sum(one.counts.get(what, 0) for one in found) > 20, what


def passes(seeds: tuple[int, ...], replicas: int, *, others: bool = False) -> bool:
    """Say whether one of a few walks fails."""
    for seed in seeds:
        try:
            run.walk(seed, steps=STEPS, replicas=replicas, others=others)
        except AssertionError:
            return True
    return False


BROKEN: dict[str, tuple[Any, str, Any]] = {
    "the ledger lends without looking": (slices, "size", lambda asked, **_: asked),
    "each pod has the floor of its own plan": (accounts, "_least", lambda *given: accounts._floors(*given[:2])),
    "a lease that ran out is spent": (held.Held, "usable", lambda lease, _: lease.free),
}


@pytest.mark.parametrize(
    ("broken", "seeds", "replicas"),
    [
        ("the ledger lends without looking", (0, 1), 1),
        ("each pod has the floor of its own plan", (33, 42), 3),
        ("a lease that ran out is spent", (16,), 2),
    ],
)
def test_the_walk_sees_that(
    broken: str, seeds: tuple[int, ...], replicas: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*BROKEN[broken])
    assert passes(seeds, replicas)


def test_the_walk_sees_that_every_policy_is_taken_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_new", lambda *_: True)
    assert passes((12, 24), replicas=1, others=True)
