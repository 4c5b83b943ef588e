"""Check what the machine must have before anything is started; install Debian packages where that is possible."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster import errors, progress

GO_WANTED: Final = (1, 26)


@dataclass(frozen=True)
class Tool:
    """A Debian package and the command, pkg-config library or file by which its presence shows."""

    package: str
    command: str | None = None
    library: str | None = None
    file: str | None = None


TOOLS: Final = (
    Tool("iproute2", command="ip"),
    Tool("iptables", command="ip6tables"),
    Tool("nftables", command="nft"),
    Tool("procps", command="sysctl"),
    Tool("util-linux", command="nsenter"),
    Tool("mount", command="mount"),
    Tool("gcc", command="gcc"),
    Tool("libc6-dev", command="gcc"),
    Tool("pkg-config", command="pkg-config"),
    Tool("libseccomp-dev", library="libseccomp"),
    Tool("buildah", command="buildah"),
    Tool("mmdebstrap", command="mmdebstrap"),
    Tool("debian-archive-keyring", file="/usr/share/keyrings/debian-archive-keyring.gpg"),
    Tool("tcpdump", command="tcpdump"),
    Tool("postgresql", file="/usr/share/postgresql-common/pg_wrapper"),
)


def is_present(tool: Tool) -> bool:
    """Look for the tool's command, library or file."""
    if tool.file is not None:
        return Path(tool.file).exists()
    if tool.library is not None:
        probe = ["pkg-config", "--exists", tool.library]
        return shutil.which("pkg-config") is not None and subprocess.run(probe, check=False).returncode == 0
    return tool.command is not None and shutil.which(tool.command) is not None


def parse_go_version(text: str) -> tuple[int, int] | None:
    """Read `go1.26.8` or `go version go1.26.8 ...` as (1, 26); None when it names no release."""
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def check_go() -> None:
    """Raise MissingPrerequisite unless a new enough Go is on the PATH."""
    wanted = ".".join(str(part) for part in GO_WANTED)
    if shutil.which("go") is None:
        raise errors.MissingPrerequisite(f"go >= {wanted} is not on the PATH: the cluster's binaries are built by it")
    shown = subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout
    found = parse_go_version(shown)
    if found is None or found < GO_WANTED:
        raise errors.MissingPrerequisite(f"go >= {wanted} is needed, found: {shown.strip() or 'nothing'}")


def check_tools() -> None:
    """Install the Debian packages that are missing, or name them and stop."""
    missing = [tool for tool in TOOLS if not is_present(tool)]
    if not missing:
        return
    packages = " ".join(dict.fromkeys(tool.package for tool in missing))
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        raise errors.MissingPrerequisite(f"missing on this machine, by Debian's package names: {packages}")
    progress.say(f"installing Debian packages: {packages} ...")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", *packages.split()]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise errors.MissingPrerequisite(
                f"{' '.join(command)} failed; install {packages} by hand.\n{done.stderr.strip()[-1000:]}"
            )


def check_root() -> None:
    """Raise MissingPrerequisite unless this process may make namespaces and containers."""
    if os.geteuid() != 0:
        raise errors.MissingPrerequisite(
            "the local cluster needs root (network namespaces, containers); run as root, "
            "or use CLUSTER=kind, or CLUSTER=external with a KUBECONFIG"
        )


def check_all() -> None:
    """Check everything, cheapest and least changeable first."""
    check_root()
    check_go()
    check_tools()
