"""One table of good and bad policies with the expected verdict, for every layer that reads them.

The unit tests run it through pydantic and the JSON schema; a test with a cluster runs the same table through a real
API server with `fieldValidation=Strict`. A case is a whole `spec`, or for `name` the name of the policy.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

IMAGE: Final = "registry.example/agent@sha256:" + "0" * 64


class Refusal(Enum):
    """Which layer of the API server refuses first. pydantic refuses both kinds."""

    SCHEMA = "structural schema or unknown field"
    RULE = "CEL rule"


@dataclass(frozen=True, slots=True)
class Case:
    """`refused` None is a good policy; `says` must stand in the message of a rule."""

    title: str
    spec: dict[str, Any]
    refused: Refusal | None = None
    says: str = ""
    name: str = "researcher"

    def manifest(self, namespace: str = "agents") -> dict[str, Any]:
        """Give the whole object, fresh."""
        return {
            "apiVersion": "zaum.dev/v1alpha1",
            "kind": "AgentPolicy",
            "metadata": {"name": self.name, "namespace": namespace},
            "spec": self.spec,
        }


def agent(**fields: Any) -> dict[str, Any]:
    """Give a spec whose agent has these fields beside its image."""
    return {"agent": {"image": IMAGE, **fields}}


def hosts(*names: str) -> dict[str, Any]:
    """Give a spec that names these hosts."""
    return {**agent(), "egress": {"hosts": [{"host": name} for name in names]}}


def limits(**fields: Any) -> dict[str, Any]:
    """Give a spec with these limits."""
    return {**agent(), "limits": fields}


def runaway(**fields: Any) -> dict[str, Any]:
    """Give a spec with these detectors."""
    return {**agent(), "runaway": fields}


def resources(**fields: Any) -> dict[str, Any]:
    """Give a spec with these resources."""
    return agent(resources=fields)


GOOD: Final = (
    Case("only an image", agent()),
    Case("everything empty", {**agent(resources={}, workspace={}), "egress": {}, "limits": {}, "runaway": {}}),
    Case("empty lists", {**agent(command=[], args=[], env=[], files=[]), "egress": {"hosts": []}, "ingress": []}),
    Case("the values that are the defaults", {**agent(type="Service"), "mode": "Enforce", "desiredState": "Running"}),
    Case("stopped", {**agent(), "desiredState": "Stopped"}),
    Case("no replicas", agent(replicas=0)),
    Case("as many replicas as there may be", agent(replicas=100)),
    Case("a name as long as may be", agent(), name="a" * 48),
    Case("a name of one digit", agent(), name="7"),
    Case("plain environment", agent(env=[{"name": "A_b.c-1", "value": ""}, {"name": "ALL_PROXY", "value": "x"}])),
    Case("files beside the workspace", agent(files=[{"configMap": "ca.v1", "mountPath": "/etc/ssl/world"}])),
    Case("files inside the workspace", agent(files=[{"configMap": "ca", "mountPath": "/workspace/.config"}])),
    Case("a workspace elsewhere", agent(workspace={"size": "2Gi", "mountPath": "/home/agent"})),
    Case("a runtime class", agent(runtimeClassName="gvisor")),
    Case("quantities as integers", resources(cpu=2, memory=536870912)),
    Case("quantities in thousandths", resources(cpu="250m", memory="536870912000m")),
    Case("quantities with a decimal suffix", resources(cpu="0.5", memory="512M", ephemeralStorage="1G")),
    Case("quantities with an exponent", resources(cpu="5e-1", memory="1e9", ephemeralStorage="1E9")),
    Case("quantities with odd points", resources(cpu=".5", memory="64.Mi", ephemeralStorage="+1.5Gi")),
    Case("tiny suffixes", resources(cpu="500000u", memory="1000000000000000000n")),
    Case(
        "hosts and a wildcard", hosts("docs.example.com", "*.example.com", "xn--bcher-kva.example", "a_b.example.com")
    ),
    Case("ports", {**agent(), "egress": {"hosts": [{"host": "docs.example.com", "ports": [443, 8443, 65535]}]}}),
    Case("a name that only looks inward", hosts("svc.example.com", "cluster.local.example.com", "localhost.example")),
    Case("all denied", limits(requests={"perMinute": 0, "burst": 0}, connections=0)),
    Case("limits", limits(requests={"perMinute": 600}, connections=4096)),
    Case("detectors tuned", runaway(cpu={"abovePercent": 50, "for": "1h30m"}, denied={"above": 1, "per": "90s"})),
    Case("detectors off by name", runaway(cpu={"enabled": False}, processes={"enabled": False})),
    Case("a limit of null", limits(connections=None)),
    Case("limits of null", {**agent(), "limits": None}),
    Case("egress of null", {**agent(), "egress": None}),
    Case("hosts of null", {**agent(), "egress": {"hosts": None}}),
    Case("a quantity of null", resources(memory=None)),
    Case("a day", runaway(processes={"above": 1, "for": "24h"})),
)

_S, _R = Refusal.SCHEMA, Refusal.RULE

BAD: Final = (
    Case("no agent", {}, _S),
    Case("no image", {"agent": {}}, _S),
    Case("an image of null", {"agent": {"image": None}}, _S),
    Case("an empty image", {"agent": {"image": ""}}, _S),
    Case("an image with a space", {"agent": {"image": "a b"}}, _S),
    Case("a misspelt field of the spec", {**agent(), "egres": {}}, _S),
    Case("a misspelt field of a limit", limits(request={"perMinute": 1}), _S),
    Case("a limit as text", limits(connections="32"), _S),
    Case("a negative limit", limits(requests={"perMinute": -1}), _S),
    Case("a limit beyond the bound", limits(connections=4097), _S),
    Case("a boolean as number", limits(connections=True), _S),
    Case("101 replicas", agent(replicas=101), _S),
    Case("an unknown mode", {**agent(), "mode": "enforce"}, _S),
    Case("mode Report", {**agent(), "mode": "Report"}, _R, "spec.mode: Report is not supported"),
    Case("type Task", agent(type="Task"), _R, "spec.agent.type: Task is not supported"),
    Case("identity", {**agent(), "identity": {"token": {"audience": "a"}}}, _R, "spec.identity is not supported"),
    Case("lifetime", {**agent(), "lifetime": {"max": "8h"}}, _R, "spec.lifetime is not supported"),
    Case("containment", {**agent(), "containment": {"onRunaway": "Kill"}}, _R, "spec.containment is not supported"),
    Case("an empty object is refused too", {**agent(), "containment": {}}, _R, "spec.containment is not supported"),
    Case("ingress", {**agent(), "ingress": [{"from": "x"}]}, _R, "spec.ingress is not supported"),
    Case("routes", {**agent(), "egress": {"routes": [{"name": "openai"}]}}, _R, "spec.egress.routes is not supported"),
    Case("bytes", limits(bytes={"outPerHour": "50Mi"}), _R, "spec.limits.bytes is not supported"),
    Case("tokens", limits(tokens={"perDay": 1}), _R, "spec.limits.tokens is not supported"),
    Case("cost", limits(cost={"perDay": "10.00"}), _R, "spec.limits.cost is not supported"),
    Case("repeated", runaway(repeated={"same": 30}), _R, "spec.runaway.repeated is not supported"),
    Case("noProgress", runaway(noProgress={"tokens": 1}), _R, "spec.runaway.noProgress is not supported"),
    Case("pull secrets", agent(imagePullSecrets=[{"name": "s"}]), _R, "spec.agent.imagePullSecrets is not supported"),
    Case("a node selector", agent(nodeSelector={"a": "b"}), _R, "spec.agent.nodeSelector is not supported"),
    Case("tolerations", agent(tolerations=[{"operator": "Exists"}]), _R, "spec.agent.tolerations is not supported"),
    Case("liveness", agent(liveness={"httpGet": {}}), _R, "spec.agent.liveness is not supported"),
    Case("a persistent workspace", agent(workspace={"persistent": {}}), _R, "workspace.persistent is not supported"),
    Case("a name of 49 characters", agent(), _R, "at most 48 characters", name="a" * 49),
    Case("a name with a dot", agent(), _R, "metadata.name must be a DNS label", name="a.b"),
    Case("a variable of ours", agent(env=[{"name": "ZAUM_X", "value": ""}]), _R, "the prefix ZAUM_"),
    Case("the proxy's variable", agent(env=[{"name": "https_proxy", "value": ""}]), _R, "set by Zaum"),
    Case("HOME", agent(env=[{"name": "HOME", "value": "/"}]), _R, "set by Zaum"),
    Case("a variable twice", agent(env=[{"name": "A", "value": ""}, {"name": "A", "value": "b"}]), _S),
    Case("a variable without a value", agent(env=[{"name": "A"}]), _S),
    Case("a variable from a secret", agent(env=[{"name": "A", "valueFrom": {"secretKeyRef": {}}}]), _S),
    Case(
        "files over the workspace",
        agent(files=[{"configMap": "c", "mountPath": "/workspace"}]),
        _R,
        "another directory",
    ),
    Case(
        "files over /etc/zaum", agent(files=[{"configMap": "c", "mountPath": "/etc/zaum"}]), _R, "must not be /tmp nor"
    ),
    Case("files in /proc", agent(files=[{"configMap": "c", "mountPath": "/proc/self"}]), _R, "must not be /tmp nor"),
    Case("a path with dots", agent(workspace={"mountPath": "/home/../etc"}), _R, "must not contain . or .."),
    Case("a workspace at /tmp", agent(workspace={"mountPath": "/tmp"}), _R, "must not be /tmp nor"),
    Case("a workspace at /", agent(workspace={"mountPath": "/"}), _S),
    Case("a ConfigMap of ours", agent(files=[{"configMap": "zaum-x", "mountPath": "/x"}]), _R, "belongs to Zaum"),
    Case("no cpu at all", resources(cpu="0"), _R, "resources.cpu must be a quantity from 10m"),
    Case("no cpu as integer", resources(cpu=0), _R, "resources.cpu must be a quantity from 10m"),
    Case("too little memory, by the wrong suffix", resources(memory="512m"), _R, "resources.memory must be a quantity"),
    Case("too much memory", resources(memory="1E"), _R, "resources.memory must be a quantity"),
    Case("too much storage", resources(ephemeralStorage="5Ti"), _R, "resources.ephemeralStorage must be a quantity"),
    Case("a workspace of no size", agent(workspace={"size": 0}), _R, "workspace.size must be a quantity"),
    Case("a negative quantity", resources(memory="-1Gi"), _S),
    Case("no quantity", resources(memory="512MB"), _S),
    Case("an empty quantity", resources(memory=""), _S),
    Case("a single label", hosts("localhost"), _S, "at least two labels"),
    Case("an empty host", hosts(""), _S),
    Case("no host", {**agent(), "egress": {"hosts": [{"ports": [443]}]}}, _S),
    Case("an IPv4 address", hosts("203.0.113.10"), _R, "must not be an IP address"),
    Case("an octal address", hosts("0x7f.1"), _R, "must not be an IP address"),
    Case("an IPv6 address", hosts("[2001:db8::1]"), _S, "must not be an IP address"),
    Case("a Service", hosts("web.default.svc"), _R, "must lie outside the cluster"),
    Case("a Service by its full name", hosts("web.default.svc.cluster.local"), _R, "must lie outside the cluster"),
    Case("every Service", hosts("*.svc.cluster.local"), _R, "must lie outside the cluster"),
    Case("the cluster's domain", hosts("cluster.local"), _R, "must lie outside the cluster"),
    Case("this machine", hosts("a.localhost"), _R, "must lie outside the cluster"),
    Case("the cage's canary", hosts("*.cage.invalid"), _R, "must lie outside the cluster"),
    Case("two stars", hosts("*.*.example.com"), _S, "one star only"),
    Case("a star inside", hosts("a.*.example.com"), _S, "one star only"),
    Case("half a star", hosts("*a.example.com"), _S, "one star only"),
    Case("a star over a top-level name", hosts("*.com"), _S, "at least two labels"),
    Case("upper case", hosts("Docs.example.com"), _S, "canonical form"),
    Case("a dot at the end", hosts("docs.example.com."), _S, "canonical form"),
    Case("Unicode", hosts("bücher.example"), _S),
    Case("a scheme", hosts("https://docs.example.com"), _S),
    Case("a port in the host", hosts("docs.example.com:443"), _S),
    Case("a line break", hosts("docs.example.com\n"), _S),
    Case("a label of 64", hosts("a" * 64 + ".example.com"), _R, "at most 63"),
    Case("257 hosts", hosts(*(f"h{index}.example.com" for index in range(257))), _S),
    Case("no port", {**agent(), "egress": {"hosts": [{"host": "docs.example.com", "ports": []}]}}, _S),
    Case("port 0", {**agent(), "egress": {"hosts": [{"host": "docs.example.com", "ports": [0]}]}}, _S),
    Case("a port twice", {**agent(), "egress": {"hosts": [{"host": "docs.example.com", "ports": [443, 443]}]}}, _S),
    Case("a detector at zero", runaway(denied={"above": 0}), _S),
    Case("a share above 100", runaway(cpu={"abovePercent": 101}), _S),
    Case("no time", runaway(cpu={"for": "0s"}), _R, "runaway.cpu.for must be a duration"),
    Case("no time for processes", runaway(processes={"for": "0m0s"}), _R, "runaway.processes.for must be a duration"),
    Case("a list item of null", agent(args=[None]), _S),
    Case("more than a day", runaway(denied={"per": "25h"}), _R, "runaway.denied.per must be a duration"),
    Case("a duration in words", runaway(cpu={"for": "2 minutes"}), _S),
    Case("a duration as number", runaway(cpu={"for": 120}), _S),
    Case("off as text", runaway(cpu={"enabled": "false"}), _S),
    Case("an unknown state", {**agent(), "desiredState": "Paused"}, _S),
)
