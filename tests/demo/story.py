"""Tell the story step by step; every sentence is a check, every refusal stands beside its control."""

import importlib.util
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import yaml

from tests.cluster import addresses, cluster
from tests.demo import budget, loop
from tests.demo.timeline import Timeline
from tests.support.e2e import install, seasons
from tests.support.e2e.agents import RESTRICTED, agent_started
from tests.support.e2e.api import Api, Object, condition
from tests.support.e2e.world import World, pod_addresses
from zaum_api import contract

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples/demo"
INSIDE: Final = frozenset({"own DNS", "the cluster's DNS", "API server, by its Service", "kubelet"})
"""The doors that every cluster has, whether or not somebody plays the internet beside it."""
NAMESPACE: Final = f"demo-{secrets.token_hex(3)}"
"""New in each run: what the ledger keeps of a policy outlives its namespace."""
OURS: Final = {"demo": "zaum"}
"""Marks the namespaces of all runs."""
PROGRAMS: Final = ("spender.py", "runaway.py", "probe.py")
POLICY: Final = "demo"
LABEL: Final = f"{contract.LABEL_POLICY}={POLICY}"


@dataclass
class Story:
    """One run of the demo on one cluster."""

    api: Api
    images: dict[str, str]
    world: World | None
    """None where nobody plays the internet: what needs it is left out, and said."""
    line: Timeline

    def tell(self) -> None:
        """Run every part."""
        self.set_up()
        pod = self.start()
        lines = self.steps("demo", pod)
        self.watch_work(lines)
        self.watch_doors(lines)
        self.watch_limit(lines)
        self.show_isolation(pod)
        if self.world is None:
            self.line.note("left out, the loop and the budget: nobody plays the model beside this cluster")
            return
        spender = budget.Act(self.api, self.world, self.line, lambda pod: self.steps(budget.POLICY, pod))
        mark = spender.begin(self.manifest("budget.yaml"))
        runaway = loop.Act(self.api, self.world, self.line, lambda pod: self.steps(loop.POLICY, pod))
        released = runaway.tell(self.manifest("runaway.yaml"))
        spender.tell(NAMESPACE, mark)
        runaway.works(released)

    def set_up(self) -> None:
        """Install the chart; make a namespace under Pod Security `restricted`."""
        self.line.headline("install by the chart")
        began = time.monotonic()
        install.install(self.api, self.images)
        version = json.loads(self.api.send("GET", "/version").data)["gitVersion"]
        self.line.check("operator, authorizer, gateway are available", holds=True, seen=f"{_since(began)}, {version}")
        seasons.wait(self.api)
        for before in self.api.items("namespaces", labels="demo=zaum"):
            self.api.delete("namespaces", "", before["metadata"]["name"])
        metadata = {"name": NAMESPACE, "labels": RESTRICTED | OURS}
        self.api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        data = {"ca.crt": self.authority(), "doors.json": json.dumps(self.doors())}
        data |= {name: (EXAMPLES / name).read_text() for name in PROGRAMS}
        meta = {"name": "demo-files", "namespace": NAMESPACE}
        self.api.apply("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": secrets.token_urlsafe(16)}}
        self.api.apply("secrets", secret | {"metadata": {"name": "model", "namespace": NAMESPACE}})

    def start(self) -> Object:
        """Apply the control pod and the policy; wait for both."""
        self.line.headline("one policy, one agent; and a control pod that nobody guards")
        self.api.apply("pods", self.manifest("control.yaml"))
        began = time.monotonic()
        self.api.apply("agentpolicies", self.manifest("policy.yaml"))
        pod = self.api.until_any("pods", NAMESPACE, LABEL, agent_started, seconds=60, what="the agent's pod runs")
        self.line.check(
            "the agent runs in its cage", holds=True, seen=f"{pod['metadata']['name']} after {_since(began)}"
        )
        self.show_policy()
        return pod

    def watch_work(self, lines: Iterator[Object]) -> None:
        """What the policy names works with plain libraries."""
        self.line.headline("what the policy names: plain httpx and the openai SDK, nothing but the environment")
        if not self.world:
            self.line.note("left out: nobody plays the website and the model beside this cluster")
        for phase in ("website", "model", "model, streamed") if self.world else ():
            step = until(lines, phase)
            self.line.check(
                f"{phase}: allowed", holds=step["outcome"] == "200", seen=f"{step['outcome']} in {step['ms']} ms"
            )
        self.line.headline("what it does not name")
        refused = until(lines, "unnamed host")
        self.line.check(
            "unnamed host, by httpx: refused", holds="403" in refused.get("detail", ""), seen=refused["detail"]
        )
        rule = until(lines, "unnamed host, by hand")
        holds = rule["outcome"] == "403" and rule["rule"] == contract.Rule.HOST_NOT_NAMED.value
        self.line.check(
            "unnamed host: the answer names the rule", holds=holds, seen=f"{rule['outcome']} {rule['rule']}"
        )

    def watch_doors(self, lines: Iterator[Object]) -> None:
        """Every direct way out: nothing for the agent, open for the control."""
        self.line.headline("around the proxy: the agent, beside the same attempt from the control pod")
        control = self.api.until("pods", NAMESPACE, "control", is_running, seconds=60, what="the control pod runs")
        free = {step["label"]: step for step in doors(self.steps("control", control), len(self.doors()))}
        for caged in doors(lines, len(self.doors())):
            beside = free[caged["label"]]
            seen = f"agent: {caged['outcome']:<9} control: {beside['outcome']}"
            self.line.check(caged["label"], holds=not opens(caged) and opens(beside), seen=seen)

    def watch_limit(self, lines: Iterator[Object]) -> None:
        """One call more than the limit."""
        self.line.headline("more than the limit: 12 requests a minute")
        step = until(lines, "over the limit")
        holds = step["outcome"] == "429" and step["rule"] == contract.Rule.REQUESTS_PER_MINUTE.value
        seen = f"{step['outcome']} {step.get('rule')} Retry-After: {step.get('retryAfter')} s"
        self.line.check("a call over the limit", holds=holds, seen=seen)
        self.show_policy()

    def show_isolation(self, pod: Object) -> None:
        """What stands around the agent, and what the world saw of it."""
        policy = self.api.get("agentpolicies", NAMESPACE, POLICY)
        isolated = condition(policy, "Isolated")
        holds = isolated.get("status") == "True"
        self.line.check("Isolated is True", holds=holds, seen=isolated.get("message", "no condition"))
        guard = self.api.find("networkpolicies", NAMESPACE, contract.GUARD_NAME)
        self.line.check("the guard stands", holds=guard is not None, seen=contract.GUARD_NAME)
        if self.world:
            seen = self.world.seen_from(pod_addresses(pod), 0)
            self.line.check("the world never saw the agent's address", holds=seen == [], seen=f"{len(seen)} records")
        self.api.merge("agentpolicies", NAMESPACE, POLICY, {"spec": {"desiredState": "Stopped"}})

    def doors(self) -> list[Object]:
        """Give the attempts of the demo, for this cluster."""
        service = self.api.get("services", "default", "kubernetes")["spec"]["clusterIP"]
        resolver = self.api.get("services", "kube-system", "kube-dns")["spec"]["clusterIP"]
        node = self.api.items("nodes")[0]["status"]["addresses"]
        around = _module("doors").Surroundings(
            website=addresses.WEBSITE_IPV4, website_ipv6=addresses.WEBSITE_IPV6,
            outlaw=addresses.OUTLAW_IPV4, outlaw_ipv6=addresses.OUTLAW_IPV6,
            resolver=addresses.WORLD_DNS_IPV4, cluster_resolver=resolver, metadata=addresses.METADATA_IPV4,
            api_service=service, node=next(item["address"] for item in node if item["type"] == "InternalIP"),
            public_name=addresses.WEBSITE_NAME if self.world else "kubernetes.default.svc.cluster.local",
            api_port=addresses.API_PORT,
        )  # fmt: skip
        attempts: list[Object] = _module("doors").attempts(around)
        return attempts if self.world else [attempt for attempt in attempts if attempt["label"] in INSIDE]

    def authority(self) -> str:
        """Give the CA that the agent trusts: the world's, else any; libraries insist on one."""
        if self.world:
            return (cluster.world_state() / "ca.crt").read_text()
        return str(self.api.get("configmaps", "kube-system", "kube-root-ca.crt")["data"]["ca.crt"])

    def manifest(self, name: str) -> Object:
        """Read an example, with the image that this run built."""
        text = (EXAMPLES / name).read_text().replace("localhost/zaum-demo-agent:dev", self.images["demo-agent"])
        body: Object = yaml.safe_load(text)
        body["metadata"]["namespace"] = NAMESPACE
        return body

    def steps(self, name: str, pod: Object) -> Iterator[Object]:
        """Read what a pod of the demo prints."""
        container = name if name == "control" else contract.CONTAINER_AGENT
        for text in self.api.log(NAMESPACE, pod["metadata"]["name"], container=container, seconds=180):
            if text.startswith("{"):
                yield json.loads(text)

    def show_policy(self) -> None:
        """Print what a user sees."""
        command = ["kubectl", "get", "agentpolicy", "--namespace", NAMESPACE]
        self.line.note(" ".join(command))
        self.line.quote(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)


def until(lines: Iterator[Object], phase: str) -> Object:
    """Read on to a step of the agent."""
    for step in lines:
        if step.get("phase") == phase:
            return step
    raise AssertionError(f"the agent never came to {phase!r}")


def doors(lines: Iterator[Object], count: int) -> list[Object]:
    """Read on over as many doors."""
    return [until(lines, "door") for _ in range(count)]


def opens(step: Object) -> bool:
    """Tell whether a door opened: a connection, a datagram back, or any HTTP answer."""
    return bool(step["outcome"] == "open" or step["outcome"].isdigit())


def is_running(pod: Object) -> bool:
    """Tell whether a pod runs."""
    return bool(pod["status"].get("phase") == "Running")


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module
