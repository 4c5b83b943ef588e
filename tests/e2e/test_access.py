"""Ways into agent pods: closed to everybody, unless ceilings open one where the cluster's owner lets them."""

from collections.abc import Callable

import pytest

from tests.support.e2e import admission
from tests.support.e2e.admission import DRY, OPERATOR_AS_ADMIN, refused
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object, RefusedError, again, url
from tests.support.e2e.entering import WAYS, add, debugger, enter
from zaum_api import contract

LABELLED = {contract.LABEL_ACCESS: contract.LABEL_ACCESS_VALUE}


def let_in(action: Callable[[], object]) -> RefusedError:
    """Check that admission lets a request through: what answers then is the pod that is not there, or is no stream."""
    with pytest.raises(RefusedError) as caught:
        action()
    assert "ValidatingAdmissionPolicy" not in caught.value.message, caught.value
    assert caught.value.status in {400, 404}, caught.value
    return caught.value


@pytest.mark.parametrize("way", [*WAYS, "proxy"])
@pytest.mark.parametrize("who", ["administrator", "owner", "operator"])
def test_nobody_gets_into_an_agent_pod(people: dict[str, Api], namespace: str, way: str, who: str) -> None:
    user = people[who] if who in people else people["administrator"].as_user(OPERATOR_AS_ADMIN)
    refused(lambda: enter(user, namespace, "zaum-probe", way), "denied to everybody")
    assert let_in(lambda: enter(user, namespace, "probe", way)).status == 404


@pytest.mark.parametrize("name", ["zaum-probe:80", "http:zaum-probe:80", "https:zaum-probe:", "zaum-probe"])
@pytest.mark.parametrize("kind", ["pods", "services"])
def test_no_spelling_gets_a_proxy_past_admission(api: Api, namespace: str, kind: str, name: str) -> None:
    refused(lambda: api.send("GET", url(kind, namespace, name, "proxy")), "denied to everybody")
    with pytest.raises(RefusedError) as control:
        api.send("GET", url(kind, namespace, name.replace("zaum-", ""), "proxy"))
    assert control.value.status in {404, 503}, "the control reaches what is not there"


@pytest.mark.parametrize("who", ["administrator", "owner"])
def test_an_agent_pod_takes_no_ephemeral_container(
    people: dict[str, Api], namespace: str, who: str, kept: Callable[..., str]
) -> None:
    ours, foreign = kept("pods", "zaum-probe"), kept("pods", "probe")
    refused(lambda: add(people[who], namespace, ours, debugger()), "ephemeral containers")
    refused(lambda: add(people[who].as_user(OPERATOR_AS_ADMIN), namespace, ours, debugger()), "ephemeral containers")
    add(people[who], namespace, foreign, debugger())


def labelled(api: Api, namespace: str) -> None:
    api.merge("namespaces", "", namespace, {"metadata": {"labels": LABELLED}})


def ceiling(
    api: Api, request: pytest.FixtureRequest, namespace: str, access: list[str], labels: dict[str, str] | None = None
) -> None:
    """Make a ceiling for one namespace, until the test ends."""
    selector = {"matchLabels": labels or {"kubernetes.io/metadata.name": namespace}}
    body = {
        "apiVersion": contract.API_VERSION,
        "kind": contract.KIND_CEILING,
        "metadata": {"name": namespace},
        "spec": {"namespaceSelector": selector} | ({"access": access} if access else {}),
    }
    api.apply("agentceilings", body)
    request.addfinalizer(lambda: api.delete("agentceilings", "", namespace))


def has_access(api: Api, namespace: str, access: str) -> None:
    """Wait until the guard carries what the ceilings grant."""

    def holds(guard: Object) -> bool:
        marks = guard["metadata"].get("annotations") or {}
        return bool(marks.get(contract.ANNOTATION_ACCESS, "") == access)

    api.until("networkpolicies", namespace, contract.GUARD_NAME, holds, seconds=60, what=f"access {access!r}")


def opened(action: Callable[[], object]) -> None:
    """Check that a way opens: admission learns of labels and annotations by watches of its own, a moment later."""
    for _ in again(admission.LEARNS_SECONDS):
        try:
            action()
        except RefusedError as error:
            if error.status != 403:
                break
        else:
            return
    let_in(action)


@pytest.mark.parametrize("way", WAYS)
def test_a_ceiling_opens_one_way_where_the_namespace_is_labelled(
    api: Api, agents: Agents, request: pytest.FixtureRequest, way: str
) -> None:
    ceiling(api, request, agents.namespace, [WAYS[way]])
    agents.api.apply("agentpolicies", admission.policy(agents.namespace))
    has_access(api, agents.namespace, WAYS[way])
    owner = admission.owner_of(api, agents.namespace)
    refused(lambda: enter(owner, agents.namespace, "zaum-probe", way), "zaum.dev/access=Ceilings")
    labelled(api, agents.namespace)
    opened(lambda: enter(owner, agents.namespace, "zaum-probe", way))
    for other in WAYS.keys() - {way}:
        refused(lambda other=other: enter(owner, agents.namespace, "zaum-probe", other), "grants")  # type: ignore[misc]
    if way != "portforward":
        refused(lambda: enter(owner, agents.namespace, "zaum-probe", way, container="watchdog"), "agent container only")
        let_in(lambda: enter(owner, agents.namespace, "zaum-probe", way, container="agent"))


def test_an_ephemeral_container_is_as_caged_as_the_agent(
    api: Api, agents: Agents, request: pytest.FixtureRequest, kept: Callable[..., str]
) -> None:
    ceiling(api, request, agents.namespace, ["EphemeralContainers"])
    agents.api.apply("agentpolicies", admission.policy(agents.namespace))
    has_access(api, agents.namespace, "EphemeralContainers")
    labelled(api, agents.namespace)
    ours, where = kept("pods", "zaum-probe"), agents.namespace
    owner = admission.owner_of(api, where)
    opened(lambda: add(owner, where, ours, debugger()))
    refused(lambda: add(owner, where, ours, debugger(runAsUser=contract.WATCHDOG_UID)), "as caged as the agent")
    mounted = debugger() | {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    refused(lambda: add(owner, where, ours, mounted), "as caged as the agent")


def test_a_label_alone_opens_nothing(api: Api, agents: Agents) -> None:
    agents.api.apply("agentpolicies", admission.policy(agents.namespace))
    has_access(api, agents.namespace, "")
    labelled(api, agents.namespace)
    admission.eventually_refused(lambda: enter(api, agents.namespace, "zaum-probe", "exec"), "grants")


@pytest.mark.parametrize("who", ["administrator", "owner"])
def test_nobody_grants_by_the_guards_annotation(people: dict[str, Api], agents: Agents, who: str) -> None:
    agents.api.apply("agentpolicies", admission.policy(agents.namespace))
    has_access(agents.api, agents.namespace, "")
    marks = {"metadata": {"annotations": {contract.ANNOTATION_ACCESS: "Exec"}}}
    refused(
        lambda: people[who].merge("networkpolicies", agents.namespace, contract.GUARD_NAME, marks),
        "only the Zaum operator may update",
    )


@pytest.mark.parametrize("sub", ["", "status", "finalize"])
@pytest.mark.parametrize("labels", [{"team": "free"}, LABELLED], ids=["out of a ceiling", "into relaxation"])
def test_nobody_leaves_a_ceiling_by_a_label(
    api: Api,
    people: dict[str, Api],
    namespace: str,
    request: pytest.FixtureRequest,
    *,
    labels: dict[str, str],
    sub: str,
) -> None:
    """A Role with every right in a namespace reaches the Namespace object too; Kubernetes' own `admin` does not."""
    api.merge("namespaces", "", namespace, {"metadata": {"labels": {"team": "research"}}})
    ceiling(api, request, namespace, [], {"team": "research"})

    def label(who: Api, labels: dict[str, str]) -> object:
        target, patch = url("namespaces", "", namespace, sub), {"metadata": {"labels": labels}}
        if sub != "finalize":
            return who.send("PATCH", target, patch, query=DRY, content="application/merge-patch+json")
        body = api.get("namespaces", "", namespace)  # this one takes whole objects only
        body["metadata"]["labels"] |= labels
        return who.send("PUT", target, body, query=DRY)

    admission.eventually_refused(lambda: label(people["owner"], labels), "which ceilings hold")
    label(people["owner"], {"mood": "good"})
    label(people["administrator"], labels)
