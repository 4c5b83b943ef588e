"""A cluster made by kind and Docker, where both exist."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.cluster import backend, build, errors, prerequisites, processes, progress

NAME: Final = "zaum"
CONFIGURATION: Final = Path(__file__).with_name("kind.yaml")


def check() -> None:
    """Raise MissingPrerequisite unless kind and a running Docker are there."""
    for tool in ("docker", "kind"):
        if shutil.which(tool) is None:
            raise errors.MissingPrerequisite(f"CLUSTER=kind needs {tool} on the PATH; without it use the local cluster")
    asked = processes.run("docker", "version", "--format", "{{.Server.Version}}", check=False)
    if asked.returncode != 0:
        raise errors.MissingPrerequisite(
            "CLUSTER=kind needs a running Docker, and its daemon does not answer "
            f"({asked.stderr.strip() or 'no message'}); without it use the local cluster"
        )


class Kind:
    """A cluster of one container, named as in kind.yaml; nobody plays the internet beside it."""

    name = backend.KIND
    has_world = False

    def check(self) -> None:
        """Look for kind and Docker."""
        check()

    def up(self) -> None:
        """Create it unless it is there and answers."""
        check()
        ensure_clients()
        if NAME in processes.run("kind", "get", "clusters").stdout.split():
            if not self.problems():
                progress.say("the kind cluster is up")
                return
            self.down()
        self.kubeconfig().parent.mkdir(parents=True, exist_ok=True)
        progress.say("creating a kind cluster ...")
        with progress.step("created the kind cluster"):
            processes.run(
                "kind", "create", "cluster", "--name", NAME, "--config", CONFIGURATION,
                "--kubeconfig", self.kubeconfig(), "--wait", "180s",
            )  # fmt: skip

    def down(self) -> None:
        """Delete it."""
        check()
        processes.run("kind", "delete", "cluster", "--name", NAME, "--kubeconfig", self.kubeconfig())

    def problems(self) -> list[str]:
        """Ask the API server whether it is ready."""
        return answer_problems(self.kubeconfig())

    def kubeconfig(self) -> Path:
        """Return the file that kind wrote."""
        return build.cache_root() / "kind" / "kubeconfig"

    def command(self, arguments: list[str]) -> list[str]:
        """Run in place: kind publishes the API server on the machine's loopback."""
        return arguments

    def environment(self) -> Mapping[str, str]:
        """Add KUBECONFIG and the built binaries."""
        own = {"CLUSTER": self.name, "KUBECONFIG": str(self.kubeconfig()), "PATH": with_binaries()}
        return os.environ | own

    def import_image(self, archive: Path) -> None:
        """Load the archive into the node."""
        processes.run("kind", "load", "image-archive", archive, "--name", NAME)


def ensure_clients() -> None:
    """Build the clients that the PATH lacks."""
    for client in ("helm", "kubectl"):
        if shutil.which(client) is None:
            prerequisites.check_go()
            build.ensure(client)


def with_binaries() -> str:
    """Return the PATH with the built binaries first."""
    return f"{build.search_path()}:{os.environ.get('PATH', os.defpath)}"


def kubectl() -> str:
    """Return the built kubectl, else the one on the PATH."""
    built = build.binary("kubectl")
    found = str(built) if built.exists() else shutil.which("kubectl")
    if found is None:
        raise errors.MissingPrerequisite("kubectl is neither built (`python -m tests.cluster build`) nor on the PATH")
    return found


def answer_problems(kubeconfig: Path) -> list[str]:
    """Say why the cluster behind a kubeconfig is not usable; empty when it is."""
    if not kubeconfig.exists():
        return [f"there is no kubeconfig at {kubeconfig}"]
    flags = [f"--kubeconfig={kubeconfig}", "--request-timeout=5s"]
    asked = processes.run(kubectl(), *flags, "get", "--raw=/readyz", check=False)
    return [] if asked.stdout.strip() == "ok" else [f"the API server is not ready: {asked.stderr.strip()}"]
