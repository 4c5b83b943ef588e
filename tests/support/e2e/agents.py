"""Make namespaces, policies and pods for the tests, and read what ran in them.

An agent's program comes to it the way a user's would: by the policy's `files`. It prints JSON lines; nothing is ever
executed inside an agent pod, because admission refuses that.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.support.e2e.api import Api, NotSeenError, Object, condition
from zaum_api import contract

ROOT: Final = Path(__file__).resolve().parents[3]
PROBE: Final = ROOT / "examples/demo/probe.py"
FILES: Final = "/files"
READY_SECONDS: Final = 60
FIRST_PAUSE_SECONDS: Final = 10.0
"""What the operator waits after the first failure in a row, at least."""
RESTRICTED: Final = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@dataclass
class Agents:
    """The agents of one namespace."""

    api: Api
    namespace: str
    image: str
    world_ca: str

    def files(self, name: str, **contents: str) -> str:
        """Store programs and data in a ConfigMap and give its name; keys `a_py` become `a.py`."""
        data = {key.replace("_py", ".py").replace("_crt", ".crt"): text for key, text in contents.items()}
        data |= {"probe.py": PROBE.read_text(), "ca.crt": self.world_ca}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
        self.api.apply("configmaps", body | {"metadata": {"name": f"files-{name}", "namespace": self.namespace}})
        return f"files-{name}"

    def policy(self, name: str, *, command: list[str] | None = None, files: str = "", **spec: Any) -> Object:
        """Build a policy; `agent` in `spec` is merged over the image, command and files."""
        agent: Object = {"image": self.image}
        if command is not None:
            agent["command"] = command
        if files:
            agent["files"] = [{"configMap": files, "mountPath": FILES}]
            agent["env"] = [{"name": "SSL_CERT_FILE", "value": f"{FILES}/ca.crt"}]
        agent |= spec.pop("agent", {})
        meta = {"name": name, "namespace": self.namespace}
        return {
            "apiVersion": contract.API_VERSION, "kind": contract.KIND_POLICY, "metadata": meta,
            "spec": {"agent": agent, **spec},
        }  # fmt: skip

    def run(self, name: str, program: str, **spec: Any) -> Object:
        """Apply a policy whose agent runs `program` (Python source), and wait for its pod to run; give the pod."""
        files = self.files(name, main_py=program)
        command = ["python3", "-u", f"{FILES}/main.py"]
        self.api.apply("agentpolicies", self.policy(name, command=command, files=files, **spec))
        return self.running(name)

    def probes(
        self, name: str, attempts: list[Object], *, together: bool = False, **spec: Any
    ) -> tuple[Object, list[Object]]:
        """Run attempts from inside an agent pod, all at once if told; give the pod and their outcomes, in order."""
        files = self.files(name)
        how = ["--together"] if together else []
        command = ["python3", "-u", f"{FILES}/probe.py", json.dumps(attempts), "--stay", *how]
        self.api.apply("agentpolicies", self.policy(name, command=command, files=files, **spec))
        pod = self.running(name)
        return pod, self.outcomes(pod, len(attempts))

    def running(self, name: str, *, seconds: float = READY_SECONDS) -> Object:
        """Wait for a pod of the policy whose agent container has started."""
        label = f"{contract.LABEL_POLICY}={name}"
        return self.api.until_any(
            "pods", self.namespace, label, agent_started, seconds=seconds, what=f"agent of {name} started"
        )

    def outcomes(self, pod: Object, count: int, *, seconds: float = 90) -> list[Object]:
        """Read as many JSON lines as there were attempts."""
        found = []
        for line in self.lines(pod, seconds=seconds):
            found.append(line)
            if len(found) == count:
                return found
        raise NotSeenError(f"{pod['metadata']['name']} printed {len(found)} outcomes, not {count}: {found}")

    def lines(self, pod: Object, *, seconds: float = 60, container: str = "agent") -> Iterator[Object]:
        """Yield the JSON objects that a container prints."""
        name = pod["metadata"]["name"]
        for line in self.api.log(self.namespace, name, container=container, seconds=seconds):
            if line.startswith("{"):
                yield json.loads(line)

    def event(self, *words: str) -> Object:
        """Wait for an event of the namespace whose message has all these words; they are told late and in no order."""
        return self.api.until_any(
            "events", self.namespace, "", lambda seen: all(word in (seen.get("message") or "") for word in words),
            seconds=READY_SECONDS, what=f"an event that says {words}",
        )  # fmt: skip

    def ready(self, name: str, *, reason: str = "", status: str = "True", seconds: float = READY_SECONDS) -> Object:
        """Wait for the policy's Ready condition to be as said; give the policy."""

        def holds(policy: Object) -> bool:
            found = condition(policy, "Ready")
            return found.get("status") == status and reason in ("", found.get("reason"))

        what = f"Ready={status} {reason} of {name}"
        return self.api.until("agentpolicies", self.namespace, name, holds, seconds=seconds, what=what)

    def free_pod(self, name: str, attempts: list[Object]) -> list[Object]:
        """Run the same attempts from a pod that nobody guards: the positive control."""
        files = self.files(f"free-{name}")
        command = ["python3", "-u", f"{FILES}/probe.py", json.dumps(attempts), "--stay"]
        body = free_pod(self.namespace, f"free-{name}", image=self.image, command=command, files=files)
        self.api.apply("pods", body)
        pod = self.api.until(
            "pods", self.namespace, f"free-{name}", agent_started, seconds=READY_SECONDS, what="control pod started"
        )
        return self.outcomes(pod, len(attempts))


def pause_between(ended: Object, following: Object) -> float:
    """Give the seconds from the end of a pod's agent to the creation of the pod that came after it."""
    states = {item["name"]: item["state"] for item in ended["status"]["containerStatuses"]}
    end = datetime.fromisoformat(states[contract.CONTAINER_AGENT]["terminated"]["finishedAt"])
    return (datetime.fromisoformat(following["metadata"]["creationTimestamp"]) - end).total_seconds()


def agent_started(pod: Object) -> bool:
    """Tell whether the agent container runs, or ran."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    states = {item["name"]: item for item in pod.get("status", {}).get("containerStatuses", [])}
    state = states.get(contract.CONTAINER_AGENT, {}).get("state", {})
    return "running" in state or "terminated" in state


def free_pod(namespace: str, name: str, *, image: str, command: list[str], files: str) -> Object:
    """Build an ordinary pod, restricted but unguarded, that runs `command` with the files mounted."""
    container = {
        "name": contract.CONTAINER_AGENT, "image": image, "command": command, "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "SSL_CERT_FILE", "value": f"{FILES}/ca.crt"}],
        "volumeMounts": [{"name": "files", "mountPath": FILES, "readOnly": True}],
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True, "runAsUser": contract.AGENT_UID, "seccompProfile": {"type": "RuntimeDefault"},
        },
    }  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "files", "configMap": {"name": files}}],
        },
    }  # fmt: skip
