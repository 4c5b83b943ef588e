"""What nobody may do to objects of ours, owners of a namespace and cluster administrators included.

Each refusal stands beside the same request allowed. The cluster administrator is whoever the kubeconfig names, for whom
RBAC refuses nothing, and a namespace's owner has every right inside it: what refuses is admission.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.e2e.admission import (
    CLUSTER_SCOPED,
    DRY,
    EXCLUSION,
    KINDS,
    LABELS,
    OPERATOR,
    OPERATOR_AS_ADMIN,
    RULES,
    body,
    create,
    eventually_refused,
    network_policy,
    policy,
    refused,
)
from tests.support.e2e.api import Api, Object, RefusedError, User, service_account, url
from zaum_api import contract

UNINSTALL = User("system:serviceaccount:zaum-system:zaum-uninstall", ("system:masters", "system:authenticated"))
"""The uninstall hook's account, whose roles are there only while it runs."""
KUBE = {
    name: service_account("kube-system", name)
    for name in ("generic-garbage-collector", "namespace-controller", "pod-garbage-collector", "node-controller")
}
SCHEDULER = User("system:kube-scheduler")
NAMESPACED = [kind for kind in KINDS if kind not in CLUSTER_SCOPED]
PEOPLE = [("administrator", kind) for kind in KINDS] + [("owner", kind) for kind in NAMESPACED]
"""Who tries, and on what: a namespace's owner has no business with cluster-scoped kinds, by RBAC."""


def place(kind: str, namespace: str) -> str:
    return "" if kind in CLUSTER_SCOPED else namespace


@pytest.mark.parametrize(("who", "kind"), PEOPLE)
def test_a_name_of_ours_is_reserved(people: dict[str, Api], namespace: str, who: str, kind: str) -> None:
    api = people[who]
    refused(lambda: create(api, kind, body(kind, namespace, name="zaum-probe")), "only the Zaum operator may create")
    create(api, kind, body(kind, namespace, name="probe"))
    create(api.as_user(OPERATOR), kind, body(kind, namespace, name="zaum-probe"))


@pytest.mark.parametrize(("who", "kind"), PEOPLE)
def test_a_generated_name_of_ours_is_reserved(people: dict[str, Api], namespace: str, who: str, kind: str) -> None:
    api = people[who]
    refused(lambda: create(api, kind, body(kind, namespace, generateName="zaum-")), "only the Zaum operator")
    create(api, kind, body(kind, namespace, generateName="probe-"))


@pytest.mark.parametrize(("who", "kind"), PEOPLE)
@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_our_labels_and_annotations_are_reserved(
    people: dict[str, Api], namespace: str, who: str, kind: str, where: str
) -> None:
    api = people[who]
    marked = body(kind, namespace, name="probe", **{where: {"zaum.dev/agent": "true"}})
    refused(lambda: create(api, kind, marked), "only the Zaum operator")
    create(api, kind, body(kind, namespace, name="probe", **{where: {"example.com/agent": "true"}}))


def test_our_labels_are_reserved_in_our_own_namespace_too(api: Api) -> None:
    marked = body("pods", "zaum-system", name="probe", labels={"zaum.dev/agent": "true"})
    refused(lambda: create(api, "pods", marked), "only the Zaum operator")
    create(api, "pods", body("pods", "zaum-system", name="zaum-probe", labels=LABELS))


def test_what_the_operator_marks_in_our_own_namespace_can_be_replaced(api: Api) -> None:
    marks = {contract.ANNOTATION_CERTIFICATES: "1"}
    replacing = api.as_user(User(service_account("kube-system", "replicaset-controller").name, ("system:masters",)))
    for who in (api, replacing):
        create(who, "pods", body("pods", "zaum-system", name="zaum-probe", annotations=marks))


@pytest.mark.parametrize(("who", "kind"), PEOPLE)
def test_i11_nobody_but_the_operator_changes_an_object_of_ours(
    people: dict[str, Api], namespace: str, who: str, kind: str, kept: Callable[..., str]
) -> None:
    api = people[who]
    where = place(kind, namespace)
    patch = {"metadata": {"labels": LABELS}}
    ours, foreign = kept(kind, "zaum-probe"), kept(kind, "probe")
    refused(lambda: api.merge(kind, where, ours, patch), "only the Zaum operator may update")
    api.merge(kind, where, foreign, patch)
    api.as_user(OPERATOR).merge(kind, where, ours, patch)


def test_nobody_makes_a_pod_ours_by_a_label(api: Api, namespace: str, kept: Callable[..., str]) -> None:
    foreign = kept("pods", "probe")
    patch = {"metadata": {"labels": {"zaum.dev/agent": "true"}}}
    refused(lambda: api.merge("pods", namespace, foreign, patch), "only the Zaum operator may update")
    api.merge("pods", namespace, foreign, {"metadata": {"labels": {"example.com/agent": "true"}}})


def test_nobody_makes_a_pod_ours_by_a_report(people: dict[str, Api], namespace: str, kept: Callable[..., str]) -> None:
    foreign = kept("pods", "probe")

    def report(who: Api, label: str) -> object:
        patch = {"metadata": {"labels": {label: "true"}}}
        target = url("pods", namespace, foreign, "status")
        return who.send("PATCH", target, patch, query=DRY, content="application/merge-patch+json")

    for who in people.values():
        refused(lambda who=who: report(who, "zaum.dev/agent"), "report on agent pods")  # type: ignore[misc]
        report(who, "example.com/agent")


@pytest.mark.parametrize(("who", "kind"), PEOPLE)
def test_nobody_but_the_operator_deletes_an_object_of_ours(
    people: dict[str, Api], namespace: str, who: str, kind: str, kept: Callable[..., str]
) -> None:
    api = people[who]
    where = place(kind, namespace)
    ours, foreign = kept(kind, "zaum-probe"), kept(kind, "probe")
    refused(lambda: api.delete(kind, where, ours, dry_run=True), "only the Zaum operator may delete")
    api.delete(kind, where, foreign, dry_run=True)
    api.as_user(OPERATOR).delete(kind, where, ours, dry_run=True)


@pytest.mark.parametrize("kind", ["pods", "networkpolicies", "priorityclasses"])
def test_i13_the_uninstall_hook_deletes_what_is_ours(
    api: Api, namespace: str, kind: str, kept: Callable[..., str]
) -> None:
    where = place(kind, namespace)
    ours = kept(kind, "zaum-probe")
    api.as_user(UNINSTALL).delete(kind, where, ours, dry_run=True)
    refused(lambda: create(api.as_user(UNINSTALL), kind, body(kind, namespace, name="zaum-more")), "may create")


@pytest.mark.parametrize("controller", sorted(KUBE))
def test_i13_kubernetes_own_controllers_delete_pods_of_ours(
    api: Api, namespace: str, controller: str, kept: Callable[..., str]
) -> None:
    ours = kept("pods", "zaum-probe")
    api.as_user(KUBE[controller]).delete("pods", namespace, ours, dry_run=True)


@pytest.mark.parametrize("kind", NAMESPACED)
@pytest.mark.parametrize("controller", ["generic-garbage-collector", "namespace-controller"])
def test_i13_what_is_ours_goes_with_its_policy_and_its_namespace(
    api: Api, namespace: str, controller: str, kind: str, kept: Callable[..., str]
) -> None:
    ours = kept(kind, "zaum-probe")
    api.as_user(KUBE[controller]).delete(kind, namespace, ours, dry_run=True)


def test_i13_a_claim_of_ours_is_let_go_by_its_protection(api: Api, namespace: str, kept: Callable[..., str]) -> None:
    ours = kept("persistentvolumeclaims", "zaum-probe")
    held = api.get("persistentvolumeclaims", namespace, ours)
    assert held["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"], "a controller has to change it"
    api.as_user(OPERATOR).delete("persistentvolumeclaims", namespace, ours)
    api.until_gone("persistentvolumeclaims", namespace, ours, seconds=60)


def test_the_scheduler_may_preempt_a_pod_of_ours(api: Api, namespace: str, kept: Callable[..., str]) -> None:
    api.as_user(SCHEDULER).delete("pods", namespace, kept("pods", "zaum-probe"), dry_run=True)


def test_a_foreign_pod_cannot_borrow_an_agents_identity(api: Api, namespace: str, kept: Callable[..., str]) -> None:
    ours, foreign = kept("serviceaccounts", "zaum-probe"), kept("serviceaccounts", "probe")

    def pod(account: str) -> Object:
        made = body("pods", namespace, name="probe")
        made["spec"]["serviceAccountName"] = account
        return made

    refused(lambda: create(api, "pods", pod(ours)), "ServiceAccounts of agents")
    create(api, "pods", pod(foreign))


def test_a_foreign_pod_cannot_borrow_an_agents_quota(api: Api, namespace: str, kept: Callable[..., str]) -> None:
    ours, foreign = kept("priorityclasses", "zaum-probe"), kept("priorityclasses", "probe")

    def pod(priority: str) -> Object:
        made = body("pods", namespace, name="probe")
        made["spec"]["priorityClassName"] = priority
        return made

    refused(lambda: create(api, "pods", pod(ours)), "PriorityClasses of agents")
    create(api, "pods", pod(foreign))


def test_a_foreign_pod_cannot_mount_an_agents_workspace(
    people: dict[str, Api], namespace: str, kept: Callable[..., str]
) -> None:
    ours, foreign = kept("persistentvolumeclaims", "zaum-probe"), kept("persistentvolumeclaims", "probe")

    def pod(claim: str) -> Object:
        made = body("pods", namespace, name="probe")
        made["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        return made

    for who in people.values():
        refused(lambda who=who: create(who, "pods", pod(ours)), "workspaces of agents")  # type: ignore[misc]
        create(who, "pods", pod(foreign))


def test_an_agent_pod_is_not_resized(api: Api, namespace: str, kept: Callable[..., str]) -> None:
    sized = {"name": "main", "resources": {"limits": {"cpu": "20m"}, "requests": {"cpu": "20m"}}}
    patch = {"spec": {"containers": [sized]}}

    def resize(name: str) -> object:
        target = url("pods", namespace, name, "resize")
        return api.send("PATCH", target, patch, query=DRY, content="application/strategic-merge-patch+json")

    ours, foreign = kept("pods", "zaum-probe"), kept("pods", "probe")
    refused(lambda: resize(ours), "not resized in place")
    resize(foreign)
    # The operator takes cpu away before a kill; these pods run on no node, where what it asks would be done.


def test_only_nodes_and_controllers_report_on_an_agent_pod(api: Api, namespace: str, kept: Callable[..., str]) -> None:
    patch = {"status": {"podIP": "192.0.2.1", "podIPs": [{"ip": "192.0.2.1"}]}}

    def report(who: Api, name: str) -> Object:
        target = url("pods", namespace, name, "status")
        answer: Object = who.send("PATCH", target, patch, query=DRY, content="application/merge-patch+json")
        return answer

    ours, foreign = kept("pods", "zaum-probe"), kept("pods", "probe")
    refused(lambda: report(api, ours), "report on agent pods")
    refused(lambda: report(api.as_user(OPERATOR_AS_ADMIN), ours), "report on agent pods")
    report(api.as_user(SCHEDULER), ours)
    report(api, foreign)


@pytest.mark.parametrize("path", ["pods/{}/binding", "bindings"])
def test_only_the_scheduler_binds_an_agent_pod(api: Api, namespace: str, kept: Callable[..., str], path: str) -> None:
    def bind(who: Api, name: str) -> object:
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "elsewhere"},
        }
        return who.send("POST", f"/api/v1/namespaces/{namespace}/{path.format(name)}", binding, query=DRY)

    ours, foreign = kept("pods", "zaum-probe"), kept("pods", "probe")
    refused(lambda: bind(api, ours), "only the scheduler binds")
    bind(api.as_user(SCHEDULER), ours)
    bind(api, foreign)


def test_i02_an_eviction_without_grace_is_refused(api: Api, namespace: str, kept: Callable[..., str]) -> None:
    def evict(name: str, grace: int | None) -> object:
        eviction: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"dryRun": ["All"]},
        }
        if grace is not None:
            eviction["deleteOptions"]["gracePeriodSeconds"] = grace
        return api.send("POST", url("pods", namespace, name, "eviction"), eviction, query=DRY)

    ours, foreign = kept("pods", "zaum-probe"), kept("pods", "probe")
    refused(lambda: evict(ours, 0), "grace period above zero")
    evict(ours, None)
    evict(ours, 5)
    evict(foreign, 0)


@pytest.fixture
def guarded(api: Api, namespace: str) -> str:
    """A namespace with a policy, and with it the guard."""
    api.apply("agentpolicies", policy(namespace))
    api.until("networkpolicies", namespace, "zaum--guard", lambda _: True, seconds=60, what="the guard")
    return namespace


@pytest.mark.parametrize("kind", RULES)
def test_i02_a_foreign_rule_is_refused_where_agents_run(api: Api, guarded: str, free: Any, kind: str) -> None:
    spec = RULES[kind]
    eventually_refused(lambda: create(api, "networkpolicies", network_policy(guarded, spec)), "add up")
    create(api, "networkpolicies", network_policy(free.namespace, spec))
    excluding = copy.deepcopy(spec)
    excluding["podSelector"].setdefault("matchExpressions", []).append(EXCLUSION)
    excluding["podSelector"].pop("matchLabels", None)
    create(api, "networkpolicies", network_policy(guarded, excluding))


def test_i02_a_foreign_policy_without_rules_is_fine(api: Api, guarded: str) -> None:
    create(api, "networkpolicies", network_policy(guarded, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))
    eventually_refused(lambda: create(api, "networkpolicies", network_policy(guarded, RULES["egress"])), "add up")


def test_a_service_that_selects_agents_is_no_way_in(api: Api, guarded: str, free: Any) -> None:
    def enter(namespace: str) -> object:
        return api.send("GET", url("services", namespace, "harmless", "proxy"))

    eventually_refused(lambda: create(api, "networkpolicies", network_policy(guarded, RULES["egress"])), "add up")
    refused(lambda: enter(guarded), "denied here to everybody")
    with pytest.raises(RefusedError) as control:
        enter(free.namespace)
    assert control.value.status in {404, 503}, "the control reaches what is not there"
