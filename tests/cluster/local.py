"""Look at the local cluster: where it is, how it is, how to talk to it."""

import os
from pathlib import Path
from typing import Final

from tests.cluster import (
    addresses,
    backend,
    build,
    errors,
    instance,
    layout,
    mounts,
    namespaces,
    network,
    processes,
)

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def place() -> layout.Layout:
    """Return where the running cluster keeps its things, or where the next one will."""
    link = layout.RUN / "data"
    data = link.readlink() if link.is_symlink() else new_data()
    return layout.Layout(layout.RUN, data)


def new_data() -> Path:
    """Return where the stores of the next run of this instance will be."""
    return build.cache_root() / f"cluster{instance.SUFFIX}"


def problems(where: layout.Layout) -> list[str]:
    """Say what keeps the cluster from being up and healthy; empty when nothing does."""
    if not where.complete.exists():
        return ["the cluster is not up"]
    dead = [record.name for record in processes.load(where.processes) if not processes.is_running(record)]
    if dead:
        return [f"{name} is dead" for name in dead]
    if found := namespaces.problems(outside=outside(where)):
        return found
    name = addresses.FAKE_NODES[-1] if where.light.exists() else addresses.NODE_NAME
    return [] if node_ready(where, name) else [f"the node {name} is not Ready"]


def outside(where: layout.Layout) -> list[str]:
    """Return the prefix that runs a command in the machine's network namespace, where the keeper stayed.

    Tests run in the node's; and pid 1's may be closed even to root.
    """
    for record in processes.load(where.processes):
        if record.name == mounts.KEEPER:
            return ["nsenter", f"--net=/proc/{record.pid}/ns/net", "--"]
    raise errors.ClusterError("the cluster is not up: run `make cluster-up`")


def kubectl(where: layout.Layout, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
    """Run kubectl in the node's namespace as admin and return its output; nothing when it fails unchecked."""
    command = [str(build.binary("kubectl")), f"--kubeconfig={where.kubeconfig()}", *arguments]
    done = processes.run(*network.inside(addresses.NODE_NETNS, *command), check=check, stdin=stdin)
    return done.stdout if done.returncode == 0 else ""


def node_ready(where: layout.Layout, name: str) -> bool:
    """Ask the API server for a node's Ready condition."""
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    asked = kubectl(where, "get", "node", name, "-o", path, "--request-timeout=2s", check=False)
    return asked.strip() == "True"


def environment(where: layout.Layout) -> dict[str, str]:
    """Return the variables with which people and tests talk to this cluster."""
    return os.environ | {
        "CLUSTER": backend.LOCAL,
        "KUBECONFIG": str(where.kubeconfig()),
        "PATH": f"{build.search_path()}:{os.environ.get('PATH', SYSTEM_PATH)}",
        "CONTAINERD_ADDRESS": str(where.containerd_socket),
        "CONTAINERD_NAMESPACE": "k8s.io",
    }
