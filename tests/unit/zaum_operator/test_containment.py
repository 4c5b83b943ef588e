"""The whole loop in a simulated cluster: an Incident in, steps out, each one confirmed and none of them claimed."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support import outbreak, specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract, documents, incidents
from zaum_operator import errors
from zaum_operator.cluster import observe
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import network


def writes(world: World, since: int = 0) -> list[str]:
    """Give what was sent about pods, in its order."""
    return [one.verb for one in world.api.writes[since:] if one.plural == "pods"]


def policy_of(world: World, name: str = outbreak.POLICY) -> dict[str, Any]:
    return world.api.objects["networkpolicies", NAMESPACE, f"zaum-{name}"]


def test_i09_a_quarantine_goes_step_by_step_and_each_is_confirmed(world: World) -> None:
    pod = outbreak.running(world)
    name, before = pod["metadata"]["name"], len(world.api.writes)
    world.api.logs[name] = "hello\nAuthorization: Bearer abcdefgh\n"
    outbreak.report(world)
    world.settle()
    held = world.api.objects["pods", NAMESPACE, name]
    assert held["metadata"]["labels"][contract.LABEL_QUARANTINED] == "true"
    assert held["spec"]["activeDeadlineSeconds"] == 1
    assert network.is_closed(policy_of(world))
    world.pass_time(seconds=1)
    assert outbreak.confirmed(outbreak.incident(world)) == ["RouteRemoved", "Quarantined"], "the name is held"
    assert outbreak.incident(world)["status"]["phase"] == "Open", "and nothing is proven"
    assert writes(world, before) == ["merge"], "nothing is deleted while a container runs"
    assert outbreak.obey(world) == 1
    outbreak.finish(world)
    found = outbreak.incident(world)
    assert outbreak.confirmed(found) == list(outbreak.STEPS)
    assert writes(world, before) == ["merge", "delete"]
    assert found["status"]["phase"] == "Contained"
    assert found["status"]["pods"] == [{"name": name, "uid": pod["metadata"]["uid"]}]
    assert found["status"]["logs"] == {"agent": "hello\nAuthorization: [redacted]\n", "pod": name}
    assert set(outbreak.timeline(found)) == set(outbreak.STEPS)
    assert all(line["confirmedBy"] for line in found["status"]["timeline"])
    assert {"cut", "cutConfirmed", "dead", "quarantined", "identity", "proof"} == set(found["status"]["durations"])
    assert outbreak.said(found)["Closed"] == "False"
    assert world.condition()[:2] == ("False", "Quarantined")
    assert world.condition("Contained")[:2] == ("True", "Contained")
    (policy,) = world.api.all(kinds.POLICY)
    assert policy["status"]["containment"]["incident"] == found["metadata"]["name"]


def test_i10_nothing_starts_and_nothing_more_is_written_while_it_stands(world: World) -> None:
    outbreak.running(world)
    outbreak.report(world)
    outbreak.finish(world)
    before = len(world.api.writes)
    world.pass_time(hours=25)
    world.resync()
    assert world.live() == []
    assert len(world.api.writes) == before


def test_i10_it_outlives_deletion_and_re_creation_of_the_policy(world: World) -> None:
    outbreak.running(world)
    name = outbreak.report(world)["metadata"]["name"]
    outbreak.finish(world)
    world.api.remove(kinds.POLICY, NAMESPACE, outbreak.POLICY)
    world.resync()
    world.policy()
    outbreak.finish(world)
    assert world.live() == []
    assert world.condition()[:2] == ("False", "Quarantined")
    outbreak.release(world, name)
    outbreak.finish(world, rounds=2)
    assert len(world.live()) == 1


def test_i10_a_policy_that_is_deleted_meanwhile_takes_no_step_away(world: World) -> None:
    pod = outbreak.running(world)
    outbreak.report(world, pod=pod)
    world.settle()
    before = len(world.api.writes)
    world.api.remove(kinds.POLICY, NAMESPACE, outbreak.POLICY)
    world.settle()
    assert "delete" not in writes(world, before), "its agent still runs"
    outbreak.finish(world)
    found = outbreak.incident(world)
    assert outbreak.confirmed(found) == list(outbreak.STEPS)
    assert outbreak.why(found, "Quarantined")[0] == "PolicyNotFound"


def test_i10_an_incident_about_a_policy_that_never_was_holds_the_name(world: World) -> None:
    name = outbreak.report(world, policy="unborn")["metadata"]["name"]
    outbreak.finish(world, rounds=2)
    found = outbreak.incident(world)
    assert outbreak.confirmed(found) == list(outbreak.STEPS)
    assert outbreak.why(found, "Quarantined")[0] == "PolicyNotFound"
    world.policy("unborn")
    outbreak.finish(world, rounds=2)
    assert world.live("unborn") == []
    assert world.condition(name="unborn")[:2] == ("False", "Quarantined")
    outbreak.release(world, name)
    assert len(world.live("unborn")) == 1


def test_a_kill_contains_its_pod_alone_and_closes_by_itself(world: World) -> None:
    world.policy(spec=specs.agent(replicas=2))
    world.settle()
    world.start_pods()
    first, other = world.live()
    name = outbreak.report(world, action="Kill", reason="RunawayCPU", reporter="Ledger", pod=first)["metadata"]["name"]
    world.settle()
    assert f"is cut off and ended: open Incident {name} (RunawayCPU) holds it." in world.condition()[2]
    assert [pod["metadata"]["name"] for pod in world.live()] == [pod["metadata"]["name"] for pod in (first, other)]
    outbreak.finish(world, rounds=3)
    found = outbreak.incident(world)
    assert outbreak.said(found)["Closed"] == "True"
    assert outbreak.why(found, "Quarantined")[0] == "NotNeeded"
    assert found["status"]["phase"] == "Closed"
    kept = world.api.objects["pods", NAMESPACE, other["metadata"]["name"]]
    assert contract.LABEL_QUARANTINED not in kept["metadata"]["labels"]
    assert [pod["metadata"]["name"] for pod in world.live()] == [other["metadata"]["name"]], "it waits its pause"
    assert world.condition()[:2] == ("False", "Runaway")
    world.pass_time(seconds=15)
    assert len(world.live()) == 2


def test_a_neighbour_that_dies_by_the_order_of_an_incident_is_accused_of_nothing(world: World) -> None:
    first, other = pair(world)
    outbreak.report(world, reason="RunawayCPU", reporter="Ledger", pod=first)
    world.settle()
    outbreak.breach(world, other, word=contract.Breach.ORDERED.value)
    world.pass_time(seconds=30)  # The dead one stays until the log of the first is kept, who lives.
    assert world.api.objects["pods", NAMESPACE, other["metadata"]["name"]]
    assert len(world.api.all(kinds.INCIDENT)) == 1
    outbreak.finish(world)
    assert outbreak.confirmed(outbreak.incident(world)) == list(outbreak.STEPS)


def test_a_neighbour_of_a_pod_that_made_contact_is_not_said_to_have_made_any(world: World) -> None:
    first, other = pair(world)
    outbreak.report(world, reason="GatewayContact", reporter="Operator", pod=first)
    world.settle()
    seen = [world.api.objects["pods", NAMESPACE, pod["metadata"]["name"]]["metadata"] for pod in (first, other)]
    assert [pod["annotations"][contract.ANNOTATION_BREACH] for pod in seen] == ["GatewayContact", "Ordered"]
    assert [pod["labels"].get(contract.LABEL_QUARANTINED) for pod in seen] == ["true", "true"]
    outbreak.finish(world)
    assert outbreak.confirmed(outbreak.incident(world)) == list(outbreak.STEPS), "and there is no other"


def pair(world: World) -> list[Object]:
    world.policy(spec=specs.agent(replicas=2))
    world.settle()
    world.start_pods()
    return world.live()


def test_the_pause_doubles_with_each_kill_although_the_dead_pods_are_gone(world: World) -> None:
    spec = specs.agent() | {"containment": {"killsBeforeQuarantine": 50}}
    world.policy(spec=spec)
    world.settle()
    waits = []
    for _ in range(4):
        world.start_pods()
        outbreak.breach(world, world.live()[0])
        began = world.clock.at
        while not world.live():
            world.pass_time(seconds=1)
        waits.append(round((world.clock.at - began).total_seconds()))
    assert [10 <= waits[0] <= 12, 20 <= waits[1] <= 22, 40 <= waits[2] <= 42, 80 <= waits[3] <= 82] == [True] * 4, waits


def test_a_release_forgives_the_pauses_of_the_kills_before_it(world: World) -> None:
    world.policy(spec=specs.agent() | {"containment": {"killsBeforeQuarantine": 3}})
    world.settle()

    def pause() -> int:
        world.start_pods()
        outbreak.breach(world, world.live()[0])
        began = world.clock.at
        while not world.live():
            world.pass_time(seconds=1)
        return round((world.clock.at - began).total_seconds())

    assert [pause() // 10 for _ in range(3)] == [1, 2, 4]
    world.start_pods()
    name = outbreak.report(world)["metadata"]["name"]
    outbreak.finish(world)
    outbreak.release(world, name)
    outbreak.finish(world, rounds=2)
    assert len(world.live()) == 1
    assert 10 <= pause() <= 12
    assert 20 <= pause() <= 22


def test_a_breach_that_nobody_reported_is_reported_by_the_operator_once(world: World) -> None:
    outbreak.breach(world, outbreak.running(world), "RunawayProcesses")
    found = outbreak.incident(world)
    assert found["spec"]["reason"] == "RunawayProcesses"
    assert (found["spec"]["reporter"], found["spec"]["action"]) == ("Operator", "Kill")
    outbreak.finish(world)
    assert len(world.api.all(kinds.INCIDENT)) == 1


def test_the_ledger_is_given_its_time_before_the_operator_reports_a_breach(world: World) -> None:
    reconciler = world.workers.reconciler
    reconciler.site = replace(reconciler.site, ledger=True)
    pod = outbreak.running(world)
    outbreak.breach(world, pod)
    assert world.api.all(kinds.INCIDENT) == []
    world.pass_time(seconds=2)
    assert world.api.all(kinds.INCIDENT) == []
    outbreak.report(world, action="Kill", reason="RunawayCPU", reporter="Ledger", pod=pod)
    world.pass_time(seconds=10)
    assert [item["spec"]["reporter"] for item in world.api.all(kinds.INCIDENT)] == ["Ledger"]


def test_a_ledger_that_is_silent_does_not_save_a_breach(world: World) -> None:
    reconciler = world.workers.reconciler
    reconciler.site = replace(reconciler.site, ledger=True)
    outbreak.breach(world, outbreak.running(world))
    for _ in range(6):
        world.pass_time(seconds=1)
    assert outbreak.incident(world)["spec"]["reporter"] == "Operator"


@pytest.mark.parametrize(("allowed", "kills"), [(0, 0), (1, 1), (3, 3)])
def test_the_breach_after_so_many_kills_is_a_quarantine(world: World, allowed: int, kills: int) -> None:
    world.policy(spec=specs.agent() | {"containment": {"killsBeforeQuarantine": allowed}})
    world.settle()
    for _ in range(kills + 1):
        world.start_pods()
        outbreak.breach(world, world.live()[0])
        world.pass_time(seconds=5)
        world.pass_time(minutes=6)
    actions = sorted(item["spec"]["action"] for item in world.api.all(kinds.INCIDENT))
    assert actions == ["Kill"] * kills + ["Quarantine"]
    assert world.live() == []


def test_on_runaway_quarantine_is_one_at_once(world: World) -> None:
    spec = specs.agent() | {"containment": {"onRunaway": "Quarantine"}}
    outbreak.breach(world, outbreak.running(world, spec=spec))
    assert outbreak.incident(world)["spec"]["action"] == "Quarantine"


def test_kills_of_yesterday_and_of_before_a_release_do_not_count(world: World) -> None:
    spec = specs.agent() | {"containment": {"killsBeforeQuarantine": 1}}
    world.policy(spec=spec)
    world.settle()

    def once() -> str:
        world.start_pods()
        outbreak.breach(world, world.live()[0])
        world.pass_time(seconds=5)
        world.pass_time(minutes=6)
        newest = max(world.api.all(kinds.INCIDENT), key=lambda item: item["metadata"]["creationTimestamp"])
        if newest["spec"]["action"] == "Quarantine":
            outbreak.release(world, newest["metadata"]["name"])
            world.pass_time(minutes=6)
        return str(newest["spec"]["action"])

    assert [once(), once(), once(), once()] == ["Kill", "Quarantine", "Kill", "Quarantine"]
    assert once() == "Kill"
    world.pass_time(hours=25)
    assert once() == "Kill"


def test_a_kill_that_should_have_been_a_quarantine_becomes_one_and_stays_one(world: World) -> None:
    spec = specs.agent() | {"containment": {"killsBeforeQuarantine": 0}}
    pod = outbreak.running(world, spec=spec)
    outbreak.report(world, action="Kill", reason="RunawayCPU", reporter="Ledger", pod=pod)
    outbreak.finish(world)
    found = outbreak.incident(world)
    assert found["status"]["action"] == "Quarantine"
    assert outbreak.confirmed(found) == list(outbreak.STEPS)
    assert len(world.api.all(kinds.INCIDENT)) == 1, "no second one"
    world.pass_time(hours=30)
    assert world.live() == []
    assert incidents.is_open(outbreak.incident(world))


@pytest.mark.parametrize(
    ("answers", "kills", "action"),
    [
        ({"onRunaway": "Quarantine", "onBudget": "Kill"}, 0, "Kill"),
        ({"onRunaway": "Quarantine", "onBudget": "Kill", "killsBeforeQuarantine": 1}, 1, "Quarantine"),
        ({"onRunaway": "Quarantine"}, 0, "Kill"),
        ({"onRunaway": "Kill", "onBudget": "Quarantine"}, 0, "Quarantine"),
    ],
)
def test_a_budget_that_is_spent_is_answered_by_its_own_answer_and_by_the_kills_before_it(
    world: World, answers: dict[str, Any], kills: int, action: str
) -> None:
    pod = outbreak.running(world, spec=specs.agent() | {"containment": answers})
    for number in range(kills):
        dead = {"metadata": {"name": f"zaum-researcher-0-0000{number}", "uid": f"before-{number}"}}
        outbreak.report(world, action="Kill", reason="BudgetSpent", reporter="Ledger", pod=dead)
        outbreak.finish(world)
    reported = outbreak.report(world, action="Kill", reason="BudgetSpent", reporter="Ledger", pod=pod)
    outbreak.finish(world)
    assert incidents.action(outbreak.incident(world, reported["metadata"]["name"])).value == action


def test_of_two_quarantines_the_later_is_closed_as_a_duplicate_and_keeps_its_evidence(world: World) -> None:
    outbreak.running(world)
    first = outbreak.report(world)["metadata"]["name"]
    world.pass_time(seconds=2)
    second = outbreak.report(world, key="manual/1")["metadata"]["name"]
    outbreak.finish(world)
    later = outbreak.incident(world, second)
    assert outbreak.why(later, "Closed")[0] == "Duplicate"
    assert first in outbreak.why(later, "Closed")[1]
    assert later["spec"]["reason"] == "Manual"
    assert incidents.is_open(outbreak.incident(world, first))
    assert world.live() == []
    outbreak.release(world, first)
    outbreak.finish(world, rounds=1)
    assert len(world.live()) == 1


def test_a_release_waits_for_the_death_of_what_it_would_let_go(world: World) -> None:
    pod = outbreak.running(world)
    name = outbreak.report(world)["metadata"]["name"]
    world.settle()
    outbreak.release(world, name)
    world.pass_time(seconds=5)
    found = outbreak.incident(world)
    assert incidents.is_open(found)
    assert outbreak.why(found, "Released")[0] == "Waiting"
    assert [each["metadata"]["uid"] for each in world.live()] == [pod["metadata"]["uid"]]
    outbreak.finish(world)
    found = outbreak.incident(world)
    assert (outbreak.said(found)["Released"], outbreak.said(found)["Closed"]) == ("True", "True")
    assert "by ann: looked at it" in outbreak.why(found, "Released")[1]
    assert found["status"]["phase"] == "Released"
    assert len(world.live()) == 1
    assert world.live()[0]["metadata"]["uid"] != pod["metadata"]["uid"]
    assert not network.is_closed(policy_of(world))
    (policy,) = world.api.all(kinds.POLICY)
    assert "containment" not in policy["status"]


def test_a_quarantine_that_is_asked_for_while_another_is_being_released_holds_the_name(world: World) -> None:
    outbreak.running(world)
    first = outbreak.report(world)["metadata"]["name"]
    world.settle()
    outbreak.release(world, first)
    assert incidents.is_open(outbreak.incident(world, first)), "its pod still lives"
    world.pass_time(seconds=2)
    second = outbreak.report(world, key="manual/1")["metadata"]["name"]
    outbreak.finish(world)
    assert outbreak.said(outbreak.incident(world, first))["Released"] == "True"
    assert incidents.is_open(outbreak.incident(world, second))
    assert outbreak.confirmed(outbreak.incident(world, second)) == list(outbreak.STEPS)
    assert world.live() == []


def test_a_release_of_a_closed_one_changes_nothing(world: World) -> None:
    pod = outbreak.running(world)
    name = outbreak.report(world, action="Kill", reason="RunawayCPU", reporter="Ledger", pod=pod)["metadata"]["name"]
    outbreak.finish(world)
    before = outbreak.incident(world)["status"]
    outbreak.release(world, name)
    outbreak.finish(world, rounds=2)
    assert outbreak.incident(world)["status"] == before


def test_i09_a_step_whose_witness_is_silent_is_not_claimed(world: World) -> None:
    world.deaf = {world.authorizers[1]}
    outbreak.running(world)
    outbreak.report(world)
    outbreak.finish(world)
    found = outbreak.incident(world)
    assert outbreak.confirmed(found) == ["Killed", "RouteRemoved"]
    for step in ("Cut", "IdentityDead", "Quarantined"):
        assert world.authorizers[1] in outbreak.why(found, step)[1]
    assert world.condition("Contained")[:2] == ("False", "Containing")
    world.deaf.clear()
    world.pass_time(seconds=2)
    assert outbreak.confirmed(outbreak.incident(world)) == list(outbreak.STEPS)


def test_i09_without_any_authorizer_nobody_says_that_anything_is_cut(world: World) -> None:
    world.authorizers = ()
    outbreak.running(world)
    outbreak.report(world)
    outbreak.finish(world)
    assert outbreak.confirmed(outbreak.incident(world)) == ["Killed", "RouteRemoved"]


def test_a_pod_that_no_node_has_is_deleted_because_no_kubelet_will_end_it(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    world.set_status(pod, phase="Pending")
    world.api.lingering_pods = False
    outbreak.report(world)
    outbreak.finish(world)
    assert outbreak.confirmed(outbreak.incident(world)) == list(outbreak.STEPS)
    assert world.pods() == []


def test_i09_a_pod_that_lost_its_labels_is_not_gone(world: World) -> None:
    pod = outbreak.running(world)
    outbreak.report(world, pod=pod)
    world.settle()
    labels, name = dict.fromkeys(pod["metadata"]["labels"]), pod["metadata"]["name"]
    denied = errors.ForbiddenError("patch pods", 403, "no")
    world.api.refuse = lambda verb, plural, _: denied if (verb, plural) == ("merge", "pods") else None
    world.api.edit(kinds.POD, NAMESPACE, name, {"metadata": {"labels": labels, "ownerReferences": None}})
    world.resync()
    assert world.cache.get(kinds.POD, NAMESPACE, name) is None, "no watch shows it"
    world.pass_time(seconds=2)
    assert {"Killed", "IdentityDead", "Quarantined"} & set(outbreak.confirmed(outbreak.incident(world))) == set()
    world.api.refuse = lambda verb, plural, _: None
    world.pass_time(minutes=6)
    outbreak.finish(world)
    assert outbreak.confirmed(outbreak.incident(world)) == list(outbreak.STEPS)


def test_a_task_that_is_contained_has_failed_for_good_and_says_why(world: World) -> None:
    pod = outbreak.running(world, spec=specs.task())
    outbreak.report(world, action="Kill", reason="RunawayCPU", reporter="Ledger", pod=pod)
    outbreak.finish(world)
    assert world.condition("Succeeded")[:2] == ("False", "Runaway")
    assert outbreak.said(outbreak.incident(world))["Closed"] == "True"
    assert world.live() == []


REFUSALS = [
    lambda: errors.ForbiddenError("patch pods", 403, "admission webhook denied the request"),
    lambda: errors.ConflictError("patch pods", 409, "the object has been modified"),
    lambda: errors.OverloadedError("patch pods", 429, "too many requests", 1.0),
    lambda: errors.UnavailableError("patch pods", 0, "TimeoutError"),
]


@pytest.mark.parametrize("error", REFUSALS)
@pytest.mark.parametrize(
    ("verb", "plural"),
    [
        ("merge", "pods"),
        ("delete", "pods"),
        ("apply", "incidents"),
        ("log", "pods"),
        ("apply", "networkpolicies"),
        ("create", "events"),
    ],
)
def test_i09_a_refused_step_is_said_tried_again_and_keeps_no_other_from_being_taken(
    world: World, error: Any, verb: str, plural: str
) -> None:
    world.policy(spec=specs.agent(replicas=2))
    world.settle()
    world.start_pods()
    outbreak.report(world)
    world.api.refuse = lambda asked, kind, name: error() if (asked, kind) == (verb, plural) else None
    outbreak.finish(world)
    found = outbreak.incident(world)
    assert incidents.is_open(found)
    claimed = outbreak.confirmed(found)
    match verb, plural:
        case "merge", "pods":
            assert {"Killed", "RouteRemoved", "IdentityDead", "Quarantined"} & set(claimed) == set()
            assert outbreak.why(found, "Killed")[0] == "Refused"
            assert str(error().status or "no answer") in outbreak.why(found, "Killed")[1]
        case "delete", "pods":
            assert "IdentityDead" not in claimed
            assert "Quarantined" in claimed, "the name is held"
        case "apply", "incidents":
            assert claimed == []
            assert all(pod["spec"].get("activeDeadlineSeconds") == 1 for pod in world.api.all(kinds.POD))
        case "apply", "networkpolicies":
            assert "Quarantined" not in claimed
    world.api.refuse = lambda asked, kind, name: None
    world.pass_time(minutes=6)
    outbreak.finish(world, rounds=20)
    assert outbreak.confirmed(outbreak.incident(world)) == list(outbreak.STEPS)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (errors.NotFoundError("get pods/log", 404, "not found"), ["hello\n", "(the log could not be read in 30 s: "]),
        (errors.ForbiddenError("get pods/log", 403, "no"), ["hello\n", "(the log could not be read in 30 s: "]),
        (errors.InvalidError("get pods/log", 400, "bad"), ["(the log could not be read: bad)"] * 2),
    ],
)
def test_a_log_that_is_not_to_be_had_yet_is_asked_for_again_for_half_a_minute(
    world: World, error: errors.RequestError, kept: list[str]
) -> None:
    def words(*, seconds: int) -> str:
        world.api.refuse = lambda verb, plural, name: error if verb == "log" else None
        world.start_pods()
        (pod,) = world.live()
        world.api.logs[pod["metadata"]["name"]] = "hello\n"
        name = outbreak.report(world, pod=pod, reporter="Ledger", reason="RunawayCPU")["metadata"]["name"]
        world.settle()
        outbreak.obey(world)
        for _ in range(seconds):
            world.pass_time(seconds=1)
        world.api.refuse = lambda verb, plural, name: None
        outbreak.finish(world)
        said = str(outbreak.incident(world, name)["status"]["logs"]["agent"])
        outbreak.release(world, name)
        world.pass_time(minutes=6)
        return said

    outbreak.running(world)
    found = [words(seconds=20), words(seconds=35)]
    assert [said.startswith(wanted) for said, wanted in zip(found, kept, strict=True)] == [True, True], found


def test_a_plan_that_cannot_even_look_does_not_keep_an_agent_alive(world: World) -> None:
    outbreak.running(world)
    outbreak.report(world)
    api = world.workers.reconciler.store.api
    original = api.list

    async def blind(kind: Any, *arguments: Any, **more: Any) -> Any:
        if kind is kinds.SERVICE:
            raise errors.ForbiddenError("list services", 403, "no")
        return await original(kind, *arguments, **more)

    api.list = blind  # type: ignore[method-assign]
    world.settle()
    assert world.live()[0]["spec"]["activeDeadlineSeconds"] == 1


DIGEST = "sha256:" + "a" * 64


def blocking(world: World, **incidents_: Any) -> None:
    """Let a ceiling block images by quarantines; a policy with the image is quarantined, and contained."""
    spec = {"namespaceSelector": {}, "incidents": {"blockImages": True} | incidents_}
    world.api.put(kinds.NAMESPACE, {"metadata": {"name": NAMESPACE}})
    world.api.put(kinds.CEILING, {"metadata": {"name": "strict"}, "spec": spec})
    outbreak.running(world, spec=specs.agent(image=f"registry.example/agent@{DIGEST}"))
    outbreak.report(world)
    outbreak.finish(world)


def test_the_image_of_a_quarantined_policy_starts_under_no_other_name_where_a_ceiling_says_so(world: World) -> None:
    blocking(world)
    found = outbreak.incident(world)
    assert outbreak.why(found, "Quarantined")[0] == "ImageBlocked"
    assert found["status"]["images"] == [f"registry.example/agent@{DIGEST}"]
    world.policy("other", spec=specs.agent(image=f"mirror.example/renamed@{DIGEST}"))
    world.policy("innocent", spec=specs.agent(image="registry.example/agent@sha256:" + "b" * 64))
    world.settle()
    assert (len(world.live("other")), len(world.live("innocent"))) == (0, 1)
    assert world.condition(name="other")[:2] == ("False", "ImageBlocked")
    assert found["metadata"]["name"] in world.condition(name="other")[2]
    outbreak.release(world, found["metadata"]["name"])
    world.pass_time(seconds=16)
    assert len(world.live("other")) == 1


def test_without_such_a_ceiling_a_quarantine_is_about_a_name_alone(world: World) -> None:
    blocking(world, blockImages=False)
    assert outbreak.why(outbreak.incident(world), "Quarantined")[0] == "Confirmed"
    world.policy("other", spec=specs.agent(image=f"mirror.example/renamed@{DIGEST}"))
    world.settle()
    assert len(world.live("other")) == 1


def test_i09_an_ordinal_whose_pod_is_not_proven_dead_gets_no_other(world: World) -> None:
    world.deaf = set(world.authorizers)
    pod = outbreak.running(world)
    outbreak.report(world, action="Kill", reason="RunawayCPU", reporter="Ledger", pod=pod)
    outbreak.finish(world)
    world.pass_time(minutes=10)
    assert world.live() == []
    assert world.condition()[:2] == ("False", "Runaway")
    world.deaf.clear()
    world.pass_time(seconds=2)
    outbreak.finish(world, rounds=1)
    assert len(world.live()) == 1


@pytest.mark.parametrize(("heard", "asked", "action"), [(None, 9, "Kill"), (5, 5, "Kill"), (5, 6, "Quarantine")])
def test_kills_that_the_ledger_counts_hold_once_it_was_asked_after_it_had_heard_of_the_release(
    world: World, heard: float | None, asked: float, action: str
) -> None:
    spent, key = world.workers.reconciler.spent, Key(NAMESPACE, outbreak.POLICY)
    outbreak.running(world, spec=specs.agent() | {"containment": {"killsBeforeQuarantine": 2}})
    name = outbreak.report(world)["metadata"]["name"]
    outbreak.finish(world)
    outbreak.release(world, name)
    world.pass_time(minutes=6)
    if heard is not None:
        spent.released(key, name, seconds=heard)
    counted = documents.PolicyUsage(key.namespace, key.name, 1, 0, (), documents.Counters(), kills=2)
    spent.take([counted], seconds=9, asked=asked)
    world.start_pods()
    outbreak.breach(world, world.live()[0])
    (made,) = (item for item in world.api.all(kinds.INCIDENT) if item["metadata"]["name"] != name)
    assert (made["spec"]["reporter"], made["spec"]["action"]) == ("Operator", action)


def test_kills_that_the_ledger_counts_hold_where_nothing_was_released(world: World) -> None:
    pod = outbreak.running(world)
    counted = documents.PolicyUsage(NAMESPACE, outbreak.POLICY, 1, 0, (), documents.Counters(), kills=3)
    world.workers.reconciler.spent.take([counted], seconds=9)
    outbreak.breach(world, pod)
    assert outbreak.incident(world)["spec"]["action"] == "Quarantine"


@pytest.mark.parametrize(("silent", "ready", "made"), [(True, False, True), (True, True, False), (False, False, False)])
def test_i08_a_silent_watchdog_is_an_incident_only_when_its_node_calls_it_down(
    world: World, silent: bool, ready: bool, made: bool
) -> None:
    pod = outbreak.running(world)
    state = {"name": contract.CONTAINER_WATCHDOG, "ready": ready, "state": {"running": {}}}
    world.set_status(pod, initContainerStatuses=[state])
    if silent:
        world.workers.reconciler.spent.silent = {pod["metadata"]["uid"]: Key(NAMESPACE, outbreak.POLICY)}
    world.look()
    assert [item["spec"]["reason"] for item in world.api.all(kinds.INCIDENT)] == ["WatchdogSilent"] * made


def test_i08_a_watchdog_that_the_ledger_hears_no_more_is_degraded_and_nothing_else(world: World) -> None:
    pod = outbreak.running(world)
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    state = {"name": contract.CONTAINER_WATCHDOG, "ready": True, "state": {"running": {}}}
    world.set_status(pod, initContainerStatuses=[state])
    world.look()
    assert world.condition("Degraded")[:2] == ("False", "AsInstalled")
    world.workers.reconciler.spent.silent = {uid: Key(NAMESPACE, outbreak.POLICY)}
    world.look()
    status, reason, message = world.condition("Degraded")
    assert (status, reason) == ("True", "WatchdogSilent")
    assert name in message
    assert (world.live()[0]["metadata"]["uid"], world.api.all(kinds.INCIDENT)) == (uid, [])
    world.workers.reconciler.spent.silent = {}
    world.look()
    assert world.condition("Degraded")[:2] == ("False", "AsInstalled")


def test_of_silent_pods_those_count_that_have_not_ended_as_the_api_shows_them(world: World) -> None:
    world.policy("other")
    pod = outbreak.running(world)
    ended = world.live("other")[0]
    world.set_status(ended, phase="Failed")
    store = world.workers.reconciler.store
    assert observe.living(store, Key(NAMESPACE, outbreak.POLICY)) == {pod["metadata"]["uid"]}
    assert observe.living(store, Key(NAMESPACE, "other")) == set()
