"""What is killed when, and what agents do, are values of the seed."""

import itertools

import pytest

from tests.chaos.loop import in_cluster, plan
from tests.chaos.loop.plan import Kind, Part, Told


def test_the_same_seed_gives_the_same_kills_and_deeds() -> None:
    assert plan.blows(seed=7, faults=200) == plan.blows(seed=7, faults=200)
    assert plan.blows(seed=7, faults=200) != plan.blows(seed=8, faults=200)
    taken = [list(itertools.islice(plan.acts(seed=seed, index=0), 50)) for seed in (7, 7, 8)]
    assert taken[0] == taken[1] != taken[2]
    assert in_cluster.victims_of(7, 15) == in_cluster.victims_of(7, 15)


@pytest.mark.parametrize("seed", range(20))
def test_a_whole_run_kills_each_part_alone_and_with_another_and_the_api_server_now_and_then(seed: int) -> None:
    found = plan.blows(seed=seed, faults=200)
    assert len(found) == 200
    assert {blow.parts for blow in found} == set(plan.VICTIMS)
    assert {part for blow in found for part in blow.parts} == set(Part)
    assert sum(blow.api for blow in found) == 200 // plan.API_EVERY
    assert all(len(blow.parts) == len(blow.down) for blow in found)


@pytest.mark.parametrize("seed", range(20))
def test_agents_and_people_do_all_that_they_can(seed: int) -> None:
    found = list(itertools.islice(plan.acts(seed=seed, index=0), 100))
    assert found[0].kind is Kind.BREACH
    assert {act.kind for act in found} == set(Kind)
    assert {act.told for act in found} == set(Told)
    assert {act.early for act in found} == {True, False}


def test_fifteen_kills_on_the_cluster_hit_everything() -> None:
    for seed in range(20):
        hit = {victim for victims in in_cluster.victims_of(seed, 15) for victim in victims}
        assert hit == {"operator", "ledger", "authorizer", "gateway", in_cluster.WATCHDOG, in_cluster.KUBELET}
