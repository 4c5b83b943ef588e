"""Remove whatever is there of a local cluster: complete or not, alive or not, and nothing else."""

import shutil
import time
from typing import Final

from tests.cluster import cgroups, identity, layout, mounts, namespaces, ownimages, processes, progress

PATIENCE_SECONDS: Final = 5.0
"""For containerd, whose store must be in order; the others lose nothing that the next start wants."""


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
    for name in ("kwok", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kube-network-policies"):
        if name in records:
            processes.stop(records[name], patience_seconds=0.5)
    containerd = records.get("containerd")
    clean = containerd is not None and processes.is_running(containerd) and remove_containers(where)
    for name in ("containerd", "kube-apiserver", "etcd", "world"):
        if name in records:
            processes.stop(records[name], patience_seconds=PATIENCE_SECONDS if name == "containerd" else 0.5)
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
