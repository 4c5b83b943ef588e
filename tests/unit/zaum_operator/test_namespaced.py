"""The namespace-scoped mode: everything in its namespaces, nothing cluster-scoped."""

import dataclasses
import pathlib
from typing import Any

import pytest

from tests.support import specs
from tests.support.world import NAMESPACE, SITE, World
from zaum_api import contract
from zaum_operator.core import kinds


@pytest.fixture
def scoped(tmp_path: pathlib.Path) -> World:
    return World(tmp_path / "ca.crt", site=dataclasses.replace(SITE, namespaced=True))


def test_a_policy_gets_its_pods_and_nothing_cluster_scoped_is_touched(scoped: World) -> None:
    asked: list[tuple[str, str | None]] = []
    listing = scoped.api.listing

    async def note(kind: kinds.Kind, namespace: str | None = None, **more: Any) -> object:
        asked.append((kind.plural, namespace))
        return await listing(kind, namespace, **more)

    scoped.api.listing = note  # type: ignore[method-assign,assignment]
    scoped.policy(spec=specs.agent(replicas=2))
    scoped.resync()
    scoped.start_pods()
    assert scoped.condition()[:2] == ("True", "AllReady")
    assert {namespace for _, namespace in asked} == {NAMESPACE}
    assert not {"priorityclasses", "namespaces", "agentceilings"} & {plural for plural, _ in asked}
    assert scoped.api.all(kinds.PRIORITY_CLASS) == []
    assert [item["metadata"]["name"] for item in scoped.api.all(kinds.QUOTA)] == [contract.NAMESPACE_QUOTA_NAME]
    assert scoped.look() == []


def test_the_shared_quota_comes_back_when_somebody_takes_it_away(scoped: World) -> None:
    scoped.policy()
    scoped.settle()
    scoped.api.remove(kinds.QUOTA, NAMESPACE, contract.NAMESPACE_QUOTA_NAME)
    scoped.settle()
    assert len(scoped.api.all(kinds.QUOTA)) == 1


def test_what_happens_elsewhere_is_nobodys_business(scoped: World) -> None:
    scoped.api.put(kinds.POLICY, {"metadata": {"name": "x", "namespace": "elsewhere"}, "spec": specs.agent()})
    assert scoped.resync() == 0
