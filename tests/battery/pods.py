"""The pods of a run: agents in their cages, and unguarded ones beside them."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.battery.groups.dns import GRANTED_PORT, GRANTED_ROUTE
from tests.battery.stage import NEIGHBOUR_PORT
from tests.cluster import addresses
from tests.support.e2e.agents import FILES, READY_SECONDS, RESTRICTED, Agents, agent_started, free_pod
from tests.support.e2e.api import Api, NotSeenError, Object
from zaum_api import contract
from zaum_api.v1alpha1 import limits

HERE: Final = Path(__file__).parent
SHIPPED: Final = ("prober.py", "hello.py")
NEIGHBOUR: Final = "neighbour"
OUTCOME_SECONDS: Final = 150.0
THREADS: Final = 24
PROBER: Final = ("python3", "-u", "-c", f"import sys; sys.path.insert(0, '{FILES}'); import prober; prober.main()")
"""The image keeps the script's own folder out of the module path."""
EGRESS: Final[Object] = {
    "hosts": [
        {"host": addresses.WEBSITE_NAME},
        {"host": addresses.LLM_NAME},
        {"host": addresses.API_NAME},
        {"host": f"*.{addresses.REBINDING_PARENT}", "ports": [443, addresses.API_PORT, 10250]},
        {"host": f"*.{addresses.LURE_PARENT}", "ports": [80, 443, addresses.API_PORT, 10250]},
    ]
}
DETECTORS: Final = tuple(field.alias or name for name, field in limits.Runaway.model_fields.items())
SPEC: Final[Object] = {
    "egress": EGRESS,
    "limits": {"requests": {"perMinute": 60_000, "burst": 10_000}, "connections": 512},
    "runaway": {name: {"enabled": False} for name in DETECTORS},
}
"""Generous, so that limits and detectors do not answer for the rules under test."""


@dataclass
class Pods:
    """One namespace with agents, one with unguarded pods under the same restrictions, one without any."""

    api: Api
    image: str
    world_ca: str
    run: str
    agents: Agents = field(init=False)
    free: Agents = field(init=False)
    root: Agents = field(init=False)

    def __post_init__(self) -> None:
        for name, labels in (("agents", RESTRICTED), ("free", RESTRICTED), ("root", {})):
            namespace = f"battery-{name}-{self.run}"
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
            self.api.apply("namespaces", body)
            setattr(self, name, Agents(self.api, namespace, image=self.image, world_ca=self.world_ca))

    def clear(self) -> None:
        """Delete the namespaces, and what one of them was granted."""
        if self.api.find("agentceilings", "", self.agents.namespace):
            self.api.delete("agentceilings", "", self.agents.namespace)
        for agents in (self.agents, self.free, self.root):
            self.api.delete("namespaces", "", agents.namespace)

    def files(self, agents: Agents, name: str, probes: Sequence[Mapping[str, Any]]) -> str:
        """Lay out the prober and its attempts."""
        shipped = {file.replace(".py", "_py"): (HERE / file).read_text() for file in SHIPPED}
        made = agents.files(name, **shipped, attempts_json="")
        data = {"attempts.json": json.dumps(probes)}
        self.api.merge("configmaps", agents.namespace, made, {"data": data})
        return made

    def agent(self, name: str, probes: Sequence[Mapping[str, Any]], *, orders: str = "", **spec: Any) -> Object:
        """Start an agent that makes the attempts, or takes them from an allowed host."""
        files = self.files(self.agents, name, probes)
        how = ["--orders", orders] if orders else [f"@{FILES}/attempts.json"]
        command = [*PROBER, *how, "--threads", str(THREADS)]
        policy = self.agents.policy(name, command=command, files=files, **(SPEC | spec))
        self.api.apply("agentpolicies", policy)
        return self.agents.running(name)

    def unguarded(self, agents: Agents, name: str, probes: Sequence[Mapping[str, Any]], *, root: bool) -> Object:
        """Start a pod that nobody guards."""
        files = self.files(agents, name, probes)
        command = [*PROBER, f"@{FILES}/attempts.json", "--threads", str(THREADS)]
        body = free_pod(agents.namespace, name, image=self.image, command=command, files=files)
        if root:
            body["spec"]["containers"][0]["securityContext"] = {
                "runAsUser": 0,
                "capabilities": {"add": ["NET_RAW", "NET_ADMIN"]},
                "seccompProfile": {"type": "Unconfined"},
            }
        self.api.apply("pods", body)
        return self.started(agents, name)

    def neighbour(self) -> tuple[Object, str]:
        """Start a pod that listens, with a Service; give both the pod and the Service's address."""
        server = f"h.SimpleHTTPRequestHandler, h.ThreadingHTTPServer, port={NEIGHBOUR_PORT}, bind='::'"
        program = f"import http.server as h; h.test({server})"
        files = self.files(self.free, NEIGHBOUR, [])
        command = ["python3", "-c", program]
        body = free_pod(self.free.namespace, NEIGHBOUR, image=self.image, command=command, files=files)
        body["metadata"]["labels"] = {"app": NEIGHBOUR}
        self.api.apply("pods", body)
        service = {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": NEIGHBOUR, "namespace": self.free.namespace},
            "spec": {"selector": {"app": NEIGHBOUR}, "ports": [{"port": NEIGHBOUR_PORT}]},
        }  # fmt: skip
        made = self.api.apply("services", service)
        return self.started(self.free, NEIGHBOUR), str(made["spec"]["clusterIP"])

    def granted(self) -> Object:
        """Make the neighbour's pod a Service that the agents' ceiling grants; give the route that leads to it."""
        name, namespace = "granted", self.free.namespace
        ports = [{"port": GRANTED_PORT, "targetPort": NEIGHBOUR_PORT}]
        spec = {"selector": {"app": NEIGHBOUR}, "ports": ports, "clusterIP": addresses.GRANTED_SERVICE_IPV4}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}}
        self.api.apply("services", service | {"spec": spec})
        selected = {"matchLabels": {"kubernetes.io/metadata.name": self.agents.namespace}}
        grants = [{"namespace": namespace, "name": name}]
        ceiling = {
            "apiVersion": contract.API_VERSION, "kind": contract.KIND_CEILING,
            "metadata": {"name": self.agents.namespace},
            "spec": {"namespaceSelector": selected, "services": grants},
        }  # fmt: skip
        self.api.apply("agentceilings", ceiling)
        reference = {"name": name, "namespace": namespace, "port": GRANTED_PORT}
        return {"name": GRANTED_ROUTE, "serviceRef": reference, "allow": [{"methods": ["GET"], "path": "/*"}]}

    def started(self, agents: Agents, name: str) -> Object:
        """Wait for an unguarded pod."""
        return self.api.until(
            "pods", agents.namespace, name, agent_started, seconds=READY_SECONDS, what=f"{name} started"
        )

    def findings(self, agents: Agents, pod: Object, *, seconds: float = OUTCOME_SECONDS) -> dict[str, Object]:
        """Read what a pod's prober printed until it was done: id → finding."""
        found: dict[str, Object] = {}
        for line in self.said(agents, pod, seconds=seconds):
            if line.get("done"):
                return found
            found[line.get("id", "")] = line
        name = pod["metadata"]["name"]
        said = self.api.log_so_far(agents.namespace, name)[-5:] if self.api.find("pods", agents.namespace, name) else []
        raise NotSeenError(f"{name} did not end its attempts; it made {len(found)}; it said last: {said}")

    def said(self, agents: Agents, pod: Object, *, seconds: float) -> Iterator[Object]:
        """Yield what a prober prints; a log that ends early is read again, from where it ended."""
        until, read = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            for place, line in enumerate(agents.lines(pod, seconds=until - time.monotonic())):
                if place >= read:
                    read += 1
                    yield line
            if not agent_runs(self.api.find("pods", agents.namespace, pod["metadata"]["name"])):
                return

    def records(self, pod: Object) -> list[Object]:
        """Read the watchdog's decision records so far."""
        name = pod["metadata"]["name"]
        lines = self.api.log_so_far(self.agents.namespace, name, container=contract.CONTAINER_WATCHDOG)
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [record for record in found if record.get("kind") == "decision"]


def agent_runs(pod: Object | None) -> bool:
    """Tell whether a pod's agent container runs."""
    statuses = (pod or {}).get("status", {}).get("containerStatuses", [])
    return any(item["name"] == contract.CONTAINER_AGENT and "running" in item["state"] for item in statuses)
