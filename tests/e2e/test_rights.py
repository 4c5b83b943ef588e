"""What the operator and the authorizer may do is what they do: read from the API server's own audit log."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import cluster, local, processes
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object
from zaum_api import contract

Right = tuple[str, str, str]
CALLERS = {"port": 8080, "from": [{"podSelector": {"matchLabels": {"app": "caller"}}}]}
OURS = {
    contract.CA_SECRET,
    contract.GATEWAY_TLS_SECRET,
    contract.AUTHORIZER_TLS_SECRET,
    contract.LEDGER_TLS_SECRET,
    contract.SESSION_SECRET,
}
"""The Secrets that the chart names and the operator fills."""


def rules(api: Api, account: str) -> list[Object]:
    """Every rule of the roles that the chart gives to a ServiceAccount of ours."""
    roles = [*cluster_roles(api), *api.items("roles")]
    return [rule for role in roles if role["metadata"]["name"].startswith(f"zaum-{account}") for rule in role["rules"]]


def granted(api: Api, account: str) -> set[Right]:
    """Every (group, resource, verb) that roles of ours give to a ServiceAccount of ours."""
    return {
        (group, resource, verb)
        for rule in rules(api, account)
        for group in rule.get("apiGroups", [])
        for resource in rule.get("resources", [])
        for verb in rule["verbs"]
    }


def cluster_roles(api: Api) -> list[Object]:
    answer = api.send("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles")
    listed: list[Object] = json.loads(answer.data)["items"]
    return listed


def used(log: Path, account: str) -> set[Right]:
    """Every (group, resource, verb) that the account was allowed to use since the API server started."""
    found = set()
    for line in log.read_text().splitlines():
        record = json.loads(line)
        if record["user"].get("username") != f"system:serviceaccount:zaum-system:zaum-{account}":
            continue
        reference = record.get("objectRef")
        if reference is None or record.get("responseStatus", {}).get("code") == 403:
            continue
        resource = reference["resource"] + (f"/{reference['subresource']}" if "subresource" in reference else "")
        group = reference.get("apiGroup", "")
        found.add((group, resource, record["verb"]))
        if record["verb"] == "patch" and record["responseStatus"]["code"] == 201:
            found.add((group, resource, "create"))  # an apply that creates is authorised for both
    return found


@contextmanager
def without_collector() -> Iterator[None]:
    """Have Kubernetes' own controllers stand still, and with them the garbage collector."""
    records = processes.load(local.place().processes)
    (controllers,) = (record for record in records if record.name == "kube-controller-manager")
    os.kill(controllers.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(controllers.pid, signal.SIGCONT)


def being_deleted(seen: Object) -> bool:
    return bool(seen["metadata"].get("deletionTimestamp"))


@pytest.mark.alone
@pytest.mark.node
@pytest.mark.parametrize("account", ["operator", "authorizer", "ledger"])
def test_every_verb_that_is_granted_is_used(agents: Agents, api: Api, account: str) -> None:
    # What this run has not caused yet: a life from creation to deletion, with every kind of child and a change.
    where = agents.namespace
    policy = agents.policy("life", command=["sleep", "3600"], files=agents.files("life"), ingress=[CALLERS])
    agents.api.apply("agentpolicies", policy)
    pod = agents.running("life")
    api.until("services", where, contract.child_name("life"), lambda _: True, seconds=60, what="the Service")
    api.merge("agentpolicies", where, "life", {"spec": {"limits": {"requests": {"perMinute": 7}}}})
    api.until(
        "pods",
        where,
        pod["metadata"]["name"],
        lambda seen: seen["metadata"]["annotations"] != pod["metadata"]["annotations"],
        seconds=60,
        what="the new configuration's digest on the pod",
    )
    # No such storage class: what is looked for is the claim, not a pod.
    workspace = {"persistent": {"storageClass": "nowhere"}}
    agents.api.apply("agentpolicies", agents.policy("claims", command=["true"], agent={"workspace": workspace}))
    claim = contract.claim_name("claims", 0)
    api.until("persistentvolumeclaims", where, claim, lambda _: True, seconds=60, what="the claim")
    # The garbage collector deletes too, and whoever is faster does: here it must be the operator.
    with without_collector():
        for name in ("life", "claims"):
            api.delete("agentpolicies", where, name)
        api.until("persistentvolumeclaims", where, claim, being_deleted, seconds=60, what="the claim's deletion")
        api.until_gone("pods", where, pod["metadata"]["name"], seconds=60)
    api.until_gone("persistentvolumeclaims", where, claim, seconds=60)
    api.until_gone("networkpolicies", where, contract.GUARD_NAME, seconds=60)
    given, taken = granted(api, account), used(cluster.audit_log(), account)
    assert given
    assert given - taken == set(), "granted and never used"
    assert taken - given == set(), "used by another grant"


def test_i15_nobody_of_ours_may_read_secrets_or_use_wildcards(api: Api) -> None:
    for account in ("operator", "authorizer", "gateway", "ledger", "uninstall"):
        rights = granted(api, account)
        assert not any("*" in right for right in rights)
        on_secrets = {verb for _, resource, verb in rights if resource.partition("/")[0] == "secrets"}
        assert on_secrets <= {"patch"}, "certificates are written by name, never read"
        assert not any(verb in {"escalate", "bind", "impersonate"} for _, _, verb in rights)
