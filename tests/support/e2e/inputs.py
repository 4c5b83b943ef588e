"""Give the operator what nobody should, and see that it is refused or answered, and that the operator lives on.

Each scene says in one line what came of it. ControlError where it proved nothing, AssertionError where something did
not hold.
"""

import concurrent.futures
import contextlib
import itertools
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Final

from tests.chaos import fuzzed
from tests.cluster import cluster
from tests.support.e2e import admission, install
from tests.support.e2e.agents import RESTRICTED, Agents
from tests.support.e2e.api import Api, Object, RefusedError, condition
from tests.support.e2e.controls import ControlError, control, holds
from tests.support.e2e.tampering import IDLE
from zaum_api import conditions, contract

SPECS: Final = 60
UPDATES: Final = 100
LAST_RATE: Final = 777
FUZZ_SEED: Final = 20261
SAID_SECONDS: Final = 60.0
CRD: Final = "agentpolicies.zaum.dev"
OPERATOR_PODS: Final = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_OPERATOR}"
OPERATOR_USER: Final = admission.OPERATOR.name
TOO_MUCH: Final = frozenset({400, 413, 422})
"""How the API server refuses what is not as the schema says, or too large."""


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
    control(before, "there is no operator")
    yield
    after = lives(api)
    holds(after == before, f"the operator's lives were {before} and are {after}")


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


def drawn(agents: Agents, *, count: int = SPECS) -> str:
    """Send specs drawn from the schema: each is refused with a reason, or the operator says what it makes of it."""
    accepted: list[str] = []
    try:
        return _drawn(agents, count, accepted)
    finally:
        # Their pods ask for what was drawn: what comes after them in this namespace needs the node's room.
        for name in accepted:
            agents.api.delete("agentpolicies", agents.namespace, name)


def _drawn(agents: Agents, count: int, accepted: list[str]) -> str:
    api, refusals = agents.api, list[RefusedError]()
    with unharmed(api):
        for number, spec in enumerate(fuzzed.specs(seed=FUZZ_SEED, count=count)):
            policy = agents.policy(f"drawn-{number}") | {"spec": bounded(spec)}
            try:
                # Not by server-side apply, which answers 500 to a list with the same key twice before it validates.
                api.create("agentpolicies", policy)
                accepted.append(f"drawn-{number}")
            except RefusedError as error:
                refusals.append(error)
        control(accepted, "none is good")
        control(refusals, "none is bad")
        odd = [str(error) for error in refusals if error.status not in TOO_MUCH or not error.message]
        holds(not odd, f"refused in another way, or without a reason: {odd}")
        reasons = {name: said(api, agents.namespace, name) for name in accepted}
    for name, ready in reasons.items():
        holds(ready["reason"] in set(conditions.Reason), f"{name}: {ready}")
        holds(ready["status"] == "True" or ready["message"], f"{name}: {ready}")
    return f"seed {FUZZ_SEED}, {len(accepted)} answered, {len(refusals)} refused"


@contextlib.contextmanager
def two_namespaces(agents: Agents, *names: str) -> Iterator[list[Agents]]:
    """Have namespaces of these names until the end of the block."""
    try:
        for name in names:
            meta = {"name": name, "labels": RESTRICTED}
            agents.api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        yield [Agents(agents.api, name, image=agents.image, world_ca="") for name in names]
    finally:
        for name in names:
            agents.api.delete("namespaces", "", name)


def joined_names(agents: Agents) -> str:
    """Have two policies whose names read the same when joined with their namespaces': each has its own."""
    run = uuid.uuid4().hex[:6]
    return _pair(agents, (f"n{run}-a-b", "c"), (f"n{run}-a", "b-c"))


def same_names(agents: Agents) -> str:
    """Have two policies of one name in two namespaces: each has its own."""
    run = uuid.uuid4().hex[:6]
    return _pair(agents, (f"n{run}-one", "twin"), (f"n{run}-other", "twin"))


def _pair(agents: Agents, *pair: tuple[str, str]) -> str:
    api = agents.api
    with two_namespaces(agents, *(namespace for namespace, _ in pair)) as made:
        for there, (_, name) in zip(made, pair, strict=True):
            api.apply("agentpolicies", there.policy(name, command=IDLE))
        for there, (_, name) in zip(made, pair, strict=True):
            there.ready(name)
            _own(api, there.namespace, name)
        api.delete("agentpolicies", *pair[0])
        api.until_gone("priorityclasses", "", contract.cluster_name(*pair[0]), seconds=60)
        holds(api.find("priorityclasses", "", contract.cluster_name(*pair[1])), "the other one's went too")
        _own(api, *pair[1])
    return "each had its own, and one's end left the other alone"


def _own(api: Api, namespace: str, name: str) -> None:
    """Check that a policy has one pod, a quota and a PriorityClass that are its own."""
    own = contract.cluster_name(namespace, name)
    pods = api.items("pods", namespace, labels=contract.LABEL_AGENT)
    holds(len(pods) == 1, f"{namespace}/{name} has {len(pods)} pods")
    holds(pods[0]["spec"]["priorityClassName"] == own, f"the pod of {namespace}/{name} is not of {own}")
    quota = api.get("resourcequotas", namespace, contract.child_name(name))
    scope = quota["spec"]["scopeSelector"]["matchExpressions"][0]
    holds(scope["values"] == [own], f"the quota of {namespace}/{name} counts {scope['values']}")
    marks = api.get("priorityclasses", "", own)["metadata"]["labels"]
    owner = marks[contract.LABEL_NAMESPACE], marks[contract.LABEL_POLICY]
    holds(owner == (namespace, name), f"{own} says that it is of {owner}")


def long_names(agents: Agents) -> str:
    """Name a policy as long as may be, and longer, and with a dot."""
    api, longest = agents.api, "a" * contract.POLICY_NAME_MAX
    api.apply("agentpolicies", agents.policy(longest, command=IDLE))
    for name in ("a" * (contract.POLICY_NAME_MAX + 1), "a.b", "a" * 300):
        refuses(agents, agents.policy(name, command=IDLE), frozenset({422}))
    try:
        agents.ready(longest)
    except AssertionError as error:
        raise ControlError(f"the longest name that may be: {error}") from error
    return f"{contract.POLICY_NAME_MAX} letters work, others are refused"


def megabyte(agents: Agents) -> str:
    """Send a spec of a megabyte."""
    env = [{"name": f"V{index}", "value": "x" * 1000} for index in range(1000)]
    with unharmed(agents.api):
        return refuses(agents, agents.policy("huge", command=IDLE, agent={"env": env}), TOO_MUCH)


def refuses(agents: Agents, policy: Object, statuses: frozenset[int]) -> str:
    """Check that a policy is refused in one of these ways, with a reason, and is not there afterwards."""
    name = policy["metadata"]["name"]
    try:
        agents.api.apply("agentpolicies", policy)
    except RefusedError as error:
        holds(error.status in statuses and error.message, f"{name[:80]}: {error}")
        holds(
            agents.api.find("agentpolicies", agents.namespace, name) is None, f"{name[:80]} is there although refused"
        )
        return f"refused with {error.status}"
    raise AssertionError(f"{name[:80]} was taken")


def hundred_updates(agents: Agents) -> str:
    """Change a policy a hundred times within a second or so: few writes, one pod, and the last change holds."""
    api = agents.api
    api.apply("agentpolicies", agents.policy("restless", command=IDLE))
    agents.ready("restless")
    mark = cluster.audit_log().stat().st_size

    def rate(per_minute: int) -> None:
        wanted = {"spec": {"limits": {"requests": {"perMinute": per_minute}}}}
        api.merge("agentpolicies", agents.namespace, "restless", wanted)

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as authors:
        list(authors.map(rate, range(100, 100 + UPDATES)))
    rate(LAST_RATE)
    took = time.monotonic() - began
    agents.ready("restless")
    ready = said(api, agents.namespace, "restless")
    holds(ready["reason"] == conditions.Reason.ALL_READY, str(ready))
    effective = api.get("agentpolicies", agents.namespace, "restless")["status"]["effective"]
    holds(str(LAST_RATE) in json.dumps(effective), f"the last change does not hold: {effective}")
    writes = writes_since(mark, agents.namespace)
    # Each look writes at most the ConfigMap, the pod's annotation, and the status; not each update gets a look.
    holds(len(writes) <= UPDATES, f"{len(writes)} writes: {writes}")
    pods = api.items("pods", agents.namespace, labels=f"{contract.LABEL_POLICY}=restless")
    holds(len(pods) == 1, f"{len(pods)} pods after it")
    return f"{UPDATES + 1} updates in {took:.1f} s, {len(writes)} writes of the operator"


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


def doomed_namespace(agents: Agents) -> str:
    """Delete a namespace while policies are made in it: it goes, and takes nobody along."""
    api, doomed = agents.api, f"doomed-{uuid.uuid4().hex[:6]}"
    with unharmed(api), two_namespaces(agents, doomed) as (there,):
        for number in range(5):
            api.apply("agentpolicies", there.policy(f"brief-{number}", command=IDLE))
        api.delete("namespaces", "", doomed)
        api.apply("agentpolicies", agents.policy("bystander", command=IDLE))
        agents.ready("bystander")
        api.until_gone("namespaces", "", doomed, seconds=90)
        for number in range(5):
            api.until_gone("priorityclasses", "", contract.cluster_name(doomed, f"brief-{number}"), seconds=60)
    return "it went with all that was its, and another one's policy became ready meanwhile"


def crd_removed(agents: Agents) -> str:
    """Delete the CRD under the running operator, and bring it back: it makes policies of before anew."""
    api, policy = agents.api, agents.policy("survivor", command=IDLE)
    api.apply("agentpolicies", policy)
    try:
        agents.ready("survivor")
    except AssertionError as error:
        raise ControlError(f"a policy becomes ready before: {error}") from error
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
    return "the operator lives, and a policy becomes ready again"


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


def two_leaders(agents: Agents) -> str:
    """Run one operator more than meant, take the lease away, stop and start: no ordinal ever has two pods."""
    api = agents.api
    replicas = api.get("deployments", install.NAMESPACE, "zaum-operator")["spec"]["replicas"]
    stop, seen = threading.Event(), [0]
    doubles: set[str] = set()
    watcher = threading.Thread(target=watch_doubles, args=(Api(), agents.namespace, stop, doubles, seen))
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
    control(seen[0] >= 2, f"only {seen[0]} pods were seen")
    holds(not doubles, f"{sorted(doubles)}")
    return f"{replicas + 1} operators, {seen[0]} pods, never two of one ordinal"


def watch_doubles(api: Api, namespace: str, stop: threading.Event, doubles: set[str], seen: list[int]) -> None:
    """Collect pods that lived beside another of their ordinal, from a watch of its own; count all that were seen."""
    live: dict[str, str] = {}
    known: set[str] = set()
    while not stop.is_set():
        for kind, pod in api.changes("pods", namespace, seconds=5):
            name = pod["metadata"]["name"]
            known.add(name)
            seen[0] = len(known)
            live.pop(name, None)
            if kind != "DELETED" and pod.get("status", {}).get("phase") not in {"Failed", "Succeeded"}:
                live[name] = name.rpartition("-")[0]
            for one, other in itertools.combinations(sorted(live), 2):
                if live[one] == live[other]:
                    doubles.add(f"{one} beside {other}")
            if stop.is_set():
                return
