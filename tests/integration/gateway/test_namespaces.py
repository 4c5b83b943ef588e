"""The gateway under rights in a few namespaces: it reads these and no other, and decides the same."""

from tests.integration.gateway import callers, conftest
from tests.integration.gateway.test_gateway import opened, refused
from zaum_api.contract import Rule


def test_i04_an_agent_of_a_named_namespace_gets_out_and_one_of_another_does_not(scoped: conftest.World) -> None:
    opened(scoped)
    scoped.lab.cluster.pods.put({**scoped.pod, "metadata": {**scoped.pod["metadata"], "uid": "elsewhere"}})
    bound = {
        "namespace": "elsewhere",
        "pod": {"name": scoped.pod["metadata"]["name"], "uid": "elsewhere"},
        "serviceaccount": {"name": scoped.pod["spec"]["serviceAccountName"], "uid": "sa-uid"},
    }
    answer = callers.ask(scoped.lab, scoped.authority, token=scoped.token(bound=bound))
    refused(answer, Rule.POD_UNKNOWN)


def test_a_list_of_another_namespace_forgets_nothing(scoped: conftest.World) -> None:
    opened(scoped)
    for collection in scoped.lab.cluster.shares["others"]:
        collection.close()
    others, _ = scoped.lab.cluster.shares["others"]
    others.put({"metadata": {"namespace": "others", "name": "x", "uid": "x"}})
    scoped.lab.authorizer.await_line(event="relist")
    opened(scoped)
