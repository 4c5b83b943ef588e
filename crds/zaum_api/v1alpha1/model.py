"""What all models share: strict reading, null as absent, and rules that are said twice, in CEL and in Python.

The twins stand side by side, and the table of good and bad specs runs through both, so they cannot drift apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pydantic
from pydantic import alias_generators
from pydantic_core import core_schema


@dataclass(frozen=True, slots=True)
class Rule:
    """One cross-field rule; `message` names the field and the fix."""

    cel: str
    message: str
    holds: Callable[[Any], bool]

    def schema(self) -> dict[str, Any]:
        """Give the entry for x-kubernetes-validations."""
        return {"rule": self.cel, "message": self.message}


@dataclass(frozen=True, slots=True)
class Transition:
    """One rule on a change, in CEL alone (`oldSelf` is what was stored before).

    It has no twin in Python: a model is given one object and never the one before, and whoever reads a stored object
    reads one that has passed. The table of changes in the tests runs through the API server.
    """

    cel: str
    message: str
    creation: bool = False
    """Asked at creation too: `oldSelf` is optional then."""

    def schema(self) -> dict[str, Any]:
        """Give the entry for x-kubernetes-validations."""
        said: dict[str, Any] = {"rule": self.cel, "message": self.message}
        return {**said, "optionalOldSelf": True} if self.creation else said


def some(place: str, *names: str) -> Rule:
    """Refuse an object that says nothing: whoever wrote it meant something. `names` are all its fields."""
    attributes = [alias_generators.to_snake(name) for name in names]
    return Rule(
        cel=" || ".join(f"has(self.{name})" for name in names),
        message=f"{place} says nothing: state {' or '.join(names)}, or remove it",
        holds=lambda model: any(getattr(model, attribute) is not None for attribute in attributes),
    )


class Model(pydantic.BaseModel):
    """A part of the spec or status. Unknown fields and other types' spellings are refused."""

    model_config = pydantic.ConfigDict(
        alias_generator=alias_generators.to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()
    transitions: ClassVar[tuple[Transition, ...]] = ()

    @pydantic.model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: object) -> object:
        """Read as the API server does, which drops a null where the schema has none. Absent never means more."""
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if item is not None}

    @pydantic.model_validator(mode="after")
    def _rules_hold(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise ValueError(rule.message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema_of: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add the rules to the schema that pydantic makes."""
        schema = handler(schema_of)
        said = [rule.schema() for rule in cls.rules] + [change.schema() for change in cls.transitions]
        if said:
            handler.resolve_ref_schema(schema)["x-kubernetes-validations"] = said
        return schema
