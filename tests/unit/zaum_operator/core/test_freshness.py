"""What is remembered saves work and decides nothing."""

from tests.support import specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract
from zaum_operator.core import freshness, intent, kinds
from zaum_operator.core.keys import Key

KEY = Key(NAMESPACE, "researcher")


def test_a_spec_is_read_once_for_each_generation(world: World) -> None:
    memory = freshness.Memory()
    first = world.policy()
    one = memory.readers.policy(first)
    assert memory.readers.policy(first | {"status": {"replicas": 3}}) is one
    other = memory.readers.policy(world.policy(spec=specs.agent(replicas=2)))
    assert other is not one
    assert other == intent.read(world.api.all(kinds.POLICY)[0])
    memory.forget(KEY)
    assert memory.readers.policy(first) is not one


def test_of_many_specs_only_the_latest_are_kept_as_read() -> None:
    memory = freshness.Memory(read_max=2)
    bodies = [
        {"metadata": {"namespace": NAMESPACE, "name": name, "uid": name, "generation": 1}, "spec": specs.agent()}
        for name in "abc"
    ]
    first, second, third = (memory.readers.policy(body) for body in bodies)
    assert memory.readers.policy(bodies[2]) is third
    assert memory.readers.policy(bodies[1]) is second
    assert memory.readers.policy(bodies[0]) is not first


def test_a_ceiling_is_read_once_for_each_generation() -> None:
    memory = freshness.Memory()
    body = {
        "apiVersion": contract.API_VERSION, "kind": contract.KIND_CEILING,
        "metadata": {"name": "c", "uid": "u", "generation": 1}, "spec": {"namespaceSelector": {}},
    }  # fmt: skip
    one = memory.readers.ceiling(body)
    assert memory.readers.ceiling(body) is one
    later = body | {"metadata": {"name": "c", "uid": "u", "generation": 2}}
    assert memory.readers.ceiling(later) is not one


def test_a_policy_of_which_nothing_has_changed_is_not_planned_again(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    world.look()
    skipped = world.metrics.reconciles.labels("skipped")
    before = skipped._value.get()
    for _ in range(3):
        world.resync()
    assert skipped._value.get() - before == 3


def test_any_edit_of_a_child_is_looked_at_all_the_same(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    world.look()
    world.api.edit(kinds.CONFIG_MAP, NAMESPACE, "zaum-researcher", {"data": {"more": "x"}})
    world.settle()
    assert "more" not in world.api.all(kinds.CONFIG_MAP)[0]["data"]
