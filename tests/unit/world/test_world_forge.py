"""The world's package index and git repository are what pip and git read."""

import hashlib
import io
import pathlib
import re
import subprocess
import zipfile
import zlib

import pytest

from tests.cluster.world import forge, http1


def body(path: str) -> bytes:
    answer = forge.respond(http1.Request(method="GET", target=path, headers={}))
    assert answer.status == 200
    assert isinstance(answer.body, bytes)
    return answer.body


@pytest.mark.parametrize("project", forge.WHEELS)
def test_a_project_s_page_names_its_wheel_with_its_hash(project: str) -> None:
    found = re.search(r'href="([^"#]+)#sha256=([0-9a-f]+)"', body(f"/simple/{project}/").decode())
    assert found
    assert hashlib.sha256(body(found[1])).hexdigest() == found[2]


@pytest.mark.parametrize("project", forge.WHEELS)
def test_a_wheel_lists_its_files_and_requires_what_it_says(project: str) -> None:
    archive = zipfile.ZipFile(io.BytesIO(body(f"/wheels/{forge.wheel_name(project)}")))
    [record] = [name for name in archive.namelist() if name.endswith("/RECORD")]
    listed = {line.partition(",")[0] for line in archive.read(record).decode().splitlines()}
    assert listed == set(archive.namelist())
    metadata = archive.read(record.replace("RECORD", "METADATA")).decode()
    assert [line[15:] for line in metadata.splitlines() if line.startswith("Requires-Dist: ")] == [
        *forge.WHEELS[project]
    ]


def test_git_reads_the_repository(tmp_path: pathlib.Path) -> None:
    for path, content in forge.make_repository(forge.GIT_FILES).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "refs").mkdir(exist_ok=True)
    git = ["git", "--git-dir", str(tmp_path), "-c", "safe.directory=*"]
    subprocess.run([*git, "fsck", "--strict"], check=True, capture_output=True)
    shown = subprocess.run([*git, "show", "HEAD:README"], check=True, capture_output=True).stdout
    assert shown == forge.GIT_FILES["README"]


def test_every_object_is_stored_under_its_own_hash() -> None:
    for path, content in forge.make_repository(forge.GIT_FILES).items():
        if re.fullmatch("objects/[0-9a-f]{2}/[0-9a-f]{38}", path):
            assert hashlib.sha1(zlib.decompress(content)).hexdigest() == path[8:].replace("/", "")


def test_what_is_not_there_or_not_a_read_is_refused() -> None:
    assert forge.respond(http1.Request(method="GET", target="/simple/other/", headers={})).status == 404
    assert forge.respond(http1.Request(method="POST", target="/simple/", headers={})).status == 405
