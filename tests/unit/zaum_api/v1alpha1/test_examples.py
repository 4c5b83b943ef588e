"""Each example is a good object that shows one feature, and together they show every feature."""

import pathlib
from typing import Any, Final

import pytest
import yaml

from tests.support import schemas
from zaum_api import contract
from zaum_api.v1alpha1 import ceiling, model, policy

ROOT: Final = pathlib.Path(__file__).resolve().parents[4]
EXAMPLES: Final = sorted((ROOT / "examples").glob("*.yaml"))
MODELS: Final[dict[str, type[model.Model]]] = {
    contract.KIND_POLICY: policy.AgentPolicy,
    contract.KIND_CEILING: ceiling.AgentCeiling,
}
SHOWN: Final = {
    "minimal": "agent",
    "researcher": "egress.hosts",
    "task": "agent.type",
    "ingress": "ingress",
    "workspace": "agent.workspace.persistent",
    "identity": "identity.token",
    "scheduling": "agent.nodeSelector",
    "routes": "egress.routes",
    "service": "egress.routes",
    "report": "mode",
    "limits": "limits",
    "contained": "containment",
    "ceiling": "namespaceSelector",
}
"""What each file is there to show."""


def read(path: pathlib.Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_good_object_with_a_line_that_says_what_it_shows(path: pathlib.Path) -> None:
    assert path.read_text().startswith("# ")
    manifest = read(path)
    MODELS[manifest["kind"]].model_validate(manifest)
    place: Any = manifest["spec"]
    for part in SHOWN[path.stem].split("."):
        place = place[part]


def test_each_feature_has_its_example() -> None:
    assert {path.stem for path in EXAMPLES} == set(SHOWN)


def test_no_two_examples_have_one_name() -> None:
    named = [(read(path)["kind"], read(path)["metadata"]["name"]) for path in EXAMPLES]
    assert len(set(named)) == len(named)


def test_an_example_says_nothing_that_is_dropped() -> None:
    assert not [path.name for path in EXAMPLES if schemas.without_nulls(read(path), {}) != read(path)]
