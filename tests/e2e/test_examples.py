"""Every example is taken by the API server as it stands, strictly validated, and kept whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.e2e.api import Api
from zaum_api import contract

EXAMPLES: Final = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yaml"))
RESOURCES: Final = {
    contract.KIND_POLICY: contract.PLURAL_POLICY,
    contract.KIND_CEILING: contract.PLURAL_CEILING,
}


@pytest.fixture
def applied(api: Api, namespace: str, path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Apply an example; give what stands in the file and what was stored."""
    manifest: dict[str, Any] = yaml.safe_load(path.read_text())
    place = {"namespace": namespace} if manifest["kind"] == contract.KIND_POLICY else {}
    resource = RESOURCES[manifest["kind"]]
    stored = api.apply(resource, {**manifest, "metadata": {**manifest["metadata"], **place}})
    yield manifest, stored
    api.delete(resource, place.get("namespace", ""), manifest["metadata"]["name"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_taken_as_it_stands(applied: tuple[dict[str, Any], dict[str, Any]]) -> None:
    manifest, stored = applied
    added = {"mode": "Enforce", "desiredState": "Running"} if manifest["kind"] == contract.KIND_POLICY else {}
    assert stored["spec"] == {**added, **manifest["spec"]}
