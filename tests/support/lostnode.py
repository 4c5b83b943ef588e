"""Nodes that go silent under their agents, on a control plane alone: `python -m tests.support.lostnode FOLDER`.

Nobody confirms deletions once the player of nodes has stopped. One node's object is deleted, as when a machine is
written off; the other is tainted out-of-service: the two ways out that the condition names. Pods are then freed by
Kubernetes' own collector, which takes its time (a round each 20 s, and 40 s of quarantine after a Node is gone).
"""

import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cluster import cluster
from tests.support import localoperator, specs
from tests.support.e2e.api import Api, Object, condition
from tests.support.localoperator import LocalOperator
from zaum_api import contract

NAMESPACE: Final = "lost"
READY_SECONDS: Final = 60.0
NOTICED_SECONDS: Final = 60.0
"""The pod's grace, and then half a minute until a node counts as lost."""
FREED_SECONDS: Final = 100.0
TAINT: Final = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}


@dataclass
class Agent:
    """One policy and the pod that was on the node."""

    api: Api
    name: str
    pod: Object

    @property
    def node(self) -> str:
        """The node that went silent."""
        return str(self.pod["spec"]["nodeName"])

    def pods(self) -> list[Object]:
        """Give the policy's pods."""
        return self.api.items("pods", NAMESPACE, labels=f"{contract.LABEL_POLICY}={self.name}")


@dataclass
class Census:
    """Count from the API server's own order of events how many pods each policy had at most."""

    api: Api
    most: dict[str, int] = field(default_factory=dict)

    def take(self) -> None:
        """Watch until the process ends."""
        alive: dict[str, set[str]] = {}
        for kind, pod in self.api.changes("pods", NAMESPACE, seconds=600):
            name = pod["metadata"]["labels"][contract.LABEL_POLICY]
            pods = alive.setdefault(name, set())
            (pods.discard if kind == "DELETED" else pods.add)(pod["metadata"]["uid"])
            self.most[name] = max(len(pods), self.most.get(name, 0))


def started(api: Api, name: str) -> Agent:
    """Apply a policy and wait until it is ready."""
    api.apply("agentpolicies", specs.Case("", specs.agent(), name=name).manifest(NAMESPACE))
    ready(api, name, "True", "AllReady", seconds=READY_SECONDS)
    (pod,) = api.items("pods", NAMESPACE, labels=f"{contract.LABEL_POLICY}={name}")
    return Agent(api, name, pod)


def ready(api: Api, name: str, status: str, reason: str, *, seconds: float) -> Object:
    """Wait for Ready to be so; give the condition."""

    def holds(policy: Object) -> bool:
        found = condition(policy, "Ready")
        return (found.get("status"), found.get("reason")) == (status, reason)

    what = f"Ready={status} {reason} of {name}"
    return condition(api.until("agentpolicies", NAMESPACE, name, holds, seconds=seconds, what=what), "Ready")


def noticed(agent: Agent) -> None:
    """See the loss said, and no second pod of the ordinal."""
    message = ready(agent.api, agent.name, "False", "NodeLost", seconds=NOTICED_SECONDS)["message"]
    for said in (agent.node, agent.pod["metadata"]["name"], "delete the Node", TAINT["key"]):
        assert said in message, message
    (pod,) = agent.pods()
    assert pod["metadata"]["uid"] == agent.pod["metadata"]["uid"], "a second pod of the ordinal"
    assert pod["metadata"]["deletionTimestamp"]


def freed(agent: Agent) -> None:
    """See the pod go and another one come, which is no failure."""
    agent.api.until_gone("pods", NAMESPACE, agent.pod["metadata"]["name"], seconds=FREED_SECONDS)
    label = f"{contract.LABEL_POLICY}={agent.name}"
    pod = agent.api.until_any(
        "pods", NAMESPACE, label, lambda _: True, seconds=READY_SECONDS, what="a pod in its place"
    )
    assert pod["metadata"]["uid"] != agent.pod["metadata"]["uid"]
    assert pod["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == "0"


def story(api: Api) -> None:
    """Lose two nodes, and free each in its way."""
    api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    census = Census(api)
    counting = threading.Thread(target=census.take, daemon=True)
    counting.start()
    written_off = started(api, "written-off")
    api.merge("nodes", "", written_off.node, {"spec": {"unschedulable": True}})  # so that the two are on two nodes
    switched_off = started(api, "switched-off")
    cluster.stop("kwok")
    for agent in (written_off, switched_off):
        api.delete("pods", NAMESPACE, agent.pod["metadata"]["name"])
    api.delete("nodes", "", written_off.node)
    began = time.monotonic()
    for agent in (written_off, switched_off):
        noticed(agent)
        print(f"{agent.name}: noticed after {time.monotonic() - began:.0f} s", flush=True)
    # What the node controller would write at last.
    silent = {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]}}
    api.merge("nodes", "", switched_off.node, silent, sub="status")
    api.merge("nodes", "", switched_off.node, {"spec": {"taints": [TAINT]}})
    for agent in (switched_off, written_off):
        freed(agent)
        print(f"{agent.name}: freed after {time.monotonic() - began:.0f} s", flush=True)
    assert counting.is_alive()
    assert census.most == {"written-off": 1, "switched-off": 1}, census.most


def main() -> int:
    """Tell the story once, with an operator of this machine."""
    cluster.assert_sealed()
    api = Api()
    installation = localoperator.install(api, Path(sys.argv[1]))
    with localoperator.running(LocalOperator(installation)):
        story(api)
    return 0


if __name__ == "__main__":
    sys.exit(main())
