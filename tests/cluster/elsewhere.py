"""A cluster that somebody else runs, given by KUBECONFIG."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.cluster import backend, errors, inkind, processes, progress

OLDEST: Final = (1, 33)


def parse_version(text: str) -> tuple[int, int]:
    """Read the API server's /version document; a vendor's suffix as in `33+` is cut off."""
    document = json.loads(text)
    return int(str(document["major"]).rstrip("+")), int(str(document["minor"]).rstrip("+"))


def pushed(reference: str) -> str:
    """Give the reference under which the owner of an external cluster has pushed one of our images."""
    place = os.environ.get("ZAUM_IMAGES", "")
    if not place:
        raise errors.MissingPrerequisite(
            "an external cluster pulls from a registry: build with `make images`, push the archives, "
            "and set ZAUM_IMAGES to where they are (what stands before zaum-operator:dev)"
        )
    return f"{place.rstrip('/')}/{reference.rpartition('/')[2]}"


class External:
    """Any cluster; `up` only checks that it answers and is new enough."""

    name = backend.EXTERNAL
    has_world = False

    def check(self) -> None:
        """Look for the kubeconfig."""
        if not self.kubeconfig().is_file():
            raise errors.MissingPrerequisite(f"KUBECONFIG names {self.kubeconfig()}, and there is no such file")

    def up(self) -> None:
        """Check that it answers and is new enough."""
        self.check()
        inkind.ensure_clients()
        if found := self.problems():
            raise errors.ClusterError("; ".join(found))
        progress.say(f"the cluster behind {self.kubeconfig()} answers")

    def down(self) -> None:
        """Leave it alone."""
        progress.say("an external cluster is left as it is")

    def problems(self) -> list[str]:
        """Check that it answers and its version."""
        kubeconfig = self.kubeconfig()
        if found := inkind.answer_problems(kubeconfig):
            return found
        flags = [f"--kubeconfig={kubeconfig}", "--request-timeout=5s"]
        version = parse_version(processes.run(inkind.kubectl(), *flags, "get", "--raw=/version").stdout)
        if version < OLDEST:
            shown, wanted = (".".join(str(part) for part in pair) for pair in (version, OLDEST))
            return [f"Kubernetes {shown} is too old: {wanted} is the oldest that Zaum supports"]
        return []

    def kubeconfig(self) -> Path:
        """Return the first file that KUBECONFIG names."""
        named = os.environ.get("KUBECONFIG", "")
        if not named:
            raise errors.MissingPrerequisite("CLUSTER=external needs KUBECONFIG to name a kubeconfig file")
        return Path(named.split(os.pathsep)[0])

    def command(self, arguments: list[str]) -> list[str]:
        """Run in place."""
        return arguments

    def environment(self) -> Mapping[str, str]:
        """Add the built binaries."""
        return os.environ | {"CLUSTER": self.name, "PATH": inkind.with_binaries()}

    def import_image(self, archive: Path) -> None:
        """Refuse: its nodes pull from a registry that only its owner can fill."""
        raise errors.ClusterError(
            f"{archive.name} cannot be loaded into an external cluster: push it to a registry that its nodes reach"
        )
