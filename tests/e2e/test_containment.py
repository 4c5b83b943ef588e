"""The containment loop on a real cluster: kills, quarantine, the proof, the release, each confirmed where it is so."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.e2e.agents import Agents, agent_started
from tests.support.e2e.api import Api, Object, condition
from tests.support.e2e.people import RESPONDER, Person
from zaum_api import contract, incidents, quantities

DENIES_ITSELF = """
import socket, time
print("on and on", flush=True)
while True:
    with socket.create_connection(("127.0.0.1", 15001)) as proxy:
        proxy.sendall(b"CONNECT outlaw.example.net:443 HTTP/1.1\\r\\nHost: outlaw.example.net:443\\r\\n\\r\\n")
        proxy.recv(4096)
    time.sleep(0.05)
"""
CALM = "import time\nprint('{\"calm\": true}', flush=True)\ntime.sleep(3600)\n"
SPINS = """
import time
end = time.monotonic() + 55
while time.monotonic() < end: pass
time.sleep(3600)
"""
KILLS = 2
"""Kills alone; the one after them is a quarantine."""
LOOP_SECONDS = 150
"""Three pods' lives and the pauses of 10 s and 20 s between them."""
STEP_SECONDS = 60
HELD_SECONDS = 50
"""A detector rests after 30 s, and the operator hears of that within 5: an agent that spins is held for longer."""
IDLE_SECONDS = 25
"""Longer than the pause after which another pod would start."""
AUTHOR: list[Object] = [
    {"apiGroups": [contract.GROUP], "resources": ["agentpolicies"], "verbs": ["*"]},
    {
        "apiGroups": [contract.GROUP],
        "resources": ["incidents"],
        "verbs": ["get", "list", "watch", "create", "patch", "update"],
    },
]


@pytest.fixture
def responder(api: Api, namespace: str, tmp_path: Path) -> Person:
    return Person(api, namespace, "responder", RESPONDER, tmp_path)


@pytest.fixture
def author(api: Api, namespace: str, tmp_path: Path) -> Person:
    return Person(api, namespace, "author", AUTHOR, tmp_path)


def phase(*wanted: incidents.Phase) -> Any:
    """Give what looks for an Incident's phase."""
    return lambda seen: seen.get("status", {}).get("phase") in {item.value for item in wanted}


def is_quarantine(incident: Object) -> bool:
    """Say whether an Incident holds its policy's name, all confirmed."""
    return incidents.action(incident) is incidents.Action.QUARANTINE and phase(incidents.Phase.CONTAINED)(incident)


def contained(policy: Object) -> bool:
    """Say whether a policy's own status says that all is confirmed of an Incident that is open."""
    return condition(policy, "Contained").get("reason") == "Contained"


def timeline(incident: Object) -> dict[str, Object]:
    """Give the first moment of each step."""
    found: dict[str, Object] = {}
    for item in incident["status"]["timeline"]:
        found.setdefault(item["step"], item)
    return found


def pods(api: Api, namespace: str, policy: str) -> list[Object]:
    """Give the policy's pods."""
    return api.items("pods", namespace, labels=f"{contract.LABEL_POLICY}={policy}")


def assert_proven(incident: Object) -> None:
    """See that every step is True, has its moment and whose word it is, in an order that can be."""
    for step in incidents.STEPS:
        said = condition(incident, step.value)
        assert said.get("status") == "True", (step, said)
        assert said["message"], step
    told = timeline(incident)
    assert {step.value for step in incidents.STEPS} <= set(told), told
    assert all(item["confirmedBy"] for item in told.values()), told
    at = [told[step.value]["at"] for step in (incidents.Condition.KILLED, incidents.Condition.IDENTITY_DEAD)]
    assert at == sorted(at)
    times = incident["status"]["durations"]
    assert {"cut", "dead", "quarantined", "identity", "proof"} <= set(times), times
    assert condition(incident, "Released").get("status") == condition(incident, "Closed").get("status") == "False"


def nothing_starts(api: Api, namespace: str, policy: str, *, seconds: float = IDLE_SECONDS) -> None:
    """Watch that no pod of the policy is there or comes."""
    label = f"{contract.LABEL_POLICY}={policy}"
    seen = [item["metadata"]["name"] for _, item in api.changes("pods", namespace, labels=label, seconds=seconds)]
    assert not seen, seen


@pytest.mark.world
def test_i10_an_agent_that_denies_itself_again_and_again_is_quarantined_until_another_person_releases_it(
    agents: Agents, api: Api, responder: Person, author: Person
) -> None:
    here = agents.namespace
    spec: Object = {
        "runaway": {"denied": {"above": 10, "per": "1m"}},
        "containment": {"onRunaway": "Kill", "killsBeforeQuarantine": KILLS},
        "limits": {"requests": {"perMinute": 1000, "burst": 1000}},
    }
    first = agents.run("wild", DENIES_ITSELF, **spec)
    incident = api.until_any(
        "incidents", here, "", is_quarantine, seconds=LOOP_SECONDS, what="the quarantine after the kills"
    )
    assert_proven(incident)
    name = incident["metadata"]["name"]
    assert incident["spec"]["reason"] == contract.Breach.RUNAWAY_DENIED.value
    found = api.items("incidents", here)
    kills = [item for item in found if item["metadata"]["name"] != name]
    assert len(kills) == KILLS, found
    for item in kills:
        assert incidents.action(item) is incidents.Action.KILL
        assert condition(item, "Closed").get("reason") == incidents.Word.CONTAINED.value, item["status"]
    ended = {item["spec"]["pod"]["uid"] for item in found}
    assert len(ended) == KILLS + 1
    assert first["metadata"]["uid"] in ended
    assert all(item["status"]["logs"]["pod"] == item["spec"]["pod"]["name"] for item in found)
    assert {item["status"]["logs"]["agent"] for item in found} == {"on and on\n"}

    policy = api.until("agentpolicies", here, "wild", contained, seconds=STEP_SECONDS, what="the policy says so too")
    assert policy["status"]["containment"]["incident"] == name
    assert condition(policy, "Ready").get("reason") == "Quarantined"
    nothing_starts(api, here, "wild")

    body = agents.policy("wild", command=["python3", "-u", "/files/main.py"], files=agents.files("wild", main_py=CALM))
    api.delete("agentpolicies", here, "wild")
    api.until_gone("agentpolicies", here, "wild", seconds=STEP_SECONDS)
    api.apply("agentpolicies", body)
    again = agents.ready("wild", status="False", reason="Quarantined")
    assert again["metadata"]["uid"] != policy["metadata"]["uid"]
    nothing_starts(api, here, "wild")

    refused = author.zaum("release", name, "--reason", "It is mine.")
    assert refused.returncode == 1, refused
    assert "may not release" in refused.stderr
    assert not pods(api, here, "wild")
    done = responder.zaum("release", name, "--reason", "The program was mended.")
    assert done.returncode == 0, done.stderr
    released = api.until(
        "incidents", here, name, phase(incidents.Phase.RELEASED), seconds=STEP_SECONDS, what="the release is taken"
    )
    assert released["spec"]["release"]["by"] == responder.user.name
    pod = agents.running("wild")
    assert next(agents.lines(pod)) == {"calm": True}
    agents.ready("wild")


def test_a_person_contains_a_policy_and_its_proof_is_whole(agents: Agents, api: Api, responder: Person) -> None:
    here = agents.namespace
    pod = agents.run("calm", CALM)
    agents.ready("calm")
    done = responder.zaum("contain", "calm", "--reason", "It mails everybody.", "--wait", str(STEP_SECONDS))
    assert done.returncode == 0, done.stdout + done.stderr
    (incident,) = api.items("incidents", here)
    assert_proven(incident)
    assert incident["status"]["pods"] == [{"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}]
    assert incident["spec"]["requestedBy"] == responder.user.name
    assert "calm" in incident["status"]["logs"]["agent"]
    assert not pods(api, here, "calm")
    name = incident["metadata"]["name"]
    again = responder.zaum("contain", "calm")
    assert "already quarantines" in again.stdout
    assert name in again.stdout
    assert name in responder.zaum("incidents", "-o", "wide").stdout
    assert responder.zaum("release", name, "--reason", "It was a drill.").returncode == 0
    api.until_any(
        "pods", here, f"{contract.LABEL_POLICY}=calm", agent_started, seconds=STEP_SECONDS, what="the agent is back"
    )


def cpu(pod: Object) -> int:
    """Give the thousandths of a cpu that the kubelet says the agent has at most; 0 where it says nothing."""
    states = {item["name"]: item for item in pod.get("status", {}).get("containerStatuses", ())}
    text = states.get(contract.CONTAINER_AGENT, {}).get("resources", {}).get("limits", {}).get("cpu")
    return quantities.millis(text) if text else 0


def test_an_agent_that_is_throttled_first_loses_cpu_in_place_and_has_it_again_afterwards(
    agents: Agents, api: Api
) -> None:
    pod = agents.run(
        "busy", SPINS, runaway={"cpu": {"abovePercent": 20, "for": "3s"}}, containment={"onRunaway": "Throttle"},
        agent={"resources": {"cpu": "400m"}},
    )  # fmt: skip
    here, name = agents.namespace, pod["metadata"]["name"]
    before = api.until("pods", here, name, lambda seen: cpu(seen) == 400, seconds=STEP_SECONDS, what="400m")
    less = api.until("pods", here, name, lambda seen: 0 < cpu(seen) < 400, seconds=STEP_SECONDS, what="less cpu")
    assert cpu(less) * 10 >= 400
    throttled = time.monotonic()
    after = api.until("pods", here, name, lambda seen: cpu(seen) == 400, seconds=STEP_SECONDS * 2, what="400m again")
    ids = {
        item["containerID"] for seen in (before, less, after) for item in seen["status"]["containerStatuses"]
        if item["name"] == contract.CONTAINER_AGENT
    }  # fmt: skip
    assert len(ids) == 1
    assert time.monotonic() - throttled > HELD_SECONDS, "what throttling leaves it is used up: that is no rest"
    assert not api.items("incidents", here)
