"""Whatever happens in whatever order: never more pods than the quota admits, and in the end exactly those asked for."""

import random
from typing import Any

import pytest

from tests.support import specs
from tests.support.planned import Planned
from tests.support.world import NAMESPACE
from zaum_api import contract
from zaum_operator import errors
from zaum_operator.core import kinds


def spec(dice: random.Random) -> dict[str, Any]:
    agent = specs.agent(replicas=dice.randrange(5), args=[dice.choice("ab")],
                        resources={"cpu": dice.choice(["250m", "1", "2"])})  # fmt: skip
    more = {"lifetime": {"max": dice.choice(["1h", "2h"])}} if dice.random() < 0.3 else {}
    return agent | more | ({"desiredState": "Stopped"} if dice.random() < 0.1 else {})


class Watcher:
    """Sees every request and every pod: the quota's refusals, and two pods of one ordinal."""

    def __init__(self, world: Planned) -> None:
        self.world = world
        world.api.listeners.append(self)

    def __call__(self, event: str, kind: kinds.Kind, obj: dict[str, Any], *_: object) -> None:
        if kind is not kinds.POD or event != "ADDED":
            return
        living = [pod for pod in self.world.api.all(kinds.POD)
                  if (pod.get("status") or {}).get("phase") not in {"Failed", "Succeeded"}]  # fmt: skip
        ordinals = [pod["metadata"]["labels"][contract.LABEL_ORDINAL] for pod in living]
        assert len(ordinals) == len(set(ordinals)), "two pods of one ordinal"
        (quota,) = self.world.api.all(kinds.QUOTA)
        assert len(living) <= int(quota["spec"]["hard"]["pods"])


def happen(world: Planned, dice: random.Random) -> None:
    pods = world.api.all(kinds.POD)
    match dice.randrange(9):
        case 0 | 1:
            world.policy(spec(dice))
        case 2 if world.pods():
            world.end(dice.choice(world.pods()), code=dice.choice([0, 1]))
        case 3 if pods:
            world.api.remove(kinds.POD, NAMESPACE, dice.choice(pods)["metadata"]["name"])
        case 4:
            world.api.finish_deletions()
        case 5:
            world.upgraded(f"registry.example/watchdog:{dice.randrange(3)}")
        case 6:
            world.may_roll = dice.random() < 0.5
        case 7 if world.pods():
            restarted = [{"name": contract.CONTAINER_WATCHDOG, "restartCount": 1}]
            world.status(dice.choice(world.pods()), initContainerStatuses=restarted)
        case _:
            world.run_pods()
    if dice.random() < 0.3:
        world.now = world.now.replace(minute=(world.now.minute + 1) % 60)


@pytest.mark.parametrize("seed", range(12))
def test_i12_never_more_pods_than_the_quota_admits_in_any_order_of_events(seed: int) -> None:
    dice, world = random.Random(seed), Planned()
    refused: list[str] = []
    Watcher(world)
    create = world.api.create

    async def counted(kind: kinds.Kind, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return await create(kind, body)
        except errors.QuotaError as error:
            refused.append(error.message)
            raise

    world.api.create = counted  # type: ignore[method-assign]
    world.policy(spec(dice))
    for _ in range(60):
        world.step()
        happen(world, dice)
    assert refused == [], "the plan never asks for a pod that the quota refuses"
    world.may_roll = True
    world.policy(specs.agent(replicas=3, args=["final"]))
    for _ in range(12):
        world.now = world.now.replace(hour=(world.now.hour + 1) % 24, day=world.now.day + (world.now.hour == 23))
        world.settle()
        world.obey()
        world.release()
        world.settle()
        world.api.finish_deletions()
        world.settle()
        world.run_pods()
    world.settle()
    assert sorted(pod["metadata"]["labels"][contract.LABEL_ORDINAL] for pod in world.pods()) == ["0", "1", "2"]
    assert world.condition()[:2] == ("True", "AllReady")
    images = {pod["spec"]["initContainers"][0]["image"] for pod in world.pods()}
    assert images == {world.site.watchdog_image}
    assert world.step() == []


def test_a_pod_that_is_refused_again_and_again_is_one_message() -> None:
    world = Planned()
    refused = errors.QuotaError("create pods", 403, "exceeded quota: team")
    world.api.refuse = lambda verb, plural, name: refused if (verb, plural) == ("create", "pods") else None
    world.policy()
    world.step()
    assert world.condition()[1] == "QuotaExceeded"
    assert "zaum-researcher-0-…" in world.condition()[2]
    assert world.step() == []
