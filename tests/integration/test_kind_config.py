"""The configuration for kind holds nothing that kind itself would not understand."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cluster import build, inkind

DECODER = build.SOURCES / "kind"

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="kind's own types are compiled by go")


def decode(path: Path) -> "subprocess.CompletedProcess[str]":
    """Decode a file strictly into kind's v1alpha4 types."""
    command = ["go", "run", "-mod=readonly", ".", str(path)]
    return subprocess.run(command, cwd=DECODER, capture_output=True, text=True, check=False)


def test_kinds_own_types_accept_the_file() -> None:
    decoded = decode(inkind.CONFIGURATION)
    assert decoded.returncode == 0, decoded.stderr
    assert decoded.stdout.strip() == "zaum: 1 node(s), ipFamily dual"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"networking": {"ipFamly": "dual"}}, "ipFamly"),
        ({"nodes": "one"}, "cannot unmarshal"),
        ({"apiVersion": "kind.x-k8s.io/v1alpha3"}, "v1alpha4"),
    ],
)
def test_a_mistake_in_the_file_would_be_noticed(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    document = yaml.safe_load(inkind.CONFIGURATION.read_text()) | wrong
    broken = tmp_path / "kind.yaml"
    broken.write_text(yaml.safe_dump(document))
    decoded = decode(broken)
    assert decoded.returncode != 0
    assert message in decoded.stderr


def test_the_name_is_the_one_that_is_created_and_deleted() -> None:
    assert yaml.safe_load(inkind.CONFIGURATION.read_text())["name"] == inkind.NAME
