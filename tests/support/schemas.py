"""Read a CRD's schema as the API server does, as far as JSON Schema can say it. CEL rules are left to the models."""

from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]

import definitions

Schema = dict[str, Any]


def strict(schema: Schema) -> Schema:
    """Say in JSON Schema what the API server adds: unknown fields, sets, and where Go's patterns end."""
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {key: strict(value) for key, value in schema["properties"].items()}
        result["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        result["items"] = strict(schema["items"])
    if "pattern" in schema:  # Go's $ is the end of the text, Python's may stand before a last line break
        result["pattern"] = schema["pattern"].removesuffix("$") + r"\Z"
    if schema.get("nullable"):
        result["type"] = [schema["type"], "null"]
    if schema.get("x-kubernetes-list-type") == "set":
        result["uniqueItems"] = True
    return result


def without_nulls(value: Any, schema: Schema) -> Any:
    """Drop the fields that are null, as the API server does before it validates."""
    if isinstance(value, list):
        return [without_nulls(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    others = schema.get("additionalProperties", {})
    fields = {key: schema.get("properties", {}).get(key, others) for key in value}
    return {
        key: without_nulls(item, fields[key])
        for key, item in value.items()
        if item is not None or fields[key].get("nullable")
    }


def duplicates(value: Any, schema: Schema) -> bool:
    """Find what JSON Schema cannot say: two entries of a list-map with the same key."""
    if isinstance(value, list):
        keys = schema.get("x-kubernetes-list-map-keys", [])
        found = [tuple(item.get(key) for key in keys) for item in value if isinstance(item, dict)]
        return bool(keys and len(set(found)) < len(found)) or any(
            duplicates(item, schema.get("items", {})) for item in value
        )
    if not isinstance(value, dict):
        return False
    properties = schema.get("properties", {})
    return any(duplicates(item, properties.get(key, {})) for key, item in value.items())


def nodes(schema: Schema, place: str = "") -> list[tuple[str, Schema]]:
    """List every schema inside a schema with its place: `.a.b` a field, `[]` a list's entry, `{}` a map's value."""
    found = [(place, schema)]
    for name, child in schema.get("properties", {}).items():
        found += nodes(child, f"{place}.{name}")
    if "items" in schema:
        found += nodes(schema["items"], f"{place}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        found += nodes(schema["additionalProperties"], f"{place}{{}}")
    return found


def messages(schema: Schema) -> list[str]:
    """Collect the messages of all rules of a schema."""
    return [rule["message"] for _, node in nodes(schema) for rule in node.get("x-kubernetes-validations", [])]


class SpecReader:
    """Says whether a kind's schema takes a spec."""

    def __init__(self, definition: definitions.Definition) -> None:
        self.schema: Final[Schema] = definition.schema()["properties"]["spec"]
        self._validator = jsonschema.Draft202012Validator(strict(self.schema))

    def takes(self, spec: Any) -> bool:
        """Say whether the structural schema takes it; rules are not asked."""
        read = without_nulls(spec, self.schema)
        return bool(self._validator.is_valid(read)) and not duplicates(read, self.schema)
