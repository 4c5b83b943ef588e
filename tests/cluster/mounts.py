"""Give the node's processes one mount namespace of their own, and clear away what earlier runs left mounted.

Inside it the resolver file is the cluster's and the folders that Kubernetes insists on are empty memory file
systems, so nothing asks the machine's resolver and nothing is left in /var. All processes share it, because the
kubelet's mounts must be seen by containerd.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.cluster import errors, identity, layout, processes

MASKED: Final = tuple(
    Path(folder)
    for folder in ("/run/containerd", "/run/nri", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")
)
"""Folders whose names are fixed in kubelet, containerd and the CNI library."""

KEEPER: Final = "keeper"


def keeper_script(place: layout.Layout, resolver: Path, masked: Sequence[Path] = MASKED) -> str:
    """Return the shell script that arranges the mounts, says so and then only holds the namespace open."""
    lines = [
        "set -e",
        "mount --make-rshared /",
        f"mount --bind {place.etc}/resolv.conf {resolver}",
        *(f"mount -t tmpfs -o mode=755 zaum {folder}" for folder in masked),
        f"touch {place.run}/keeper.ready",
        "exec sleep infinity",
    ]
    return "\n".join(lines)


def make_mount_points(place: layout.Layout, masked: Sequence[Path]) -> None:
    """Make the masked folders that the machine lacks, and note which, so that `down` can remove them."""
    absent = [folder for folder in masked if not folder.exists()]
    with place.masked.open("a") as notes:
        for folder in absent:
            notes.write(f"{folder}\n")
            notes.flush()
            folder.mkdir(parents=True)


def remove_mount_points(place: layout.Layout) -> None:
    """Remove the folders that `make_mount_points` made, if they are empty as they should be.

    To remove one would unmount what another instance has there, so its notes get ours and it removes them.
    """
    if not place.masked.exists():
        return
    for other in place.run.parent.glob(f"{layout.PREFIX}*/{place.masked.name}"):
        if other != place.masked:
            with other.open("a") as notes:
                notes.write(place.masked.read_text())
            return
    for folder in map(Path, place.masked.read_text().split()):
        if folder in MASKED and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def start_keeper(place: layout.Layout, cgroup: Path) -> identity.Record:
    """Make the namespace; it lives as long as the process returned or anyone else in it."""
    masked = () if place.light.exists() else MASKED
    make_mount_points(place, masked)
    resolver = Path("/etc/resolv.conf").resolve()
    # Mounts that the machine makes later appear here too; none made here appears there.
    script = keeper_script(place, resolver, masked)
    command = ["unshare", "--mount", "--propagation", "slave", "--", "/bin/sh", "-c", script]
    log = place.log / f"{KEEPER}.log"
    return processes.start(
        KEEPER, command, log=log, environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, cgroup=cgroup
    )


def below(mountinfo: str, folder: Path) -> list[Path]:
    """Return the mount points at or under `folder`, deepest first, from the text of a /proc/PID/mountinfo."""
    points = [Path(line.split(" ")[4].encode().decode("unicode_escape")) for line in mountinfo.splitlines()]
    return sorted((point for point in points if point.is_relative_to(folder)), key=lambda p: len(p.parts), reverse=True)


def clear(folder: Path) -> None:
    """Unmount whatever is mounted under one of our folders in the machine's namespace; usually nothing is."""
    for point in below(Path("/proc/self/mountinfo").read_text(), folder):
        done = subprocess.run(["umount", "--lazy", str(point)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise errors.ClusterError(f"cannot unmount {point}: {done.stderr.strip()}")
