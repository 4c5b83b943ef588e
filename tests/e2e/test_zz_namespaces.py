"""An installation that holds rights in one namespace only: agents run caged there, and what is missing is said.

Runs near the end, because it takes the usual installation away for a while.
"""

import json
from collections.abc import Iterator

import pytest

from tests.cluster import addresses
from tests.support.e2e import attempts, install
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object, condition
from zaum_api import contract

pytestmark = pytest.mark.alone
AUTHORIZERS = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_AUTHORIZER}"
CLUSTER_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


@pytest.fixture
def scoped(api: Api, namespace: str, images: dict[str, str]) -> Iterator[str]:
    """The chart with Roles in the test's namespace alone; the usual one is back afterwards."""
    assert of_ours(api, CLUSTER_ROLES), "the control: the usual installation has some"
    install.install(api, images, "scope.mode=Namespace", f"scope.namespaces={{{namespace}}}", "crds.install=false")
    # One of before answers the gateway until it has gone, and its rights went with the upgrade: it knows no new pod.
    for pod in api.items("pods", install.NAMESPACE, labels=AUTHORIZERS):
        if "deletionTimestamp" in pod["metadata"]:
            api.until_gone("pods", install.NAMESPACE, pod["metadata"]["name"], seconds=30)
    yield namespace
    install.uninstall(seconds=90)
    install.install(api, images)


def of_ours(api: Api, path: str) -> list[str]:
    """Name the cluster-scoped objects of a kind that the release made."""
    answer = api.send("GET", path, query={"labelSelector": f"{contract.LABEL_NAME}={contract.APP_NAME}"})
    listed: list[Object] = json.loads(answer.data)["items"]
    return [item["metadata"]["name"] for item in listed]


@pytest.mark.world
def test_an_agent_runs_caged_under_roles_alone(scoped: str, agents: Agents, free: Agents, api: Api) -> None:
    assert of_ours(api, CLUSTER_ROLES) == []
    assert of_ours(api, CLUSTER_ROLES.replace("roles", "rolebindings")) == []
    assert of_ours(api, "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies") == []

    # Elsewhere nobody looks: no guard, no pod.
    free.api.apply("agentpolicies", free.policy("ignored", command=["sleep", "3600"]))
    tried = [attempts.tunnel(addresses.WEBSITE_NAME), *attempts.everywhere()]
    hosts = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
    _, outcomes = agents.probes("scoped", tried, together=True, egress=hosts)
    assert attempts.passed(outcomes[0]), outcomes[0]
    assert [outcome for outcome in outcomes[1:] if attempts.passed(outcome)] == []

    policy = agents.ready("scoped")
    assert condition(policy, "Isolated")["status"] == "True"
    degraded = condition(policy, "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "NamespaceScoped")
    assert api.find("resourcequotas", scoped, contract.NAMESPACE_QUOTA_NAME) is not None
    assert api.find("priorityclasses", "", contract.cluster_name(scoped, "scoped")) is None
    assert api.items("pods", free.namespace) == []
    ignored = api.get("agentpolicies", free.namespace, "ignored")
    assert "status" not in ignored, "an operator that has no rights there says nothing"

    install.uninstall(seconds=90)
    assert api.items("pods", scoped, labels=f"{contract.LABEL_AGENT}=true") == []
    assert api.find("networkpolicies", scoped, contract.GUARD_NAME) is None
    assert api.find("resourcequotas", scoped, contract.NAMESPACE_QUOTA_NAME) is None
    assert api.find("leases", install.NAMESPACE, contract.LEASE_NAME) is None
    assert api.find("agentpolicies", scoped, "scoped") is not None, "policies are the user's"
