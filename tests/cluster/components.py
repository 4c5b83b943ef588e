"""Say how each process of the cluster is called. Pure: where things are in, argument vectors out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cluster import addresses, instance, layout

SERVICE_CIDRS: Final = f"{addresses.SERVICE_CIDR_IPV4},{addresses.SERVICE_CIDR_IPV6}"
POD_CIDRS: Final = f"{addresses.POD_CIDR_IPV4},{addresses.POD_CIDR_IPV6}"
ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
ETCD_URL: Final = "http://127.0.0.1:2379"
QUEUE_NUMBER: Final = 100
PLAYED: Final = Path(__file__).with_name("kwok.yaml")
"""What becomes of played nodes and pods."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One process: its name is that of its log file, `netns` the network namespace that it lives in."""

    name: str
    command: list[str]
    netns: str = addresses.NODE_NETNS
    environment: dict[str, str] = field(default_factory=dict)


Binary = Callable[[str], Path]


def etcd(place: layout.Layout, binary: Binary) -> Component:
    """Store in memory speed: what is lost with the machine is made anew by the next start."""
    command = [
        str(binary("etcd")),
        f"--data-dir={place.etcd}",
        f"--listen-client-urls={ETCD_URL}",
        f"--advertise-client-urls={ETCD_URL}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    return Component(name="etcd", command=command)


def apiserver(place: layout.Layout, binary: Binary) -> Component:
    """Serve the API with the admission and authorisation of a usual cluster, and an audit log."""
    command = [
        str(binary("kube-apiserver")),
        f"--etcd-servers={ETCD_URL}",
        f"--advertise-address={addresses.NODE_IPV4}",
        "--bind-address=0.0.0.0",
        f"--secure-port={addresses.API_PORT}",
        f"--service-cluster-ip-range={SERVICE_CIDRS}",
        f"--tls-cert-file={place.pki}/apiserver.crt",
        f"--tls-private-key-file={place.pki}/apiserver.key",
        f"--client-ca-file={place.pki}/ca.crt",
        f"--cert-dir={place.run}/apiserver",
        f"--service-account-key-file={place.pki}/sa.pub",
        f"--service-account-signing-key-file={place.pki}/sa.key",
        f"--service-account-issuer={ISSUER}",
        "--service-account-extend-token-expiration=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={place.pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={place.pki}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={place.pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={place.etc}/audit-policy.yaml",
        f"--audit-log-path={place.audit_log}",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=1",
        "--shutdown-delay-duration=0s",
    ]
    if instance.STORED_AS_JSON:
        command.append("--storage-media-type=application/json")
    return Component(name="kube-apiserver", command=command)


def controller_manager(place: layout.Layout, binary: Binary) -> Component:
    """Run the controllers, each under its own service account."""
    command = [
        str(binary("kube-controller-manager")),
        f"--kubeconfig={place.kubeconfig('controller-manager')}",
        f"--authentication-kubeconfig={place.kubeconfig('controller-manager')}",
        f"--authorization-kubeconfig={place.kubeconfig('controller-manager')}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={place.run}/controller-manager",
        f"--service-account-private-key-file={place.pki}/sa.key",
        f"--root-ca-file={place.pki}/ca.crt",
        f"--cluster-signing-cert-file={place.pki}/ca.crt",
        f"--cluster-signing-key-file={place.pki}/ca.key",
        f"--cluster-cidr={POD_CIDRS}",
        f"--service-cluster-ip-range={SERVICE_CIDRS}",
        "--use-service-account-credentials",
        # At the default of 20 requests a second it takes 5 s until the controllers' own accounts exist.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--leader-elect=false",
    ]
    return Component(name="kube-controller-manager", command=command)


def scheduler(place: layout.Layout, binary: Binary) -> Component:
    """Bind pods to the one node."""
    command = [
        str(binary("kube-scheduler")),
        f"--kubeconfig={place.kubeconfig('scheduler')}",
        f"--authentication-kubeconfig={place.kubeconfig('scheduler')}",
        f"--authorization-kubeconfig={place.kubeconfig('scheduler')}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={place.run}/scheduler",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--leader-elect=false",
    ]
    return Component(name="kube-scheduler", command=command)


def containerd(place: layout.Layout, binary: Binary) -> Component:
    """Run containers."""
    return Component(
        name="containerd",
        command=[str(binary("containerd")), f"--config={place.etc}/containerd.toml", "--log-level=info"],
    )


def kubelet(place: layout.Layout, binary: Binary) -> Component:
    """Be the node, with an address of each family."""
    command = [
        str(binary("kubelet")),
        f"--config={place.etc}/kubelet.yaml",
        f"--kubeconfig={place.kubeconfig('kubelet')}",
        f"--hostname-override={addresses.NODE_NAME}",
        f"--node-ip={addresses.NODE_IPV4},{addresses.NODE_IPV6}",
        f"--root-dir={place.kubelet}",
    ]
    return Component(name="kubelet", command=command)


def proxy(place: layout.Layout, binary: Binary) -> Component:
    """Route Services, in nftables mode."""
    command = [
        str(binary("kube-proxy")),
        f"--kubeconfig={place.kubeconfig('proxy')}",
        "--proxy-mode=nftables",
        f"--hostname-override={addresses.NODE_NAME}",
        f"--cluster-cidr={POD_CIDRS}",
        "--bind-address=127.0.0.1",
        "--healthz-bind-address=127.0.0.1:10256",
        "--metrics-bind-address=127.0.0.1:10249",
        # The machine decides how many connections it tracks; a test cluster leaves that alone.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
        "--nodeport-addresses=primary",
    ]
    return Component(name="kube-proxy", command=command)


def network_policies(place: layout.Layout, binary: Binary) -> Component:
    """Give the verdict on each queued packet; with this process dead the queue drops them."""
    command = [
        str(binary("kube-network-policies")),
        f"--kubeconfig={place.kubeconfig('network-policies')}",
        f"--hostname-override={addresses.NODE_NAME}",
        f"--nfqueue-id={QUEUE_NUMBER}",
        "--fail-open=false",
        "--metrics-bind-address=127.0.0.1:9080",
    ]
    return Component(name="kube-network-policies", command=command)


def kwok(place: layout.Layout, binary: Binary) -> Component:
    """Play every node and what happens to its pods, in an instance without kubelets."""
    command = [
        str(binary("kwok")),
        f"--kubeconfig={place.kubeconfig('kwok')}",
        f"--config={PLAYED}",
        "--manage-all-nodes",
        f"--cidr={addresses.FAKE_POD_CIDR}",
        f"--node-ip={addresses.NODE_IPV4}",
        "--node-lease-duration-seconds=40",
        "--v=WARN",
    ]
    return Component(name="kwok", command=command)


def world(place: layout.Layout, *, python: str, repository: Path) -> Component:
    """Play the internet, in the other namespace."""
    return Component(
        name="world",
        command=[python, "-m", "tests.cluster.world", "--state", str(place.world)],
        netns=addresses.WORLD_NETNS,
        environment={"PYTHONPATH": str(repository), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
