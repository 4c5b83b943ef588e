"""What only Kubernetes and the operator write: counts, statuses, the Lease, tokens; and what no sweep takes away."""

from collections.abc import Callable

import pytest

from tests.support.e2e import admission
from tests.support.e2e.admission import (
    CLUSTER_SCOPED,
    DRY,
    KINDS,
    LABELS,
    OPERATOR,
    OPERATOR_AS_ADMIN,
    create,
    policy,
    refused,
)
from tests.support.e2e.api import Api, Object, User, url

ACCOUNTANT = User("system:kube-controller-manager", ("system:masters", "system:authenticated"))
NAMESPACED = [kind for kind in KINDS if kind not in CLUSTER_SCOPED]


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("resourcequotas", {"status": {"hard": {"pods": "1k"}, "used": {"pods": "0"}}}),
        ("services", {"status": {"loadBalancer": {}, "conditions": []}}),
        ("persistentvolumeclaims", {"status": {"phase": "Lost"}}),
    ],
)
def test_i12_nobody_writes_what_kubernetes_counts(
    api: Api, people: dict[str, Api], namespace: str, kept: Callable[..., str], *, kind: str, patch: Object
) -> None:
    ours, foreign = kept(kind, "zaum-probe"), kept(kind, "probe")

    def write(who: Api, name: str) -> object:
        target = url(kind, namespace, name, "status")
        return who.send("PATCH", target, patch, query=DRY, content="application/merge-patch+json")

    for who in (*people.values(), api.as_user(OPERATOR_AS_ADMIN)):
        refused(lambda who=who: write(who, ours), "write the status")  # type: ignore[misc]
    write(people["owner"], foreign)
    write(api.as_user(ACCOUNTANT), ours)


def test_nobody_but_the_operator_holds_its_lease(api: Api) -> None:
    def lease(name: str) -> Object:
        meta = {"name": name, "namespace": "zaum-system"}
        spec = {"holderIdentity": "somebody", "leaseDurationSeconds": 15}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}

    def sweep(who: Api, name: str) -> object:
        chosen = {"fieldSelector": f"metadata.name={name}", **DRY}
        return who.send("DELETE", url("leases", "zaum-system"), query=chosen)

    owner = admission.owner_of(api, "zaum-system")
    for who in (api, owner):
        refused(lambda who=who: who.apply("leases", lease("zaum-operator"), dry_run=True), "holds its Lease")  # type: ignore[misc]
        refused(lambda who=who: create(who, "leases", lease("zaum-operator")), "holds its Lease")  # type: ignore[misc]
        refused(lambda who=who: who.delete("leases", "zaum-system", "zaum-operator"), "holds its Lease")  # type: ignore[misc]
        refused(lambda who=who: sweep(who, "zaum-operator"), "holds its Lease")  # type: ignore[misc]
        sweep(who, "probe")
        who.apply("leases", lease("probe"), dry_run=True)
    api.as_user(OPERATOR_AS_ADMIN).apply("leases", lease("zaum-operator"), dry_run=True)


@pytest.mark.parametrize("who", ["administrator", "owner"])
def test_i04_only_nodes_get_tokens_of_agents(
    api: Api, people: dict[str, Api], namespace: str, who: str, kept: Callable[..., str]
) -> None:
    ours, foreign = kept("serviceaccounts", "zaum-probe"), kept("serviceaccounts", "probe")

    def ask(api: Api, account: str) -> Object:
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"namespace": namespace},
            "spec": {"audiences": ["zaum-egress"], "expirationSeconds": 600},
        }
        return api.create("serviceaccounts", request, name=account, sub="token")

    refused(lambda: ask(people[who], ours), "issued to nodes only")
    refused(lambda: ask(api.as_user(OPERATOR_AS_ADMIN), ours), "issued to nodes only")
    assert ask(people[who], foreign)["status"]["token"]


def test_only_the_operator_writes_a_policys_status(api: Api, people: dict[str, Api], namespace: str) -> None:
    api.apply("agentpolicies", policy(namespace))
    target = url("agentpolicies", namespace, "stopped", "status")
    patch = {"status": {"observedGeneration": 1}}

    def write(who: Api) -> object:
        return who.send("PATCH", target, patch, query=DRY, content="application/merge-patch+json")

    for who in people.values():
        refused(lambda who=who: write(who), "only the Zaum operator writes the status")  # type: ignore[misc]
    write(api.as_user(OPERATOR))
    api.merge("agentpolicies", namespace, "stopped", {"metadata": {"labels": LABELS}})


@pytest.mark.parametrize("who", ["administrator", "owner"])
def test_i04_no_token_of_an_agent_is_stored_in_a_secret(
    people: dict[str, Api], namespace: str, who: str, kept: Callable[..., str]
) -> None:
    ours, foreign = kept("serviceaccounts", "zaum-probe"), kept("serviceaccounts", "probe")

    def ask(account: str) -> Object:
        marks = {"kubernetes.io/service-account.name": account}
        meta = {"name": "stored", "namespace": namespace, "annotations": marks}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/service-account-token"}
        return create(people[who], "secrets", body)

    refused(lambda: ask(ours), "never stored in a Secret")
    ask(foreign)
    plain = {"name": "plain", "namespace": namespace}
    create(people[who], "secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": plain})


@pytest.mark.parametrize("who", ["administrator", "owner"])
@pytest.mark.parametrize("kind", NAMESPACED)
def test_a_deletion_of_everything_stops_at_what_is_ours(
    people: dict[str, Api], namespace: str, who: str, kind: str, kept: Callable[..., str]
) -> None:
    def sweep(name: str) -> object:
        chosen = {"fieldSelector": f"metadata.name={name}", **DRY}
        return people[who].send("DELETE", url(kind, namespace), query=chosen)

    ours, foreign = kept(kind, "zaum-probe"), kept(kind, "probe")
    refused(lambda: sweep(ours), "may delete")
    sweep(foreign)
