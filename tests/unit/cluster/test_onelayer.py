"""A single-layer image names its layer by the digest that a runtime will compute."""

import hashlib
import io
import json
import tarfile

from tests.cluster import onelayer


def build(content: bytes = b"program") -> bytes:
    """Return an image with one program."""
    return onelayer.docker_archive(
        name="localhost/x:1", files={"bin/x": content}, entrypoint=["/bin/x"], user="65532:65532"
    )


def entries(archive: bytes) -> dict[str, bytes]:
    """Return a tar's files."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: stream.read() for name, stream in found.items() if stream is not None}


def test_manifest_configuration_and_layer_agree() -> None:
    files = entries(build())
    (manifest,) = json.loads(files["manifest.json"])
    layer = files[manifest["Layers"][0]]
    configuration = json.loads(files[manifest["Config"]])
    assert configuration["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert manifest["RepoTags"] == ["localhost/x:1"]
    assert entries(layer) == {"bin/x": b"program"}


def test_the_program_is_executable_and_not_run_as_root() -> None:
    files = entries(build())
    (manifest,) = json.loads(files["manifest.json"])
    with tarfile.open(fileobj=io.BytesIO(files[manifest["Layers"][0]])) as tar:
        assert tar.getmember("bin/x").mode == 0o755
    assert json.loads(files[manifest["Config"]])["config"] == {"Entrypoint": ["/bin/x"], "User": "65532:65532"}


def test_the_same_input_gives_the_same_bytes() -> None:
    assert build() == build()
    assert build(b"another") != build()
