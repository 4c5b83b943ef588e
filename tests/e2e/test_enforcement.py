"""What the object says where nothing enforces NetworkPolicies: by switching off what does, on the node itself.

It is the cage test's control as well: whatever a watchdog reaches now, it tries, and it would reach it if it could.
"""

import json
from collections.abc import Callable

import pytest

from tests.cluster import addresses, cluster
from tests.support.e2e import install
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object, condition
from zaum_api import contract

KUBELET_PORT = 10250
RETURN_SECONDS = 90.0
"""A test that failed is repeated within a period."""
ASKING = """
import http.client, json, os, time, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
while True:
    asking = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=20)
    asking.request("CONNECT", "docs.example.com:443", headers={"Host": "docs.example.com:443"})
    answer = asking.getresponse()
    print(json.dumps({"status": answer.status, "rule": answer.getheader("x-zaum-rule")}), flush=True)
    asking.close()
    time.sleep(1)
"""
LIMITS = {"requests": {"perMinute": 6000, "burst": 1000}}
EGRESS = {"hosts": [{"host": addresses.WEBSITE_NAME}]}


def says(kind: str, status: str, reason: str) -> Callable[[Object], bool]:
    """Give what looks for a condition."""
    return lambda policy: (condition(policy, kind).get("status"), condition(policy, kind).get("reason")) == (
        status, reason,
    )  # fmt: skip


def proven(agents: Agents, name: str) -> Object:
    return agents.api.until(
        "agentpolicies", agents.namespace, name, says("EnforcementProven", "True", "CageHeld"),
        seconds=RETURN_SECONDS, what=f"the cage of {name} is proven",
    )  # fmt: skip


def open_to_all(agents: Agents, name: str) -> str:
    """Wait until the object says that nothing is enforced; give its words."""
    found = agents.api.until(
        "agentpolicies", agents.namespace, name, says("EnforcementProven", "False", "NotEnforced"),
        seconds=RETURN_SECONDS, what=f"nothing cages {name}",
    )  # fmt: skip
    said: str = condition(found, "EnforcementProven")["message"]
    return said


def out_of_reach(api: Api, pod: Object) -> set[str]:
    """Spell all that the cage test of a pod has to try, from what the cluster itself says of its addresses."""
    hosts = [item["ip"] for item in pod["status"]["hostIPs"]]
    assert {":" in address for address in hosts} == {True, False}, "the node has an address of each family"
    authorizer = api.get("services", install.NAMESPACE, contract.AUTHORIZER_SERVICE)["spec"]["clusterIPs"]
    server = api.get("services", "default", "kubernetes")["spec"]["clusterIP"]
    return {
        *(f"node ({at(address, KUBELET_PORT)})" for address in hosts),
        *(f"authorizer ({at(address, contract.AUTHORIZER_PORT)})" for address in authorizer),
        *(f"metadata ({at(address, 80)})" for address in (addresses.METADATA_IPV4, addresses.METADATA_IPV6)),
        *(f"canary ({canary})" for canary in install.CANARIES),
        f"apiServer ({at(server, 443)})",
        f"dns ({at(addresses.CLUSTER_DNS_IPV4, 53)}): answered",
        f"dns ({at(addresses.CLUSTER_DNS_IPV4, 53)}): connected",
    }


def at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def count_of_tries(agents: Agents, pod: Object) -> int:
    """Count what the last cage test of a pod has tried."""
    lines = agents.api.log_so_far(agents.namespace, pod["metadata"]["name"], container=contract.CONTAINER_WATCHDOG)
    return int([line for line in map(json.loads, lines) if line["kind"] == "cage"][-1]["tested"])


def waits(pod: Object) -> bool:
    """Say whether the watchdog runs and the agent has not been started."""
    status = pod.get("status", {})
    watchdogs = {item["name"]: item for item in status.get("initContainerStatuses", ())}
    agents = {item["name"]: item for item in status.get("containerStatuses", ())}
    watchdog, agent = watchdogs.get(contract.CONTAINER_WATCHDOG), agents.get(contract.CONTAINER_AGENT)
    return bool(
        watchdog and agent
        and "running" in watchdog["state"] and not watchdog["started"] and not watchdog["restartCount"]
        and set(agent["state"]) == {"waiting"}
    )  # fmt: skip


@pytest.mark.world
@pytest.mark.node
@pytest.mark.alone
def test_i02_where_nothing_is_enforced_the_object_says_so_and_no_agent_that_needs_the_proof_starts(
    agents: Agents, api: Api
) -> None:
    before = agents.run("before", ASKING, egress=EGRESS, limits=LIMITS)
    proven(agents, "before")
    answers = agents.lines(before, seconds=2 * RETURN_SECONDS)
    assert next(answers) == {"status": 200, "rule": None}
    sleeps = ["sleep", "3600"]
    with cluster.unenforced():
        api.apply("agentpolicies", agents.policy("careless", command=sleeps))
        api.apply("agentpolicies", agents.policy("careful", command=sleeps, egress={"requireProof": True}))
        # Its next test is up to a minute away; another document is tested at once.
        api.merge("agentpolicies", agents.namespace, "before", {"spec": {"egress": {"requireProof": True}}})
        careless = agents.running("careless")
        said = open_to_all(agents, "careless")
        wanted = out_of_reach(api, careless)
        assert {target for target in wanted if target not in said} == set()
        assert careless["metadata"]["name"] in said
        assert count_of_tries(agents, careless) == len(wanted), "nothing else is tried: each has its control here"
        open_to_all(agents, "careful")
        label = f"{contract.LABEL_POLICY}=careful"
        held = api.until_any(
            "pods", agents.namespace, label, waits, seconds=5, what="the watchdog runs, the agent waits"
        )
        assert (
            "EnforcementProven" in condition(api.get("agentpolicies", agents.namespace, "careful"), "Ready")["message"]
        )
        open_to_all(agents, "before")
        refused = next(answer for answer in answers if answer["status"] != 200)
        assert refused == {"status": 503, "rule": contract.Rule.NO_PROOF.value}
    for name in ("careless", "careful", "before"):
        proven(agents, name)
    assert agents.running("careful")["metadata"]["uid"] == held["metadata"]["uid"]
    assert count_of_tries(agents, careless) == len(wanted), "the same is tried, and nothing is reached"
    assert next(answer for answer in answers if answer["status"] == 200)
