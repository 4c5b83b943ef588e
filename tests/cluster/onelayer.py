"""Write container images of a single layer: the cluster's own two images hold one program each."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def tar_of(files: Mapping[str, bytes], *, mode: int) -> bytes:
    """Pack files the same way every time: no times, no owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def docker_archive(*, name: str, files: Mapping[str, bytes], entrypoint: list[str], user: str) -> bytes:
    """Return an image in docker-archive format; `name` as repository:tag, `files` by path without leading slash."""
    layer = tar_of(files, mode=0o755)
    layer_digest = hashlib.sha256(layer).hexdigest()
    configuration = json.dumps(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": entrypoint, "User": user},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
            "history": [{"created_by": "zaum"}],
        },
        sort_keys=True,
    ).encode()
    configuration_name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": configuration_name, "RepoTags": [name], "Layers": [f"{layer_digest}.tar"]}]
    return tar_of(
        {
            configuration_name: configuration,
            f"{layer_digest}.tar": layer,
            "manifest.json": json.dumps(manifest).encode(),
        },
        mode=0o644,
    )


def write(path: Path, content: bytes) -> None:
    """Write an archive as one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
