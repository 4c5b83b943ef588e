"""A new installation's part of the pods reaches all policies by events alone, a few at a time."""

import asyncio
import dataclasses

import pytest

from tests.support.world import World
from zaum_operator.core import kinds
from zaum_operator.core.pace import Pacer

NAMES = ("one", "two", "three", "four", "five")
ANOTHER = "registry.example/watchdog@sha256:" + "2" * 64


@pytest.fixture
def upgraded(world: World) -> World:
    """Policies that are ready, and an operator with two permits and another watchdog image that has just begun."""
    for name in NAMES:
        world.policy(name)
    world.settle()
    world.start_pods()
    reconciler = world.workers.reconciler
    reconciler.site = dataclasses.replace(reconciler.site, watchdog_image=ANOTHER)
    reconciler.pacer = Pacer(2)
    asyncio.run(reconciler.prime())
    world.resync()
    return world


def disturbed(world: World) -> set[str]:
    """Name the policies without a ready pod."""
    ready = {
        pod["metadata"]["labels"]["zaum.dev/policy"]
        for pod in world.api.all(kinds.POD)
        if (pod.get("status") or {}).get("conditions") and not pod["metadata"].get("deletionTimestamp")
    }
    return set(NAMES) - ready


def images(world: World) -> set[str]:
    return {pod["spec"]["initContainers"][0]["image"] for pod in world.api.all(kinds.POD)}


def test_every_policy_gets_its_turn_without_a_resync(upgraded: World) -> None:
    for _ in range(4 * len(NAMES)):
        assert len(disturbed(upgraded)) <= 2
        upgraded.api.finish_deletions()
        upgraded.settle()
        upgraded.start_pods()
    assert images(upgraded) == {ANOTHER}
    assert disturbed(upgraded) == set()
    assert upgraded.workers.reconciler.pacer.rollout(now=upgraded.clock.at).rolling == ()


def test_pods_that_do_not_get_ready_keep_the_others_from_their_turn(upgraded: World) -> None:
    for _ in range(len(NAMES)):
        upgraded.api.finish_deletions()
        upgraded.settle()
    upgraded.pass_time(minutes=10)
    upgraded.resync()
    assert len(disturbed(upgraded)) == 2
    rollout = upgraded.workers.reconciler.pacer.rollout(now=upgraded.clock.at)
    assert {key.name for key in rollout.stuck} == disturbed(upgraded)
    assert rollout.stopped
