"""Errors, lost answers, bad watches: in the end all stands as after a calm run, and never a pod before its cage."""

import pathlib
import random
import re
from typing import Any

import pytest

from tests.support import specs
from tests.support.faults import BadWatches, Faults
from tests.support.world import NAMESPACE, World
from zaum_api import contract, reading
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Kind, Object

NAMES = ("one", "two", "three")
TIMES = ("resourceVersion", "uid", "creationTimestamp", "generation", "ownerReferences")


class Caged:
    """Watches from the server's side that no pod comes before what isolates it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.made = 0

    def on_event(self, event: str, kind: Kind, obj: Object, _: Object | None) -> None:
        if event != "ADDED" or kind is not kinds.POD:
            return
        self.made += 1
        name, objects = contract.child_name(obj["metadata"]["labels"][contract.LABEL_POLICY]), self.world.api.objects
        assert ("networkpolicies", NAMESPACE, contract.GUARD_NAME) in objects
        for plural in ("networkpolicies", "resourcequotas", "serviceaccounts", "configmaps"):
            assert (plural, NAMESPACE, name) in objects, f"a pod of {name} came before its {plural}"


def storm(world: World, dice: random.Random) -> None:
    """Do what people and kubelets do; the same for the same dice."""
    for _ in range(25):
        name, what = dice.choice(NAMES), dice.randrange(5)
        if what in {0, 1}:
            world.policy(name, spec=specs.agent(replicas=dice.randrange(1, 3), command=[dice.choice("ab")]))
        elif what == 2 and ("agentpolicies", NAMESPACE, name) in world.api.objects:
            world.api.remove(kinds.POLICY, NAMESPACE, name)
        elif what == 3:
            children = sorted(
                p for p in world.api.objects if p[0] in {"configmaps", "resourcequotas", "networkpolicies"}
            )
            if children:
                plural, namespace, child = dice.choice(children)
                world.api.remove(next(k for k in kinds.CHILDREN if k.plural == plural), namespace, child)
        world.workers.add(Key(NAMESPACE, name))
        world.settle()
        world.pass_time(seconds=dice.randrange(30))


def finish(world: World) -> None:
    """The weather is calm again: a last word from everybody, lists, time."""
    for name in NAMES[:2]:
        world.policy(name, spec=specs.agent(replicas=2, command=["final"]))
    if ("agentpolicies", NAMESPACE, NAMES[2]) in world.api.objects:
        world.api.remove(kinds.POLICY, NAMESPACE, NAMES[2])
    for _ in range(8):
        world.resync()
        world.api.finish_deletions()
        world.resync()
        world.start_pods()
        world.pass_time(seconds=300)


def outcome(world: World) -> list[Any]:
    """Give everything that stands, without what differs from run to run."""
    found = []
    for (plural, namespace, name), obj in sorted(world.api.objects.items()):
        if plural in {"events", "services"}:
            continue
        metadata = {key: value for key, value in obj["metadata"].items() if key not in TIMES}
        if plural == "pods":
            metadata["name"] = name.rpartition("-")[0]
            ours = metadata["annotations"]
            config = world.api.objects["configmaps", namespace, f"zaum-{metadata['labels'][contract.LABEL_POLICY]}"]
            raw = config["data"][contract.CONFIG_KEYS[ours[contract.ANNOTATION_CONFIG_VERSION]]]
            assert ours[contract.ANNOTATION_CONFIG_DIGEST] == reading.digest(raw.encode())
            differs = {contract.ANNOTATION_FAILURES, contract.ANNOTATION_CONFIG_DIGEST}
            metadata["annotations"] = {key: value for key, value in ours.items() if key not in differs}
        body = {key: value for key, value in obj.items() if key not in {"metadata", "status"}}
        if plural == "configmaps":
            body["data"] = {
                key: re.sub('"(created|generation)":[0-9]+', r'"\1":0', text) for key, text in body["data"].items()
            }
        found.append((plural, namespace, metadata, body))
    return found


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    world = World(tmp_path_factory.mktemp("calm") / "ca.crt")
    finish(world)
    return outcome(world)


@pytest.mark.parametrize("seed", range(12))
def test_after_any_storm_everything_stands_as_after_a_calm_run(
    tmp_path: pathlib.Path, calm: list[Any], seed: int
) -> None:
    dice = random.Random(seed)
    world = World(tmp_path / "ca.crt")
    caged, watches = Caged(world), BadWatches(world, dice)
    world.api.listeners[:] = [caged.on_event, watches.on_event]
    faults = Faults(world.api, dice)
    world.workers.reconciler.store.api = faults
    storm(world, random.Random(seed))
    watches.let_go()
    assert faults.happened > 5, "a storm that does nothing shows nothing"
    assert watches.happened > 5
    faults.rate, watches.rate = 0.0, 0.0
    finish(world)
    assert outcome(world) == calm
    assert caged.made >= 4
    for name in NAMES[:2]:
        assert world.condition(name=name)[:2] == ("True", "AllReady")
        assert world.look(name) == [], "and nothing more is written"
