"""The schema knows every value, and no other."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

CHART = Path(__file__).resolve().parents[3] / "charts/zaum"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
FREE = {("global",), ("network", "dns", "podLabels")}
"""Objects whose keys are the user's."""


def places(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the place of every object among the values."""
    if isinstance(value, dict) and at not in FREE and at[-1:] != ("nodeSelector",):
        yield at
        for key, inner in value.items():
            yield from places(inner, (*at, key))


def test_the_defaults_are_valid() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)


@pytest.mark.parametrize("place", sorted(places(VALUES)), ids=".".join)
def test_i01_a_misspelt_value_is_refused_wherever_it_stands(place: tuple[str, ...]) -> None:
    values = copy.deepcopy(VALUES)
    inner = values
    for key in place:
        inner = inner[key]
    inner["missspelt"] = 1
    with pytest.raises(jsonschema.ValidationError, match="missspelt"):
        jsonschema.validate(values, SCHEMA)


@pytest.mark.parametrize("place", sorted(place for place in places(VALUES) if place), ids=".".join)
def test_i01_a_null_is_no_default(place: tuple[str, ...]) -> None:
    values = copy.deepcopy(VALUES)
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, SCHEMA)
