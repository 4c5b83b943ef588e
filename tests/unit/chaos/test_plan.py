"""A storm is a value of its seed."""

import pytest

from tests.chaos import plan
from tests.chaos.plan import Kind
from tests.support import edits


def test_the_same_seed_gives_the_same_storm() -> None:
    assert plan.draw(seed=7, faults=200) == plan.draw(seed=7, faults=200)
    assert plan.draw(seed=7, faults=200) != plan.draw(seed=8, faults=200)


@pytest.mark.parametrize("seed", range(20))
def test_a_large_storm_has_every_kind_of_fault_and_every_kind_of_child(seed: int) -> None:
    storm = plan.draw(seed=seed, faults=200)
    assert len(storm) == 200
    assert {fault.kind for fault in storm} == set(Kind)
    edited = {fault.edit.child for fault in storm if fault.edit}
    assert edited >= {"guard", "networkpolicy", "account", "quota", "config", "priority", "pod"}


@pytest.mark.parametrize("seed", range(20))
def test_a_small_storm_is_mixed_and_has_nothing_that_takes_long(seed: int) -> None:
    storm = plan.draw(seed=seed, faults=20)
    assert len(storm) == 20
    assert len({fault.kind for fault in storm}) >= 10
    assert not {fault.kind for fault in storm} & plan.HEAVY


def test_faults_are_bounded_in_time() -> None:
    for fault in plan.draw(seed=1, faults=2000):
        assert 0 <= fault.lasts <= 12
        assert plan.PAUSE[0] <= fault.pause <= plan.PAUSE[1]


def test_each_edit_of_the_table_has_a_title_of_its_own() -> None:
    ids = [edit.id for edit in edits.TABLE]
    assert len(ids) == len(set(ids))
    assert {edit.child for edit in edits.TABLE} == set(edits.RESOURCES)
