"""I07 and the ladder of this version: rate, connections, latched verdict, kill, replacement after a backoff."""

import pytest

from tests.cluster import addresses
from tests.e2e.test_failures import absent
from tests.support.e2e import attempts
from tests.support.e2e.agents import FIRST_PAUSE_SECONDS, Agents, pause_between
from tests.support.e2e.api import Api, Object, condition
from zaum_api import contract

HOSTS = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
SPIN = "while True: pass"
HAMMER = """
import socket, time
while True:
    with socket.create_connection(("127.0.0.1", 15001)) as proxy:
        proxy.sendall(b"CONNECT outlaw.example.net:443 HTTP/1.1\\r\\nHost: outlaw.example.net:443\\r\\n\\r\\n")
        proxy.recv(4096)
    time.sleep(0.05)
"""
HAMMER_LATER = "import time\ntime.sleep(15)\n" + HAMMER
"""In time for the operator to be gone."""
FORK = """
import subprocess, time
children = [subprocess.Popen(["sleep", "3600"]) for _ in range(30)]
time.sleep(3600)
"""


def killed(pod: Object) -> bool:
    return bool(pod["status"].get("phase") == "Failed")


def incident_closed(incident: Object) -> bool:
    return condition(incident, "Closed").get("reason") == "Contained"


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_i07_requests_over_the_rate_are_answered_with_429_and_when_to_come_back(agents: Agents) -> None:
    limits = {"requests": {"perMinute": 2, "burst": 2}}
    wanted = [attempts.tunnel(addresses.WEBSITE_NAME)] * 4
    _, outcomes = agents.probes("rated", wanted, limits=limits, egress=HOSTS)
    assert [attempts.passed(outcome) for outcome in outcomes] == [True, True, False, False], outcomes
    assert [outcome["outcome"] for outcome in outcomes[2:]] == ["429", "429"]
    assert {outcome["rule"] for outcome in outcomes[2:]} == {contract.Rule.REQUESTS_PER_MINUTE.value}
    assert all(1 <= int(outcome["retryAfter"]) <= 60 for outcome in outcomes[2:])


def test_i07_a_limit_of_zero_denies_all(agents: Agents) -> None:
    _, outcomes = agents.probes(
        "none", [attempts.tunnel(addresses.WEBSITE_NAME)], limits={"requests": {"perMinute": 0}}, egress=HOSTS
    )
    assert outcomes[0]["rule"] == contract.Rule.REQUESTS_PER_MINUTE.value


@pytest.mark.parametrize(
    ("program", "runaway", "breach"),
    [
        (SPIN, {"cpu": {"abovePercent": 60, "for": "3s"}}, contract.Breach.RUNAWAY_CPU),
        (HAMMER, {"denied": {"above": 10, "per": "1m"}}, contract.Breach.RUNAWAY_DENIED),
        (FORK, {"processes": {"above": 20}}, contract.Breach.RUNAWAY_PROCESSES),
    ],
    ids=["cpu", "denied", "processes"],
)
def test_i09_a_runaway_agent_is_killed_by_the_kubelet_and_replaced_later(
    agents: Agents, api: Api, program: str, runaway: Object, breach: contract.Breach
) -> None:
    limits = {"requests": {"perMinute": 1000, "burst": 1000}}
    pod = agents.run("wild", program, runaway=runaway, limits=limits, agent={"resources": {"cpu": "200m"}})
    name = pod["metadata"]["name"]
    # Containment deletes it soon: how it ended stands in what is seen here.
    ended = api.until("pods", agents.namespace, name, killed, seconds=40, what="the runaway is killed")
    incident = api.until_any(
        "incidents", agents.namespace, "", incident_closed, seconds=40, what="the Incident of the kill is closed"
    )
    assert incident["spec"]["reason"] == breach.value
    assert incident["spec"]["pod"] == {"name": name, "uid": pod["metadata"]["uid"]}
    policy = agents.ready("wild", status="False", reason="Runaway", seconds=60)
    assert breach.value in condition(policy, "Ready")["message"]
    label = f"{contract.LABEL_POLICY}=wild"
    following = api.until_any(
        "pods",
        agents.namespace,
        label,
        lambda seen: seen["metadata"]["name"] != name,
        seconds=60,
        what="a new pod after the backoff",
    )
    assert int(following["metadata"]["annotations"][contract.ANNOTATION_FAILURES]) >= 1
    assert pause_between(ended, following) >= FIRST_PAUSE_SECONDS


@pytest.mark.alone
def test_i09_a_runaway_agent_is_killed_by_watchdog_and_kubelet_without_the_operator(agents: Agents, api: Api) -> None:
    runaway = {"denied": {"above": 10, "per": "1m"}}
    limits = {"requests": {"perMinute": 1000, "burst": 1000}}
    pod = agents.run("wild", HAMMER_LATER, runaway=runaway, limits=limits)
    name = pod["metadata"]["name"]
    with absent(api, "zaum-operator"):
        ended = api.until("pods", agents.namespace, name, killed, seconds=60, what="the runaway is killed")
        assert "activeDeadlineSeconds" not in ended["spec"], "nobody else ended it"
        event = agents.event("iveness", str(contract.BREACH_STATUS[contract.Breach.RUNAWAY_DENIED]))
        assert event["involvedObject"]["name"] == name
        assert event["involvedObject"]["fieldPath"] == f"spec.containers{{{contract.CONTAINER_AGENT}}}"
        states = {item["name"]: item["state"] for item in ended["status"]["initContainerStatuses"]}
        last = states[contract.CONTAINER_WATCHDOG]["terminated"]["message"]
        assert last == f"{contract.Breach.RUNAWAY_DENIED.value}\n", "why, for the operator that comes back"
    incident = api.until_any(
        "incidents", agents.namespace, "", incident_closed, seconds=60, what="the operator takes it up when it is back"
    )
    assert incident["spec"]["pod"] == {"name": name, "uid": pod["metadata"]["uid"]}


def test_an_agent_that_stays_inside_its_limits_is_left_alone(agents: Agents, api: Api) -> None:
    calm = {"cpu": {"abovePercent": 60, "for": "3s"}, "processes": {"above": 20}, "denied": {"above": 10, "per": "1m"}}
    program = (
        "import time\nfor second in range(12): time.sleep(1)\nprint('{\"calm\": true}', flush=True)\ntime.sleep(3600)"
    )
    pod = agents.run("calm", program, runaway=calm)
    assert next(agents.lines(pod, seconds=60)) == {"calm": True}
    seen = api.get("pods", agents.namespace, pod["metadata"]["name"])
    assert seen["status"]["phase"] == "Running"
