"""Say where a local cluster keeps what: short-lived things under /run, bulky ones in the cache."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster import instance

RUNS: Final = Path("/run")
PREFIX: Final = "zaum-cluster"
RUN: Final = RUNS / f"{PREFIX}{instance.SUFFIX}"
"""Fixed, because the namespaces have fixed names. Short, because a socket's path has at most 107 bytes."""


@dataclass(frozen=True)
class Layout:
    """Name the files of one cluster; `run` holds pids, sockets, keys, configuration and logs, `data` the stores."""

    run: Path
    data: Path

    @property
    def lock(self) -> Path:
        """Lie outside `run`, so that removing `run` does not let a second writer in."""
        return self.run.with_name(self.run.name + ".lock")

    @property
    def data_link(self) -> Path:
        """Point to `data`, so that `down` finds it when it runs with another cache folder than `up` did."""
        return self.run / "data"

    @property
    def processes(self) -> Path:
        """List what was started, as JSON."""
        return self.run / "processes.json"

    @property
    def masked(self) -> Path:
        """List the machine's folders that were made as mount points, one per line."""
        return self.run / "masked"

    @property
    def light(self) -> Path:
        """Exist when the instance is a control plane whose nodes and pods are played."""
        return self.run / "light"

    @property
    def complete(self) -> Path:
        """Exist only when `up` went through to its end."""
        return self.run / "complete"

    @property
    def pki(self) -> Path:
        """Hold keys and certificates, made anew by each `up`."""
        return self.run / "pki"

    @property
    def etc(self) -> Path:
        """Hold the rendered configuration."""
        return self.run / "etc"

    @property
    def log(self) -> Path:
        """Hold one file per process, and audit.log."""
        return self.run / "log"

    @property
    def audit_log(self) -> Path:
        """Hold the API server's audit events, one JSON object per line."""
        return self.log / "audit.log"

    @property
    def world(self) -> Path:
        """Be the state folder of the process that plays the internet."""
        return self.run / "world"

    @property
    def containerd_socket(self) -> Path:
        """Speak containerd's gRPC and the CRI."""
        return self.run / "containerd.sock"

    @property
    def containerd_root(self) -> Path:
        """Hold image layers; kept from run to run when the last `down` was clean."""
        return self.data / "containerd"

    @property
    def containerd_clean(self) -> Path:
        """Exist when `containerd_root` holds images only, no leftover container."""
        return self.data / "containerd.clean"

    @property
    def etcd(self) -> Path:
        """Hold etcd's store; emptied by each start."""
        return self.data / "etcd"

    @property
    def kubelet(self) -> Path:
        """Be the kubelet's root folder; emptied by each start."""
        return self.data / "kubelet"

    @property
    def pod_logs(self) -> Path:
        """Hold the containers' output; emptied by each start."""
        return self.data / "pod-logs"

    @property
    def images(self) -> Path:
        """Hold the archives of the cluster's own two images."""
        return self.data / "images"

    def kubeconfig(self, user: str = "admin") -> Path:
        """Return the kubeconfig of one of the cluster's identities."""
        return self.pki / f"{user}.conf"
