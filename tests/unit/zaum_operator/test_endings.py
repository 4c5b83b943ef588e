"""What a policy leaves when it goes: nothing, in an order that opens nothing."""

from typing import Any

import pytest

from tests.support import specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.render import quota

INGRESS = [{"port": 8080, "from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]
UNLABELLED = {"metadata": {"labels": None}}


def reads(world: World, kind: kinds.Kind) -> list[str]:
    """Note the names that are looked for live from now on."""
    seen: list[str] = []
    listing = world.api.list

    async def noted(each: kinds.Kind, namespace: str | None = None, *, selector: str = "", name: str = "") -> Any:
        if each is kind and name:
            seen.append(name)
        return await listing(each, namespace, selector=selector, name=name)

    world.api.list = noted  # type: ignore[method-assign,assignment]
    return seen


def test_i02_deletion_closes_the_way_out_first_and_sweeps_the_guard_last(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    done = len(world.api.writes)
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    world.settle()
    deletions = [write.plural for write in world.api.writes[done:] if write.verb == "delete"]
    assert deletions == [
        "networkpolicies", "pods", "resourcequotas", "configmaps", "serviceaccounts", "priorityclasses"
    ]  # fmt: skip
    assert world.api.names(kinds.NETWORK_POLICY) == [contract.GUARD_NAME], "while the pod ignores SIGTERM"
    world.api.finish_deletions()
    world.settle()
    assert world.api.names(kinds.NETWORK_POLICY) == []
    assert [place for place in world.api.objects if place[0] not in {"services", "events"}] == []


def test_i02_the_guard_stays_for_another_policys_pods(world: World) -> None:
    world.policy("one")
    world.policy("two")
    world.settle()
    world.api.remove(kinds.POLICY, NAMESPACE, "one")
    world.settle()
    world.api.finish_deletions()
    world.settle()
    assert world.api.names(kinds.NETWORK_POLICY) == [contract.GUARD_NAME, "zaum-two"]


def test_i13_nothing_of_ours_has_a_finalizer(world: World) -> None:
    world.policy()
    world.settle()
    assert not [obj for obj in world.api.objects.values() if obj["metadata"].get("finalizers")]


def test_i13_leftovers_of_a_policy_that_is_gone_are_swept_at_the_start(world: World) -> None:
    world.policy()
    world.settle()
    world.api.listeners.clear()
    world.api.lingering_pods = False
    for kind, name in ((kinds.POLICY, "researcher"), (kinds.POD, world.api.names(kinds.POD)[0])):
        world.api.remove(kind, NAMESPACE, name)
    world.api.listeners.append(world.on_event)
    world.resync()
    assert [place for place in world.api.objects if place[0] not in {"services", "events"}] == []


@pytest.mark.parametrize(
    "patch",
    [
        UNLABELLED,
        {"metadata": {"ownerReferences": None}},
        {"metadata": {"labels": None, "ownerReferences": None}},
    ],
    ids=["label", "owner", "both"],
)
def test_i01_a_service_that_no_watch_shows_goes_with_the_ingress(world: World, patch: dict[str, object]) -> None:
    world.policy(spec=specs.spec(ingress=INGRESS))
    world.settle()
    world.watching = False  # as between two leaders
    world.api.edit(kinds.SERVICE, NAMESPACE, "zaum-researcher", patch)
    world.api.edit(kinds.POLICY, NAMESPACE, "researcher", {"spec": {"ingress": None}})
    world.watching = True
    after = World(world.ca_file, api=world.api)
    after.settle()
    assert after.api.names(kinds.SERVICE) == [contract.GATEWAY_SERVICE]
    assert after.look() == []


def test_somebody_elses_service_of_that_name_stays(world: World) -> None:
    foreign = {"metadata": {"name": "zaum-researcher", "namespace": NAMESPACE}, "spec": {"selector": {"app": "other"}}}
    world.api.put(kinds.SERVICE, foreign)
    world.policy()
    world.settle()
    world.policy(spec=specs.agent(replicas=2))
    world.settle()
    assert "zaum-researcher" in world.api.names(kinds.SERVICE)
    assert world.cache.get(kinds.SERVICE, NAMESPACE, "zaum-researcher") is not None, "the control: it was looked at"


def test_a_service_is_looked_for_once_per_spec_and_never_by_an_unchanged_restart(world: World) -> None:
    looked = reads(world, kinds.SERVICE)
    world.policy()
    world.settle()
    world.start_pods()
    assert looked == [], "there was no spec before that could have wanted one"
    world.policy(spec=specs.agent(replicas=2))
    world.settle()
    world.start_pods()
    assert set(looked) == {"zaum-researcher"}, "the control: a spec that nobody has answered yet"
    looked.clear()
    World(world.ca_file, api=world.api).settle()
    assert world.look() == []
    assert looked == []


def test_i13_a_priority_class_that_no_watch_shows_goes_with_its_policy(world: World) -> None:
    world.policy()
    world.settle()
    name = quota.priority_class_name(Key(NAMESPACE, "researcher"))
    world.watching = False  # as between two leaders
    world.api.edit(kinds.PRIORITY_CLASS, None, name, UNLABELLED)
    world.watching = True
    after = World(world.ca_file, api=world.api)
    after.watching = False
    looked = reads(after, kinds.PRIORITY_CLASS)
    after.workers.on_event(kinds.POLICY, after.api.all(kinds.POLICY)[0], gone=True)
    after.settle()
    assert after.api.names(kinds.PRIORITY_CLASS) == []
    after.look()
    assert looked == [name], "one look is enough"


def test_a_priority_class_that_is_held_is_deleted_without_another_look(world: World) -> None:
    world.policy()
    world.settle()
    looked = reads(world, kinds.PRIORITY_CLASS)
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    world.settle()
    assert (world.api.names(kinds.PRIORITY_CLASS), looked) == ([], [])


def test_a_policy_made_again_under_the_same_name_starts_from_nothing(world: World) -> None:
    world.policy()
    world.settle()
    old = {obj["metadata"]["uid"] for obj in world.api.objects.values()}
    world.api.listeners.clear()
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    world.api.listeners.append(world.on_event)
    world.policy()
    world.settle()
    world.api.finish_deletions()
    world.pass_time(seconds=2)
    kept = {place[0] for place, obj in world.api.objects.items() if obj["metadata"]["uid"] in old}
    assert kept == {"networkpolicies", "priorityclasses", "services"}
    assert contract.GUARD_NAME in world.api.names(kinds.NETWORK_POLICY)
    assert len(world.live()) == 1
