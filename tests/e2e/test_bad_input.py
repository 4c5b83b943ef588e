"""Bad input on a real API server: it is refused or it converges, the policy says what is wrong, the operator lives."""

import concurrent.futures
import contextlib
import itertools
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos import fuzzed
from tests.cluster import cluster
from tests.support.e2e import admission, install
from tests.support.e2e.agents import RESTRICTED, Agents
from tests.support.e2e.api import Api, NotSeenError, Object, RefusedError, condition
from tests.support.e2e.tampering import IDLE
from zaum_api import conditions, contract

SPECS = 60
UPDATES, LAST_RATE = 100, 777
FUZZ_SEED = 20261
SAID_SECONDS = 60.0
CRD = "agentpolicies.zaum.dev"
OPERATOR_PODS = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_OPERATOR}"
OPERATOR_USER = "system:serviceaccount:zaum-system:zaum-operator"


def lives(api: Api) -> dict[str, int]:
    """Give how often each of the operator's containers has started again, by the pod's uid."""
    return {
        pod["metadata"]["uid"]: sum(item["restartCount"] for item in pod["status"].get("containerStatuses", []))
        for pod in api.items("pods", install.NAMESPACE, labels=OPERATOR_PODS)
        if not pod["metadata"].get("deletionTimestamp")  # of an upgrade a moment ago
    }


@contextlib.contextmanager
def unharmed(api: Api) -> Iterator[None]:
    """Check that no operator pod ended or started again within the block."""
    before = lives(api)
    assert before, "the control: there is an operator"
    yield
    assert lives(api) == before


def said(api: Api, namespace: str, name: str, *, seconds: float = SAID_SECONDS) -> Object:
    """Wait until the operator has said something about this very generation; give its Ready condition."""
    seen = api.until(
        "agentpolicies", namespace, name,
        lambda policy: condition(policy, "Ready").get("observedGeneration") == policy["metadata"]["generation"],
        seconds=seconds, what=f"a word on {name}",
    )  # fmt: skip
    return condition(seen, "Ready")


def bounded(spec: Any) -> Any:
    """Keep a drawn spec from filling the node: one pod at most."""
    agent = spec.get("agent") if isinstance(spec, dict) else None
    if isinstance(agent, dict) and isinstance(agent.get("replicas"), int) and agent["replicas"] > 1:
        agent["replicas"] = 1
    return spec


def test_specs_drawn_from_the_schema_are_refused_or_answered(agents: Agents, api: Api) -> None:
    accepted: list[str] = []
    refusals: list[RefusedError] = []
    with unharmed(api):
        for number, spec in enumerate(fuzzed.specs(seed=FUZZ_SEED, count=SPECS)):
            policy = agents.policy(f"drawn-{number}") | {"spec": bounded(spec)}
            try:
                # Not by server-side apply, which answers 500 to a list with the same key twice before it validates.
                api.create("agentpolicies", policy)
                accepted.append(f"drawn-{number}")
            except RefusedError as error:
                refusals.append(error)
        assert accepted, "the control: some are good"
        assert refusals, "the control: some are bad"
        assert {error.status for error in refusals} <= {400, 413, 422}
        assert all(error.message for error in refusals), "a refusal says why"
        reasons = [said(api, agents.namespace, name) for name in accepted]
    for ready in reasons:
        assert ready["reason"] in set(conditions.Reason), ready
        assert ready["status"] == "True" or ready["message"], ready
    print(f"fuzz: seed {FUZZ_SEED}, {len(accepted)} answered, {len(refusals)} refused")


def test_names_that_read_the_same_when_joined_are_two_policies(api: Api, images: dict[str, str]) -> None:
    run = uuid.uuid4().hex[:6]
    pair = [(f"n{run}-a-b", "c"), (f"n{run}-a", "b-c")]
    try:
        for namespace, name in pair:
            meta = {"name": namespace, "labels": RESTRICTED}
            api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
            made = Agents(api, namespace, image=images["demo-agent"], world_ca="")
            api.apply("agentpolicies", made.policy(name, command=IDLE))
        for namespace, name in pair:
            Agents(api, namespace, image="", world_ca="").ready(name)
            (pod,) = api.items("pods", namespace, labels=contract.LABEL_AGENT)
            quota = api.get("resourcequotas", namespace, contract.child_name(name))
            assert pod["spec"]["priorityClassName"] == contract.cluster_name(namespace, name)
            scope = quota["spec"]["scopeSelector"]["matchExpressions"][0]
            assert scope["values"] == [contract.cluster_name(namespace, name)]
            owner = api.get("priorityclasses", "", contract.cluster_name(namespace, name))["metadata"]["labels"]
            assert (owner[contract.LABEL_NAMESPACE], owner[contract.LABEL_POLICY]) == (namespace, name)
        api.delete("agentpolicies", *pair[0])
        api.until_gone("priorityclasses", "", contract.cluster_name(*pair[0]), seconds=60)
        assert api.get("priorityclasses", "", contract.cluster_name(*pair[1])), "the other one's is left alone"
    finally:
        for namespace, _ in pair:
            api.delete("namespaces", "", namespace)


def test_the_longest_name_works_and_longer_or_dotted_ones_are_refused(agents: Agents, api: Api) -> None:
    longest = "a" * contract.POLICY_NAME_MAX
    api.apply("agentpolicies", agents.policy(longest, command=IDLE))
    for name in ("a" * (contract.POLICY_NAME_MAX + 1), "a.b", "a" * 300):
        with pytest.raises(RefusedError) as caught:
            api.apply("agentpolicies", agents.policy(name, command=IDLE))
        assert caught.value.status == 422, caught.value
    agents.ready(longest)


def test_a_spec_of_a_megabyte_is_refused(agents: Agents, api: Api) -> None:
    env = [{"name": f"V{index}", "value": "x" * 1000} for index in range(1000)]
    with unharmed(api), pytest.raises(RefusedError) as caught:
        api.apply("agentpolicies", agents.policy("huge", command=IDLE, agent={"env": env}))
    assert caught.value.status in {400, 413, 422}, caught.value
    assert api.find("agentpolicies", agents.namespace, "huge") is None


@pytest.mark.node
def test_a_hundred_updates_at_once_cost_few_writes_and_the_last_one_holds(agents: Agents, api: Api) -> None:
    api.apply("agentpolicies", agents.policy("restless", command=IDLE))
    agents.ready("restless")
    log = cluster.audit_log()
    mark = log.stat().st_size

    def rate(per_minute: int) -> None:
        wanted = {"spec": {"limits": {"requests": {"perMinute": per_minute}}}}
        api.merge("agentpolicies", agents.namespace, "restless", wanted)

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as authors:
        list(authors.map(rate, range(100, 100 + UPDATES)))
    rate(LAST_RATE)
    took = time.monotonic() - began
    agents.ready("restless")
    assert said(api, agents.namespace, "restless")["reason"] == conditions.Reason.ALL_READY
    effective = api.get("agentpolicies", agents.namespace, "restless")["status"]["effective"]
    assert str(LAST_RATE) in json.dumps(effective)
    writes = writes_since(mark, agents.namespace)
    print(f"restless: {UPDATES + 1} updates in {took:.1f} s, {len(writes)} writes of the operator")
    # Each look writes at most the ConfigMap, the pod's annotation, and the status; not each update gets a look.
    assert len(writes) <= UPDATES, writes
    assert len(api.items("pods", agents.namespace)) == 1, "no update made another pod"


def writes_since(mark: int, namespace: str) -> list[str]:
    """Give the operator's writes to a namespace from an offset of the audit log on."""
    with cluster.audit_log().open("rb") as log:
        log.seek(mark)
        records = [json.loads(line) for line in log.read().splitlines() if line.endswith(b"}")]
    return [
        f"{record['verb']} {record['objectRef'].get('resource')}"
        for record in records
        if record["user"].get("username") == OPERATOR_USER
        and record["verb"] in {"create", "patch", "update", "delete"}
        and (record.get("objectRef") or {}).get("namespace") == namespace
    ]


def test_a_namespace_that_is_deleted_while_policies_are_made_goes_and_takes_nobody_along(
    agents: Agents, api: Api
) -> None:
    doomed = f"doomed-{uuid.uuid4().hex[:6]}"
    api.apply(
        "namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": doomed, "labels": RESTRICTED}},
    )
    there = Agents(api, doomed, image=agents.image, world_ca="")
    with unharmed(api):
        for number in range(5):
            api.apply("agentpolicies", there.policy(f"brief-{number}", command=IDLE))
        api.delete("namespaces", "", doomed)
        api.apply("agentpolicies", agents.policy("bystander", command=IDLE))
        agents.ready("bystander")
        api.until_gone("namespaces", "", doomed, seconds=90)
        for number in range(5):
            api.until_gone("priorityclasses", "", contract.cluster_name(doomed, f"brief-{number}"), seconds=60)


@pytest.mark.alone
def test_a_crd_that_is_deleted_and_restored_leaves_an_operator_that_works(agents: Agents, api: Api) -> None:
    policy = agents.policy("survivor", command=IDLE)
    api.apply("agentpolicies", policy)
    agents.ready("survivor")
    found = api.get("customresourcedefinitions", "", CRD)
    try:
        api.delete("customresourcedefinitions", "", CRD)
        api.until_gone("customresourcedefinitions", "", CRD, seconds=60)
    finally:
        api.apply("customresourcedefinitions", remade(found, "spec"))
        api.until(
            "customresourcedefinitions", "", CRD,
            lambda crd: condition(crd, "Established").get("status") == "True",
            seconds=60, what="the CRD is served again",
        )  # fmt: skip
    served(api, policy)
    agents.ready("survivor", seconds=90)


def remade(found: Object, *fields: str) -> Object:
    """Give an object as it was made, so that it can be made again."""
    meta = {key: found["metadata"][key] for key in ("name", "labels", "annotations") if key in found["metadata"]}
    return {key: found[key] for key in ("apiVersion", "kind", *fields)} | {"metadata": meta}


def served(api: Api, policy: Object) -> None:
    """Apply a policy as soon as its kind is served: established is said a moment before."""
    deadline = time.monotonic() + 15
    while True:
        try:
            api.apply("agentpolicies", policy)
            return
        except RefusedError as error:
            if error.status not in {404, 429} or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


@pytest.mark.alone
def test_rights_that_are_revoked_and_given_back_leave_an_operator_that_works(agents: Agents, api: Api) -> None:
    api.apply("agentpolicies", agents.policy("patient", command=IDLE))
    agents.ready("patient")
    kept = remade(api.get("clusterrolebindings", "", "zaum-operator"), "roleRef", "subjects")
    try:
        api.delete("clusterrolebindings", "", "zaum-operator")
        api.merge("agentpolicies", agents.namespace, "patient", {"spec": {"desiredState": "Stopped"}})
        with pytest.raises(NotSeenError):
            said(api, agents.namespace, "patient", seconds=5)
    finally:
        api.apply("clusterrolebindings", kept)
    agents.ready("patient", reason=conditions.Reason.STOPPED.value, seconds=90)


@pytest.mark.alone
def test_more_operators_than_meant_never_make_two_pods_of_one_ordinal(agents: Agents, api: Api) -> None:
    replicas = api.get("deployments", install.NAMESPACE, "zaum-operator")["spec"]["replicas"]
    stop = threading.Event()
    doubles: set[str] = set()
    watcher = threading.Thread(target=watch_doubles, args=(Api(), agents.namespace, stop, doubles))
    watcher.start()
    try:
        api.merge("deployments", install.NAMESPACE, "zaum-operator", {"spec": {"replicas": replicas + 1}})
        api.apply("agentpolicies", agents.policy("single", command=IDLE, agent={"replicas": 2}))
        agents.ready("single")
        api.as_user(admission.OPERATOR_AS_ADMIN).delete("leases", install.NAMESPACE, contract.LEASE_NAME)
        for state in ("Stopped", "Running", "Stopped", "Running"):
            api.merge("agentpolicies", agents.namespace, "single", {"spec": {"desiredState": state}})
        agents.ready("single", reason=conditions.Reason.ALL_READY.value, seconds=90)
    finally:
        api.merge("deployments", install.NAMESPACE, "zaum-operator", {"spec": {"replicas": replicas}})
        install.available(api, "zaum-operator")
        stop.set()
        watcher.join(timeout=30)
    assert doubles == set()


def watch_doubles(api: Api, namespace: str, stop: threading.Event, doubles: set[str]) -> None:
    """Collect pods that lived beside another of their ordinal, from a watch of its own."""
    live: dict[str, str] = {}
    while not stop.is_set():
        for kind, pod in api.changes("pods", namespace, seconds=5):
            name = pod["metadata"]["name"]
            live.pop(name, None)
            if kind != "DELETED" and pod.get("status", {}).get("phase") not in {"Failed", "Succeeded"}:
                live[name] = name.rpartition("-")[0]
            for one, other in itertools.combinations(sorted(live), 2):
                if live[one] == live[other]:
                    doubles.add(f"{one} beside {other}")
            if stop.is_set():
                return
