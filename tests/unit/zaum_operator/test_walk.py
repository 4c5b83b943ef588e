"""kill -9 of the operator at every request of a containment: the same end, and nothing claimed that is not so."""

import pathlib
import random
from typing import Any

import pytest

from tests.support import outbreak, specs
from tests.support.faults import Faults
from tests.support.walk import Walk
from tests.support.world import NAMESPACE
from zaum_api import incidents
from zaum_operator.core import kinds

SEEDS = range(200)
CALM = 0


def begin(folder: pathlib.Path, dice: random.Random) -> Walk:
    walk = Walk(folder, dice)
    walk.world.policy(spec=specs.agent(replicas=2))
    walk.world.policy("other")
    walk.work()
    walk.kubelets()
    walk.work()
    return walk


def story(walk: Walk, dice: random.Random | None) -> None:
    """A breach, a Quarantine by hand and a policy that goes: with dice, operators die in it, at any request."""
    world = walk.world
    first = next(pod for pod in world.live() if "researcher-0" in pod["metadata"]["name"])
    (other,) = world.live("other")

    def fate() -> None:
        if dice is not None and dice.random() < 0.8:
            walk.doom(dice.randrange(1, 9), after=dice.random() < 0.5)

    steps: list[Any] = [
        lambda: outbreak.report(walk.world, action="Kill", reason="RunawayCPU", reporter="Ledger", pod=first),
        lambda: outbreak.report(walk.world, reason="Manual", key="manual/1"),
        lambda: outbreak.report(walk.world, reason="RunawayDenied", reporter="Ledger", policy="other", pod=other),
        lambda: walk.api.remove(kinds.POLICY, NAMESPACE, "other"),
        walk.kubelets,
        walk.kubelets,
    ]
    for step in steps:
        fate()
        if dice is not None:
            walk.world.deaf = set(dice.choice([(), (), walk.world.authorizers[:1], walk.world.authorizers]))
        step()
        walk.work(dice.randrange(3) if dice is not None else 1)
    walk.world.deaf = set()
    fate()
    walk.finish()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    walk = begin(tmp_path_factory.mktemp("calm"), random.Random(CALM))
    story(walk, None)
    assert walk.deaths == 0
    assert walk.monitor.violations == []
    assert walk.monitor.claims >= 13
    return walk.outcome()


def test_the_calm_run_ends_contained(calm: dict[str, Any]) -> None:
    assert calm["incident Manual"][1] == calm["incident RunawayDenied"][1] == "Contained"
    assert calm["incident RunawayCPU"][1] == "Closed"
    assert (calm["pods researcher"], calm["pods other"], calm["route researcher"]) == (0, 0, True)


@pytest.mark.parametrize("seed", SEEDS)
def test_i09_kill_9_at_any_request_leads_to_the_same_end_and_claims_nothing(
    tmp_path: pathlib.Path, calm: dict[str, Any], seed: int
) -> None:
    dice = random.Random(seed)
    walk = begin(tmp_path, dice)
    story(walk, dice)
    assert walk.monitor.violations == []
    assert walk.outcome() == calm
    for item in walk.api.all(kinds.INCIDENT):
        steps = outbreak.timeline(item)
        assert len(steps) == len(set(steps)), "no step is told twice"
        assert len(steps) <= incidents.TIMELINE_MAX


def test_the_walk_kills_operators_often(tmp_path: pathlib.Path) -> None:
    dice = random.Random(7)
    walk = begin(tmp_path, dice)
    story(walk, dice)
    assert walk.deaths >= 2


@pytest.mark.parametrize("seed", range(20))
def test_i09_an_api_server_that_fails_at_random_leads_to_the_same_end(
    tmp_path: pathlib.Path, calm: dict[str, Any], seed: int
) -> None:
    dice = random.Random(seed)
    walk = begin(tmp_path, dice)
    faults = Faults(walk.api, dice, rate=0.4)
    walk.world.workers.reconciler.store.api = faults
    story(walk, None)
    assert faults.happened > 5, "a storm that does nothing shows nothing"
    faults.rate = 0.0
    walk.finish()
    assert walk.monitor.violations == []
    assert walk.outcome() == calm
