"""The uninstall hook against a simulated API server: agents first, guards last, never for ever."""

import asyncio

import pytest

from tests.support.world import NAMESPACE, World
from zaum_api import contract
from zaum_operator import errors, uninstall
from zaum_operator.core import access, kinds

OPERATOR = {
    "metadata": {
        "name": "zaum-operator-1",
        "namespace": "zaum-system",
        "labels": {contract.LABEL_COMPONENT: contract.COMPONENT_OPERATOR},
    }
}


@pytest.fixture
def installed(world: World) -> World:
    world.policy("one")
    world.policy("two")
    world.settle()
    world.start_pods()
    world.api.listeners.clear()
    metadata = {"name": access.OPERATOR_DEPLOYMENT, "namespace": "zaum-system"}
    world.api.put(kinds.DEPLOYMENT, {"metadata": metadata, "spec": {"replicas": 1}})
    world.api.put(kinds.LEASE, {"metadata": {"name": contract.LEASE_NAME, "namespace": "zaum-system", "uid": "l"}})
    world.api.writes.clear()
    return world


def run(world: World, *namespaces: str) -> list[str]:
    """Run the hook; pods that it deletes linger as the world says. Gives what it said."""
    said: list[str] = []
    hook = uninstall.Uninstall(world.api, world.clock, "zaum-system", said.append, namespaces)  # type: ignore[arg-type]
    asyncio.run(hook.run())
    return said


def test_i13_everything_goes_and_the_guard_goes_after_the_pods(installed: World) -> None:
    installed.api.lingering_pods = False
    said = run(installed)
    assert [write.plural for write in installed.api.writes] == [
        "deployments", "pods", "pods", "networkpolicies", "priorityclasses", "priorityclasses", "leases"
    ]  # fmt: skip
    assert "agents: all gone" in said
    assert contract.GUARD_NAME not in installed.api.names(kinds.NETWORK_POLICY)


def test_i02_a_guard_stays_while_a_pod_of_its_namespace_is_left(installed: World) -> None:
    began = installed.clock.seconds()
    said = run(installed)
    assert installed.clock.seconds() - began <= uninstall.BOUND_SECONDS
    assert contract.GUARD_NAME in installed.api.names(kinds.NETWORK_POLICY)
    assert any(line.startswith("agents: LEFT") and f"{NAMESPACE}/zaum-one-0" in line for line in said)
    assert any(line.startswith("guards: LEFT") for line in said)


def test_i13_an_operator_that_does_not_stop_is_said_and_not_waited_for(installed: World) -> None:
    installed.api.lingering_pods = False
    installed.api.put(kinds.POD, OPERATOR)
    assert "operator: still running, time is up" in run(installed)
    assert installed.pods("one") == []


def test_i13_an_error_ends_a_step_and_not_the_uninstall(installed: World) -> None:
    installed.api.lingering_pods = False
    broken = errors.ForbiddenError("merge deployments", 403, "no")
    installed.api.refuse = lambda verb, plural, name: broken if plural == "deployments" else None
    said = run(installed)
    assert said[0].startswith("failed: merge deployments")
    assert installed.pods("one") == []


def test_an_operator_that_is_gone_already_is_fine(installed: World) -> None:
    installed.api.lingering_pods = False
    installed.api.remove(kinds.DEPLOYMENT, "zaum-system", access.OPERATOR_DEPLOYMENT)
    assert run(installed)[0] == "operator: Deployment zaum-operator is not there"


def test_in_a_few_namespaces_nothing_is_asked_across_namespaces(installed: World) -> None:
    installed.api.lingering_pods = False
    quota = {"metadata": {"name": contract.NAMESPACE_QUOTA_NAME, "namespace": NAMESPACE, "uid": "q"}}
    installed.api.put(kinds.QUOTA, quota)
    other = {"metadata": {"name": "theirs", "namespace": NAMESPACE, "uid": "t"}}
    installed.api.put(kinds.QUOTA, other)
    said = run(installed, NAMESPACE, "empty")
    assert "quotas: 1 deleted" in said
    assert "theirs" in installed.api.names(kinds.QUOTA)
    assert contract.GUARD_NAME not in installed.api.names(kinds.NETWORK_POLICY)
    assert not any(write.plural == "priorityclasses" for write in installed.api.writes)


def test_the_namespaced_mode_takes_its_namespaces_down_and_nothing_cluster_scoped(installed: World) -> None:
    installed.api.lingering_pods = False
    said: list[str] = []
    hook = uninstall.Uninstall(installed.api, installed.clock, "zaum-system", said.append, (NAMESPACE,))  # type: ignore[arg-type]
    asyncio.run(hook.run())
    assert installed.api.all(kinds.POD) == []
    assert len(installed.api.all(kinds.PRIORITY_CLASS)) == 2, "not ours to touch"
    installed.api.put(
        kinds.POD, {"metadata": {"name": "x", "namespace": "elsewhere", "labels": {contract.LABEL_AGENT: "true"}}}
    )
    asyncio.run(hook.run())
    assert len(installed.api.all(kinds.POD)) == 1


def test_the_release_namespace_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZAUM_NAMESPACE", raising=False)
    assert uninstall.main() == 2
