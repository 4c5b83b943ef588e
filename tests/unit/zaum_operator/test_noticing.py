"""What somebody does to a policy's objects past the operator: put back always, answered where the policy says so."""

import asyncio
from typing import Any

import pytest

from tests.support import outbreak, specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract, documents, incidents
from zaum_operator import errors
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object

OWN = contract.child_name(outbreak.POLICY)
OPEN: Object = {"spec": {"egress": [{}]}}
WIDE: Object = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "wide", "namespace": NAMESPACE},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
}


def asking(world: World, replicas: int = 1, **answers: Any) -> list[Object]:
    """Apply a policy with these answers, and give its pods, which run."""
    world.policy(spec=specs.agent(replicas=replicas) | {"containment": answers})
    world.settle()
    world.start_pods()
    world.settle()
    return world.live()


def found(world: World) -> list[tuple[str, str, str]]:
    """Give reason, action and reporter of every Incident."""
    specs_of = [item["spec"] for item in world.api.all(kinds.INCIDENT)]
    return sorted((spec["reason"], spec["action"], spec["reporter"]) for spec in specs_of)


def edit(world: World) -> None:
    """Open the policy's own NetworkPolicy by hand."""
    world.api.edit(kinds.NETWORK_POLICY, NAMESPACE, OWN, OPEN)
    world.settle()


def collected(world: World, *, policy: bool = True) -> None:
    """Remove the policy's own NetworkPolicy, and, unless told not to, the policy before it, which nobody has heard."""
    if policy:
        world.watching = False
        world.api.remove(kinds.POLICY, NAMESPACE, outbreak.POLICY)
        world.watching = True
    world.api.remove(kinds.NETWORK_POLICY, NAMESPACE, OWN)
    world.settle()


def restored(world: World) -> bool:
    """Say whether nothing of the edit is left."""
    return {} not in world.api.objects["networkpolicies", NAMESPACE, OWN]["spec"].get("egress", [])


@pytest.mark.parametrize("action", ["Kill", "Quarantine"])
def test_an_edit_is_put_back_and_answered_as_the_policy_says(world: World, action: str) -> None:
    (pod,) = asking(world, onTampering=action)
    assert found(world) == []
    edit(world)
    assert restored(world)
    assert found(world) == [("Tampering", action, "Operator")]
    spec = outbreak.incident(world)["spec"]
    assert spec["pod"] == {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    assert f"NetworkPolicy {OWN} was changed" in spec["evidence"]["summary"]
    outbreak.finish(world)
    assert set(outbreak.confirmed(outbreak.incident(world))) >= set(outbreak.STEPS[:4])


def test_an_edit_is_put_back_and_not_answered_by_default(world: World) -> None:
    asking(world)
    edit(world)
    assert restored(world)
    assert found(world) == []


@pytest.mark.parametrize(
    "kind", [kinds.NETWORK_POLICY, kinds.SERVICE_ACCOUNT, kinds.CONFIG_MAP, kinds.QUOTA], ids=lambda kind: kind.name
)
def test_a_deletion_is_undone_and_answered(world: World, kind: kinds.Kind) -> None:
    asking(world, onTampering="Quarantine")
    world.api.remove(kind, NAMESPACE, OWN)
    world.settle()
    assert world.api.objects.get((kind.plural, NAMESPACE, OWN)) is not None
    assert found(world) == [("Tampering", "Quarantine", "Operator")]
    assert f"{kind.name} {OWN} was deleted" in outbreak.incident(world)["spec"]["evidence"]["summary"]


def test_an_edited_document_of_the_watchdog_is_noticed_although_it_is_written_by_what_stood_there(world: World) -> None:
    asking(world, onTampering="Kill")
    # The same in other words: the document keeps the generation that it was written for.
    world.policy(spec=specs.agent(replicas=1) | {"mode": "Enforce", "containment": {"onTampering": "Kill"}})
    world.settle()
    config = world.api.objects["configmaps", NAMESPACE, OWN]
    world.api.edit(kinds.CONFIG_MAP, NAMESPACE, OWN, {"data": dict.fromkeys(config["data"], "{}")})
    world.settle()
    assert found(world) == [("Tampering", "Kill", "Operator")]


@pytest.mark.parametrize("label", [contract.LABEL_ORDINAL, contract.LABEL_TYPE])
def test_edited_labels_of_a_pod_are_noticed(world: World, label: str) -> None:
    (pod,) = asking(world, onTampering="Kill")
    labels = {"metadata": {"labels": {label: "7"}}}
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], labels)
    world.settle()
    assert found(world) == [("Tampering", "Kill", "Operator")]


def test_each_pod_that_lives_is_killed_and_a_quarantine_is_one(world: World) -> None:
    asking(world, replicas=3, onTampering="Kill")
    edit(world)
    assert found(world) == [("Tampering", "Kill", "Operator")] * 3


def test_a_quarantine_of_many_pods_is_one_incident(world: World) -> None:
    asking(world, replicas=3, onTampering="Quarantine")
    edit(world)
    assert found(world) == [("Tampering", "Quarantine", "Operator")]


def test_i09_an_edit_proves_no_pod_dead_that_lost_its_labels(world: World) -> None:
    stray, other = asking(world, replicas=2, onTampering="Kill")
    kill = outbreak.report(world, action="Kill", reason="RunawayCPU", reporter="Ledger", pod=stray)["metadata"]["name"]
    world.settle()
    denied = errors.ForbiddenError("patch pods", 403, "no")
    world.api.refuse = lambda verb, plural, _: denied if (verb, plural) == ("merge", "pods") else None
    labels = {"metadata": {"labels": dict.fromkeys(stray["metadata"]["labels"]), "ownerReferences": None}}
    world.api.edit(kinds.POD, NAMESPACE, stray["metadata"]["name"], labels)
    edit(world)
    accused = incidents.name(NAMESPACE, outbreak.POLICY, other["metadata"]["uid"])
    assert outbreak.incident(world, accused)["spec"]["reason"] == "Tampering"
    assert set(outbreak.timeline(outbreak.incident(world, kill))) == {"RouteRemoved"}, "its agent runs"
    world.api.refuse = lambda verb, plural, _: None
    world.pass_time(minutes=6)
    outbreak.finish(world)
    assert outbreak.said(outbreak.incident(world, kill))["Closed"] == "True"


def test_tampering_after_a_release_is_judged_by_what_the_ledger_counts_since(world: World) -> None:
    asking(world, onTampering="Kill", killsBeforeQuarantine=2)
    name = outbreak.report(world)["metadata"]["name"]
    outbreak.finish(world)
    outbreak.release(world, name)
    world.pass_time(minutes=6)
    world.start_pods()
    spent, key = world.workers.reconciler.spent, Key(NAMESPACE, outbreak.POLICY)
    spent.released(key, name, seconds=5)
    counted = documents.PolicyUsage(key.namespace, key.name, 1, 0, (), documents.Counters(), kills=2)
    spent.take([counted], seconds=9, asked=6)
    edit(world)
    assert ("Tampering", "Quarantine", "Operator") in found(world)


def test_what_the_author_changes_in_the_policy_is_no_tampering(world: World) -> None:
    asking(world, onTampering="Quarantine")
    spec = specs.agent() | {"containment": {"onTampering": "Quarantine"}}
    spec["egress"] = {"hosts": [{"host": "docs.example.com"}]}
    spec["ingress"] = [{"port": 8080, "from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]
    world.policy(spec=spec)
    world.settle()
    world.policy(spec=specs.agent() | {"containment": {"onTampering": "Quarantine"}})
    world.settle()
    assert found(world) == []


def test_what_happened_before_this_operator_looked_accuses_nobody(world: World) -> None:
    asking(world, onTampering="Quarantine")
    world.watching = False
    world.api.edit(kinds.NETWORK_POLICY, NAMESPACE, OWN, OPEN)
    world.watching = True
    asyncio.run(world.workers.lead())
    world.resync()
    assert restored(world)
    assert found(world) == []


def test_children_that_go_with_their_policy_are_no_tampering(world: World) -> None:
    asking(world, onTampering="Quarantine")
    collected(world)
    assert found(world) == []


@pytest.mark.parametrize("gone", [False, True])
def test_a_deletion_waits_for_the_word_whether_the_policy_itself_is_there(world: World, *, gone: bool) -> None:
    asking(world, onTampering="Quarantine")
    listing = world.api.list

    async def overloaded(kind: kinds.Kind, *place: Any, **by: Any) -> list[Object]:
        if kind is kinds.POLICY and by.get("name"):
            raise errors.OverloadedError("list agentpolicies", 429, "too many requests", 1.0)
        return await listing(kind, *place, **by)

    world.api.list = overloaded  # type: ignore[method-assign]
    collected(world, policy=gone)
    assert found(world) == []
    world.api.list = listing  # type: ignore[method-assign]
    world.pass_time(minutes=6)
    assert found(world) == ([] if gone else [("Tampering", "Quarantine", "Operator")])


def test_the_answer_is_retried_while_the_api_server_refuses_it_and_the_edit_is_put_back_meanwhile(world: World) -> None:
    asking(world, onTampering="Kill")
    down = errors.UnavailableError("create incidents", 500, "later")
    world.api.refuse = lambda verb, plural, name: down if (verb, plural) == ("create", "incidents") else None
    edit(world)
    assert restored(world)
    assert found(world) == []
    world.api.refuse = lambda verb, plural, name: None
    world.pass_time(seconds=2)
    assert found(world) == [("Tampering", "Kill", "Operator")]


@pytest.mark.parametrize("action", ["Kill", "Quarantine"])
def test_widened_egress_is_answered_before_its_pods_go(world: World, action: str) -> None:
    (pod,) = asking(world, onWidenedEgress=action)
    before = len(world.api.writes)
    world.api.put(kinds.NETWORK_POLICY, WIDE)
    world.settle()
    assert found(world) == [("EgressWidened", action, "Operator")]
    assert "NetworkPolicy wide" in outbreak.incident(world)["spec"]["evidence"]["summary"]
    outbreak.finish(world)
    sent = [(write.verb, write.plural) for write in world.api.writes[before:]]
    assert sent.index(("create", "incidents")) < sent.index(("merge", "pods")) < sent.index(("delete", "pods"))
    assert pod["metadata"]["name"] not in [item["metadata"]["name"] for item in world.live()]


def test_widened_egress_ends_pods_and_makes_no_incident_by_default(world: World) -> None:
    asking(world)
    world.api.put(kinds.NETWORK_POLICY, WIDE)
    world.settle()
    assert found(world) == []
    assert world.live() == []


def crash(world: World, times: int) -> None:
    """Let the agent end with an error again and again."""
    for _ in range(times):
        (pod,) = world.live()
        world.end_pod(pod, code=3)
        world.settle()
        world.pass_time(minutes=6)
        outbreak.finish(world, rounds=2)


def test_a_crash_loop_is_answered_at_the_fifth_failure_in_a_row(world: World) -> None:
    asking(world, onCrashLoop="Quarantine")
    crash(world, 4)
    assert found(world) == []
    (pod,) = world.live()
    world.end_pod(pod, code=3)
    world.settle()
    assert found(world) == [("CrashLoop", "Quarantine", "Operator")]
    assert "exit code 3, the 5th failure in a row" in outbreak.incident(world)["spec"]["evidence"]["summary"]
    outbreak.finish(world)
    assert world.live() == []
    outbreak.release(world, outbreak.incident(world)["metadata"]["name"])
    outbreak.finish(world, rounds=2)
    assert len(world.live()) == 1


def test_each_crash_after_the_fifth_is_a_kill_and_too_many_are_a_quarantine(world: World) -> None:
    asking(world, onCrashLoop="Kill", killsBeforeQuarantine=2)
    crash(world, 7)
    assert found(world) == [("CrashLoop", "Kill", "Operator")] * 2 + [("CrashLoop", "Quarantine", "Operator")]


def test_an_agent_that_crashes_for_ever_is_only_slowed_down_by_default(world: World) -> None:
    asking(world)
    crash(world, 7)
    assert found(world) == []


def test_the_answer_to_a_breach_does_not_raise_what_was_asked_for_tampering(world: World) -> None:
    asking(world, onRunaway="Quarantine", onTampering="Kill")
    edit(world)
    outbreak.finish(world)
    assert incidents.action(outbreak.incident(world)) is incidents.Action.KILL
