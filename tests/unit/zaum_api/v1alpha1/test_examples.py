import pathlib

import pytest
import yaml

from zaum_api.v1alpha1 import policy

ROOT = pathlib.Path(__file__).resolve().parents[4]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_policy_with_a_line_that_says_what_it_shows(path: pathlib.Path) -> None:
    assert path.read_text().startswith("# ")
    policy.AgentPolicy.model_validate(yaml.safe_load(path.read_text()))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2
