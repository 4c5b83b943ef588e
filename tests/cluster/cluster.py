"""Offer the cluster to tests: where its files are, how to reach it, how to give it images.

`$CLUSTER` chooses which: unset or `local`, `kind`, or `external` with KUBECONFIG.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import (
    backend,
    build,
    elsewhere,
    errors,
    gomodules,
    inkind,
    lifecycle,
    local,
    namespaces,
    onthismachine,
)


def current() -> backend.Backend:
    """Return the cluster that the environment chooses."""
    match backend.choose(os.environ):
        case backend.KIND:
            return inkind.Kind()
        case backend.EXTERNAL:
            return elsewhere.External()
        case _:
            return onthismachine.Local()


def up_light() -> None:
    """Bring up the instance that $ZAUM_INSTANCE names as a control plane alone; ClusterError for other clusters."""
    if backend.choose(os.environ) != backend.LOCAL:
        raise errors.ClusterError("only the local cluster can be light: unset CLUSTER and KUBECONFIG")
    lifecycle.up(light=True)


def is_up() -> bool:
    """Tell whether the chosen cluster is up and healthy."""
    return not current().problems()


def kubeconfig() -> Path:
    """Return the administrator's kubeconfig; the local cluster's works only inside the node's namespace."""
    return current().kubeconfig()


def command(*arguments: str) -> list[str]:
    """Return `arguments` as they must be run to reach the API server (through nsenter for the local cluster)."""
    return current().command(list(arguments))


def environment() -> dict[str, str]:
    """Return the environment for such a command: KUBECONFIG, and PATH with kubectl, helm and ctr."""
    return dict(current().environment())


def import_image(archive: Path) -> None:
    """Give the cluster's nodes an image from an oci-archive or docker-archive tar."""
    current().import_image(archive)


def binaries() -> Mapping[str, Path]:
    """Return name → path of every binary that is built."""
    return {
        name: build.binary(name)
        for module in gomodules.MODULES
        for name in module.binaries
        if build.binary(name).exists()
    }


def stop(component: str) -> None:
    """End one process of the local cluster until `restart`; meanwhile `status` calls it dead."""
    lifecycle.stop(component)


def restart(component: str) -> None:
    """End and start one process of the local cluster, e.g. `kube-apiserver` or `world`."""
    lifecycle.restart(component)


def unenforced() -> contextlib.AbstractContextManager[None]:
    """Let nothing on the local cluster enforce NetworkPolicies meanwhile; `status` calls the engine dead."""
    return lifecycle.unenforced()


def state_dir() -> Path:
    """Return the folder of the local cluster's run state."""
    return local.place().run


def logs() -> Path:
    """Return the folder with one log per process of the local cluster."""
    return local.place().log


def audit_log() -> Path:
    """Return the API server's audit log: JSON lines, every write, and every read by people and workloads."""
    return local.place().audit_log


def world_state() -> Path:
    """Return the world's state folder; its `ca.crt` is the authority that its HTTPS servers are signed by."""
    return local.place().world


def world_log() -> Path:
    """Return the world's log: one JSON object per line for each thing that reached it."""
    return local.place().world / "log.jsonl"


def assert_sealed() -> None:
    """Raise ClusterError unless the local cluster's namespaces have no way out; call before sending traffic."""
    namespaces.assert_sealed(outside=local.outside(local.place()))
