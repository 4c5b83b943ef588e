"""Say what any cluster must offer to the demo and the tests, and choose one by the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from tests.cluster import errors

LOCAL: Final = "local"
KIND: Final = "kind"
EXTERNAL: Final = "external"


class Backend(Protocol):
    """A Kubernetes cluster; each method raises ClusterError with what to do when it cannot."""

    name: str
    has_world: bool
    """Whether the namespace that plays the internet exists beside it."""

    def check(self) -> None:
        """Raise MissingPrerequisite, naming what the machine lacks, before anything is started."""

    def up(self) -> None:
        """Bring it up, or find it up."""

    def down(self) -> None:
        """Remove what `up` made."""

    def problems(self) -> list[str]:
        """Say what keeps it from being usable; empty when nothing does."""

    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""

    def command(self, arguments: list[str]) -> list[str]:
        """Return how to run a command from where the API server can be reached."""

    def environment(self) -> Mapping[str, str]:
        """Return the whole environment for such a command."""

    def import_image(self, archive: Path) -> None:
        """Give the nodes an image from an oci-archive or docker-archive tar."""


def choose(environment: Mapping[str, str]) -> str:
    """Return the backend that the variables ask for: what CLUSTER names, else any that KUBECONFIG names, else local."""
    name = environment.get("CLUSTER") or (EXTERNAL if environment.get("KUBECONFIG") else LOCAL)
    if name not in {LOCAL, KIND, EXTERNAL}:
        raise errors.ClusterError(f"CLUSTER={name} is unknown: use {LOCAL}, {KIND} or {EXTERNAL}")
    return name
