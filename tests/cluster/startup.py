"""Start the local cluster, in the order in which one thing needs another."""

import datetime
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster import (
    addresses,
    build,
    cgroups,
    components,
    configuration,
    errors,
    identity,
    layout,
    local,
    manifests,
    mounts,
    namespaces,
    network,
    ownimages,
    pki,
    processes,
    progress,
)

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS: Final = 120.0


def start(where: layout.Layout, *, light: bool) -> None:
    """Start a whole node, or in a light instance the control plane and a player of nodes."""
    prepare_folders(where)
    if light:
        where.light.touch()
    write_configuration(where)
    with progress.step("made the node's and the world's namespaces, sealed"):
        namespaces.create()
    run = Starter(where)
    run.keeper()
    run.component(components.etcd(where, build.binary))
    if light:
        start_played(where, run)
    else:
        start_node(where, run)
    where.complete.write_text(datetime.datetime.now(datetime.UTC).isoformat() + "\n")
    progress.say("the cluster is up")


def start_played(where: layout.Layout, run: "Starter") -> None:
    """Start the control plane, and KWOK in the place of kubelets."""
    run.component(components.apiserver(where, build.binary))
    with progress.step("API server is ready"):
        run.until("kube-apiserver", lambda: api_ready(where))
    run.component(components.controller_manager(where, build.binary))
    run.component(components.scheduler(where, build.binary))
    apply(where, manifests.kwok())
    run.component(components.kwok(where, build.binary))
    apply(where, manifests.fake_nodes())
    with progress.step(f"{len(addresses.FAKE_NODES)} nodes are played"):
        run.until("kwok", lambda: all(local.node_ready(where, name) for name in addresses.FAKE_NODES))


def start_node(where: layout.Layout, run: "Starter") -> None:
    """Start everything else of a real node, in the order in which one thing needs another."""
    began = time.monotonic()
    namespaces.queue_packets()
    run.component(components.containerd(where, build.binary))
    run.component(components.apiserver(where, build.binary))
    run.world()
    with progress.step("images of pause and CoreDNS are in containerd"):
        run.until(
            "containerd",
            lambda: where.containerd_socket.exists() and ownimages.ctr(where, "version", check=False).returncode == 0,
        )
        ownimages.import_own(where)
    with progress.step("API server is ready"):
        run.until("kube-apiserver", lambda: api_ready(where))
    for component in (
        components.controller_manager(where, build.binary),
        components.scheduler(where, build.binary),
        components.kubelet(where, build.binary),
        components.proxy(where, build.binary),
    ):
        run.component(component)
    apply(where, manifests.network_policies())
    run.component(components.network_policies(where, build.binary))
    with progress.step(f"node is Ready, {progress.clock(time.monotonic() - began)} after the start"):
        run.until("kubelet", lambda: local.node_ready(where, addresses.NODE_NAME))
    with progress.step("network policies are enforced"):
        run.until("kube-network-policies", policies_enforced)
    with progress.step("cluster DNS answers"):
        apply(where, manifests.cluster_dns(ownimages.dns_image_name()))
        run.until("kubelet", lambda: dns_ready(where))


def prepare_folders(where: layout.Layout) -> None:
    """Make the folders; empty what must not survive, keep imported images when the last end was clean."""
    for folder in (
        where.run,
        where.etc,
        where.etc / "cni",
        where.etc / "cni-bin",
        where.etc / "nri",
        where.log,
        where.world,
    ):
        folder.mkdir(parents=True, exist_ok=True)
    where.data.mkdir(parents=True, exist_ok=True)
    where.data_link.symlink_to(where.data)
    wipe = [where.etcd, where.kubelet, where.pod_logs]
    if where.containerd_clean.exists():
        where.containerd_clean.unlink()
    else:
        wipe.append(where.containerd_root)
    for folder in wipe:
        mounts.clear(folder)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)


def write_configuration(where: layout.Layout) -> None:
    """Render keys and configuration files."""
    pki.write(where.pki, now=datetime.datetime.now(datetime.UTC))
    shim, runc = build.binary("containerd-shim-runc-v2"), build.binary("runc")
    texts = {
        "resolv.conf": configuration.resolv_conf(),
        "containerd.toml": configuration.containerd(where, shim=shim, runc=runc, plugins=build.target_of("ptp")),
        "kubelet.yaml": yaml.safe_dump(configuration.kubelet(where)),
        "audit-policy.yaml": yaml.safe_dump(configuration.audit_policy()),
        "cni/10-zaum.conflist": json.dumps(configuration.cni(where), indent=1),
    }
    for name, text in texts.items():
        (where.etc / name).write_text(text)
    plugin = where.etc / "cni-bin" / configuration.AT_ONCE
    plugin.write_text(configuration.cni_at_once())
    plugin.chmod(0o755)


class Starter:
    """Start components one by one, each recorded before the next; wait for them with an eye on their being alive."""

    def __init__(self, where: layout.Layout) -> None:
        self.where = where
        self.cgroup = cgroups.create()
        self.records = processes.load(where.processes)

    def record(self, record: identity.Record) -> None:
        """Note a process, in place of an earlier one of that name."""
        self.records = [*(known for known in self.records if known.name != record.name), record]
        processes.save(self.where.processes, self.records)

    def keeper(self) -> None:
        """Make the mount namespace that all others join."""
        self.record(mounts.start_keeper(self.where, self.cgroup))
        self.until(mounts.KEEPER, (self.where.run / "keeper.ready").exists)

    def component(self, component: components.Component) -> None:
        """Start one process in its network namespace and the common mount namespace."""
        keeper = next(record.pid for record in self.records if record.name == mounts.KEEPER)
        enter = ["nsenter", f"--mount=/proc/{keeper}/ns/mnt", f"--net=/run/netns/{component.netns}", "--"]
        environment = {"PATH": f"{build.search_path()}:{local.SYSTEM_PATH}", "HOME": "/root", **component.environment}
        self.record(
            processes.start(
                component.name,
                [*enter, *component.command],
                log=self.where.log / f"{component.name}.log",
                environment=environment,
                cgroup=self.cgroup,
            )
        )
        progress.say(f"started {component.name}")

    def world(self) -> None:
        """Start the internet's stand-in, where its code is there, and wait until it listens."""
        if not (REPOSITORY / "tests" / "cluster" / "world" / "__main__.py").exists():
            progress.say("the world's process is absent from this tree: nothing will answer there")
            return
        ready = self.where.world / "ready"
        ready.unlink(missing_ok=True)
        self.component(components.world(self.where, python=sys.executable, repository=REPOSITORY))
        with progress.step("the world listens"):
            self.until("world", ready.exists)

    def until(self, name: str, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; ClusterError with the process's last words when it dies or takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        record = next(record for record in self.records if record.name == name)
        log = self.where.log / f"{name}.log"
        while not condition():
            if not processes.is_running(record):
                raise errors.ClusterError(f"{name} ended by itself; the end of {log}:\n{processes.tail(log)}")
            if time.monotonic() > deadline:
                late = f"{name} was not ready after {PATIENCE_SECONDS:.0f} s"
                raise errors.ClusterError(f"{late}; the end of {log}:\n{processes.tail(log)}")
            time.sleep(0.1)


def api_ready(where: layout.Layout) -> bool:
    """Ask the API server whether it serves."""
    return local.kubectl(where, "get", "--raw=/readyz", "--request-timeout=2s", check=False) == "ok"


def apply(where: layout.Layout, documents: list[dict[str, Any]]) -> None:
    """Apply objects as admin."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    local.kubectl(where, "apply", "--server-side", "--validate=false", "--filename=-", stdin=text)


def policies_enforced() -> bool:
    """Tell whether somebody listens on the packet queue; until then the kernel drops what is queued."""
    listed = processes.run(*network.inside(addresses.NODE_NETNS, "cat", "/proc/net/netfilter/nfnetlink_queue")).stdout
    return any(line.split()[0] == str(components.QUEUE_NUMBER) for line in listed.splitlines())


def dns_ready(where: layout.Layout) -> bool:
    """Tell whether CoreDNS's pod is ready behind its Service."""
    path = "jsonpath={.status.readyReplicas}"
    return (
        local.kubectl(where, "-n", "kube-system", "get", "deployment", "coredns", "-o", path, check=False).strip()
        == "1"
    )
