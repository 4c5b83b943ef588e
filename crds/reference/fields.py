"""docs/api.md: every field with its type, bounds, default and meaning, as the CRDs' schemas say them."""

import re
from collections.abc import Iterable
from typing import Any, Final

import definitions

Schema = dict[str, Any]

INTRO: Final = """\
# The API

Group `zaum.dev`, version `v1alpha1`. A field that is absent, null or empty never means more than its default; a
misspelt one is refused by the API server. *Quantity* is a Kubernetes quantity in any spelling (`500m`, `0.5`, `512Mi`,
`5e8`), *duration* is hours, minutes and seconds (`90s`, `2m`, `1h30m`). The same texts stand in
`kubectl explain agentpolicy.spec`. Examples lie in [examples](../examples); what a status says is on the page
[Reading the status](status.md), its reasons on [Conditions and reasons](conditions.md).
"""
_NOTE: Final = "<!-- Generated from crds/zaum_api by `make crds`. Edit the models, not this file. -->\n"
_RULES: Final = "x-kubernetes-validations"


def page() -> str:
    """Give the page's text."""
    return "\n".join([_NOTE + INTRO, *(_of_kind(definition) for definition in definitions.ALL)])


def _of_kind(definition: definitions.Definition) -> str:
    schema = definition.schema()
    scope = "in a namespace" if definition.namespaced else "of the whole cluster"
    short = f"`kubectl get {definition.short}`"
    parts = [f"## {definition.kind}\n\n{schema['description']} Lives {scope}; {short}."]
    if rules := schema.get(_RULES):
        parts += _listed(rule["message"] for rule in rules)
    for name in ("spec", "status"):
        if name in schema["properties"]:
            parts += _sections(schema["properties"][name], f"{definition.kind} {name}")
    return "\n".join(parts) + "\n"


def _sections(node: Schema, place: str) -> list[str]:
    """Give one section for the scalars of an object and one for each object right below it."""
    below = {name: child for name, child in node["properties"].items() if _is_object(child)}
    parts = _section(node, place, {name: child for name, child in node["properties"].items() if name not in below})
    if place.endswith(" spec"):
        for name, child in below.items():
            parts += _section(child, f"{place}.{name}", _members(child))
        return parts
    return parts + [
        line for name, child in below.items() for line in _section(child, f"{place}.{name}", _members(child))
    ]


def _section(node: Schema, place: str, fields: dict[str, Schema]) -> list[str]:
    lines = [f"\n### {place}\n", f"{node['description']}\n"]
    if fields:
        lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        required = _entry(node).get("required", [])
        lines += [row for name, child in fields.items() for row in _rows(child, name, name in required)]
    rules = list(dict.fromkeys(_messages(node, fields)))
    return lines + (_listed(rules) if rules else [])


def _listed(messages: Iterable[str]) -> list[str]:
    return ["", "Rules:", "", *(f"- {_escaped(message)}" for message in messages)]


def _rows(node: Schema, place: str, required: bool) -> list[str]:
    default, meaning = _parted(node.get("description", ""))
    if required or "default" in node:
        default = "*required*" if required else str(node["default"])
    rows = [f"| `{place}` | {_type(node)} | {_escaped(default)} | {_escaped(meaning)} |"]
    needed = _entry(node).get("required", [])
    suffix = "[]" if node.get("type") == "array" else ""
    for name, child in _members(node).items():
        rows += _rows(child, f"{place}{suffix}.{name}", name in needed)
    return rows


def _parted(description: str) -> tuple[str, str]:
    """Part what stands after "Default" from the rest: ("500m", "Limit in cores.")."""
    found = re.search(r"\bDefault:? ((?:[^.;]|[.](?! |$))+)[.;]?", description)
    if found is None:
        return "", description
    rest = f"{description[: found.start()]}{description[found.end() :]}"
    return found[1], " ".join(rest.split())


def _type(node: Schema) -> str:
    """Name the type with its bounds."""
    if node.get("x-kubernetes-int-or-string"):
        return f"quantity{_range(node, 'quantity')}"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    match node["type"]:
        case "integer":
            return f"integer{_from_to(node.get('minimum'), node.get('maximum'))}"
        case "string":
            return _text(node)
        case "array":
            entry = _type(node["items"])
            most = f"at most {node['maxItems']}"
            least = f"at least {node['minItems']}, " if node.get("minItems") else ""
            return f"list ({least}{most}) of {entry}"
        case "object":
            most = f" (at most {node['maxProperties']})" if "maxProperties" in node else ""
            return f"map of labels{most}" if "additionalProperties" in node else "object"
        case kind:
            return str(kind)


def _text(node: Schema) -> str:
    if bounds := _range(node, "duration"):
        return f"duration{bounds}"
    if node.get("format"):
        return str(node["format"])
    return f"text of at most {node['maxLength']}"


def _range(node: Schema, word: str) -> str:
    for rule in node.get(_RULES, []):
        if found := re.search(rf"must be a {word} from (\w+) to (\w+)", rule["message"]):
            return f" from {found[1]} to {found[2]}"
    return ""


def _from_to(least: int | None, most: int | None) -> str:
    if least is None:
        return ""
    return f" from {least}" + (f" to {most}" if most is not None else "")


def _messages(node: Schema, fields: dict[str, Schema]) -> list[str]:
    """Collect the rules of a section, but those that the type column tells already."""
    found = [rule["message"] for rule in _entry(node).get(_RULES, [])]
    found += [rule["message"] for rule in node.get(_RULES, [])] if node.get("type") == "array" else []
    for child in fields.values():
        found += _messages(child, _members(child))
        found += [rule["message"] for rule in child.get(_RULES, [])]
    return [message for message in found if not re.search("must be a (quantity|duration) from", message)]


def _is_object(node: Schema) -> bool:
    return bool(_members(node))


def _entry(node: Schema) -> Schema:
    return dict(node["items"]) if node.get("type") == "array" else node


def _members(node: Schema) -> dict[str, Schema]:
    return dict(_entry(node).get("properties", {}))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*.", "\\*.")
