"""The rules by which a storm is judged: all hold in what the operator plans; each breaks where it is broken."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos import isolation
from tests.chaos.history import Object, Place
from tests.chaos.isolation import Rule
from tests.support import rendered, specs

NAMESPACE, RELEASE, NAME = "agents", "zaum-system", "researcher"
PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "ServiceAccount": "serviceaccounts",
    "ConfigMap": "configmaps",
    "ResourceQuota": "resourcequotas",
    "PriorityClass": "priorityclasses",
    "Service": "services",
    "Pod": "pods",
}
GUARD = ("networkpolicies", NAMESPACE, isolation.GUARD)
OWN = ("networkpolicies", NAMESPACE, f"zaum-{NAME}")
QUOTA = ("resourcequotas", NAMESPACE, f"zaum-{NAME}")
ACCOUNT = ("serviceaccounts", NAMESPACE, f"zaum-{NAME}")
CONFIG = ("configmaps", NAMESPACE, f"zaum-{NAME}")
POLICY = ("agentpolicies", NAMESPACE, NAME)
Stored = dict[Place, Object]


def sound() -> Stored:
    """Give what the operator makes of a policy with two replicas, as it would be stored."""
    spec = specs.agent(replicas=2) | {"egress": {"hosts": [{"host": "docs.example.com"}]}}
    policy = specs.Case("two", spec, name=NAME).manifest(NAMESPACE)
    policy["metadata"]["uid"] = rendered.UID
    stored: Stored = {POLICY: policy}
    for obj in copy.deepcopy(rendered.objects(policy)):
        place = (PLURALS[obj["kind"]], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        stored[place] = obj
    return stored


def pods(stored: Stored) -> list[Object]:
    return [obj for place, obj in sorted(stored.items()) if place[0] == "pods"]


def broken(stored: Stored) -> set[Rule]:
    return {item.rule for item in isolation.weaknesses(stored, NAMESPACE, release=RELEASE)}


def test_what_the_operator_plans_breaks_no_rule() -> None:
    assert len(pods(sound())) == 2
    assert isolation.weaknesses(sound(), NAMESPACE, release=RELEASE) == set()


def agent(stored: Stored) -> Any:
    return pods(stored)[0]["spec"]["containers"][0]


def without(place: Place) -> Callable[[Stored], None]:
    def remove(stored: Stored) -> None:
        del stored[place]

    return remove


def with_spec(place: Place, **fields: Any) -> Callable[[Stored], None]:
    return lambda stored: stored[place]["spec"].update(fields)


def foreign(stored: Stored) -> None:
    spec: Object = {"podSelector": {}, "egress": [{}]}
    stored["networkpolicies", NAMESPACE, "anyone"] = {"metadata": {"name": "anyone"}, "spec": spec}


def third_pod(stored: Stored) -> None:
    another = copy.deepcopy(pods(stored)[0])
    another["metadata"]["name"] = f"zaum-{NAME}-2-fffff"
    stored["pods", NAMESPACE, another["metadata"]["name"]] = another


def twin(stored: Stored) -> None:
    another = copy.deepcopy(pods(stored)[0])
    another["metadata"] |= {"name": f"zaum-{NAME}-0-fffff", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    stored["pods", NAMESPACE, another["metadata"]["name"]] = another


def token(stored: Stored) -> None:
    agent(stored)["volumeMounts"].append({"name": "zaum-token", "mountPath": "/stolen"})


def secret(stored: Stored) -> None:
    pods(stored)[0]["spec"]["volumes"].append({"name": "key", "secret": {"secretName": "key"}})
    agent(stored)["volumeMounts"].append({"name": "key", "mountPath": "/key"})


def stopped(stored: Stored) -> None:
    stored[POLICY]["spec"]["desiredState"] = "Stopped"


def wider_document(stored: Stored) -> None:
    stored[CONFIG]["data"]["config.json"] = '{"hosts":[{"host":"evil.example.net"}]}'


CASES: list[tuple[str, Callable[[Stored], Any], Rule]] = [
    ("no guard", without(GUARD), Rule.GUARDED),
    ("a guard that lets out", with_spec(GUARD, egress=[{}]), Rule.GUARDED),
    ("a guard of one side", with_spec(GUARD, policyTypes=["Ingress"]), Rule.GUARDED),
    ("a guard of others", with_spec(GUARD, podSelector={"matchLabels": {"app": "x"}}), Rule.GUARDED),
    ("a pod without the label", lambda s: pods(s)[0]["metadata"]["labels"].pop(isolation.AGENT), Rule.SELECTED),
    ("a pod without labels", lambda s: pods(s)[0]["metadata"].pop("labels"), Rule.SELECTED),
    (
        "a pod labelled as another's",
        lambda s: pods(s)[0]["metadata"]["labels"].update({isolation.POLICY: "x"}),
        Rule.SELECTED,
    ),
    ("a foreign policy that opens", foreign, Rule.ONLY_OWN_ADDS),
    ("egress to everybody", with_spec(OWN, egress=[{}]), Rule.EXACT),
    ("ingress that nobody named", with_spec(OWN, ingress=[{"ports": [{"port": 80}]}]), Rule.EXACT),
    ("a quarantined pod selected", lambda s: s[OWN]["spec"]["podSelector"].pop("matchExpressions"), Rule.EXACT),
    ("the agent's uid for the watchdog", lambda s: agent(s)["securityContext"].update(runAsUser=10002), Rule.CONFINED),
    ("a privileged agent", lambda s: agent(s)["securityContext"].update(privileged=True), Rule.CONFINED),
    ("a capability", lambda s: agent(s)["securityContext"].update(capabilities={}), Rule.CONFINED),
    ("a writable root", lambda s: agent(s)["securityContext"].pop("readOnlyRootFilesystem"), Rule.CONFINED),
    ("no watchdog", lambda s: pods(s)[0]["spec"]["initContainers"].clear(), Rule.CONFINED),
    ("a third container", lambda s: pods(s)[0]["spec"]["containers"].append({"name": "x"}), Rule.CONFINED),
    ("the node's network", lambda s: pods(s)[0]["spec"].update(hostNetwork=True), Rule.CONFINED),
    ("the cluster's DNS", lambda s: pods(s)[0]["spec"].update(dnsPolicy="ClusterFirst"), Rule.CONFINED),
    ("the watchdog's token", token, Rule.CONFINED),
    ("a Secret", secret, Rule.CONFINED),
    ("a token by default", lambda s: pods(s)[0]["spec"].pop("automountServiceAccountToken"), Rule.CONFINED),
    ("a pod too many", third_pod, Rule.NOT_TOO_MANY),
    ("two of one ordinal, one going", twin, Rule.ONE_PER_ORDINAL),
    ("a pod of a stopped policy", stopped, Rule.RUNS_WHEN_ASKED),
    ("no quota", without(QUOTA), Rule.QUOTA),
    ("a larger quota", lambda s: s[QUOTA]["spec"]["hard"].update(pods="3"), Rule.QUOTA),
    ("a quota without bound", lambda s: s[QUOTA]["spec"].pop("hard"), Rule.QUOTA),
    ("a host more in the document", wider_document, Rule.HOSTS),
    ("an account that mounts", lambda s: s[ACCOUNT].update(automountServiceAccountToken=True), Rule.ACCOUNT),
]


@pytest.mark.parametrize(("title", "breaks", "rule"), CASES, ids=[case[0] for case in CASES])
def test_a_broken_rule_is_found(title: str, breaks: Callable[[Stored], Any], rule: Rule) -> None:
    stored = sound()
    breaks(stored)
    assert rule in broken(stored), title


STRICTER: list[tuple[str, Callable[[Stored], Any]]] = [
    ("its own NetworkPolicy is gone", without(OWN)),
    ("its own NetworkPolicy opens nothing", lambda s: s[OWN]["spec"].pop("egress")),
    ("its document is gone", without(CONFIG)),
    ("its document cannot be read", lambda s: s[CONFIG]["data"].update({"config.json": "{"})),
    ("its account is gone", without(ACCOUNT)),
    ("a pod is gone", lambda s: s.pop(next(place for place in s if place[0] == "pods"))),
    (
        "a foreign policy leaves agents out",
        lambda s: s.update(
            {
                ("networkpolicies", NAMESPACE, "x"): {
                    "metadata": {"name": "x"},
                    "spec": {
                        "podSelector": {"matchExpressions": [{"key": isolation.AGENT, "operator": "DoesNotExist"}]},
                        "egress": [{}],
                    },
                }
            }
        ),
    ),
]


@pytest.mark.parametrize(("title", "changes"), STRICTER, ids=[case[0] for case in STRICTER])
def test_what_is_stricter_than_the_policy_is_no_weakness(title: str, changes: Callable[[Stored], Any]) -> None:
    stored = sound()
    changes(stored)
    assert broken(stored) == set(), title


def test_a_deleted_policy_still_needs_the_guard_until_its_pods_are_gone() -> None:
    stored = sound()
    del stored[POLICY], stored[QUOTA], stored[OWN]
    for pod in pods(stored):
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert broken(stored) == set()
    del stored[GUARD]
    assert broken(stored) == {Rule.GUARDED}
    for pod in pods(stored):
        pod["status"] = {"phase": "Failed"}
    assert broken(stored) == set()


def test_a_named_token_and_a_named_ingress_are_no_weakness() -> None:
    stored = sound()
    peer = {"podSelector": {"matchLabels": {"app": "caller"}}}
    rule = {"from": [peer], "ports": [{"protocol": "TCP", "port": 8080}]}
    source = {"serviceAccountToken": {"audience": "https://tools.example", "path": "token"}}
    for pod in pods(stored):
        pod["spec"]["volumes"].append({"name": "mine", "projected": {"sources": [source]}})
        pod["spec"]["containers"][0]["volumeMounts"].append({"name": "mine", "mountPath": "/mine"})
    stored[OWN]["spec"]["ingress"] = [rule]
    assert broken(stored) == {Rule.CONFINED, Rule.EXACT}
    stored[POLICY]["spec"] |= {
        "identity": {"token": {"audience": "https://tools.example"}},
        "ingress": [{"port": 8080, "from": [peer]}],
    }
    assert broken(stored) == set()
    stored[POLICY]["spec"]["ingress"][0]["from"] = [{"podSelector": {"matchLabels": {"app": "other"}}}]
    assert broken(stored) == {Rule.EXACT}
