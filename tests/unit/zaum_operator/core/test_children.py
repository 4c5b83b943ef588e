"""Services, claims, tokens, lifetimes: what comes with a field, what goes with it, and what stays."""

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support import rendered, specs
from tests.support.planned import Planned
from tests.support.world import NAMESPACE
from zaum_api import contract
from zaum_operator import errors
from zaum_operator.core import actions, kinds

WEB = {"port": 8080, "from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}
TEAM = {"port": 9090, "name": "api", "from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}
SERVED: dict[str, Any] = {
    "clusterIP": "10.96.1.1", "clusterIPs": ["10.96.1.1"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"
}  # fmt: skip
"""What the API server fills in."""


def persistent(**fields: Any) -> dict[str, Any]:
    workspace = {"size": "1Gi", "persistent": {}} | fields.pop("workspace", {})
    return specs.agent(workspace=workspace, **fields)


def settled(spec: dict[str, Any]) -> Planned:
    world = Planned()
    world.policy(spec)
    world.settle()
    world.run_pods()
    world.settle()
    return world


def service(world: Planned) -> dict[str, Any]:
    (found,) = world.api.all(kinds.SERVICE)
    return found


def network(world: Planned) -> dict[str, Any]:
    spec: dict[str, Any] = world.api.objects[("networkpolicies", NAMESPACE, "zaum-researcher")]["spec"]
    return spec


# Ingress


def test_ingress_opens_a_port_to_its_peers_and_nothing_else() -> None:
    world = settled(specs.spec(ingress=[TEAM, WEB]))
    assert network(world)["policyTypes"] == ["Ingress", "Egress"]
    assert network(world)["ingress"] == [
        {"from": WEB["from"], "ports": [{"protocol": "TCP", "port": 8080}]},
        {"from": TEAM["from"], "ports": [{"protocol": "TCP", "port": 9090}]},
    ]
    assert [(port["name"], port["port"]) for port in service(world)["spec"]["ports"]] == [
        ("port-8080", 8080), ("api", 9090)
    ]  # fmt: skip
    assert service(world)["spec"]["type"] == "ClusterIP"


def test_i01_without_ingress_nobody_gets_in_and_the_service_goes() -> None:
    world = settled(specs.spec(ingress=[WEB]))
    world.policy(specs.agent())
    world.settle()
    assert world.api.all(kinds.SERVICE) == []
    assert network(world)["policyTypes"] == ["Egress"]
    assert "ingress" not in network(world)


def test_what_the_api_server_fills_in_is_no_drift() -> None:
    world = settled(specs.spec(ingress=[WEB]))
    world.api.edit(kinds.SERVICE, NAMESPACE, "zaum-researcher", {"spec": SERVED})
    assert world.step() == []


@pytest.mark.parametrize(
    "patch",
    [
        {"type": "NodePort"},
        {"externalIPs": ["192.0.2.7"]},
        {"selector": {"app": "evil"}},
        {"publishNotReadyAddresses": True},
        {"sessionAffinity": "ClientIP"},
        {"ports": [{"name": "port-8080", "port": 8080, "protocol": "TCP", "targetPort": 22}]},
        {"ports": [{"name": "port-8080", "port": 8080, "protocol": "TCP", "targetPort": 8080},
                   {"name": "more", "port": 22, "protocol": "TCP", "targetPort": 22}]},
    ],
)  # fmt: skip
def test_i11_an_edited_service_is_restored(patch: dict[str, Any]) -> None:
    world = settled(specs.spec(ingress=[WEB]))
    world.api.edit(kinds.SERVICE, NAMESPACE, "zaum-researcher", {"spec": SERVED})
    before = copy.deepcopy(service(world)["spec"])
    world.api.edit(kinds.SERVICE, NAMESPACE, "zaum-researcher", {"spec": patch})
    assert service(world)["spec"] != before, "the control: the edit took"
    world.settle()
    assert service(world)["spec"] == before


def test_i11_a_port_that_an_apply_would_leave_is_written_away() -> None:
    world = settled(specs.spec(ingress=[WEB]))
    more = [*service(world)["spec"]["ports"], {"name": "more", "port": 22, "protocol": "TCP", "targetPort": 22}]
    world.api.edit(kinds.SERVICE, NAMESPACE, "zaum-researcher", {"spec": {"ports": more}})
    merges = [step for step in world.plan().actions if isinstance(step, actions.Merge)]
    assert [step.patch for step in merges] == [{"spec": {"ports": more[:1]}}]


# Workspaces


def test_each_ordinal_has_a_claim_of_its_own() -> None:
    world = settled(persistent(replicas=2))
    assert world.api.names(kinds.CLAIM) == ["zaum-researcher-0", "zaum-researcher-1"]
    claims = {
        pod["metadata"]["labels"][contract.LABEL_ORDINAL]: volume["persistentVolumeClaim"]["claimName"]
        for pod in world.pods()
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {"0": "zaum-researcher-0", "1": "zaum-researcher-1"}
    assert {pod["spec"]["securityContext"]["fsGroup"] for pod in world.pods()} == {contract.AGENT_UID}


def test_without_a_persistent_workspace_no_group_opens_volumes() -> None:
    assert "fsGroup" not in settled(specs.agent()).pods()[0]["spec"]["securityContext"]


def test_a_claim_survives_a_kill_a_smaller_count_and_another_workspace() -> None:
    world = settled(persistent(replicas=2))
    uids = [item["metadata"]["uid"] for item in world.api.all(kinds.CLAIM)]
    world.end(world.pods()[0], code=137)
    world.settle()
    world.policy(persistent(replicas=1))
    world.settle()
    world.policy(specs.agent())
    world.settle()
    assert [item["metadata"]["uid"] for item in world.api.all(kinds.CLAIM)] == uids


def test_a_claim_goes_with_its_policy() -> None:
    world = settled(persistent())
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    world.step()
    assert world.api.all(kinds.CLAIM) == []


def test_i08_a_policy_that_is_deleted_without_its_children_leaves_no_agent_behind() -> None:
    world = settled(persistent() | {"ingress": [WEB]})
    foreign = {"metadata": {"name": "zaum-other", "namespace": NAMESPACE, "labels": {"app": "other"}}}
    world.api.put(kinds.CONFIG_MAP, foreign)
    for kind in kinds.CHILDREN:  # kubectl delete --cascade=orphan: the garbage collector takes the owner off
        for child in world.api.all(kind):
            child["metadata"].pop("ownerReferences", None)
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    world.step()
    world.api.finish_deletions()
    left = {kind.plural: [item["metadata"]["name"] for item in world.api.all(kind)] for kind in kinds.CHILDREN}
    assert left == {
        "networkpolicies": ["zaum--guard"],
        "services": [],
        "pods": [],
        "resourcequotas": [],
        "configmaps": ["zaum-other"],
        "serviceaccounts": [],
        "persistentvolumeclaims": ["zaum-researcher-0"],
    }


@pytest.mark.parametrize("name", ["gateway", "operator", "researcher"])
def test_i12_a_policy_beside_our_own_parts_takes_none_of_them_over(name: str) -> None:
    world = Planned(site=replace(rendered.SITE, release_namespace=NAMESPACE))
    ours = {"metadata": {"name": f"zaum-{name}", "namespace": NAMESPACE}, "spec": {"selector": {"app": "ours"}}}
    world.api.put(kinds.SERVICE, ours)
    world.policy(persistent() | {"ingress": [WEB]}, name)
    for _ in range(3):
        world.step(name)
    world.sweep()
    assert {kind.plural for kind in kinds.CHILDREN if world.api.all(kind)} == {"services"}
    assert service(world)["spec"] == ours["spec"]
    status, reason, message = world.condition(name=name)
    assert (status, reason) == ("False", "InvalidSpec")
    assert "another namespace" in message


def test_what_the_cluster_writes_into_a_claim_is_no_drift() -> None:
    world = settled(persistent())
    filled = {"storageClassName": "standard", "volumeName": "pv-1", "volumeMode": "Filesystem"}
    world.api.edit(kinds.CLAIM, NAMESPACE, "zaum-researcher-0", {"spec": filled, "status": {"phase": "Bound"}})
    assert world.settle() == []
    assert world.condition()[0] == "True"


def test_a_claim_grows_in_place_and_keeps_what_it_was_made_with() -> None:
    world = settled(persistent())
    world.api.edit(kinds.CLAIM, NAMESPACE, "zaum-researcher-0", {"spec": {"storageClassName": "standard"}})
    name = world.pods()[0]["metadata"]["name"]
    world.policy(persistent(workspace={"size": "2Gi"}))
    world.settle()
    (claim,) = world.api.all(kinds.CLAIM)
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert claim["spec"]["storageClassName"] == "standard"
    assert world.pods()[0]["metadata"]["name"] == name, "the volume grows under the pod"


@pytest.mark.parametrize(
    ("workspace", "says"),
    [({"size": "512Mi"}, "cannot shrink to 512Mi"), ({"persistent": {"storageClass": "fast"}}, "cannot become fast")],
)
def test_what_a_claim_cannot_become_is_said(workspace: dict[str, Any], says: str) -> None:
    world = settled(persistent())
    world.api.edit(kinds.CLAIM, NAMESPACE, "zaum-researcher-0", {"spec": {"storageClassName": "standard"}})
    world.policy(persistent(workspace=workspace))
    world.settle()
    assert world.condition()[:2] == ("False", "ClaimPending")
    assert says in world.condition()[2]


def test_a_claim_that_the_api_server_refuses_is_said() -> None:
    world = Planned()
    refused = errors.ForbiddenError("apply", 403, "only dynamically provisioned pvc can be resized")
    world.api.refuse = lambda verb, plural, name: refused if plural == "persistentvolumeclaims" else None
    world.policy(persistent())
    world.step()
    assert world.condition()[:2] == ("False", "ClaimPending")
    assert world.condition("Isolated")[0] == "True"


def test_a_pod_that_waits_for_its_claim_is_said() -> None:
    world = settled(persistent())
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "unbound claims"}
    world.status(world.pods()[0], phase="Pending", conditions=[unfit])
    world.api.edit(kinds.CLAIM, NAMESPACE, "zaum-researcher-0", {"status": {"phase": "Pending"}})
    world.settle()
    assert world.condition()[:2] == ("False", "ClaimPending")
    assert "zaum-researcher-0" in world.condition()[2]


def test_no_pod_is_made_for_a_claim_that_is_being_deleted() -> None:
    world = settled(persistent())
    world.api.edit(
        kinds.CLAIM, NAMESPACE, "zaum-researcher-0", {"metadata": {"deletionTimestamp": "2026-03-01T12:00:00Z"}}
    )
    world.api.remove(kinds.POD, NAMESPACE, world.pods()[0]["metadata"]["name"])
    world.settle()
    assert world.pods() == []
    world.api.remove(kinds.CLAIM, NAMESPACE, "zaum-researcher-0")
    world.settle()
    assert (len(world.pods()), len(world.api.all(kinds.CLAIM))) == (1, 1)


def test_i12_a_claim_of_an_earlier_policy_is_never_mounted() -> None:
    world = settled(persistent())
    old = world.api.all(kinds.CLAIM)[0]["metadata"]["uid"]
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    world.policy(persistent())
    world.settle()
    world.api.finish_deletions()
    world.settle()
    (claim,) = world.api.all(kinds.CLAIM)
    assert claim["metadata"]["uid"] != old
    assert len(world.pods()) == 1


# Identity


def test_i03_the_agents_token_is_the_one_that_is_named_and_is_mounted_into_the_agent_alone() -> None:
    world = settled(specs.spec(identity={"token": {"audience": "https://tools.example", "lifetime": "1h"}}))
    spec = world.pods()[0]["spec"]
    volume = next(item for item in spec["volumes"] if item["name"] == "zaum-identity")
    token = {"audience": "https://tools.example", "expirationSeconds": 3600, "path": "token"}
    assert volume["projected"]["sources"] == [{"serviceAccountToken": token}]
    mounts = {c["name"]: {m["name"]: m["mountPath"] for m in c["volumeMounts"]}
              for c in (*spec["initContainers"], *spec["containers"])}  # fmt: skip
    assert mounts["agent"]["zaum-identity"] == "/var/run/secrets/zaum.dev"
    assert "zaum-identity" not in mounts["watchdog"]
    assert "zaum-token" not in mounts["agent"]
    env = {item["name"]: item["value"] for item in spec["containers"][0]["env"]}
    assert env[contract.ENV_IDENTITY_TOKEN_FILE] == contract.IDENTITY_TOKEN_PATH
    assert world.condition("IdentityBound")[:2] == ("True", "TokenBound")


def test_i01_without_identity_there_is_no_token() -> None:
    world = settled(specs.agent())
    assert world.condition("IdentityBound") == ("True", "NoToken", "The agent holds no token.")
    assert contract.ENV_IDENTITY_TOKEN_FILE not in str(world.pods()[0])


# Lifetime


def lifetime(most: str) -> dict[str, Any]:
    return specs.spec(lifetime={"max": most})


def test_a_lifetime_stands_on_the_pod_so_that_the_kubelet_holds_it() -> None:
    assert settled(lifetime("8h")).pods()[0]["spec"]["activeDeadlineSeconds"] == 8 * 3600


@pytest.mark.parametrize("before", [specs.agent(), lifetime("8h")], ids=["none", "longer"])
def test_a_shorter_lifetime_reaches_the_running_pod(before: dict[str, Any]) -> None:
    world = settled(before)
    name = world.pods()[0]["metadata"]["name"]
    world.policy(lifetime("1h"))
    world.settle()
    assert [(pod["metadata"]["name"], pod["spec"]["activeDeadlineSeconds"]) for pod in world.pods()] == [(name, 3600)]


@pytest.mark.parametrize("after", [specs.agent(), lifetime("8h")], ids=["none", "longer"])
def test_a_longer_lifetime_needs_another_pod(after: dict[str, Any]) -> None:
    world = settled(lifetime("1h"))
    name = world.pods()[0]["metadata"]["name"]
    world.policy(after)
    world.settle()
    world.api.finish_deletions()
    world.settle()
    assert [pod["metadata"]["name"] for pod in world.pods()] != [name]


def test_a_service_that_lived_its_life_gets_a_new_pod_at_once_and_has_not_failed() -> None:
    world = settled(lifetime("1h"))
    world.end(world.pods()[0], code=137, phase="Failed", reason="DeadlineExceeded")
    world.settle()
    (pod,) = world.pods()
    assert pod["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == "0"
    assert world.condition()[1] != "CrashLoop"


def test_i08_a_pod_that_we_end_has_not_lived_its_life() -> None:
    world = settled(lifetime("1h"))
    restarted = [{"name": contract.CONTAINER_WATCHDOG, "restartCount": 1}]
    world.status(world.pods()[0], initContainerStatuses=restarted)
    world.settle()
    (pod,) = world.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1
    world.end(pod, code=137, phase="Failed", reason="DeadlineExceeded", initContainerStatuses=restarted)
    world.settle()
    assert world.pods() == [], "its pause counts"
    assert world.condition()[:2] == ("False", "WatchdogRestarted")


# Nodes


def test_a_pod_on_a_lost_node_still_counts_and_is_said() -> None:
    world = settled(specs.agent())
    (pod,) = world.pods()
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], {"spec": {"nodeName": "node-7"}})
    world.api.edit(
        kinds.POD, NAMESPACE, pod["metadata"]["name"], {"metadata": {"deletionTimestamp": "2026-03-01T12:00:05Z"}}
    )
    world.settle()
    assert world.condition()[:2] == ("False", "Progressing")
    again = world.plan().again_at
    assert again is not None
    world.now = again
    world.settle()
    assert world.pods() == [], "never two pods of one ordinal"
    status, reason, message = world.condition()
    assert (status, reason) == ("False", "NodeLost")
    assert "node-7" in message
    assert "delete the Node" in message
    world.api.finish_deletions()
    world.settle()
    assert len(world.pods()) == 1


def test_a_drained_pod_is_made_again_at_once() -> None:
    world = settled(specs.agent())
    (pod,) = world.pods()
    target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    leaving = {"metadata": {"deletionTimestamp": "2026-03-01T12:00:05Z"}, "status": {"conditions": [target]}}
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], leaving)
    world.settle()
    assert world.pods() == []
    world.api.finish_deletions()
    world.settle()
    assert len(world.pods()) == 1


def test_a_pod_that_the_cluster_ended_is_made_again_without_a_pause() -> None:
    world = settled(specs.agent())
    target = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
    world.end(world.pods()[0], code=137, phase="Failed", reason="Terminated", conditions=[target])
    world.settle()
    assert len(world.pods()) == 1


def test_no_policy_leaves_the_user_namespace_that_the_installation_gives() -> None:
    world = Planned(site=replace(rendered.SITE, host_users=False))
    world.policy(specs.agent(hostUsers=True))
    world.settle()
    assert world.pods()[0]["spec"]["hostUsers"] is False


def test_host_users_are_as_the_policy_says_or_as_the_installation_has_them() -> None:
    assert settled(specs.agent(hostUsers=False)).pods()[0]["spec"]["hostUsers"] is False
    assert "hostUsers" not in settled(specs.agent(hostUsers=True)).pods()[0]["spec"]
    assert "hostUsers" not in settled(specs.agent()).pods()[0]["spec"]


def test_an_unhealthy_agent_is_said() -> None:
    world = settled(specs.agent())
    world.end(world.pods()[0], code=137, word=contract.UNHEALTHY)
    world.now += timedelta(seconds=1)
    world.settle()
    assert world.condition()[:2] == ("False", "AgentUnhealthy")


def test_an_agent_that_its_watchdog_was_ordered_to_end_is_said() -> None:
    world = settled(specs.agent())
    world.end(world.pods()[0], code=137, word=contract.Breach.ORDERED.value)
    world.now += timedelta(seconds=1)
    world.settle()
    status, reason, text = world.condition()
    assert (status, reason) == ("False", "Runaway")
    assert "was cut off and ended: an Incident ordered it" in text
