"""Make and import the two images that the cluster itself needs, and import those of others."""

import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.cluster import build, configuration, errors, layout, onelayer, processes

PAUSE_SOURCE: Final = Path(__file__).with_name("pause.c")
NOBODY: Final = "65532:65532"


def dns_image_name() -> str:
    """Return the name of CoreDNS's image; its tag follows the binary."""
    return f"localhost/zaum-coredns:{build.binary('coredns').parent.name.rpartition('-')[2]}"


def compile_pause() -> bytes:
    """Return the static program that holds a pod's namespaces."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "pause"
        command = ["gcc", "-Os", "-static", "-s", "-o", str(output), str(PAUSE_SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise errors.ClusterError(f"gcc cannot make the pause program: {done.stderr.strip()}")
        return output.read_bytes()


def archives(place: layout.Layout) -> dict[str, Path]:
    """Return name → archive of both images, made when absent."""
    pause_key = hashlib.sha256(PAUSE_SOURCE.read_bytes()).hexdigest()[:16]
    wanted = {
        configuration.PAUSE_IMAGE: place.images / f"pause-{pause_key}.tar",
        dns_image_name(): place.images / f"{build.target_of('coredns').name}.tar",
    }
    for name, path in wanted.items():
        if not path.exists():
            program = "pause" if name == configuration.PAUSE_IMAGE else "coredns"
            content = compile_pause() if program == "pause" else build.binary(program).read_bytes()
            image = onelayer.docker_archive(
                name=name, files={program: content}, entrypoint=[f"/{program}"], user=NOBODY
            )
            onelayer.write(path, image)
    return wanted


def ctr(place: layout.Layout, *arguments: str | Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run containerd's own client in the kubelet's containerd namespace."""
    client: list[str | Path] = [build.binary("ctr"), "--address", place.containerd_socket, "--namespace", "k8s.io"]
    return processes.run(*client, *arguments, check=check)


def listed(place: layout.Layout) -> set[str]:
    """Return the names of the images that containerd has."""
    return set(ctr(place, "images", "list", "--quiet").stdout.split())


def import_archive(place: layout.Layout, archive: Path) -> None:
    """Import a docker-archive or oci-archive; what containerd has already costs no time."""
    ctr(place, "images", "import", "--local", archive)


def import_own(place: layout.Layout) -> None:
    """Import both images of the cluster unless they are there."""
    present = listed(place)
    for name, archive in archives(place).items():
        if name not in present:
            import_archive(place, archive)
