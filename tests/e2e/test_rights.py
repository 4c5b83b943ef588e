"""What the operator and the authorizer may do is what they do: read from the API server's own audit log."""

import json
from pathlib import Path

import pytest

from tests.cluster import cluster
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object

Right = tuple[str, str, str]
READS = {"get", "list", "watch"}


def granted(api: Api, account: str) -> set[Right]:
    """Every (group, resource, verb) that roles of ours give to a ServiceAccount of ours."""
    rules: list[Object] = []
    for kind in ("clusterroles", "roles"):
        for role in api.items(kind) if kind == "roles" else cluster_roles(api):
            if role["metadata"]["name"].startswith(f"zaum-{account}"):
                rules += role["rules"]
    return {
        (group, resource, verb)
        for rule in rules
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


@pytest.mark.node
@pytest.mark.parametrize("account", ["operator", "authorizer"])
def test_every_verb_that_is_granted_is_used(agents: Agents, api: Api, account: str) -> None:
    # What this run has not caused yet: a life from creation to deletion, with a change of its configuration.
    agents.api.apply("agentpolicies", agents.policy("life", command=["sleep", "3600"]))
    pod = agents.running("life")
    api.merge("agentpolicies", agents.namespace, "life", {"spec": {"limits": {"requests": {"perMinute": 7}}}})
    api.until(
        "pods",
        agents.namespace,
        pod["metadata"]["name"],
        lambda seen: seen["metadata"]["annotations"] != pod["metadata"]["annotations"],
        seconds=20,
        what="the new configuration's digest on the pod",
    )
    api.delete("agentpolicies", agents.namespace, "life")
    api.until_gone("pods", agents.namespace, pod["metadata"]["name"], seconds=30)
    api.until_gone("networkpolicies", agents.namespace, "zaum--guard", seconds=30)
    given, taken = granted(api, account), used(cluster.audit_log(), account)
    assert given
    assert given - taken == set(), "granted and never used"
    assert taken - given == set(), "used by another grant"


def test_i15_nobody_of_ours_may_read_secrets_or_use_wildcards(api: Api) -> None:
    for account in ("operator", "authorizer", "gateway", "uninstall"):
        rights = granted(api, account)
        assert not any("*" in right for right in rights)
        on_secrets = {verb for _, resource, verb in rights if resource.partition("/")[0] == "secrets"}
        assert on_secrets <= {"patch"}, "certificates are written by name, never read"
        assert not any(verb in {"escalate", "bind", "impersonate"} for _, _, verb in rights)
