"""Bring the local cluster up, look at it, and take it down again."""

import contextlib
import datetime
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster import (
    addresses,
    backend,
    build,
    cgroups,
    components,
    configuration,
    errors,
    identity,
    layout,
    manifests,
    mounts,
    namespaces,
    network,
    ownimages,
    pki,
    prerequisites,
    processes,
    progress,
)

REPOSITORY: Final = Path(__file__).resolve().parents[2]
SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_PATIENCE_SECONDS: Final = 120.0
STOP_PATIENCE_SECONDS: Final = 5.0


def place() -> layout.Layout:
    """Return where the running cluster keeps its things, or where the next one will."""
    link = layout.RUN / "data"
    data = link.readlink() if link.is_symlink() else build.cache_root() / "cluster"
    return layout.Layout(layout.RUN, data)


@contextlib.contextmanager
def exclusive(where: layout.Layout) -> Iterator[None]:
    """Let one run at a time change the cluster; the kernel frees the lock when its holder dies."""
    with where.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another run is changing the cluster: waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- state ---------------------------------------------------------------------------------------------------------


def problems(where: layout.Layout) -> list[str]:
    """Say what keeps the cluster from being up and healthy; empty when nothing does."""
    if not where.complete.exists():
        return ["the cluster is not up"]
    dead = [record.name for record in processes.load(where.processes) if not processes.is_running(record)]
    if dead:
        return [f"{name} is dead" for name in dead]
    if found := namespaces.problems(outside=outside(where)):
        return found
    return [] if node_ready(where) else ["the node is not Ready"]


def outside(where: layout.Layout) -> list[str]:
    """Return the prefix that runs a command in the machine's network namespace, where the keeper stayed.

    Tests run in the node's; and pid 1's may be closed even to root.
    """
    keeper = next(record for record in processes.load(where.processes) if record.name == mounts.KEEPER)
    return ["nsenter", f"--net=/proc/{keeper.pid}/ns/net", "--"]


def kubectl(where: layout.Layout, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
    """Run kubectl in the node's namespace as admin and return its output; nothing when it fails unchecked."""
    command = [str(build.binary("kubectl")), f"--kubeconfig={where.kubeconfig()}", *arguments]
    done = processes.run(*network.inside(addresses.NODE_NETNS, *command), check=check, stdin=stdin)
    return done.stdout if done.returncode == 0 else ""


def node_ready(where: layout.Layout) -> bool:
    """Ask the API server for the node's Ready condition."""
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    asked = kubectl(where, "get", "node", addresses.NODE_NAME, "-o", path, "--request-timeout=2s", check=False)
    return asked.strip() == "True"


# --- up ------------------------------------------------------------------------------------------------------------


def up() -> None:
    """Bring the cluster up; do nothing when it is."""
    prerequisites.check_root()
    with exclusive(place()):
        if not problems(place()):
            progress.say("the cluster is up")
            return
        prerequisites.check_all()
        build.build_all()
        tear_down(place())
        try:
            start(layout.Layout(layout.RUN, build.cache_root() / "cluster"))
        except errors.ClusterError:
            progress.say(f"the start failed; logs are in {layout.RUN}/log until the next `up` or `down`")
            raise


def start(where: layout.Layout) -> None:
    """Start everything, in the order in which one thing needs another."""
    began = time.monotonic()
    prepare_folders(where)
    write_configuration(where)
    with progress.step("made the node's and the world's namespaces, sealed"):
        namespaces.create()
    run = Starter(where)
    run.keeper()
    run.component(components.etcd(where, build.binary))
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
        run.until("kube-apiserver", lambda: kubectl(where, "get", "--raw=/readyz", check=False) == "ok")
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
        run.until("kubelet", lambda: node_ready(where))
    with progress.step("network policies are enforced"):
        run.until("kube-network-policies", policies_enforced)
    with progress.step("cluster DNS answers"):
        apply(where, manifests.cluster_dns(ownimages.dns_image_name()))
        run.until("kubelet", lambda: dns_ready(where))
    where.complete.write_text(datetime.datetime.now(datetime.UTC).isoformat() + "\n")
    progress.say("the cluster is up")


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
        environment = {"PATH": f"{build.search_path()}:{SYSTEM_PATH}", "HOME": "/root", **component.environment}
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
        deadline = time.monotonic() + START_PATIENCE_SECONDS
        record = next(record for record in self.records if record.name == name)
        log = self.where.log / f"{name}.log"
        while not condition():
            if not processes.is_running(record):
                raise errors.ClusterError(f"{name} ended by itself; the end of {log}:\n{processes.tail(log)}")
            if time.monotonic() > deadline:
                late = f"{name} was not ready after {START_PATIENCE_SECONDS:.0f} s"
                raise errors.ClusterError(f"{late}; the end of {log}:\n{processes.tail(log)}")
            time.sleep(0.1)


def apply(where: layout.Layout, documents: list[dict[str, Any]]) -> None:
    """Apply objects; the API server may still be making its own namespaces, so try for a while."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    kubectl(where, "apply", "--server-side", "--validate=false", "--filename=-", stdin=text)


def policies_enforced() -> bool:
    """Tell whether somebody listens on the packet queue; until then the kernel drops what is queued."""
    listed = processes.run(*network.inside(addresses.NODE_NETNS, "cat", "/proc/net/netfilter/nfnetlink_queue")).stdout
    return any(line.split()[0] == str(components.QUEUE_NUMBER) for line in listed.splitlines())


def dns_ready(where: layout.Layout) -> bool:
    """Tell whether CoreDNS's pod is ready behind its Service."""
    path = "jsonpath={.status.readyReplicas}"
    return kubectl(where, "-n", "kube-system", "get", "deployment", "coredns", "-o", path, check=False).strip() == "1"


# --- down ----------------------------------------------------------------------------------------------------------


def down() -> None:
    """Remove the cluster's processes, mounts and namespaces, and nothing else."""
    prerequisites.check_root()
    with exclusive(place()):
        tear_down(place())
    progress.say("the cluster is down")


def tear_down(where: layout.Layout) -> None:
    """Remove whatever is there of a cluster, complete or not, alive or not."""
    records = processes.load(where.processes)
    if not where.run.exists() and not cgroups.members() and not namespaces.exist():
        namespaces.remove()
        return
    with progress.step("ended the cluster's processes"):
        clean = stop_all(where, {record.name: record for record in records})
    namespaces.remove()
    cgroups.remove()
    mounts.remove_mount_points(where)
    for folder in (where.run, where.data):
        mounts.clear(folder)
    if clean:
        where.containerd_clean.touch()
    if where.run.exists():
        shutil.rmtree(where.run)


def stop_all(where: layout.Layout, records: dict[str, identity.Record]) -> bool:
    """End all processes; tell whether containerd could put its house in order first."""
    for name in ("kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kube-network-policies"):
        if name in records:
            processes.stop(records[name], patience_seconds=0.5)
    containerd = records.get("containerd")
    clean = containerd is not None and processes.is_running(containerd) and remove_containers(where)
    for name in ("containerd", "kube-apiserver", "etcd", "world"):
        if name in records:
            processes.stop(records[name], patience_seconds=STOP_PATIENCE_SECONDS if name == "containerd" else 0.5)
    cgroups.kill()
    return clean


def remove_containers(where: layout.Layout) -> bool:
    """Kill and delete every container, so that containerd's store keeps images alone."""
    cgroups.kill(below="kubepods")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        containers = ownimages.ctr(where, "containers", "list", "--quiet", check=False).stdout.split()
        sandboxes = ownimages.ctr(where, "sandboxes", "list", check=False).stdout.splitlines()[1:]
        if not containers and not sandboxes:
            return True
        if containers:
            ownimages.ctr(where, "containers", "delete", *containers, check=False)
        for line in sandboxes:
            ownimages.ctr(where, "sandboxes", "remove", "--force", line.split()[0], check=False)
        time.sleep(0.1)
    return False


def restart(name: str) -> None:
    """End one component and start it again, as tests of a dead API server or policy engine need."""
    where = place()
    makers: dict[str, Callable[[layout.Layout, components.Binary], components.Component]] = {
        "etcd": components.etcd,
        "containerd": components.containerd,
        "kube-apiserver": components.apiserver,
        "kube-controller-manager": components.controller_manager,
        "kube-scheduler": components.scheduler,
        "kubelet": components.kubelet,
        "kube-proxy": components.proxy,
        "kube-network-policies": components.network_policies,
    }
    if name not in {*makers, "world"}:
        raise errors.ClusterError(f"no component is called {name!r}; known are {', '.join([*makers, 'world'])}")
    with exclusive(where):
        starter = Starter(where)
        for record in starter.records:
            if record.name == name:
                processes.stop(record, patience_seconds=STOP_PATIENCE_SECONDS)
        if name == "world":
            starter.world()
        else:
            starter.component(makers[name](where, build.binary))


def environment(where: layout.Layout) -> dict[str, str]:
    """Return the variables with which people and tests talk to this cluster."""
    return os.environ | {
        "CLUSTER": backend.LOCAL,
        "KUBECONFIG": str(where.kubeconfig()),
        "PATH": f"{build.search_path()}:{os.environ.get('PATH', SYSTEM_PATH)}",
        "CONTAINERD_ADDRESS": str(where.containerd_socket),
        "CONTAINERD_NAMESPACE": "k8s.io",
    }
