"""Say what each image is made of and how the tools are called. Pure: texts and paths in, keys and commands out."""

import hashlib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TAG: Final = "dev"
LONG_KEY: Final = 24

DEBIAN_SUITE: Final = "trixie"
DEBIAN_PACKAGES: Final = ("python3", "ca-certificates", "libstdc++6")
TOOL_PACKAGES: Final = ("curl", "git")
DEBIAN_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DEBIAN_EXCLUDED: Final = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
)

PYTHON_VERSION: Final = "3.13"
PYTHON_ABIS: Final = ("cp313", "abi3", "none")
NEWEST_GLIBC_MINOR: Final = 41
"""Debian trixie's; wheels for this one and all before run on it (PEP 600)."""
LEGACY_PLATFORMS: Final = ("manylinux2014", "manylinux2010", "manylinux1")


@dataclass(frozen=True, slots=True)
class Base:
    """A Debian root that images stand on."""

    name: str
    packages: tuple[str, ...]

    @property
    def reference(self) -> str:
        """Give its name in Buildah's storage."""
        return f"localhost/zaum-{self.name}:{DEBIAN_SUITE}"


PLAIN: Final = Base("base", DEBIAN_PACKAGES)
"""The product's."""
TOOLED: Final = Base("base-tools", DEBIAN_PACKAGES + TOOL_PACKAGES)
"""For clients that Debian brings: nothing of the product stands on it."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image of the product: `lock` names the requirements file that fills it."""

    name: str
    lock: str
    base: Base = PLAIN

    @property
    def reference(self) -> str:
        """Give the name by which a pod on the local cluster can ask for it."""
        return f"localhost/zaum-{self.name}:{TAG}"

    @property
    def containerfile(self) -> str:
        """Give the path of its Containerfile in the repository."""
        return f"images/{self.name}.Containerfile"

    @property
    def locks(self) -> tuple[str, str]:
        """Give the paths of the requirements that its wheels are fetched by."""
        return f"requirements/{self.lock}.txt", "requirements/pip.txt"

    def by_digest(self, digest: str) -> str:
        """Give the name with a digest instead of the tag."""
        return f"{self.reference.rpartition(':')[0]}@{digest}"


IMAGES: Final[Mapping[str, Image]] = {
    image.name: image
    for image in (
        Image(name="watchdog", lock="watchdog"),
        Image(name="authorizer", lock="gateway"),
        Image(name="ledger", lock="ledger"),
        Image(name="operator", lock="operator"),
        Image(name="gateway", lock="envoy"),
        Image(name="demo-agent", lock="demo-agent"),
        Image(name="clients", lock="clients", base=TOOLED),
    )
}


CHART_IMAGES: Final = tuple(name for name in IMAGES if name not in {"demo-agent", "clients"})


def chart_values(references: Mapping[str, str]) -> dict[str, str]:
    """Spell references (by tag or by digest) as the chart's values; images that were loaded are not pulled."""
    values = {"images.pullPolicy": "IfNotPresent"}
    for name in CHART_IMAGES:
        repository, at, digest = references[name].partition("@")
        if at:
            values |= {f"images.{name}.repository": repository, f"images.{name}.digest": digest}
        else:
            repository, _, tag = references[name].rpartition(":")
            values |= {f"images.{name}.repository": repository, f"images.{name}.tag": tag}
    return values


def copied_paths(containerfile: str) -> tuple[str, ...]:
    """List what a Containerfile copies from the repository, in order: the inputs that its image depends on."""
    found: list[str] = []
    for line in _instructions(containerfile):
        word, *arguments = shlex.split(line)
        if word.upper() in {"COPY", "ADD"} and not any(argument.startswith("--from=") for argument in arguments):
            found += [argument for argument in arguments if not argument.startswith("--")][:-1]
    return tuple(found)


def _instructions(containerfile: str) -> Iterator[str]:
    joined = ""
    for line in containerfile.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.endswith("\\"):
            joined += stripped[:-1] + " "
        else:
            yield joined + stripped
            joined = ""


def digest_of(parts: Iterable[tuple[str, bytes]]) -> str:
    """Give one key for named contents; order, names and lengths count, so that no two lists share one."""
    total = hashlib.sha256()
    for name, content in parts:
        total.update(f"{len(name)}:{name}:{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()[:LONG_KEY]


def base_key(containerfile: str, base: Base = PLAIN) -> str:
    """Give the key of a base: the command without the mirror's name, and the Containerfile."""
    command = bootstrap_command(mirror="", output=Path("root.tar"), base=base)
    return digest_of([("command", shlex.join(command).encode()), ("containerfile", containerfile.encode())])


def bootstrap_command(*, mirror: str, output: Path, base: Base = PLAIN) -> list[str]:
    """Call mmdebstrap: the essential packages and the base's, signatures checked by Debian's own keyring."""
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        f"--include={','.join(base.packages)}",
        f"--keyring={DEBIAN_KEYRING}",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in DEBIAN_EXCLUDED),
        DEBIAN_SUITE,
        str(output),
        mirror,
    ]


def mirror_of(index_targets: str) -> str | None:
    """Choose this machine's Debian mirror from `apt-get indextargets` (lines: URI, release, component, origin).

    The main archive is the one whose release has no suffix such as -updates or -security. None where there is none.
    """
    for line in index_targets.splitlines():
        match line.split():
            case [uri, release, "main", "Debian"] if "-" not in release:
                return uri
            case _:
                continue
    return None


def wheel_platforms(machine: str) -> list[str]:
    """List the wheel platforms that run on the base, the newest first."""
    modern = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC_MINOR, 4, -1)]
    return modern + [f"{legacy}_{machine}" for legacy in LEGACY_PLATFORMS]


def download_command(*, python: str, machine: str, locks: Iterable[Path], output: Path) -> list[str]:
    """Call pip to fetch the locked wheels for the image's Python, not the host's; hashes are checked."""
    return [
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={PYTHON_VERSION}",
        *(f"--abi={abi}" for abi in PYTHON_ABIS),
        *(f"--platform={platform}" for platform in wheel_platforms(machine)),
        "--require-hashes",
        "--no-deps",
        f"--dest={output}",
        *(f"--requirement={lock}" for lock in locks),
    ]


@dataclass(frozen=True, slots=True)
class Buildah:
    """Buildah with storage of its own, so that nothing else on the machine is touched."""

    storage: Path
    policy: Path

    def command(self, verb: str, *arguments: str | Path) -> list[str]:
        """Call one verb, in a network namespace with no interface: a build that wants the network fails."""
        storage = [f"--root={self.storage}/root", f"--runroot={self.storage}/run", "--storage-driver=overlay"]
        return ["unshare", "--net", "--", "buildah", *storage, verb, *(str(argument) for argument in arguments)]

    def build_base(self, base: Base, *, containerfile: Path, context: Path) -> list[str]:
        """Build a base. Its files keep their times: Debian's bytecode is valid only beside them."""
        return self.command("bud", *self._always, f"--file={containerfile}", f"--tag={base.reference}", context)

    def build(self, image: Image, *, repository: Path, wheels: Path) -> list[str]:
        """Build one image of the product; equal inputs on an equal base give equal digests."""
        return self.command(
            "bud",
            *self._always,
            "--timestamp=0",
            f"--file={repository / image.containerfile}",
            f"--tag={image.reference}",
            f"--build-arg=BASE={image.base.reference}",
            f"--build-context=wheels={wheels}",
            repository,
        )

    def export(self, image: Image, *, archive: Path) -> list[str]:
        """Write an image to an oci-archive, layers as they are: it is read again on this machine."""
        destination = f"oci-archive:{archive}:{image.reference}"
        return self.command("push", "--quiet", "--disable-compression", self._policy, image.reference, destination)

    @property
    def _policy(self) -> str:
        return f"--signature-policy={self.policy}"

    @property
    def _always(self) -> tuple[str, ...]:
        return "--isolation=chroot", "--pull=never", "--layers", self._policy
