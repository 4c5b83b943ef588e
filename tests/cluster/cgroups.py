"""Keep every process of the cluster in one cgroup, so that none is ever lost and none is taken for ours by mistake.

Only folders of our own name are made, below the hierarchies that the machine has mounted; no mount is touched.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster import errors, instance

NAME: Final = f"zaum-cluster{instance.SUFFIX}"
NODE: Final = "node"
"""The sub-folder of the node's own processes; the kubelet puts pods beside it."""


@dataclass(frozen=True)
class Hierarchy:
    """A mounted cgroup file system; `controllers` is empty for version 2."""

    path: Path
    version: int
    controllers: frozenset[str]


def parse_mountinfo(text: str) -> list[Hierarchy]:
    """List the cgroup mounts of a /proc/self/mountinfo."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        path = Path(left.split(" ")[4])
        if kind == "cgroup2":
            found.append(Hierarchy(path, 2, frozenset()))
        elif kind == "cgroup":
            found.append(Hierarchy(path, 1, frozenset(options.split(","))))
    return found


def tracking(hierarchies: list[Hierarchy]) -> Hierarchy:
    """Choose the hierarchy in which processes are counted: version 1's pids where there is one, else version 2.

    Beside version 1 the kubelet's runtime leaves version 2 alone, and pods are moved in version 1 only.
    """
    for hierarchy in hierarchies:
        if "pids" in hierarchy.controllers:
            return hierarchy
    for hierarchy in hierarchies:
        if hierarchy.version == 2:
            return hierarchy
    raise errors.MissingPrerequisite("no cgroup hierarchy with the pids controller is mounted on this machine")


def mounted() -> list[Hierarchy]:
    """Return the machine's cgroup mounts."""
    return parse_mountinfo(Path("/proc/self/mountinfo").read_text())


def create() -> Path:
    """Make our cgroup in every hierarchy (the kubelet wants its root in each) and return the node's folder."""
    hierarchies = mounted()
    for hierarchy in hierarchies:
        ours = hierarchy.path / NAME
        ours.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1 starts them empty, and then nothing can run
            if "cpuset" in hierarchy.controllers:
                (ours / setting).write_text((hierarchy.path / setting).read_text())
    node = tracking(hierarchies).path / NAME / NODE
    node.mkdir(exist_ok=True)
    return node


def members() -> list[int]:
    """Return the pids of all processes in our cgroup and below."""
    pids: list[int] = []
    for hierarchy in mounted():
        for folder, _, _ in os.walk(hierarchy.path / NAME):
            try:
                pids += [int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()]
            except (FileNotFoundError, OSError):
                continue  # the folder went away meanwhile; what was in it is gone or listed elsewhere
    return sorted(set(pids))


def kill(*, below: str = "", patience_seconds: float = 15.0) -> None:
    """Kill everything in our cgroup, again and again until nothing is left."""
    deadline = time.monotonic() + patience_seconds
    while remaining := (members() if not below else pods(below)):
        if time.monotonic() > deadline:
            raise errors.ClusterError(f"processes {remaining} do not die")
        for pid in remaining:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def pods(below: str) -> list[int]:
    """Return the pids in the sub-folder `below` of our cgroup, in the hierarchy that counts."""
    pids: list[int] = []
    for folder, _, _ in os.walk(tracking(mounted()).path / NAME / below):
        try:
            pids += [int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()]
        except (FileNotFoundError, OSError):
            continue
    return pids


def remove() -> None:
    """Remove our empty folders from every hierarchy."""
    for hierarchy in mounted():
        for folder, _, _ in os.walk(hierarchy.path / NAME, topdown=False):
            Path(folder).rmdir()
