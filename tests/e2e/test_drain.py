"""A drain as the cluster's owner does it: by kubectl, without force."""

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, condition
from zaum_api import contract

IDLE = ["python3", "-c", "import time; time.sleep(3600)"]


def kubectl(*words: str) -> str:
    """Run kubectl; AssertionError with its words when it fails."""
    done = subprocess.run(["kubectl", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"kubectl {words[0]}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture
def uncordoned(api: Api) -> Iterator[list[str]]:
    """The nodes that take pods; they do again afterwards, whatever happened."""
    nodes = [node["metadata"]["name"] for node in api.items("nodes") if not node["spec"].get("unschedulable")]
    yield nodes
    for node in nodes:
        kubectl("uncordon", node)


@pytest.mark.alone
def test_a_drain_takes_an_agent_without_force_and_it_comes_back(
    agents: Agents, api: Api, uncordoned: list[str]
) -> None:
    name = f"moved-{uuid.uuid4().hex[:8]}"
    agents.api.apply("agentpolicies", agents.policy(name, command=IDLE))
    agents.ready(name)
    first = agents.running(name)
    for node in uncordoned:
        kubectl("cordon", node)
    # The selector spares everybody else's pods. That a workspace on the node is given up, every drain must say.
    chosen = f"--pod-selector={contract.LABEL_POLICY}={name}"
    said = kubectl("drain", first["spec"]["nodeName"], chosen, "--delete-emptydir-data", "--timeout=30s")
    assert f"pod/{first['metadata']['name']} evicted" in said
    waits = agents.ready(name, status="False", reason="Unschedulable", seconds=60)
    assert "unschedulable" in condition(waits, "Ready")["message"]
    for node in uncordoned:
        kubectl("uncordon", node)
    agents.ready(name)
    second = agents.running(name)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert second["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == "0", "it is no failure"
