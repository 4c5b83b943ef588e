"""The operator against a simulated API server: what a person or a kubelet does, and what stands there afterwards."""

import random

import pytest

from tests.support import specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract, documents, reading
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key

DOCUMENT = contract.CONFIG_KEYS[documents.CONFIG_VERSION]
FOREIGN = {
    "metadata": {"name": "wide-open", "namespace": NAMESPACE},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
}


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
