"""Say of one namespace, as it is stored at one revision, in what its agents are less isolated than their policies.

The rules are written down here a second time, by hand, from the frame's invariants: nothing is rendered by the code
that is judged. A pod is an agent's if it uses a ServiceAccount of ours: that cannot be edited on a live pod, while its
labels and owners can. A pod whose phase is final runs nothing and is not judged.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tests.chaos.history import Object, Place

GUARD: Final = "zaum--guard"
GUARD_SPEC: Final[Object] = {
    "podSelector": {"matchLabels": {"zaum.dev/agent": "true"}},
    "policyTypes": ["Ingress", "Egress"],
}
AGENT: Final = "zaum.dev/agent"
POLICY: Final = "zaum.dev/policy"
ORDINAL: Final = "zaum.dev/ordinal"
QUARANTINED: Final = "zaum.dev/quarantined"


class Rule(StrEnum):
    """What does not hold."""

    GUARDED = "the namespace's guard stands unchanged while an agent's pod exists"
    SELECTED = "the guard and its own policy select the pod"
    ONLY_OWN_ADDS = "nothing but the policy's own NetworkPolicy adds"
    EXACT = "the policy's NetworkPolicy opens the gateway and the named ingress, nothing else"
    CONFINED = "the pod's spec is restricted, watched, and without a token for the agent"
    NOT_TOO_MANY = "no more live pods than the policy asks for"
    ONE_PER_ORDINAL = "no two live pods of one ordinal"
    RUNS_WHEN_ASKED = "no pod of a stopped policy lives on"
    QUOTA = "the policy's quota admits no more pods than it asks for"
    HOSTS = "the watchdog's document names no host that the policy does not"
    ACCOUNT = "the policy's ServiceAccount mounts no token by itself"


@dataclass(frozen=True, slots=True, order=True)
class Weakness:
    """One rule that does not hold, of one object, and how."""

    rule: Rule
    namespace: str
    subject: str
    detail: str = ""


Stored = Mapping[Place, Object]


def weaknesses(stored: Stored, namespace: str, *, release: str) -> set[Weakness]:
    """Judge one namespace; `release` is where the gateway runs."""
    here = Namespace(stored, namespace, release)
    return {Weakness(rule, namespace, subject, detail) for rule, subject, detail in here.judge()}


Finding = tuple[Rule, str, str]


@dataclass(frozen=True)
class Namespace:
    """One namespace at one revision."""

    stored: Stored
    name: str
    release: str

    def judge(self) -> Iterator[Finding]:
        """Give all findings."""
        pods = [pod for pod in self.of("pods") if is_agent(pod) and not ended(pod)]
        if pods:
            yield from self._guard()
        for pod in pods:
            yield from self._pod(pod)
        for policy in sorted({policy_of(pod) for pod in pods}):
            yield from self._policy(policy, [pod for pod in pods if policy_of(pod) == policy])

    def of(self, resource: str) -> list[Object]:
        """Give all objects of a resource in this namespace."""
        return [obj for place, obj in self.stored.items() if place[:2] == (resource, self.name)]

    def one(self, resource: str, name: str) -> Object | None:
        """Give one object."""
        return self.stored.get((resource, self.name, name))

    def _guard(self) -> Iterator[Finding]:
        guard = self.one("networkpolicies", GUARD)
        if guard is None:
            yield Rule.GUARDED, GUARD, "absent"
        elif without_empty(guard.get("spec") or {}) != GUARD_SPEC:
            yield Rule.GUARDED, GUARD, "changed"

    def _pod(self, pod: Object) -> Iterator[Finding]:
        name = pod["metadata"]["name"]
        labels = pod["metadata"].get("labels") or {}
        if labels.get(AGENT) != "true":
            yield Rule.SELECTED, name, f"label {AGENT}"
        if labels.get(POLICY) != policy_of(pod):
            yield Rule.SELECTED, name, f"label {POLICY}"
        if not pod["metadata"].get("deletionTimestamp"):
            for other in self.of("networkpolicies"):
                if self._adds(other, labels, policy_of(pod)):
                    yield Rule.ONLY_OWN_ADDS, name, other["metadata"]["name"]
        identity = self._identity(policy_of(pod))
        for fault in unconfined(pod, identity):
            yield Rule.CONFINED, name, fault

    def _adds(self, other: Object, labels: Mapping[str, str], policy: str) -> bool:
        """Tell whether a NetworkPolicy that is not the policy's own opens something to a pod with these labels."""
        if other["metadata"]["name"] in {GUARD, f"zaum-{policy}"}:
            return False
        spec = other.get("spec") or {}
        return bool(spec.get("egress") or spec.get("ingress")) and selects(spec.get("podSelector") or {}, labels)

    def _identity(self, policy: str) -> str | None:
        spec = self._spec(policy)
        token = ((spec or {}).get("identity") or {}).get("token") or {}
        audience = token.get("audience")
        return str(audience) if audience else None

    def _spec(self, policy: str) -> Object | None:
        found = self.one("agentpolicies", policy)
        return None if found is None else found.get("spec") or {}

    def _policy(self, policy: str, pods: list[Object]) -> Iterator[Finding]:
        yield from one_per_ordinal(policy, pods)
        yield from self._own_network_policy(policy)
        account = self.one("serviceaccounts", f"zaum-{policy}")
        if account is not None and account.get("automountServiceAccountToken") is not False:
            yield Rule.ACCOUNT, policy, "automountServiceAccountToken"
        spec = self._spec(policy)
        if spec is None:
            return
        asked = replicas(spec)
        staying = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        if len(staying) > asked:
            yield (Rule.NOT_TOO_MANY if asked else Rule.RUNS_WHEN_ASKED), policy, f"more than {asked}"
        if any(owned(pod, self.stored.get(("agentpolicies", self.name, policy))) for pod in staying):
            yield from self._quota(policy, asked)
            yield from self._hosts(policy, spec)

    def _own_network_policy(self, policy: str) -> Iterator[Finding]:
        own = self.one("networkpolicies", f"zaum-{policy}")
        if own is None:
            return  # the guard alone: nothing is open
        found = without_empty(own.get("spec") or {})
        if found.get("egress", []) not in (
            [],
            [gateway_rule(self.release, 15443)],
            [gateway_rule(self.release, 15442, 15443)],
        ):
            yield Rule.EXACT, policy, "egress"
        expected = {"matchLabels": {AGENT: "true", POLICY: policy}}
        expressions = {"matchExpressions": [{"key": QUARANTINED, "operator": "DoesNotExist"}]}
        if found.get("podSelector") != expected | expressions:
            yield Rule.EXACT, policy, "podSelector"
        spec = self._spec(policy)
        if spec is not None and not ingress_within(found.get("ingress") or [], spec.get("ingress") or []):
            yield Rule.EXACT, policy, "ingress"

    def _quota(self, policy: str, asked: int) -> Iterator[Finding]:
        quota = self.one("resourcequotas", f"zaum-{policy}")
        if quota is None:
            yield Rule.QUOTA, policy, "absent"
            return
        hard = (quota.get("spec") or {}).get("hard") or {}
        if not str(hard.get("pods", "")).isdigit() or int(hard["pods"]) > asked:
            yield Rule.QUOTA, policy, "pods"

    def _hosts(self, policy: str, spec: Object) -> Iterator[Finding]:
        config = self.one("configmaps", f"zaum-{policy}")
        if config is None:
            return
        named = {str(item.get("host")) for item in (spec.get("egress") or {}).get("hosts") or ()}
        for key, text in sorted((config.get("data") or {}).items()):
            if surplus := sorted(set(document_hosts(text)) - named):
                yield Rule.HOSTS, policy, f"{key}: {', '.join(surplus)}"


def is_agent(pod: Object) -> bool:
    """Tell whether a pod is an agent's, by what nobody can edit."""
    return str((pod.get("spec") or {}).get("serviceAccountName", "")).startswith("zaum-")


def policy_of(pod: Object) -> str:
    """Give the policy whose ServiceAccount a pod uses."""
    return str(pod["spec"]["serviceAccountName"]).removeprefix("zaum-")


def ended(pod: Object) -> bool:
    """Tell whether nothing of a pod runs any more."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def owned(pod: Object, policy: Object | None) -> bool:
    """Tell whether this very policy owns a pod: an earlier one of its name takes its children with it in any order."""
    uid = (policy or {}).get("metadata", {}).get("uid")
    return any(reference.get("uid") == uid for reference in pod["metadata"].get("ownerReferences") or ())


def replicas(spec: Object) -> int:
    """Give how many pods a spec asks for."""
    if spec.get("desiredState") == "Stopped":
        return 0
    asked = (spec.get("agent") or {}).get("replicas")
    return 1 if asked is None else int(asked)


def one_per_ordinal(policy: str, pods: Iterable[Object]) -> Iterator[Finding]:
    """Find ordinals with two live pods. The name holds the ordinal: a label can be edited."""
    seen: set[str] = set()
    for pod in pods:
        ordinal = pod["metadata"]["name"].removeprefix(f"zaum-{policy}-").rpartition("-")[0]
        if ordinal in seen:
            yield Rule.ONE_PER_ORDINAL, policy, ordinal
        seen.add(ordinal)


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Apply a label selector (Kubernetes API, LabelSelector)."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(item, labels) for item in selector.get("matchExpressions") or ()
    )


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "In":
            return labels.get(key) in values
        case _:
            return labels.get(key) not in values


def gateway_rule(release: str, *ports: int) -> Object:
    """Give the one egress rule that an agent may have."""
    return {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": release}},
                "podSelector": {
                    "matchLabels": {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": "gateway"}
                },
            }
        ],
        "ports": [{"protocol": "TCP", "port": port} for port in ports],
    }


def ingress_within(found: list[Object], named: list[Object]) -> bool:
    """Tell whether each ingress rule opens one named port to peers that the policy names for it, and to somebody."""
    allowed = {int(item["port"]): [without_empty(peer) for peer in item.get("from") or ()] for item in named}
    for rule in found:
        ports, peers = rule.get("ports") or [], rule.get("from") or []
        if not ports or not peers:
            return False
        for port in ports:
            known = allowed.get(int(port.get("port", 0)))
            if known is None or any(peer not in known for peer in peers):
                return False
    return True


def document_hosts(text: str) -> list[str]:
    """Give the hosts of a watchdog's document. One that cannot be read opens none: watchdogs refuse it."""
    try:
        document = json.loads(text)
        return [str(item["host"]) for item in document.get("hosts") or ()]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def unconfined(pod: Object, audience: str | None) -> Iterator[str]:
    """Say in what a pod's spec is not what an agent's must be; `audience`: of the token that its policy names."""
    spec = pod["spec"]
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield field
    if spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken"
    if spec.get("restartPolicy") != "Never" or spec.get("dnsPolicy") != "None":
        yield "restartPolicy or dnsPolicy"
    if spec.get("ephemeralContainers"):
        yield "ephemeralContainers"
    watchdogs = [item for item in spec.get("initContainers") or () if item["name"] == "watchdog"]
    if len(watchdogs) != 1 or watchdogs[0].get("restartPolicy") != "Always":
        yield "watchdog"
    if [item["name"] for item in spec.get("containers") or ()] != ["agent"]:
        yield "containers"
    uids = set()
    for container in [*watchdogs, *(spec.get("containers") or ())]:
        context = container.get("securityContext") or {}
        uids.add(context.get("runAsUser"))
        if not _restricted(context):
            yield f"{container['name']}.securityContext"
    if len(uids) != len(watchdogs) + len(spec.get("containers") or ()):
        yield "runAsUser"
    yield from _tokens(spec, audience)


def _restricted(context: Object) -> bool:
    return (
        context.get("runAsNonRoot") is True
        and context.get("allowPrivilegeEscalation") is False
        and not context.get("privileged")
        and context.get("readOnlyRootFilesystem") is True
        and context.get("capabilities") == {"drop": ["ALL"]}
        and (context.get("seccompProfile") or {}).get("type") == "RuntimeDefault"
    )


def _tokens(spec: Object, audience: str | None) -> Iterator[str]:
    """Find tokens and Secrets that the agent's container mounts beside the one that its policy names."""
    volumes = {item["name"]: item for item in spec.get("volumes") or ()}
    for volume in volumes.values():
        if "hostPath" in volume:
            yield f"volume {volume['name']}"
    for container in spec.get("containers") or ():
        for mount in container.get("volumeMounts") or ():
            for found in _audiences(volumes.get(mount["name"], {})):
                if audience is None or found != audience:
                    yield f"token of {found} in {container['name']}"


def _audiences(volume: Object) -> Iterator[str]:
    if "secret" in volume:
        yield "a Secret"
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "secret" in source:
            yield "a Secret"
        if "serviceAccountToken" in source:
            yield str(source["serviceAccountToken"].get("audience") or "the API server")


def without_empty(value: Any) -> Any:
    """Drop empty maps and lists: they are not always stored."""
    if isinstance(value, dict):
        items = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in ({}, [], None)}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value
