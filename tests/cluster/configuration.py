"""Render the configuration files of the node's processes. Pure: paths and addresses in, text or documents out."""

from pathlib import Path
from typing import Any, Final

from tests.cluster import addresses, cgroups, layout, pki

PAUSE_IMAGE: Final = "localhost/zaum-pause:1"
AT_ONCE: Final = "zaum-at-once"
"""The name, and so the file name, of the plugin that `cni_at_once` returns."""
READ_VERBS: Final = ["get", "list", "watch"]


def resolv_conf() -> str:
    """Point the node's own processes, and pods with dnsPolicy Default, at the world's DNS server."""
    return f"nameserver {addresses.WORLD_DNS_IPV4}\noptions timeout:2 attempts:2\n"


def containerd(place: layout.Layout, *, shim: Path, runc: Path, plugins: Path) -> str:
    """Return containerd's TOML (its version 3)."""
    return f"""\
version = 3
root = "{place.containerd_root}"
state = "{place.run}/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]

[grpc]
  address = "{place.containerd_socket}"

[plugins.'io.containerd.internal.v1.opt']
  path = "{place.data}/opt"

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE_IMAGE}"

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE nobody may lower oom_score_adj, and no container would start.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = "{shim}"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "{runc}"
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{plugins}", "{place.etc}/cni-bin"]
    conf_dir = "{place.etc}/cni"

# The policy engine learns a pod's addresses here, before its containers run: by the API it would learn them later.
[plugins.'io.containerd.nri.v1.nri']
  disable = false
  socket_path = "/run/nri/nri.sock"
  plugin_path = "{place.etc}/nri"
  plugin_config_path = "{place.etc}/nri"
"""


def kubelet(place: layout.Layout) -> dict[str, Any]:
    """Return the KubeletConfiguration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True, "cacheTTL": "2s"},
            "x509": {"clientCAFile": f"{place.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{place.pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{place.pki}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{place.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.NAME}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "clusterDomain": "cluster.local",
        "clusterDNS": [addresses.CLUSTER_DNS_IPV4],
        "resolvConf": f"{place.etc}/resolv.conf",
        "podLogsDir": str(place.pod_logs),
        "volumePluginDir": f"{place.data}/volume-plugins",
        "maxPods": 110,
        "podPidsLimit": 512,
        # Kill tests must not wait for the usual backoff of up to 5 minutes.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        # A developer's disk is often nearly full; nothing is collected or evicted before the last percent.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "4s",
        "shutdownGracePeriod": "0s",
        "staticPodPath": "",
    }


def cni(place: layout.Layout) -> dict[str, Any]:
    """Return the pod network: routed point-to-point links of both families, no masquerade, so the world sees pods."""
    ranges = [[{"subnet": addresses.POD_CIDR_IPV4}], [{"subnet": addresses.POD_CIDR_IPV6}]]
    return {
        "cniVersion": "1.0.0",
        "name": "zaum",
        "plugins": [
            {"type": AT_ONCE},
            {
                "type": "ptp",
                "ipMasq": False,
                "mtu": 1500,
                "ipam": {
                    "type": "host-local",
                    "dataDir": f"{place.run}/cni",
                    "ranges": ranges,
                    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": False},
        ],
    }


def cni_at_once() -> str:
    """Return a CNI plugin that runs before the link is made: no pod waits 2 s for its IPv6 address to be unique."""
    return """\
#!/bin/sh
set -e
cat >/dev/null
case "$CNI_COMMAND" in
VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}' ;;
ADD)
    nsenter --net="$CNI_NETNS" -- sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0
    echo '{"cniVersion": "1.0.0"}'
    ;;
esac
"""


def audit_policy() -> dict[str, Any]:
    """Keep every request of people and workloads, and every write; drop what the machinery reads all day."""
    machinery = [
        "system:apiserver",
        "system:kube-scheduler",
        "system:kube-controller-manager",
        "system:kube-proxy",
        pki.NETWORK_POLICIES_USER,
        pki.KWOK_USER,
    ]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"]},
            {"level": "None", "users": machinery, "verbs": READ_VERBS},
            {"level": "None", "userGroups": ["system:nodes"], "verbs": READ_VERBS},
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"], "verbs": READ_VERBS},
            {"level": "None", "users": machinery, "resources": [{"group": "coordination.k8s.io"}]},
            {"level": "None", "userGroups": ["system:nodes"], "resources": [{"group": "coordination.k8s.io"}]},
            {"level": "Metadata"},
        ],
    }


def corefile() -> str:
    """Return CoreDNS's configuration: the cluster's names itself, everything else from the world; no cache."""
    return f"""\
.:53 {{
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    forward . {addresses.WORLD_DNS_IPV4} {{
        max_fails 0
    }}
}}
"""
