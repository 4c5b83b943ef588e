"""What the cluster's owner may say."""

from typing import Any, Final

from tests.support.table import case
from tests.support.table.case import Refusal
from zaum_api import contract

_S, _R = Refusal.SCHEMA, Refusal.RULE


def ceiling(**fields: Any) -> dict[str, Any]:
    """Give the spec of a ceiling for all namespaces."""
    return {"namespaceSelector": {}, **fields}


def _case(title: str, spec: dict[str, Any], refused: Refusal | None = None, says: str = "") -> case.Case:
    return case.Case(title, spec, refused, says, name="owner.example", kind=contract.KIND_CEILING)


def _selecting(**selector: Any) -> dict[str, Any]:
    return {"namespaceSelector": selector}


def _expression(**fields: Any) -> dict[str, Any]:
    return _selecting(matchExpressions=[fields])


GOOD: Final = (
    _case("a ceiling that says nothing", ceiling()),
    _case("namespaces by label", _selecting(matchLabels={"team": "a", "example.com/x": ""})),
    _case("namespaces in a set", _expression(key="team", operator="In", values=["a", "b"])),
    _case("namespaces outside a set", _expression(key="team", operator="NotIn", values=["a"])),
    _case("namespaces with a label", _expression(key="team", operator="Exists")),
    _case("namespaces without a label", _expression(key="team", operator="DoesNotExist", values=[])),
    _case("a selector of null labels", _selecting(matchLabels=None)),
    _case("hosts", ceiling(hosts={"allowed": ["docs.example.com", "*.example.com"]})),
    _case("no hosts at all", ceiling(hosts={"allowed": []})),
    _case("capped limits", ceiling(limits={"requests": {"perMinute": 60, "burst": 10}, "connections": 32})),
    _case(
        "capped amounts",
        ceiling(
            limits={
                "bytes": {"outPerHour": "1Gi", "inPerHour": 0},
                "tokens": {"perMinute": 9, "perDay": 99},
                "cost": {"perDay": "2.5"},
            }
        ),
    ),
    _case("a capped amount of null", ceiling(limits={"bytes": {"outPerHour": 1, "inPerHour": None}})),
    _case("limits of zero", ceiling(limits={"requests": {"perMinute": 0}, "connections": 0})),
    _case(
        "capped resources",
        ceiling(resources={"cpu": 2, "memory": "2Gi", "ephemeralStorage": "4G", "workspace": ".5Ti"}),
    ),
    _case("replicas", ceiling(replicas=3)),
    _case("no pods", ceiling(replicas=0)),
    _case("images", ceiling(images={"registries": ["registry.example:5000/team/", "a/"], "requireDigest": True})),
    _case("no images", ceiling(images={"registries": []})),
    _case("digests, not needed", ceiling(images={"requireDigest": False})),
    _case("runtime classes", ceiling(runtimeClasses=["gvisor", "kata"])),
    _case("a longest life", ceiling(lifetime={"max": "8h"})),
    _case("ingress", ceiling(ingress="Allowed")),
    _case("no ingress", ceiling(ingress="Denied")),
    _case(
        "scheduling",
        ceiling(
            scheduling={
                "nodeSelector": [{"key": "example.com/pool", "values": ["agents", ""]}],
                "tolerations": [
                    {"key": "agents", "operator": "Exists", "effect": "NoSchedule"},
                    {"key": "spot", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 30},
                ],
            }
        ),
    ),
    _case("scheduling of nothing by name", ceiling(scheduling={"nodeSelector": [], "tolerations": []})),
    _case("ways in", ceiling(access=["Exec", "Attach", "PortForward", "EphemeralContainers"])),
    _case("no way in", ceiling(access=[])),
    _case("modes", ceiling(modes=["Enforce", "Report"])),
    _case("services", ceiling(services=[{"namespace": "tools"}, {"namespace": "default", "name": "search"}])),
    _case("no services", ceiling(services=[])),
    _case("a Service's name of null", ceiling(services=[{"namespace": "tools", "name": None}])),
    _case("all Services of default", ceiling(services=[{"namespace": "default"}])),
    _case("proof", ceiling(requireProof=True)),
    _case("proof, not needed", ceiling(requireProof=False)),
    _case("audiences", ceiling(identity={"audiences": ["https://tools.example"]})),
    _case("no audience", ceiling(identity={"audiences": []})),
    _case("images that an Incident blocks", ceiling(incidents={"blockImages": True})),
    _case("images that no Incident blocks", ceiling(incidents={"blockImages": False})),
    _case("caps of null", ceiling(hosts=None, limits=None, replicas=None, images=None, access=None, scheduling=None)),
)

BAD: Final = (
    _case("no selector", {}, _S),
    _case("a selector of null", {"namespaceSelector": None}, _S),
    _case("a selector as list", {"namespaceSelector": []}, _S),
    _case("a misspelt selector", {"namespaceSelectors": {}}, _S),
    _case("an empty selector by another name", _selecting(labels={}), _S),
    _case("a label that is none", _selecting(matchLabels={"a b": ""}), _R, "matchLabels: a key must be a label's"),
    _case("a label of null", _selecting(matchLabels={"a": None}), _R, "matchLabels: a label's value must not be null"),
    _case("a set of nothing", _expression(key="a", operator="In", values=[]), _R, "In and NotIn need values"),
    _case("a set of null", _expression(key="a", operator="NotIn", values=None), _R, "In and NotIn need values"),
    _case("a label with values", _expression(key="a", operator="Exists", values=["b"]), _R, "In and NotIn need values"),
    _case("an unknown operator", _expression(key="a", operator="Gt", values=["1"]), _S),
    _case("an operator without a key", _expression(operator="Exists"), _S),
    _case("a value twice", _expression(key="a", operator="In", values=["b", "b"]), _S),
    _case("a misspelt cap", ceiling(replica=1), _S),
    _case("hosts of nothing", ceiling(hosts={}), _S),
    _case("hosts of null", ceiling(hosts={"allowed": None}), _S),
    _case("hosts as in a policy", ceiling(hosts=[{"host": "docs.example.com"}]), _S),
    _case("every host", ceiling(hosts={"allowed": ["*"]}), _S),
    _case("a host inside the cluster", ceiling(hosts={"allowed": ["*.default.svc"]}), _R, "outside the cluster"),
    _case("an address", ceiling(hosts={"allowed": ["203.0.113.1"]}), _R, "must not be an IP address"),
    _case("a long label", ceiling(hosts={"allowed": ["a" * 64 + ".example.com"]}), _R, "at most 63"),
    _case("a host in upper case", ceiling(hosts={"allowed": ["Docs.example.com"]}), _S, "canonical form"),
    _case("a top-level name", ceiling(hosts={"allowed": ["com"]}), _S, "at least two labels"),
    _case("two stars in a host", ceiling(hosts={"allowed": ["*.*.com"]}), _S, "one star only"),
    _case("a host twice", ceiling(hosts={"allowed": ["docs.example.com"] * 2}), _S),
    _case("limits of nothing", ceiling(limits={}), _R, "spec.limits says nothing"),
    _case("limits of null", ceiling(limits={"connections": None}), _R, "spec.limits says nothing"),
    _case("a rate of nothing", ceiling(limits={"requests": {}}), _R, "spec.limits.requests says nothing"),
    _case("bytes of nothing", ceiling(limits={"bytes": {}}), _R, "spec.limits.bytes says nothing"),
    _case("tokens of nothing", ceiling(limits={"tokens": {}}), _R, "spec.limits.tokens says nothing"),
    _case("money of nothing", ceiling(limits={"cost": {}}), _S),
    _case("bytes out", ceiling(limits={"bytes": {"outPerHour": "2Pi"}}), _R, "limits.bytes.outPerHour must be"),
    _case("bytes in", ceiling(limits={"bytes": {"inPerHour": "2Pi"}}), _R, "limits.bytes.inPerHour must be"),
    _case("tokens below zero", ceiling(limits={"tokens": {"perMinute": -1, "perDay": -1}}), _S),
    _case("money as number", ceiling(limits={"cost": {"perDay": 2}}), _S),
    _case("a limit below zero", ceiling(limits={"connections": -1}), _S),
    _case("a limit as text", ceiling(limits={"connections": "1"}), _S),
    _case("a rate below zero", ceiling(limits={"requests": {"perMinute": -1, "burst": 0}}), _S),
    _case("a toleration's effect", ceiling(scheduling={"tolerations": [{"key": "a", "effect": "NoRun"}]}), _S),
    _case("resources of nothing", ceiling(resources={}), _R, "spec.resources says nothing"),
    _case("no cpu", ceiling(resources={"cpu": 0}), _R, "resources.cpu must be a quantity"),
    _case("no memory", ceiling(resources={"memory": "1"}), _R, "resources.memory must be a quantity"),
    _case("no storage", ceiling(resources={"ephemeralStorage": "1"}), _R, "resources.ephemeralStorage must be"),
    _case("no workspace", ceiling(resources={"workspace": "0"}), _R, "resources.workspace must be a quantity"),
    _case("a negative cap", ceiling(resources={"memory": "-1Gi"}), _S),
    _case("101 replicas", ceiling(replicas=101), _S),
    _case("replicas as text", ceiling(replicas="3"), _S),
    _case("images of nothing", ceiling(images={}), _R, "spec.images says nothing"),
    _case("a registry without a slash", ceiling(images={"registries": ["registry.example"]}), _S),
    _case("a registry of a slash", ceiling(images={"registries": ["/"]}), _S),
    _case("a registry with a star", ceiling(images={"registries": ["*.example/"]}), _S),
    _case("a registry twice", ceiling(images={"registries": ["a/", "a/"]}), _S),
    _case("a digest as text", ceiling(images={"requireDigest": "true"}), _S),
    _case("no runtime class", ceiling(runtimeClasses=[]), _S),
    _case("a runtime class as text", ceiling(runtimeClasses="gvisor"), _S),
    _case("an empty runtime class", ceiling(runtimeClasses=[""]), _S),
    _case("a lifetime of nothing", ceiling(lifetime={}), _S),
    _case("a lifetime of no time", ceiling(lifetime={"max": "0s"}), _R, "lifetime.max must be a duration from 1m"),
    _case("an idle lifetime", ceiling(lifetime={"max": "1h", "idle": "1m"}), _S),
    _case("an unknown ingress", ceiling(ingress="denied"), _S),
    _case("an ingress as boolean", ceiling(ingress=False), _S),
    _case("scheduling of nothing", ceiling(scheduling={}), _R, "spec.scheduling says nothing"),
    _case("a label without values", ceiling(scheduling={"nodeSelector": [{"key": "a", "values": []}]}), _S),
    _case("a label with any value", ceiling(scheduling={"nodeSelector": [{"key": "a"}]}), _S),
    _case("a node label as map", ceiling(scheduling={"nodeSelector": {"a": "b"}}), _S),
    _case("a node label twice", ceiling(scheduling={"nodeSelector": [{"key": "a", "values": ["b"]}] * 2}), _S),
    _case("a toleration of nothing", ceiling(scheduling={"tolerations": [{}]}), _R, "without a key the operator"),
    _case(
        "a toleration's value",
        ceiling(scheduling={"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
        _R,
        "Exists takes no value",
    ),
    _case(
        "a toleration's seconds",
        ceiling(scheduling={"tolerations": [{"key": "a", "tolerationSeconds": 1}]}),
        _R,
        "needs the effect NoExecute",
    ),
    _case("an unknown way in", ceiling(access=["Logs"]), _S),
    _case("a way in twice", ceiling(access=["Exec", "Exec"]), _S),
    _case("a way in as text", ceiling(access="Exec"), _S),
    _case("Incidents of nothing", ceiling(incidents={}), _S),
    _case("images blocked by a word", ceiling(incidents={"blockImages": "yes"}), _S),
    _case("an unknown mode", ceiling(modes=["report"]), _S),
    _case("services of nothing", ceiling(services=[{}]), _S),
    _case("a Service without its namespace", ceiling(services=[{"name": "search"}]), _S),
    _case("a Service by its host", ceiling(services=["search.tools.svc"]), _S),
    _case("every Service of all", ceiling(services=[{"namespace": "*"}]), _S),
    _case("a Service's port", ceiling(services=[{"namespace": "tools", "port": 80}]), _S),
    _case("a Service with a dot", ceiling(services=[{"namespace": "tools", "name": "a.b"}]), _S),
    _case("Services of kube-system", ceiling(services=[{"namespace": "kube-system"}]), _R, "services: kube-system"),
    _case("the API server", ceiling(services=[{"namespace": "default", "name": "kubernetes"}]), _R, "services: kube-"),
    _case("65 services", ceiling(services=[{"namespace": "tools"}] * 65), _S),
    _case("proof as text", ceiling(requireProof="yes"), _S),
    _case("audiences of nothing", ceiling(identity={}), _S),
    _case("an audience of ours", ceiling(identity={"audiences": ["zaum-x"]}), _R, "one that starts with zaum"),
    _case("the API server's audience", ceiling(identity={"audiences": ["kubernetes"]}), _R, "the API server's own"),
)
