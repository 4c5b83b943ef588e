"""Lists: each bounded, and where an entry may stand there only once, a set or a map by one of the entry's fields."""

from typing import Any, TypeVar

import pydantic
from pydantic import alias_generators

_Item = TypeVar("_Item")


def bounded(*, most: int, least: int | None = None) -> object:
    """Give the bounds of a list whose entries may repeat."""
    return pydantic.Field(min_length=least, max_length=most)


def unique(name: str, *, most: int, least: int | None = None) -> tuple[object, ...]:
    """Give the annotations of a set of plain values (x-kubernetes-list-type: set)."""

    def check(values: list[_Item]) -> list[_Item]:
        if len(set(values)) < len(values):
            raise ValueError(f"{name}: a value stands there twice: keep one")
        return values

    extra: dict[str, Any] = {"x-kubernetes-list-type": "set"}
    return (pydantic.Field(min_length=least, max_length=most, json_schema_extra=extra), pydantic.AfterValidator(check))


def keyed(name: str, key: str, *, most: int, least: int | None = None) -> tuple[object, ...]:
    """Give the annotations of a list of objects of which no two have the same `key`, as the schema spells it."""
    attribute = alias_generators.to_snake(key)

    def check(items: list[_Item]) -> list[_Item]:
        values = [getattr(item, attribute) for item in items]
        if len(set(values)) < len(values):
            raise ValueError(f"{name}: two entries have the same {key}: keep one")
        return items

    extra: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return (pydantic.Field(min_length=least, max_length=most, json_schema_extra=extra), pydantic.AfterValidator(check))
