from typing import Any

import pydantic
import pytest

from zaum_api import structural


class Inner(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=5)


class Outer(pydantic.BaseModel):
    inner: Inner | None = None
    items: list[Inner] = pydantic.Field(default_factory=list, max_length=2)


def test_references_and_optionals_become_plain_objects() -> None:
    inner = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 5}}}
    assert structural.export(Outer.model_json_schema()) == {
        "type": "object",
        "properties": {"inner": inner, "items": {"type": "array", "maxItems": 2, "items": inner}},
    }


def test_a_constant_becomes_an_enum_of_one() -> None:
    assert structural.export({"const": "v1", "type": "string"}) == {"enum": ["v1"], "type": "string"}


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "string"}, "a string without a bound"),
        ({"type": "array", "items": {"type": "integer"}}, "a array without a bound"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "a object without a bound"),
        ({"type": "integer", "exclusiveMinimum": 0}, "exclusiveMinimum"),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, "anyOf of 2"),
        ({"oneOf": [{"type": "integer"}]}, "oneOf"),
        ({}, "no type"),
    ],
)
def test_what_has_no_structural_form_is_refused_with_its_place(schema: dict[str, Any], place: str) -> None:
    with pytest.raises(structural.NotStructuralError, match=place):
        structural.export({"type": "object", "properties": {"field": schema}})


def test_a_map_keeps_the_schema_of_its_values() -> None:
    labels = {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string", "maxLength": 3}}
    assert structural.export(labels) == labels


def test_a_description_becomes_one_line() -> None:
    assert (
        structural.export({"type": "integer", "description": "One.\n\nTwo\nthree."})["description"] == "One. Two three."
    )
