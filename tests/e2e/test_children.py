"""I02, I11, I13: children are kept as planned, and go in the right order."""

import functools
import time
from collections.abc import Callable

import pytest

from tests.cluster import addresses
from tests.support.e2e import attempts
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object, condition, service_account
from tests.support.e2e.world import World, pod_addresses
from zaum_api import contract

HOSTS = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
IDLE = ["python3", "-c", "import time; time.sleep(3600)"]
OPERATOR = service_account("zaum-system", "zaum-operator")
COLLECTOR = service_account("kube-system", "generic-garbage-collector")
REPAIRED_SECONDS = 5.0

CHILDREN: list[tuple[str, Callable[[str, str], tuple[str, str]]]] = [
    ("networkpolicies", lambda namespace, name: (namespace, contract.GUARD_NAME)),
    ("networkpolicies", lambda namespace, name: (namespace, contract.child_name(name))),
    ("serviceaccounts", lambda namespace, name: (namespace, contract.child_name(name))),
    ("resourcequotas", lambda namespace, name: (namespace, contract.child_name(name))),
    ("configmaps", lambda namespace, name: (namespace, contract.child_name(name))),
    ("priorityclasses", lambda namespace, name: ("", contract.cluster_name(namespace, name))),
]


@pytest.mark.parametrize(
    ("resource", "place"), CHILDREN, ids=["guard", "networkpolicy", "serviceaccount", "quota", "config", "priority"]
)
def test_i11_a_child_that_is_deleted_is_back_within_5_s(
    agents: Agents, api: Api, resource: str, place: Callable[[str, str], tuple[str, str]]
) -> None:
    agents.api.apply("agentpolicies", agents.policy("kept", command=IDLE))
    agents.running("kept")
    namespace, name = place(agents.namespace, "kept")
    before = api.get(resource, namespace, name)
    # Admission lets nobody but the system's own collector and the operator do this.
    api.as_user(COLLECTOR).delete(resource, namespace, name)
    started = time.monotonic()
    after = api.until(
        resource,
        namespace,
        name,
        lambda seen: seen["metadata"]["uid"] != before["metadata"]["uid"],
        seconds=REPAIRED_SECONDS,
        what=f"{resource} {name} is back",
    )
    assert time.monotonic() - started <= REPAIRED_SECONDS
    assert after.get("spec") == before.get("spec")
    assert after.get("data") == before.get("data")


def test_i11_a_child_that_is_edited_is_put_right_within_5_s(agents: Agents, api: Api) -> None:
    agents.api.apply("agentpolicies", agents.policy("edited", command=IDLE))
    agents.running("edited")
    name = contract.child_name("edited")
    before = api.get("networkpolicies", agents.namespace, name)["spec"]
    patched = api.as_user(OPERATOR).merge("networkpolicies", agents.namespace, name, {"spec": {"egress": [{}]}})
    assert patched["spec"] != before, "the control: the edit went through"
    api.until(
        "networkpolicies",
        agents.namespace,
        name,
        lambda seen: bool(seen["spec"] == before),
        seconds=REPAIRED_SECONDS,
        what="the edit is undone",
    )


def test_i11_a_pod_that_is_deleted_is_replaced(agents: Agents, api: Api) -> None:
    agents.api.apply("agentpolicies", agents.policy("replaced", command=IDLE))
    pod = agents.running("replaced")
    api.as_user(COLLECTOR).delete("pods", agents.namespace, pod["metadata"]["name"])
    api.until_any(
        "pods",
        agents.namespace,
        f"{contract.LABEL_POLICY}=replaced",
        lambda seen: seen["metadata"]["uid"] != pod["metadata"]["uid"],
        seconds=60,
        what="a pod in its place",
    )


def test_a_steady_policy_causes_no_writes(agents: Agents, api: Api) -> None:
    agents.api.apply("agentpolicies", agents.policy("steady", command=IDLE))
    what = "everything about the policy has been said"
    api.until("agentpolicies", agents.namespace, "steady", all_said, seconds=60, what=what)
    places = [(resource, *place(agents.namespace, "steady")) for resource, place in CHILDREN]
    settled = [api.get(*place)["metadata"]["resourceVersion"] for place in places]
    seen = [kind for kind, _ in api.changes("agentpolicies", agents.namespace, seconds=8)]
    assert [api.get(*place)["metadata"]["resourceVersion"] for place in places] == settled
    assert seen == ["LISTED"]


def all_said(policy: Object) -> bool:
    """Tell whether nothing about the policy waits for a first report, neither its cage nor its limits."""
    said = {each: condition(policy, each).get("status") for each in ("Ready", "EnforcementProven", "WithinLimits")}
    return set(said.values()) == {"True"} and "usage" in policy["status"]


def uses(quota: Object, *, count: str) -> bool:
    return bool(quota.get("status", {}).get("used", {}).get("pods") == count)


def test_i12_the_quota_counts_only_the_policys_own_pods(agents: Agents, api: Api) -> None:
    agents.api.apply("agentpolicies", agents.policy("two", command=IDLE, agent={"replicas": 2}))
    agents.api.apply("agentpolicies", agents.policy("one", command=IDLE))
    for name, count in (("two", "2"), ("one", "1")):
        agents.ready(name)
        api.until(
            "resourcequotas",
            agents.namespace,
            contract.child_name(name),
            functools.partial(uses, count=count),
            seconds=60,
            what=f"{name} uses {count} pods",
        )
        quota = api.get("resourcequotas", agents.namespace, contract.child_name(name))
        assert quota["status"]["hard"]["pods"] == count


@pytest.mark.world
def test_a_host_that_is_added_or_removed_reaches_the_running_pod(agents: Agents, api: Api) -> None:
    loop = """
import json, sys, time
sys.path.insert(0, "/files")
import probe
while True:
    print(json.dumps(probe.try_one({"probe": "proxy", "host": "docs.example.com", "path": "/"})), flush=True)
    time.sleep(0.2)
"""
    limits = {"requests": {"perMinute": 100000, "burst": 1000}}
    calm = {"denied": {"above": 10000, "per": "1m"}}
    pod = agents.run("turned", loop, limits=limits, runaway=calm)
    stream = agents.lines(pod, seconds=90)
    assert next(stream)["rule"] == contract.Rule.HOST_NOT_NAMED.value
    api.merge("agentpolicies", agents.namespace, "turned", {"spec": {"egress": HOSTS}})
    assert next(line for line in stream if attempts.passed(line))
    api.merge("agentpolicies", agents.namespace, "turned", {"spec": {"egress": {"hosts": []}}})
    assert next(line for line in stream if line["rule"] == contract.Rule.HOST_NOT_NAMED.value)
    now = api.get("pods", agents.namespace, pod["metadata"]["name"])
    assert now["metadata"]["uid"] == pod["metadata"]["uid"], "without a new pod"
    assert now["status"]["containerStatuses"][0]["restartCount"] == 0


STUBBORN = """
import json, signal, socket, sys, threading, time
sys.path.insert(0, "/files")
import probe
signal.signal(signal.SIGTERM, lambda *_: None)
def around():
    while True:
        for host in ("198.51.100.66", "2001:db8:100::66"):
            try:
                with socket.create_connection((host, 4444), timeout=0.3) as dialled:
                    dialled.sendall(b"around")
            except OSError:
                pass
threading.Thread(target=around, daemon=True).start()
while True:
    print(json.dumps(probe.try_one({"probe": "proxy", "host": "docs.example.com", "path": "/"})), flush=True)
"""


@pytest.mark.alone
@pytest.mark.world
def test_i02_an_agent_that_ignores_sigterm_gets_nothing_out_while_its_policy_is_deleted(
    agents: Agents, api: Api, world: World
) -> None:
    mark = world.mark()
    pod = agents.run("stubborn", STUBBORN, egress=HOSTS, limits={"requests": {"perMinute": 100000, "burst": 10000}})
    stream = agents.lines(pod, seconds=60)
    assert next(line for line in stream if attempts.passed(line)), "the control: the proxy serves it before"
    api.delete("agentpolicies", agents.namespace, "stubborn")
    deleted = time.time()
    api.until_gone("pods", agents.namespace, pod["metadata"]["name"], seconds=60)
    lived = time.time() - deleted
    around = world.seen_from(pod_addresses(pod), mark)
    through = [
        record
        for record in world.since(mark)
        if record["service"] == "website" and record["t"] > deleted + 1 and record["src"] not in pod_addresses(pod)
    ]
    assert lived > 2, "the control: it lived on and tried for its grace period"
    assert around == [], "beside the proxy"
    assert through == [], "through the proxy"
    assert api.find("networkpolicies", agents.namespace, contract.child_name("stubborn")) is None


def test_i13_a_policy_and_its_namespace_go_without_hanging(agents: Agents, api: Api) -> None:
    agents.api.apply("agentpolicies", agents.policy("gone", command=IDLE))
    pod = agents.running("gone")
    assert not pod["metadata"].get("finalizers")
    assert not api.get("agentpolicies", agents.namespace, "gone")["metadata"].get("finalizers")
    api.delete("namespaces", "", agents.namespace)
    api.until_gone("namespaces", "", agents.namespace, seconds=60)
    api.until_gone("priorityclasses", "", contract.cluster_name(agents.namespace, "gone"), seconds=60)
