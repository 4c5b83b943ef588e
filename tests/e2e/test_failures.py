"""I08: what is dead or frozen never widens anything."""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster import addresses
from tests.support.e2e import attempts, install
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object, condition
from zaum_api import contract

HOSTS = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
STEADY = {"requests": {"perMinute": 10000, "burst": 10000}}
LOOP = """
import json, ssl, sys, time
sys.path.insert(0, "/files")
import probe
while True:
    print(json.dumps(probe.try_one({"probe": "proxy", "host": "docs.example.com", "path": "/"})), flush=True)
    time.sleep(0.3)
"""


def watchdog_pid(pod: Object) -> int:
    """Find the watchdog's process on the node by its container's id, which the kubelet reports."""
    states = pod["status"]["initContainerStatuses"]
    container = next(item["containerID"] for item in states if item["name"] == contract.CONTAINER_WATCHDOG)
    listed = subprocess.run(["ctr", "-n", "k8s.io", "task", "ls"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return int(next(row[1] for row in rows if row and row[0] == container.partition("//")[2]))


def begun_after(stream: Iterator[Object], moment: float) -> Iterator[Object]:
    """Leave out the attempts that were under way: their answers may have been there already."""
    return (line for line in stream if line["t"] - line["ms"] / 1000 > moment)


def ended(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp")) or pod["status"].get("phase") == "Failed"


@pytest.mark.node
@pytest.mark.world
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_i08_an_agent_does_not_outlive_its_watchdog(agents: Agents, api: Api, sent: signal.Signals) -> None:
    pod = agents.run("orphan", LOOP, egress=HOSTS, limits=STEADY)
    stream = agents.lines(pod, seconds=40)
    assert next(line for line in stream if attempts.passed(line)), "the control: it reached the host before"
    process = watchdog_pid(api.get("pods", agents.namespace, pod["metadata"]["name"]))
    os.kill(process, sent)
    struck = time.time()
    api.until("pods", agents.namespace, pod["metadata"]["name"], ended, seconds=20, what="the agent's end")
    if sent is signal.SIGSTOP:  # a killed one is started again by the kubelet, and then enforces as before
        later = list(begun_after(stream, struck))
        assert later, "the control: it went on asking"
        assert not any(attempts.passed(outcome) for outcome in later), later
    label = f"{contract.LABEL_POLICY}=orphan"
    api.until_any(
        "pods",
        agents.namespace,
        label,
        lambda seen: seen["metadata"]["uid"] != pod["metadata"]["uid"],
        seconds=60,
        what="another pod",
    )


@contextmanager
def absent(api: Api, name: str) -> Iterator[None]:
    """Have no pod of a Deployment of ours for the time of the block."""
    before = api.get("deployments", install.NAMESPACE, name)["spec"]["replicas"]
    api.merge("deployments", install.NAMESPACE, name, {"spec": {"replicas": 0}})
    try:
        label = f"{contract.LABEL_COMPONENT}={name.removeprefix('zaum-')}"
        for pod in api.items("pods", install.NAMESPACE, labels=label):
            api.until_gone("pods", install.NAMESPACE, pod["metadata"]["name"], seconds=90)
        yield
    finally:
        api.merge("deployments", install.NAMESPACE, name, {"spec": {"replicas": before}})
        install.available(api, name)


@pytest.mark.alone
@pytest.mark.world
@pytest.mark.parametrize("part", ["zaum-authorizer", "zaum-gateway"])
def test_i08_a_dead_part_of_the_way_out_closes_it(agents: Agents, api: Api, part: str) -> None:
    pod = agents.run("calling", LOOP, egress=HOSTS, limits=STEADY, runaway={"denied": {"above": 1000, "per": "1m"}})
    stream = agents.lines(pod, seconds=150)
    assert next(line for line in stream if attempts.passed(line))
    with absent(api, part):
        gone = time.time()
        later = list(itertools.islice(begun_after(stream, gone), 5))
        assert len(later) == 5, "the control: it went on asking"
        assert not any(attempts.passed(outcome) for outcome in later), later
    assert next(line for line in stream if attempts.passed(line)), "the way opens again by itself"


@pytest.mark.alone
@pytest.mark.world
def test_i08_without_the_operator_agents_stay_caged_and_served(agents: Agents, api: Api) -> None:
    pod = agents.run("alone", LOOP, egress=HOSTS, limits=STEADY)
    stream = agents.lines(pod, seconds=120)
    assert next(line for line in stream if attempts.passed(line))
    with absent(api, "zaum-operator"):
        assert next(line for line in stream if attempts.passed(line)), "allowed calls go on"
        agents.api.apply("agentpolicies", agents.policy("unseen", command=["sleep", "3600"]))
        assert api.items("pods", agents.namespace, labels=f"{contract.LABEL_POLICY}=unseen") == []
        guard = api.find("networkpolicies", agents.namespace, contract.GUARD_NAME)
        assert guard is not None
    assert agents.running("unseen")


def test_an_image_that_never_pulls_is_named_in_the_condition(agents: Agents, api: Api) -> None:
    policy = agents.policy("imageless", agent={"image": "localhost/no-such-image:1"})
    agents.api.apply("agentpolicies", policy)

    def named(seen: Object) -> bool:
        found = condition(seen, "Ready")
        return found.get("status") == "False" and "localhost/no-such-image:1" in found.get("message", "")

    api.until("agentpolicies", agents.namespace, "imageless", named, seconds=60, what="Ready names the image")


def test_an_agent_that_crashes_is_named_and_not_restarted_in_a_hot_loop(agents: Agents, api: Api) -> None:
    files = agents.files("crashing", main_py="raise SystemExit(42)")
    policy = agents.policy("crashing", command=["python3", "/files/main.py"], files=files)
    agents.api.apply("agentpolicies", policy)

    def named(seen: Object) -> bool:
        found = condition(seen, "Ready")
        return found.get("status") == "False" and "42" in found.get("message", "")

    api.until("agentpolicies", agents.namespace, "crashing", named, seconds=60, what="Ready names the exit code")
    label = f"{contract.LABEL_POLICY}=crashing"
    second = api.until_any(
        "pods",
        agents.namespace,
        label,
        lambda seen: seen["metadata"]["annotations"].get(contract.ANNOTATION_FAILURES) == "1",
        seconds=60,
        what="a second try after the backoff",
    )
    first = [
        pod
        for pod in api.items("pods", agents.namespace, labels=label)
        if pod["metadata"]["uid"] != second["metadata"]["uid"]
    ]
    events = [
        event for event in api.items("events", agents.namespace) if event["involvedObject"]["kind"] == "AgentPolicy"
    ]
    assert len(first) <= 1, "the newest failed pod stays, no pile of them"
    assert len(events) < 12, "no flood of events"
