"""Bring the local cluster up and take it down, one run at a time; end and start single processes for tests."""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from typing import Final

from tests.cluster import (
    build,
    components,
    errors,
    instance,
    layout,
    local,
    namespaces,
    prerequisites,
    processes,
    progress,
    startup,
    teardown,
)

Maker = Callable[[layout.Layout, components.Binary], components.Component]

MAKERS: Final[dict[str, Maker]] = {
    "etcd": components.etcd,
    "containerd": components.containerd,
    "kube-apiserver": components.apiserver,
    "kube-controller-manager": components.controller_manager,
    "kube-scheduler": components.scheduler,
    "kubelet": components.kubelet,
    "kube-proxy": components.proxy,
    "kube-network-policies": components.network_policies,
    "kwok": components.kwok,
}
PLAYED_BINARIES: Final = ("etcd", "kube-apiserver", "kwok")
"""One of each module that a light instance needs."""
WORLD: Final = "world"
ENGINE: Final = "kube-network-policies"
STOP_PATIENCE_SECONDS: Final = 1.0


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


def up(*, light: bool = False) -> None:
    """Bring the instance up; do nothing when it is. A light one is a control plane whose nodes KWOK plays."""
    prerequisites.check_root()
    if light and not instance.NAME:
        raise errors.ClusterError(f"only an instance beside the usual one can be light: set {instance.VARIABLE}")
    with exclusive(local.place()):
        if not local.problems(local.place()):
            check_kind(light=light)
            progress.say("the cluster is up")
            return
        prerequisites.check_all()
        if light:
            build.ensure(*PLAYED_BINARIES)
        else:
            build.build_all()
        teardown.tear_down(local.place())
        try:
            startup.start(layout.Layout(layout.RUN, local.new_data()), light=light)
        except errors.ClusterError:
            progress.say(f"the start failed; logs are in {layout.RUN}/log until the next `up` or `down`")
            raise


def check_kind(*, light: bool) -> None:
    """Raise ClusterError when the instance that runs is of the other kind."""
    if local.place().light.exists() != light:
        running, wanted = ("whole", "light") if light else ("light", "whole")
        raise errors.ClusterError(f"the instance that is up is a {running} one: take it down for a {wanted} one")


def down() -> None:
    """Remove the cluster's processes, mounts and namespaces, and nothing else."""
    prerequisites.check_root()
    with exclusive(local.place()):
        teardown.tear_down(local.place())
    progress.say("the cluster is down")


def check_name(name: str) -> None:
    """Raise ClusterError unless there is a component of that name."""
    recorded = [record.name for record in processes.load(local.place().processes)]
    known = [component for component in (*MAKERS, WORLD) if component in recorded]
    if not known:
        raise errors.ClusterError("the cluster is not up: run `make cluster-up`")
    if name not in known:
        raise errors.ClusterError(f"no component is called {name!r}; known are {', '.join(known)}")


def stop(name: str) -> None:
    """End one component and leave it ended until `restart`, as tests of a dead part need."""
    check_name(name)
    where = local.place()
    with exclusive(where):
        for record in processes.load(where.processes):
            if record.name == name:
                processes.stop(record, patience_seconds=STOP_PATIENCE_SECONDS)


def restart(name: str) -> None:
    """End one component, start it again, and wait until API server, world or policy engine answers."""
    stop(name)
    where = local.place()
    with exclusive(where):
        starter = startup.Starter(where)
        if name == WORLD:
            starter.world()
            return
        starter.component(MAKERS[name](where, build.binary))
        starter.until(name, startup.policies_enforced if name == ENGINE else lambda: startup.api_ready(where))


@contextlib.contextmanager
def unenforced() -> Iterator[None]:
    """Let nothing enforce NetworkPolicies meanwhile, as where the network plugin ignores them.

    The engine ends first and starts last: a run that dies in between leaves an instance that `status` calls unhealthy
    and that the next `up` makes anew.
    """
    stop(ENGINE)
    try:
        namespaces.ask_nobody()
        yield
    finally:
        namespaces.ask_again()
        restart(ENGINE)
