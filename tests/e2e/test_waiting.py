"""`kubectl wait` as people use it after an edit: what it is told is about the edit, never about the spec before it."""

import subprocess

from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object, condition

IDLE = ["python3", "-c", "import time; time.sleep(3600)"]
EDITS = 10
REPLACES = 5
"""Each fifth edit needs another pod, the others reach the one that runs."""
READY_SECONDS = 60


def ready(namespace: str, *, seconds: int) -> bool:
    """Tell whether kubectl says within that time that the policy is ready."""
    asked = ["kubectl", "wait", "agentpolicy/edited", "-n", namespace, "--for=condition=Ready", f"--timeout={seconds}s"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=seconds + 30)
    assert done.returncode == 0 or "timed out" in done.stderr, done.stderr
    return done.returncode == 0


def generations(policy: Object) -> set[int]:
    """Give the generations that the object and its status speak of."""
    seen = [item["observedGeneration"] for item in policy["status"]["conditions"]]
    return {policy["metadata"]["generation"], policy["status"]["observedGeneration"], *seen}


def test_ready_is_never_said_of_an_earlier_spec(agents: Agents, api: Api) -> None:
    api.apply("agentpolicies", agents.policy("edited", command=IDLE))
    assert ready(agents.namespace, seconds=READY_SECONDS)
    for edit in range(EDITS):
        spec: Object = {"limits": {"requests": {"perMinute": 100 + edit, "burst": 10}}}
        if edit % REPLACES == 0:
            spec["agent"] = {"env": [{"name": "EDIT", "value": str(edit)}]}
        edited = api.merge("agentpolicies", agents.namespace, "edited", {"spec": spec})
        assert ready(agents.namespace, seconds=READY_SECONDS)
        policy = api.get("agentpolicies", agents.namespace, "edited")
        assert generations(policy) == {edited["metadata"]["generation"]}
        fields = {item["field"]: item["value"] for item in policy["status"]["effective"]["fields"]}
        assert fields["limits.requests.perMinute"] == str(100 + edit)
        (pod,) = api.items("pods", agents.namespace)
        env = pod["spec"]["containers"][0]["env"]
        assert {"name": "EDIT", "value": str(edit - edit % REPLACES)} in env
        assert condition(pod, "Ready")["status"] == "True"

    broken = {"spec": {"agent": {"image": "localhost/nowhere@sha256:" + "0" * 64}}}
    api.merge("agentpolicies", agents.namespace, "edited", broken)
    assert not ready(agents.namespace, seconds=3)
    policy = agents.ready("edited", status="False", reason="ImagePullFailed")
    assert len(generations(policy)) == 1
    assert "nowhere" in condition(policy, "Ready")["message"]

    api.merge("agentpolicies", agents.namespace, "edited", {"spec": {"agent": {"image": agents.image}}})
    assert ready(agents.namespace, seconds=READY_SECONDS)
