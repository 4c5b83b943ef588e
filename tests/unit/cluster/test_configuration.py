"""The rendered configuration says what the design asks of a node."""

import tomllib
from pathlib import Path
from typing import Any

from tests.cluster import addresses, configuration, layout, pki

PLACE = layout.Layout(Path("/run/zaum-cluster"), Path("/data"))


def containerd() -> dict[str, Any]:
    """Return containerd's file as containerd reads it."""
    return tomllib.loads(
        configuration.containerd(PLACE, shim=Path("/b/shim"), runc=Path("/b/runc"), plugins=Path("/b/cni"))
    )


def test_containerd_uses_what_was_built() -> None:
    runtime = containerd()["plugins"]["io.containerd.cri.v1.runtime"]
    runc = runtime["containerd"]["runtimes"]["runc"]
    assert (runc["runtime_path"], runc["options"]["BinaryName"]) == ("/b/shim", "/b/runc")
    assert runtime["cni"]["bin_dirs"] == ["/b/cni", "/run/zaum-cluster/etc/cni-bin"]


def test_containerd_works_where_oom_scores_may_not_be_lowered() -> None:
    assert containerd()["plugins"]["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is True


def test_the_policy_engine_can_learn_addresses_from_containerd() -> None:
    assert containerd()["plugins"]["io.containerd.nri.v1.nri"]["disable"] is False


def test_nothing_of_containerd_lies_outside_our_folders() -> None:
    document = containerd()
    assert {document["root"], document["state"], document["grpc"]["address"]} == {
        "/data/containerd",
        "/run/zaum-cluster/containerd",
        "/run/zaum-cluster/containerd.sock",
    }


def test_socket_paths_are_short_enough_for_the_kernel() -> None:
    assert len(str(PLACE.containerd_socket) + ".ttrpc") < 108


def test_the_kubelet_bounds_processes_and_does_not_wait_between_restarts() -> None:
    document = configuration.kubelet(PLACE)
    assert document["podPidsLimit"] == 512
    assert document["crashLoopBackOff"] == {"maxContainerRestartPeriod": "1s"}
    assert document["maxPods"] == 110
    assert "syncFrequency" not in document


def test_the_kubelet_runs_on_both_versions_of_cgroups() -> None:
    document = configuration.kubelet(PLACE)
    assert (document["failCgroupV1"], document["cgroupDriver"], document["enforceNodeAllocatable"]) == (
        False,
        "cgroupfs",
        [],
    )


def test_the_kubelet_serves_nobody_without_a_right() -> None:
    document = configuration.kubelet(PLACE)
    assert document["authentication"]["anonymous"] == {"enabled": False}
    assert document["authorization"] == {"mode": "Webhook"}


def test_pods_get_an_address_of_each_family_and_keep_it_on_the_way_out() -> None:
    plugins = configuration.cni(PLACE)["plugins"]
    ptp = next(plugin for plugin in plugins if plugin["type"] == "ptp")
    assert ptp["ipMasq"] is False
    assert ptp["ipam"]["ranges"] == [[{"subnet": addresses.POD_CIDR_IPV4}], [{"subnet": addresses.POD_CIDR_IPV6}]]
    assert [plugin["type"] for plugin in plugins] == [configuration.AT_ONCE, "ptp", "portmap"]


def test_node_processes_ask_the_world_for_names() -> None:
    assert configuration.resolv_conf().startswith(f"nameserver {addresses.WORLD_DNS_IPV4}\n")
    assert f"forward . {addresses.WORLD_DNS_IPV4}" in configuration.corefile()


def level(user: str, groups: list[str], verb: str, group: str = "") -> str:
    """Return the level of the first audit rule that matches a request for a resource."""
    for rule in configuration.audit_policy()["rules"]:
        if "nonResourceURLs" in rule:
            continue
        if (
            user in rule.get("users", [user])
            and set(groups) & set(rule.get("userGroups", groups))
            and verb in rule.get("verbs", [verb])
            and group in [entry["group"] for entry in rule.get("resources", [{"group": group}])]
        ):
            return str(rule["level"])
    return "None"


def test_the_audit_log_keeps_people_and_workloads_and_drops_the_machinerys_reading() -> None:
    operator = ("system:serviceaccount:zaum-system:operator", ["system:serviceaccounts", "system:authenticated"])
    assert level("jane", ["system:authenticated"], "list") == "Metadata"
    assert level("kubernetes-admin", ["system:masters"], "get") == "Metadata"
    assert level(*operator, "get") == "Metadata"
    assert level(*operator, "patch") == "Metadata"
    assert level("system:node:zaum-node", ["system:nodes"], "patch") == "Metadata"
    assert level("system:kube-scheduler", ["system:authenticated"], "create") == "Metadata"
    assert level("system:node:zaum-node", ["system:nodes"], "watch") == "None"
    assert level("system:node:zaum-node", ["system:nodes"], "update", "coordination.k8s.io") == "None"
    assert level(pki.NETWORK_POLICIES_USER, ["system:authenticated"], "list") == "None"
