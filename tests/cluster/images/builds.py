"""Build images into the cache: base, wheels, archives; a folder there is complete or absent."""

import json
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any, Final

from tests.cluster import build, errors, prerequisites, processes, progress
from tests.cluster.images import recipes

HERE: Final = Path(__file__).parent
REPOSITORY: Final = HERE.parents[2]
PARALLEL: Final = 2
ARCHIVE_NAME: Final = "image.tar"


@dataclass(frozen=True, slots=True)
class Built:
    """One image in the cache."""

    image: recipes.Image
    archive: Path
    digest: str
    total_bytes: int
    own_bytes: int
    """What the image adds to the base."""
    seconds: float
    """0 when it was in the cache already."""


def cache() -> Path:
    """Give the folder for everything about images."""
    return build.cache_root() / "images"


def buildah() -> recipes.Buildah:
    """Give Buildah with its storage in the cache."""
    return recipes.Buildah(storage=build.cache_root() / "buildah", policy=HERE / "policy.json")


def build_images(names: Iterable[str] = ()) -> list[Built]:
    """Build the named images, or all; those whose inputs have not changed are taken from the cache."""
    wanted = [_known(name) for name in names] or list(recipes.IMAGES.values())
    check_prerequisites()
    with _locked():
        bases = {base: _ensure_base(base) for base in dict.fromkeys(image.base for image in wanted)}
        keys = {image.name: key_of(image, base_key=bases[image.base]) for image in wanted}
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(lambda image: _ensure_image(image, keys[image.name]), wanted))


def key_of(image: recipes.Image, *, base_key: str) -> str:
    """Give the key of an image: its Containerfile, what that copies, its locks, its base."""
    containerfile = (REPOSITORY / image.containerfile).read_text()
    paths = [*recipes.copied_paths(containerfile), *image.locks]
    contents = [(name, file.read_bytes()) for path in paths for name, file in _files(path)]
    return recipes.digest_of([("base", base_key.encode()), ("containerfile", containerfile.encode()), *contents])


def _files(relative: str) -> Iterator[tuple[str, Path]]:
    """List the files below a path of the repository, bytecode left out."""
    start = REPOSITORY / relative
    if not start.exists():
        raise errors.ClusterError(f"{relative} is copied into an image but is not in the repository")
    found = [start] if start.is_file() else sorted(path for path in start.rglob("*") if path.is_file())
    for path in found:
        if "__pycache__" not in path.parts:
            yield str(path.relative_to(REPOSITORY)), path


def _known(name: str) -> recipes.Image:
    if name not in recipes.IMAGES:
        raise errors.ClusterError(f"no image is called {name!r}; known are {', '.join(sorted(recipes.IMAGES))}")
    return recipes.IMAGES[name]


def _ensure_base(base: recipes.Base) -> str:
    containerfile = HERE / "base.Containerfile"
    key = recipes.base_key(containerfile.read_text(), base)
    folder = build.cache_root() / "base" / key
    if not folder.is_dir():
        with progress.step(f"made the root of {base.name} by mmdebstrap"), _fresh(folder) as fresh:
            processes.run(*recipes.bootstrap_command(mirror=_mirror(), output=fresh / "root.tar", base=base))
    stamp = buildah().storage / f"{base.name}-key"
    if not stamp.exists() or stamp.read_text() != key:
        with progress.step(f"imported {base.name}"):
            processes.run(*buildah().build_base(base, containerfile=containerfile, context=folder))
        stamp.write_text(key)
    return key


def check_prerequisites() -> None:
    """Raise MissingPrerequisite for what the machine lacks, before anything is made; install tools where possible."""
    if os.geteuid() != 0:
        raise errors.MissingPrerequisite("images are built by Buildah in a namespace without a network: run as root")
    prerequisites.check_tools()
    if not recipes.DEBIAN_KEYRING.exists():
        raise errors.MissingPrerequisite(f"{recipes.DEBIAN_KEYRING} is missing: install debian-archive-keyring")


def _mirror() -> str:
    columns = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    listed = processes.run("apt-get", "indextargets", "--format", columns, "Created-By: Packages").stdout
    mirror = recipes.mirror_of(listed)
    if mirror is None:
        raise errors.MissingPrerequisite("apt names no Debian archive: run apt-get update, or check its sources")
    return mirror


def _ensure_image(image: recipes.Image, key: str) -> Built:
    folder = cache() / f"{image.name}-{key}"
    if folder.is_dir():
        return _read(image, folder, seconds=0.0)
    began = time.monotonic()
    with progress.step(f"built {image.name}"), _fresh(folder) as fresh:
        _build(image, fresh)
    _forget_others(image, folder)
    return _read(image, folder, seconds=time.monotonic() - began)


def _build(image: recipes.Image, folder: Path) -> None:
    wheels = _ensure_wheels(image)
    processes.run(*buildah().build(image, repository=REPOSITORY, wheels=wheels))
    processes.run(*buildah().export(image, archive=folder / ARCHIVE_NAME))


def _ensure_wheels(image: recipes.Image) -> Path:
    locks = [REPOSITORY / lock for lock in image.locks]
    machine = platform.machine()
    key = recipes.digest_of([("machine", machine.encode()), *((lock.name, lock.read_bytes()) for lock in locks)])
    folder = build.cache_root() / "wheels" / f"{image.lock}-{key}"
    if not folder.is_dir():
        with progress.step(f"fetched the wheels of {image.name}"), _fresh(folder) as fresh:
            processes.run(*recipes.download_command(python=sys.executable, machine=machine, locks=locks, output=fresh))
    return folder


def read_archive(archive: Path) -> tuple[str, list[int]]:
    """Read an oci-archive's digest (of its manifest) and the sizes of its layers, the base's first."""
    with tarfile.open(archive) as content:
        index = _member(content, "index.json")
        digest: str = index["manifests"][0]["digest"]
        manifest = _member(content, f"blobs/{digest.replace(':', '/')}")
    return digest, [layer["size"] for layer in manifest["layers"]]


def _member(content: tarfile.TarFile, name: str) -> Any:
    stream = content.extractfile(name)
    assert stream is not None  # a file in every oci-archive (OCI image layout)
    return json.load(stream)


def _read(image: recipes.Image, folder: Path, *, seconds: float) -> Built:
    archive = folder / ARCHIVE_NAME
    digest, layers = read_archive(archive)
    return Built(
        image=image,
        archive=archive,
        digest=digest,
        total_bytes=sum(layers),
        own_bytes=sum(layers[1:]),
        seconds=seconds,
    )


def _forget_others(image: recipes.Image, folder: Path) -> None:
    """Remove the archives of earlier inputs: they are large and quickly made again."""
    for other in cache().glob(f"{image.name}-*"):
        if other != folder and len(other.name) == len(folder.name):
            shutil.rmtree(other)


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """Give a folder to fill that becomes `folder` when the block ends well, and is gone when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
        fresh = Path(temporary) / "new"
        fresh.mkdir()
        yield fresh
        fresh.rename(folder)


@contextmanager
def _locked() -> Iterator[None]:
    """Let one builder at a time use the cache; others wait for it. What a killed one left unfinished is removed."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as lock:
        flock(lock, LOCK_EX)
        for folder in _folders():
            for unfinished in folder.glob(".*/"):
                shutil.rmtree(unfinished)
        yield


def _folders() -> tuple[Path, ...]:
    return cache(), build.cache_root() / "base", build.cache_root() / "wheels"


def clean() -> None:
    """Remove everything that builds keep: archives, wheels, the base, Buildah's storage."""
    with _locked():
        for folder in (*_folders(), buildah().storage):
            shutil.rmtree(folder, ignore_errors=True)
