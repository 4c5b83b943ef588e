"""The operator against a simulated API server: what a person or a kubelet does, and what stands there afterwards."""

import asyncio
import random
from typing import Any

import pytest

from tests.support import specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract, documents, reading
from zaum_operator import errors
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.render import quota

DOCUMENT = contract.CONFIG_KEYS[documents.CONFIG_VERSION]
FOREIGN = {
    "metadata": {"name": "wide-open", "namespace": NAMESPACE},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
}


def writes(world: World, verb: str, plural: str) -> list[str]:
    return [write.name for write in world.api.writes if (write.verb, write.plural) == (verb, plural)]


def order(world: World) -> list[str]:
    return [write.plural for write in world.api.writes if write.verb in {"apply", "create"}]


def test_i02_the_guard_comes_first_and_the_pods_last(world: World) -> None:
    world.policy()
    world.settle()
    assert order(world)[:7] == [
        "networkpolicies",
        "serviceaccounts",
        "priorityclasses",
        "resourcequotas",
        "networkpolicies",
        "configmaps",
        "pods",
    ]
    assert world.api.writes[0].name == contract.GUARD_NAME


def test_i01_a_policy_that_names_nothing_reaches_nothing(world: World) -> None:
    world.policy()
    world.settle()
    config = documents.WatchdogConfig.parse(world.api.all(kinds.CONFIG_MAP)[0]["data"][DOCUMENT].encode())
    effective = documents.Effective.read(world.api.all(kinds.POLICY)[0]["status"]["effective"])
    assert (config.hosts, effective.hosts) == ((), ())
    assert config.requests == documents.RequestRate(per_minute=60, burst=10)
    assert {item.source for item in effective.fields} == {documents.Source.DEFAULT}


def test_ready_follows_the_pods(world: World) -> None:
    world.policy(spec=specs.agent(replicas=2))
    world.settle()
    assert world.condition()[:2] == ("False", "Progressing")
    world.start_pods()
    assert world.condition() == ("True", "AllReady", "2 of 2 pods are ready.")
    assert world.condition("Isolated")[:2] == ("True", "Guarded")
    assert world.condition("EgressExact")[:2] == ("True", "Exact")


def test_a_second_look_writes_nothing(world: World) -> None:
    world.policy(spec=specs.hosts("docs.example.com"))
    world.settle()
    world.start_pods()
    assert world.look() == []


@pytest.mark.parametrize("kind", [kinds.NETWORK_POLICY, kinds.SERVICE_ACCOUNT, kinds.CONFIG_MAP, kinds.QUOTA])
def test_i11_a_child_deleted_by_hand_comes_back(world: World, kind: kinds.Kind) -> None:
    world.policy()
    world.settle()
    before = world.api.objects[(kind.plural, NAMESPACE, "zaum-researcher")]
    world.api.remove(kind, NAMESPACE, "zaum-researcher")
    world.settle()
    after = world.api.objects[(kind.plural, NAMESPACE, "zaum-researcher")]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert {k: v for k, v in after.items() if k != "metadata"} == {k: v for k, v in before.items() if k != "metadata"}


@pytest.mark.parametrize("label", [contract.LABEL_NAMESPACE, contract.LABEL_POLICY])
@pytest.mark.parametrize("by_list", [False, True], ids=["seen by the watch", "seen by a list"])
def test_i11_a_priority_class_that_names_another_policy_is_given_back(world: World, label: str, by_list: bool) -> None:
    world.policy()
    world.settle()
    name = contract.cluster_name(NAMESPACE, "researcher")
    world.watching = not by_list
    world.api.edit(kinds.PRIORITY_CLASS, None, name, {"metadata": {"labels": {label: "other"}}})
    if by_list:
        asyncio.run(world.workers.heal([kinds.PRIORITY_CLASS]))
        world.watching = True
    world.settle()
    assert world.api.objects["priorityclasses", "", name]["metadata"]["labels"][label] != "other"


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (kinds.NETWORK_POLICY, {"spec": {"egress": [{}]}}),
        (kinds.NETWORK_POLICY, {"spec": {"ingress": [{}], "policyTypes": ["Ingress", "Egress"]}}),
        (kinds.NETWORK_POLICY, {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}),
        (kinds.NETWORK_POLICY, {"metadata": {"labels": {contract.LABEL_POLICY: "other"}}}),
        (kinds.NETWORK_POLICY, {"metadata": {"labels": {"zaum.dev/extra": "x"}}}),
        (kinds.NETWORK_POLICY, {"metadata": {"ownerReferences": None}}),
        (kinds.SERVICE_ACCOUNT, {"automountServiceAccountToken": True}),
        (kinds.SERVICE_ACCOUNT, {"imagePullSecrets": [{"name": "stolen"}]}),
        (kinds.CONFIG_MAP, {"data": {DOCUMENT: "{}"}}),
        (kinds.CONFIG_MAP, {"data": {"more": "x"}}),
        (kinds.QUOTA, {"spec": {"hard": {"pods": "9"}}}),
        (kinds.QUOTA, {"spec": {"hard": {"limits.cpu": "64"}}}),
        (kinds.QUOTA, {"spec": {"hard": {"pods": None}}}),
    ],
)
def test_i11_an_edit_by_hand_is_undone(world: World, kind: kinds.Kind, patch: dict[str, object]) -> None:
    world.policy()
    world.settle()
    place = (kind.plural, NAMESPACE, "zaum-researcher")
    before = world.api.objects[place]
    world.api.edit(kind, NAMESPACE, "zaum-researcher", patch)
    assert world.api.objects[place] != before
    world.settle()
    after = world.api.objects[place]
    ignored = {"resourceVersion", "generation"}
    assert {k: v for k, v in after["metadata"].items() if k not in ignored} == {
        k: v for k, v in before["metadata"].items() if k not in ignored
    }
    assert {k: v for k, v in after.items() if k != "metadata"} == {k: v for k, v in before.items() if k != "metadata"}
    assert world.look() == []


def test_i11_the_guard_and_the_priority_class_come_back(world: World) -> None:
    world.policy()
    world.settle()
    name = quota.priority_class_name(Key(NAMESPACE, "researcher"))
    world.api.remove(kinds.NETWORK_POLICY, NAMESPACE, contract.GUARD_NAME)
    world.api.remove(kinds.PRIORITY_CLASS, None, name)
    world.settle()
    assert contract.GUARD_NAME in world.api.names(kinds.NETWORK_POLICY)
    assert world.api.names(kinds.PRIORITY_CLASS) == [name]


def test_i02_a_guard_that_lost_its_selector_is_repaired(world: World) -> None:
    world.policy()
    world.settle()
    world.api.edit(kinds.NETWORK_POLICY, NAMESPACE, contract.GUARD_NAME, {"spec": {"egress": [{}]}})
    world.settle()
    guard = world.api.objects[("networkpolicies", NAMESPACE, contract.GUARD_NAME)]
    assert "egress" not in guard["spec"]


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


def test_i12_two_policies_share_nothing_but_the_guard(world: World) -> None:
    world.policy("one", spec=specs.hosts("one.example.com"))
    world.policy("two", spec=specs.hosts("two.example.com"))
    world.settle()
    selectors = [
        policy["spec"]["podSelector"]["matchLabels"].get(contract.LABEL_POLICY)
        for policy in world.api.all(kinds.NETWORK_POLICY)
    ]
    assert selectors == [None, "one", "two"]
    scopes = [item["spec"]["scopeSelector"]["matchExpressions"][0]["values"] for item in world.api.all(kinds.QUOTA)]
    assert scopes[0] != scopes[1]
    accounts = {pod["spec"]["serviceAccountName"] for pod in world.api.all(kinds.POD)}
    assert accounts == {"zaum-one", "zaum-two"}


def test_a_failed_agent_is_replaced_after_a_pause_that_doubles(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    for attempt, pause in enumerate((10, 20, 40), start=1):
        world.end_pod(world.live()[0], code=3)
        assert world.condition()[:2] == ("False", "AgentFailed" if attempt == 1 else "CrashLoop")
        assert "exit code 3" in world.condition()[2]
        world.pass_time(seconds=pause - 1)
        assert world.live() == []
        world.pass_time(seconds=1)
        (pod,) = world.live()
        assert pod["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == str(attempt)
        world.start_pods()
    assert len(world.pods()) == 2, "the newest ended pod is kept, older ones are not"


def test_the_pause_survives_a_restart_of_the_operator(world: World) -> None:
    world.policy()
    world.settle()
    world.end_pod(world.live()[0])
    successor = World(world.ca_file, api=world.api, clock=world.clock)
    successor.workers.add(Key(NAMESPACE, "researcher"))
    successor.settle()
    assert successor.live() == []
    successor.pass_time(seconds=10)
    assert len(successor.live()) == 1


def test_a_service_that_ends_by_itself_is_started_again(world: World) -> None:
    world.policy()
    world.settle()
    world.end_pod(world.live()[0], code=0)
    assert world.condition()[:2] == ("False", "BackingOff")
    world.pass_time(seconds=10)
    assert len(world.live()) == 1


def test_ten_healthy_minutes_forgive_earlier_failures(world: World) -> None:
    world.policy()
    world.settle()
    world.end_pod(world.live()[0])
    world.pass_time(seconds=10)
    world.end_pod(world.live()[0], ran=600)
    world.pass_time(seconds=10)
    assert world.live()[0]["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == "1"


def test_another_image_is_tried_at_once(world: World) -> None:
    world.policy()
    world.settle()
    world.end_pod(world.live()[0])
    world.policy(spec={"agent": {"image": "registry.example/agent:2"}})
    world.settle()
    assert world.live()[0]["spec"]["containers"][0]["image"] == "registry.example/agent:2"


def test_i08_a_pod_whose_watchdog_restarted_is_ended_and_replaced(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    restarted = [{"name": contract.CONTAINER_WATCHDOG, "restartCount": 1, "state": {"running": {}}}]
    world.set_status(pod, initContainerStatuses=restarted)
    world.settle()
    assert world.live()[0]["spec"].get("activeDeadlineSeconds") == 1
    assert world.live()[0]["metadata"]["labels"].get(contract.LABEL_QUARANTINED) == "true", "only the guard selects it"
    assert world.condition()[:2] == ("False", "WatchdogRestarted")
    assert world.look() == []
    world.end_pod(world.live()[0], initContainerStatuses=restarted)
    assert world.condition()[:2] == ("False", "WatchdogRestarted")
    world.pass_time(seconds=10)
    assert world.live()[0]["metadata"]["name"] != pod["metadata"]["name"]


def test_an_outdated_pod_goes_before_its_successor_comes(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    world.policy(spec=specs.agent(command=["other"]))
    world.settle()
    assert len(world.api.all(kinds.POD)) == 1
    assert world.live() == []
    world.api.finish_deletions()
    world.settle()
    assert world.live()[0]["spec"]["containers"][0]["command"] == ["other"]


def test_ready_pods_are_replaced_one_at_a_time(world: World) -> None:
    world.policy(spec=specs.agent(replicas=3))
    world.settle()
    world.start_pods()
    world.policy(spec=specs.agent(replicas=3, command=["other"]))
    seen = []
    for _ in range(3):
        world.settle()
        seen.append(len(world.live()))
        world.api.finish_deletions()
        world.settle()
        world.start_pods()
    assert seen == [2, 2, 2]
    assert all(pod["spec"]["containers"][0]["command"] == ["other"] for pod in world.live())


def test_a_smaller_size_does_not_lock_the_quota(world: World) -> None:
    world.policy(spec=specs.agent(replicas=2, resources={"cpu": "2"}))
    world.settle()
    world.start_pods()
    world.policy(spec=specs.agent(replicas=2, resources={"cpu": "1"}))
    world.settle()
    hard = world.api.all(kinds.QUOTA)[0]["spec"]["hard"]
    assert hard["limits.cpu"] == "4", "one of the two was taken down, the other still has two cores and a half"
    for _ in range(3):
        world.api.finish_deletions()
        world.settle()
        world.start_pods()
    assert world.api.all(kinds.QUOTA)[0]["spec"]["hard"]["limits.cpu"] == "3"


def test_an_image_edited_on_a_live_pod_costs_the_pod(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    evil = [pod["spec"]["containers"][0] | {"image": "registry.example/evil"}]
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], {"spec": {"containers": evil}})
    world.settle()
    assert world.live() == []


def test_a_label_taken_off_a_pod_is_put_back(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    off = {"metadata": {"labels": {contract.LABEL_AGENT: None, contract.LABEL_ORDINAL: "0"}}}
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], off)
    world.settle()
    assert world.live()[0]["metadata"]["labels"][contract.LABEL_AGENT] == "true"


def test_i02_a_pod_that_lost_all_our_labels_is_found_by_its_owner(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    off = {"metadata": {"labels": {contract.LABEL_AGENT: None, contract.LABEL_POLICY: None}}}
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], off)
    world.settle()  # the watch, filtered by label, shows it as gone
    assert world.api.names(kinds.POD) == [pod["metadata"]["name"]], "no other is made in its place"
    assert (
        pod["metadata"]["labels"]
        == world.api.objects[("pods", NAMESPACE, pod["metadata"]["name"])]["metadata"]["labels"]
    )


def test_a_task_whose_pod_lost_its_labels_is_not_given_up(world: World) -> None:
    world.policy(spec=specs.task())
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    place = ("pods", NAMESPACE, pod["metadata"]["name"])
    off = {"metadata": {"labels": {contract.LABEL_AGENT: None, contract.LABEL_POLICY: None}}}
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], off)
    world.settle()
    for _ in range(3):
        world.pass_time(seconds=1)
    assert world.condition("Succeeded")[:2] == ("Unknown", "TaskRunning")
    assert world.api.objects[place]["metadata"]["labels"] == pod["metadata"]["labels"]
    world.api.remove(kinds.POD, NAMESPACE, pod["metadata"]["name"])
    world.pass_time(seconds=1)
    assert world.condition("Succeeded")[:2] == ("False", "PodLost")


def test_a_task_whose_pod_the_cache_does_not_show_is_not_given_up(world: World) -> None:
    world.policy(spec=specs.task())
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    world.cache._take(kinds.POD, (NAMESPACE, pod["metadata"]["name"]))  # an event that never came
    world.look()
    world.pass_time(seconds=1)
    assert world.condition("Succeeded")[:2] == ("Unknown", "TaskRunning")
    assert world.cache.get(kinds.POD, NAMESPACE, pod["metadata"]["name"]) is not None


def test_a_config_change_reaches_running_pods_by_their_annotation(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    name = world.live()[0]["metadata"]["name"]
    world.policy(spec=specs.hosts("docs.example.com"))
    world.settle()
    (pod,) = world.live()
    raw = world.api.all(kinds.CONFIG_MAP)[0]["data"][DOCUMENT].encode()
    assert pod["metadata"]["name"] == name, "hosts and limits never cost a pod"
    assert pod["metadata"]["annotations"][contract.ANNOTATION_CONFIG_DIGEST] == reading.digest(raw)


def test_stopped_runs_nothing_and_keeps_the_cage(world: World) -> None:
    world.policy(spec=specs.agent(replicas=2))
    world.settle()
    world.policy(spec={**specs.agent(replicas=2), "desiredState": "Stopped"})
    world.settle()
    assert world.condition()[:2] == ("False", "Progressing")
    world.api.finish_deletions()
    world.settle()
    assert world.condition()[:2] == ("True", "Stopped")
    assert world.api.names(kinds.NETWORK_POLICY) == [contract.GUARD_NAME, "zaum-researcher"]


def test_fewer_replicas_take_the_highest_ordinals(world: World) -> None:
    world.policy(spec=specs.agent(replicas=3))
    world.settle()
    world.start_pods()
    world.policy(spec=specs.agent(replicas=1))
    world.settle()
    assert [pod["metadata"]["labels"][contract.LABEL_ORDINAL] for pod in world.live()] == ["0"]


def test_i02_a_foreign_network_policy_keeps_pods_from_starting(world: World) -> None:
    world.api.put(kinds.NETWORK_POLICY, FOREIGN)
    world.policy()
    world.settle()
    assert world.pods() == []
    status, reason, message = world.condition("EgressExact")
    assert (status, reason) == ("False", "ForeignNetworkPolicy")
    assert "NetworkPolicy wide-open, spec.egress[0]: to anyone on any port" in message
    world.api.remove(kinds.NETWORK_POLICY, NAMESPACE, "wide-open")
    world.settle()
    assert len(world.pods()) == 1
    assert world.condition("EgressExact")[0] == "True"


def test_without_a_gateway_nothing_starts_and_nothing_is_taken_down(world: World) -> None:
    world.policy("running")
    world.settle()
    world.start_pods()
    world.api.remove(kinds.SERVICE, "zaum-system", contract.GATEWAY_SERVICE)
    world.policy("waiting")
    world.policy("running", spec=specs.agent(command=["other"]))
    world.settle()
    assert world.pods("waiting") == []
    assert len(world.live("running")) == 1
    assert world.condition(name="waiting")[:2] == ("False", "GatewayMissing")


def test_a_host_that_the_parser_refuses_gets_no_egress_and_is_named(world: World) -> None:
    world.policy(spec=specs.hosts("xn--99999999.example.com", "docs.example.com"))
    world.settle()
    status, reason, message = world.condition("EgressExact")
    assert (status, reason) == ("False", "InvalidHosts")
    assert "xn--99999999.example.com" in message
    effective = documents.Effective.read(world.api.all(kinds.POLICY)[0]["status"]["effective"])
    assert [rule.host for rule in effective.hosts] == ["docs.example.com"]


def test_unknown_fields_of_a_newer_api_are_ignored_and_said(world: World) -> None:
    world.policy(spec={**specs.agent(), "novelty": 1, "limits": {"connections": 5, "dreams": {"a": 1}}})
    world.settle()
    status, reason, message = world.condition("Degraded")
    assert (status, reason) == ("True", "UnknownFields")
    assert "spec.limits.dreams" in message
    assert "spec.novelty" in message
    config = documents.WatchdogConfig.parse(world.api.all(kinds.CONFIG_MAP)[0]["data"][DOCUMENT].encode())
    assert config.connections == 5


def test_i01_a_spec_that_cannot_be_read_closes_egress_and_starts_nothing(world: World) -> None:
    world.policy(spec=specs.hosts("docs.example.com"))
    world.settle()
    world.policy(spec={**specs.hosts("docs.example.com"), "mode": "Dream"})
    world.settle()
    assert world.condition()[:2] == ("False", "InvalidSpec")
    assert documents.Effective.read(world.api.all(kinds.POLICY)[0]["status"]["effective"]).hosts == ()
    assert len(world.live()) == 1, "a running pod is not taken down for a version that does not understand it"


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


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.QuotaError("create pods", 403, "exceeded quota: team"), "QuotaExceeded"),
        (errors.ForbiddenError("create pods", 403, "denied by admission"), "AdmissionRefused"),
        (errors.UnavailableError("create pods", 0, "connection reset"), "ApplyFailed"),
        (errors.TerminatingError("create pods", 403, "is being terminated"), "NamespaceTerminating"),
    ],
)
def test_a_refused_pod_is_said_with_its_reason_and_tried_again(
    world: World, error: errors.RequestError, reason: str
) -> None:
    world.api.refuse = lambda verb, plural, name: error if (verb, plural) == ("create", "pods") else None
    world.policy()
    world.settle()
    assert world.condition()[:2] == ("False", reason)
    assert world.condition("Isolated")[0] == "True"
    world.api.refuse = lambda verb, plural, name: None
    world.pass_time(seconds=300)
    assert len(world.live()) == 1


@pytest.mark.parametrize(("times", "warnings"), [(2, 0), (50, 1)])
def test_the_policys_own_quota_that_counts_late_warns_nobody_unless_it_lasts(
    world: World, times: int, warnings: int
) -> None:
    left = [errors.QuotaError("create pods", 403, "exceeded quota: zaum-researcher, requested: pods=1")] * times
    world.api.refuse = lambda verb, plural, name: left.pop() if (verb, plural) == ("create", "pods") and left else None
    world.policy()
    world.settle()
    for _ in range(20):
        world.pass_time(seconds=1)
    said = [event for event in world.api.all(kinds.EVENT) if event.get("reason") == "QuotaExceeded"]
    assert bool(said) is bool(warnings)
    assert len(world.live()) == (0 if warnings else 1)


def test_i02_no_pod_starts_while_the_guard_cannot_be_written(world: World) -> None:
    refused = errors.UnavailableError("apply", 500, "etcd is slow")
    world.api.refuse = lambda verb, plural, name: refused if name == contract.GUARD_NAME else None
    world.policy()
    world.settle()
    assert world.pods() == []
    assert world.condition("Isolated")[:2] == ("False", "NotGuarded")


def test_failures_back_off_instead_of_spinning(world: World) -> None:
    refused = errors.UnavailableError("apply", 500, "etcd is slow")
    tried: list[str] = []

    def refuse(verb: str, plural: str, name: str) -> errors.RequestError | None:
        if plural == "events" or name == "researcher":
            return None
        tried.append(name)
        return refused

    world.api.refuse = refuse
    world.policy()
    world.settle()
    for _ in range(60):
        world.pass_time(seconds=1)
    assert 6 <= len(tried) <= 10


def test_events_are_for_warnings_and_for_the_recovery_from_one(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    assert world.api.names(kinds.EVENT) == [], "what goes as planned is in the conditions"
    world.api.put(kinds.NETWORK_POLICY, FOREIGN)
    world.settle()
    for _ in range(5):
        world.look()
    warned = [(event["type"], event["reason"], event["action"]) for event in world.api.all(kinds.EVENT)]
    both = [("Warning", "ForeignNetworkPolicy", "EgressExact"), ("Warning", "ForeignNetworkPolicy", "Ready")]
    assert sorted(warned, key=lambda item: item[2]) == both
    world.api.remove(kinds.NETWORK_POLICY, NAMESPACE, "wide-open")
    world.pass_time(seconds=1)
    recovered = [event["reason"] for event in world.api.all(kinds.EVENT) if event["type"] == "Normal"]
    assert recovered == ["Exact"]


def test_an_image_that_cannot_be_pulled_is_named_without_a_loop(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "not found\nsecond line"}}
    world.set_status(pod, phase="Pending", containerStatuses=[{"name": "agent", "state": waiting}])
    world.settle()
    status, reason, message = world.condition()
    assert (status, reason) == ("False", "ImagePullFailed")
    assert specs.IMAGE in message
    assert "\n" not in message
    assert world.look() == []


def test_the_kubelets_pause_between_pulls_changes_nothing(world: World) -> None:
    world.policy()
    world.settle()
    for reason, message in (("ErrImagePull", "not found"), ("ImagePullBackOff", "Back-off: ErrImagePull: not found")):
        waiting = {"waiting": {"reason": reason, "message": message}}
        (pod,) = world.live()
        world.set_status(pod, phase="Pending", containerStatuses=[{"name": "agent", "state": waiting}])
        before = len(world.api.writes)
        world.settle()
    assert world.api.writes[before:] == []
    assert world.condition()[2].endswith("cannot be pulled: not found")


def test_a_container_that_cannot_be_made_is_named(world: World) -> None:
    world.policy()
    world.settle()
    waiting = {"waiting": {"reason": "CreateContainerError", "message": "no such file"}}
    world.set_status(world.live()[0], phase="Pending", containerStatuses=[{"name": "agent", "state": waiting}])
    world.settle()
    assert world.condition()[:2] == ("False", "ContainerConfigError")
    assert "container agent cannot be made (CreateContainerError): no such file" in world.condition()[2]


def test_a_policy_that_goes_while_it_is_looked_at_needs_no_status(world: World) -> None:
    world.policy()
    gone = errors.NotFoundError("apply", 404, "not found")
    world.api.refuse = lambda verb, plural, name: gone if plural == "agentpolicies" else None
    assert world.settle() < 20
    assert world.api.names(kinds.EVENT) == []


def test_a_config_map_that_is_missing_is_named(world: World) -> None:
    world.policy(spec=specs.agent(files=[{"configMap": "notes", "mountPath": "/notes"}]))
    world.settle()
    world.set_status(world.live()[0], phase="Pending")
    world.settle()
    assert world.condition() == (
        "False",
        "ConfigMapMissing",
        "spec.agent.files names ConfigMaps that do not exist: notes.",
    )


def test_a_pod_that_fits_no_node_is_said(world: World) -> None:
    world.policy()
    world.settle()
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    world.set_status(world.live()[0], phase="Pending", conditions=[unfit])
    world.settle()
    assert world.condition()[:2] == ("False", "Unschedulable")


def test_a_runaway_that_the_watchdog_named_is_said(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    said = {"terminated": {"exitCode": 0, "message": "RunawayProcesses"}}
    world.end_pod(pod, code=137, initContainerStatuses=[{"name": contract.CONTAINER_WATCHDOG, "state": said}])
    assert world.condition()[:2] == ("False", "Runaway")


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_events_converges(world: World, seed: int) -> None:  # noqa: PLR0912 - one branch per event
    dice = random.Random(seed)
    world.api.lingering_pods = dice.random() < 0.5
    names = ["one", "two"]
    for _ in range(40):
        name = dice.choice(names)
        match dice.randrange(8):
            case 0 | 1:
                world.policy(name, spec=specs.agent(replicas=dice.randrange(3), command=[dice.choice("ab")]))
            case 2:
                world.api.remove(kinds.POLICY, NAMESPACE, name)
            case 3:
                children = [p for p in world.api.objects if p[0] not in {"agentpolicies", "services", "events"}]
                if children:
                    plural, namespace, child = dice.choice(sorted(children))
                    kind = next(k for k in (*kinds.CHILDREN, kinds.PRIORITY_CLASS) if k.plural == plural)
                    world.api.remove(kind, namespace, child)
            case 4:
                world.api.finish_deletions()
            case 5:
                for pod in world.live(name)[:1]:
                    world.end_pod(pod)
            case 6:
                world.workers.add(Key(NAMESPACE, name))
            case _:
                world.settle()
        if dice.random() < 0.3:
            world.pass_time(seconds=dice.randrange(40))
    for name in names:
        world.policy(name, spec=specs.agent(replicas=2, command=["final"]))
    for _ in range(6):
        world.settle()
        world.api.finish_deletions()
        world.settle()
        world.start_pods()
        world.pass_time(seconds=300)
    for name in names:
        assert len(world.live(name)) == 2
        assert all(pod["spec"]["containers"][0]["command"] == ["final"] for pod in world.live(name))
        assert world.condition(name=name)[:2] == ("True", "AllReady")
    assert world.look("one") + world.look("two") == []
