"""Turn pydantic's JSON schema into a structural schema, the only kind that the API server takes.

Inlines `$ref`, turns optional (`anyOf` with null) into absent, drops titles and empty defaults. Fails instead of
guessing for everything else that is not structural, and for every string, list and map without a bound: the API
server computes the cost of rules from the bounds.
"""

from typing import Any, Final

Schema = dict[str, Any]

_DROPPED: Final = ("title", "additionalProperties")
"""A model forbids further properties by `false`, which the API server does itself; a map has their schema there."""
_KEYWORDS: Final = (
    "oneOf",
    "allOf",
    "not",
    "discriminator",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "prefixItems",
)
_BOUND: Final = {
    "string": ("maxLength", "enum", "format"),
    "array": ("maxItems",),
    "object": ("properties", "maxProperties"),
}


class NotStructuralError(ValueError):
    """A model that has no structural schema; the message names the place."""


def export(schema: Schema) -> Schema:
    """Give the structural schema of what `model_json_schema()` gave."""
    return _convert(schema, schema.get("$defs", {}), "")


def _convert(schema: Schema, defs: dict[str, Schema], place: str) -> Schema:
    flat = _flatten(schema, defs, place)
    for key in _KEYWORDS:
        if key in flat:
            raise NotStructuralError(f"{place}: {key}")
    _check_bound(flat, place)
    result = {key: value for key, value in flat.items() if key not in {*_DROPPED, "$defs", "properties", "items"}}
    if "const" in result:
        result["enum"] = [result.pop("const")]
    if result.get("default", ...) is None:
        del result["default"]
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    if "properties" in flat:
        result["properties"] = {
            name: _convert(item, defs, f"{place}.{name}") for name, item in flat["properties"].items()
        }
    if "items" in flat:
        result["items"] = _convert(flat["items"], defs, f"{place}[]")
    if flat.get("additionalProperties"):
        result["additionalProperties"] = _convert(flat["additionalProperties"], defs, f"{place}{{}}")
    return result


def _flatten(schema: Schema, defs: dict[str, Schema], place: str) -> Schema:
    """Resolve a reference and an optional; what stands beside them wins (the field's own description)."""
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _flatten({**defs[schema["$ref"].rpartition("/")[2]], **beside}, defs, place)
    if "anyOf" not in schema or schema.get("x-kubernetes-int-or-string"):
        return schema
    real = [option for option in schema["anyOf"] if option != {"type": "null"}]
    if len(real) != 1:
        raise NotStructuralError(f"{place}: anyOf of {len(real)}")
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    return _flatten({**real[0], **beside}, defs, place)


def _check_bound(schema: Schema, place: str) -> None:
    if schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string"):
        return
    kind = "string" if "const" in schema else schema.get("type")
    if kind is None:
        raise NotStructuralError(f"{place}: no type")
    bounds = _BOUND.get(kind, ())
    if bounds and not any(bound in schema for bound in (*bounds, "const")):
        raise NotStructuralError(f"{place}: a {kind} without a bound")
