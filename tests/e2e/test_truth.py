"""What the object says of cage and pods on a real cluster, and what follows from a contact at the gateway."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.e2e import admission, install
from tests.support.e2e.agents import READY_SECONDS, Agents
from tests.support.e2e.api import Api, Object, RefusedError, condition
from zaum_api import contract

SLEEP = ["sleep", "3600"]
RESTORED_SECONDS = 5.0
FOLLOWED_SECONDS = 30.0
KNOCK = """
import socket, ssl, sys, time
context = ssl._create_unverified_context()
with context.wrap_socket(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)) as wire:
    wire.sendall(b"CONNECT docs.example.com:443 HTTP/1.1\\r\\nHost: docs.example.com:443\\r\\n\\r\\n")
    print(wire.recv(1000))
time.sleep(3600)
"""


def says(kind: str, status: str, reason: str) -> Callable[[Object], bool]:
    """Give what looks for a condition."""

    def holds(policy: Object) -> bool:
        found = condition(policy, kind)
        return (found.get("status"), found.get("reason")) == (status, reason)

    return holds


def test_the_cage_of_a_running_agent_is_proven_on_the_object(agents: Agents, api: Api) -> None:
    api.apply("agentpolicies", agents.policy("caged", command=SLEEP))
    agents.running("caged")
    holds = says("EnforcementProven", "True", "CageHeld")
    found = api.until("agentpolicies", agents.namespace, "caged", holds, seconds=READY_SECONDS, what="CageHeld")
    assert found["status"]["usage"]["wouldDeny"] == 0


def test_i02_a_networkpolicy_that_selects_other_pods_only_is_not_named(agents: Agents, api: Api) -> None:
    others = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "web", "namespace": agents.namespace},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [{}]},
    }  # fmt: skip
    api.apply("networkpolicies", others)
    api.apply("agentpolicies", agents.policy("beside", command=SLEEP))
    agents.running("beside")
    exact = says("EgressExact", "True", "Exact")
    api.until("agentpolicies", agents.namespace, "beside", exact, seconds=READY_SECONDS, what="EgressExact")


def widened(*named: str) -> Callable[[Object], bool]:
    """Give what looks for EgressExact to say that exactly these widen, each by object and rule."""
    said = f"NetworkPolicy {'; NetworkPolicy '.join(named)}. "

    def holds(policy: Object) -> bool:
        foreign = says("EgressExact", "False", "ForeignNetworkPolicy")(policy)
        return foreign and condition(policy, "EgressExact")["message"].startswith(said)

    return holds


def test_i02_egress_exact_names_object_and_rule_of_all_that_widens_however_it_came_there(
    agents: Agents, api: Api
) -> None:
    here, exact = agents.namespace, says("EgressExact", "True", "Exact")

    def made(name: str, selector: Object, *egress: Object) -> Object:
        spec = {"podSelector": selector, "policyTypes": ["Egress"], "egress": list(egress)}
        meta = {"name": name, "namespace": here}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}

    # Before there was a guard to refuse it.
    api.apply("networkpolicies", made("early", {}, {}))
    api.apply("networkpolicies", made("others", {"matchLabels": {"app": "web"}}, {}))
    api.apply("agentpolicies", agents.policy("x", command=SLEEP))
    early = "early, spec.egress[0]: to anyone on any port"
    api.until("agentpolicies", here, "x", widened(early), seconds=READY_SECONDS, what="early is named")
    api.delete("networkpolicies", here, "early")
    agents.running("x")
    api.until("agentpolicies", here, "x", exact, seconds=READY_SECONDS, what="EgressExact")

    # By whoever admission lets pass: the first rule opens only what is open already.
    (own,) = api.get("networkpolicies", here, contract.child_name("x"))["spec"]["egress"]
    web = {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": [{"protocol": "TCP", "port": 443}]}
    late = made("late", {"matchLabels": {contract.LABEL_POLICY: "x"}}, own, web)
    with pytest.raises(RefusedError, match=contract.LABEL_AGENT):
        api.apply("networkpolicies", late)
    for body in (late, made("later", {}, {})):
        api.as_user(admission.OPERATOR).create("networkpolicies", body)
    both = ("late, spec.egress[1]: to 198.51.100.0/24 on TCP 443", "later, spec.egress[0]: to anyone on any port")
    api.until("agentpolicies", here, "x", widened(*both), seconds=FOLLOWED_SECONDS, what="both are named")
    for name in ("late", "later"):
        api.delete("networkpolicies", here, name)
    api.until("agentpolicies", here, "x", exact, seconds=FOLLOWED_SECONDS, what="EgressExact again")


def test_i09_an_agent_that_speaks_to_the_gateway_by_itself_is_ended_and_said_to_be_a_runaway(
    agents: Agents, api: Api
) -> None:
    gateway = api.get("services", install.NAMESPACE, contract.GATEWAY_SERVICE)["spec"]["clusterIP"]
    files = agents.files("knocks", knock_py=KNOCK)
    command = ["python3", "-u", "/files/knock.py", gateway, str(contract.GATEWAY_PORT)]
    api.apply("agentpolicies", agents.policy("knocks", command=command, files=files))
    policy = agents.ready("knocks", status="False", reason="Runaway")
    assert contract.Breach.GATEWAY_CONTACT.value in condition(policy, "Ready")["message"]
    ended = api.until_any(
        "pods", agents.namespace, f"{contract.LABEL_POLICY}=knocks",
        lambda pod: (pod.get("status") or {}).get("phase") == "Failed", seconds=READY_SECONDS, what="the pod is ended",
    )  # fmt: skip
    assert ended["metadata"]["annotations"][contract.ANNOTATION_BREACH] == contract.Breach.GATEWAY_CONTACT.value
    assert agents.event("GatewayContact", ended["metadata"]["name"])["type"] == "Warning"


@pytest.fixture
def granted(api: Api, namespace: str) -> Iterator[None]:
    """A ceiling that grants the Services of the test's own namespace."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    body = {
        "apiVersion": contract.API_VERSION, "kind": contract.KIND_CEILING, "metadata": {"name": namespace},
        "spec": {"namespaceSelector": selector, "services": [{"namespace": namespace}]},
    }  # fmt: skip
    api.apply("agentceilings", body)
    yield
    api.delete("agentceilings", "", namespace)


def way_to(namespace: str) -> Callable[[Object], bool]:
    """Give what looks for a rule that leads to pods of a namespace."""

    def holds(policy: Object) -> bool:
        peers = [peer for rule in policy["spec"].get("egress") or () for peer in rule.get("to") or ()]
        names = [(peer.get("namespaceSelector") or {}).get("matchLabels", {}) for peer in peers]
        return {"kubernetes.io/metadata.name": namespace} in names

    return holds


@pytest.mark.usefixtures("granted")
def test_i11_the_way_to_a_service_is_open_while_a_route_leads_there_and_is_restored(agents: Agents, api: Api) -> None:
    where, name, there = install.NAMESPACE, contract.SERVICES_POLICY, way_to(agents.namespace)
    route = {"name": "tool", "serviceRef": {"name": "tool", "namespace": agents.namespace, "port": 80}}
    api.apply("agentpolicies", agents.policy("routed", command=SLEEP, egress={"routes": [route]}))
    missing = says("Degraded", "True", "ServiceMissing")
    api.until("agentpolicies", agents.namespace, "routed", missing, seconds=READY_SECONDS, what="ServiceMissing")
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "tool", "namespace": agents.namespace},
        "spec": {"selector": {"app": "tool"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }  # fmt: skip
    api.apply("services", service)
    api.until("networkpolicies", where, name, there, seconds=FOLLOWED_SECONDS, what="the way to the Service")
    api.merge("networkpolicies", where, name, {"spec": {"egress": []}})
    api.until("networkpolicies", where, name, there, seconds=RESTORED_SECONDS, what="the way is restored")
    api.delete("agentpolicies", agents.namespace, "routed")
    assert api.find("networkpolicies", where, name) is None or _closes(api, agents.namespace, FOLLOWED_SECONDS)


def _closes(api: Api, namespace: str, seconds: float) -> bool:
    """Wait until nothing leads to a namespace any more; another test's way may keep the object."""
    for kind, seen in api.changes("networkpolicies", install.NAMESPACE, seconds=seconds):
        if seen["metadata"]["name"] == contract.SERVICES_POLICY and (kind == "DELETED" or not way_to(namespace)(seen)):
            return True
    return api.find("networkpolicies", install.NAMESPACE, contract.SERVICES_POLICY) is None
