"""The local cluster behind the common interface."""

from collections.abc import Mapping
from pathlib import Path

from tests.cluster import addresses, backend, errors, lifecycle, local, network, ownimages, prerequisites


class Local:
    """A one-node cluster in namespaces of this machine."""

    name = backend.LOCAL

    def __init__(self) -> None:
        self.has_world = not local.place().light.exists()

    def check(self) -> None:
        """Install or name what is missing."""
        prerequisites.check_all()

    def up(self) -> None:
        """Build what is missing, start what is not running."""
        lifecycle.up()

    def down(self) -> None:
        """Remove processes, mounts and namespaces."""
        lifecycle.down()

    def problems(self) -> list[str]:
        """Look at processes, seals and the node's condition."""
        return local.problems(local.place())

    def kubeconfig(self) -> Path:
        """Return the admin's; its server is the node's loopback, so it works inside the node's namespace only."""
        return local.place().kubeconfig()

    def command(self, arguments: list[str]) -> list[str]:
        """Enter the node's network namespace."""
        if not Path("/run/netns", addresses.NODE_NETNS).exists():
            raise errors.ClusterError("the cluster is not up: run `make cluster-up`")
        return network.inside(addresses.NODE_NETNS, *arguments)

    def environment(self) -> Mapping[str, str]:
        """Add KUBECONFIG, the built binaries and containerd's address."""
        return local.environment(local.place())

    def import_image(self, archive: Path) -> None:
        """Import into containerd's namespace of the kubelet."""
        ownimages.import_archive(local.place(), archive)
