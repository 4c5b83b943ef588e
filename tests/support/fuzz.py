"""Specs drawn from the generated schema: good ones, and ones that miss by a little.

What the schema says (types, bounds, patterns, enums, and the ranges in the messages of its rules) is drawn from there;
only where a rule binds several fields, or a pattern is easier to miss than to hit, a strategy is written by hand.
`near_misses` may be good: whoever draws one asks a layer for the verdict, and holds another layer against it.
"""

import copy
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

import definitions
from tests.support import schemas
from zaum_api import durations, quantities

Spec = dict[str, Any]
Strategy = st.SearchStrategy[Any]

_ITEMS: Final = 3
"""How many entries of a list are drawn at most; near misses go beyond the bound itself."""
_NAMES: Final = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
_PATHS: Final = st.from_regex(r"(/[a-z][a-z0-9_-]{0,6}){1,3}", fullmatch=True).filter(
    lambda path: not re.search("^/(etc/zaum|run|var|proc|sys|dev|tmp|workspace)", path)
)
_HOSTS: Final = st.from_regex(r"([*]\.)?([a-z][a-z0-9]{0,9}\.){1,3}example", fullmatch=True)
_PORTS: Final = st.integers(1, 65535).filter(lambda port: port not in {15001, 15002, 15020})


def _tolerations() -> Strategy:
    seconds = {"effect": st.just("NoExecute"), "tolerationSeconds": st.integers(0, 3600)}
    effect = {"effect": st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"])}
    return st.one_of(
        st.fixed_dictionaries({"key": _NAMES}, optional={"value": _NAMES, "operator": st.just("Equal"), **effect}),
        st.fixed_dictionaries({"operator": st.just("Exists")}, optional={"key": _NAMES, **effect}),
        st.fixed_dictionaries({"key": _NAMES, **seconds}),
    )


def _liveness() -> Strategy:
    often = {key: st.integers(1, 60) for key in ("periodSeconds", "timeoutSeconds", "failureThreshold")}
    often["initialDelaySeconds"] = st.integers(0, 100)
    http = st.fixed_dictionaries({"port": _PORTS}, optional={"path": _PATHS})
    return st.one_of(
        st.fixed_dictionaries({"httpGet": http}, optional=often),
        st.fixed_dictionaries({"tcpSocket": st.fixed_dictionaries({"port": _PORTS})}, optional=often),
    )


def _expressions() -> Strategy:
    values = st.lists(_NAMES, min_size=1, max_size=_ITEMS, unique=True)
    return st.one_of(
        st.fixed_dictionaries({"key": _NAMES, "operator": st.sampled_from(["In", "NotIn"]), "values": values}),
        st.fixed_dictionaries({"key": _NAMES, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
    )


def _routes() -> Strategy:
    label = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
    path = st.from_regex(r"(/[a-z0-9._~-]{1,6}x){1,3}(/[*]?)?", fullmatch=True)
    url = st.from_regex(
        r"https://([a-z][a-z0-9]{0,9}\.){1,3}example(:[1-9][0-9]{0,3})?(/[a-z0-9]{1,9}){0,2}/?", fullmatch=True
    )
    methods = st.lists(st.sampled_from(["GET", "HEAD", "POST", "DELETE"]), min_size=1, max_size=_ITEMS, unique=True)
    key = st.fixed_dictionaries({"name": _NAMES, "key": _NAMES})
    header = st.sampled_from(["Authorization", "x-api-key", "Cookie"])
    optional = {
        "api": st.sampled_from(["OpenAI", "Anthropic", "HTTP"]),
        "credential": st.fixed_dictionaries(
            {"secretKeyRef": key}, optional={"header": header, "prefix": st.sampled_from(["", "Bearer ", "~"])}
        ),
        "allow": st.lists(st.fixed_dictionaries({"methods": methods, "path": path}), max_size=_ITEMS),
    }
    service = st.fixed_dictionaries({"name": label, "namespace": label, "port": st.integers(1, 65535)})
    return st.one_of(
        st.fixed_dictionaries({"name": label, "upstream": url}, optional=optional),
        st.fixed_dictionaries({"name": label, "serviceRef": service}, optional=optional),
    )


_BY_HAND: Final[dict[str, Callable[[], Strategy]]] = {
    r"\.agent\.image": lambda: st.just("registry.example/agent:1.0"),
    r".*\.(configMap|storageClass|runtimeClassName|runtimeClasses\[\])": lambda: _NAMES,
    r".*\.imagePullSecrets\[\]\.name": lambda: _NAMES,
    r".*\.env\[\]\.name": lambda: st.from_regex("[A-Z]{1,6}", fullmatch=True).filter(lambda name: name != "HOME"),
    r".*\.(mountPath|workingDir)": lambda: _PATHS,
    r".*\.(host|allowed\[\])": lambda: _HOSTS,
    r".*\.routes\[\]": _routes,
    r".*\.services\[\]\.(namespace|name)": lambda: _NAMES,
    r".*\.port": lambda: _PORTS,
    r"\.ingress\[\]\.name": st.none,
    r".*\.tolerations\[\]": _tolerations,
    r"\.agent\.liveness": _liveness,
    r".*\.matchExpressions\[\]": _expressions,
    r".*\.(audience|audiences\[\])": lambda: st.from_regex(r"https://[a-j]{1,9}\.example", fullmatch=True),
    r"\.(evidence\.summary|requestedBy|release\.(by|reason))": lambda: st.from_regex("[ -~À-ž]{1,20}", fullmatch=True),
    r"\.observedAt": lambda: st.from_regex(
        "2026-1[0-2]-2[0-9]T0[0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z", fullmatch=True
    ),
    r".*\.registries\[\]": lambda: st.from_regex(r"[a-z]{1,9}\.example/([a-z]{1,5}/)?", fullmatch=True),
}
"""By the place of the node."""


@cache
def good_policies() -> Strategy:
    """Draw the spec of a good AgentPolicy."""
    return _drawn(definitions.POLICY)


@cache
def good_ceilings() -> Strategy:
    """Draw the spec of a good AgentCeiling."""
    return _drawn(definitions.CEILING)


@cache
def good_incidents() -> Strategy:
    """Draw the spec of a good Incident."""
    return _drawn(definitions.INCIDENT)


def near_misses(definition: definitions.Definition) -> Strategy:
    """Draw a spec of a kind with one thing changed: most are bad, some are good."""
    good = {
        definitions.POLICY.kind: good_policies,
        definitions.CEILING.kind: good_ceilings,
        definitions.INCIDENT.kind: good_incidents,
    }[definition.kind]()
    return st.builds(_missed, good, st.integers(0, 2**32 - 1))


def spellings(amount: int) -> Strategy:
    """Draw one of the ways to write a whole amount of bytes, seconds or cores."""
    written: list[str | int] = [amount, str(amount), f"+{amount}", f"0{amount}", f"{amount}.", f"{amount}.0"]
    written += [f"{amount}e0", f"{amount * 1000}m", f"{amount}000e-3", f"{amount * 1000000}u"]
    written += [f"{amount // 1024}Ki"] if amount and amount % 1024 == 0 else []
    return st.sampled_from(written)


def _drawn(definition: definitions.Definition) -> Strategy:
    spec = definition.schema()["properties"]["spec"]
    return _of(spec, "").filter(_Accepts(definition))


class _Accepts:
    """Says whether a kind's model takes a spec: for the few that a rule over several fields refuses."""

    def __init__(self, definition: definitions.Definition) -> None:
        self._model: Any = definition.source.model_fields["spec"].annotation

    def __call__(self, spec: Spec) -> bool:
        try:
            self._model.model_validate(spec)
        except ValueError:
            return False
        return True


def _of(node: schemas.Schema, place: str) -> Strategy:
    """Draw what a node of the schema takes."""
    for pattern, strategy in _BY_HAND.items():
        if re.fullmatch(pattern, place):
            return strategy()
    if node.get("x-kubernetes-int-or-string"):
        return _quantities(node)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    match node["type"]:
        case "object":
            return _object(node, place)
        case "array":
            return _array(node, place)
        case "string":
            return _string(node)
        case "integer":
            return st.integers(node.get("minimum", 0), node.get("maximum", 2**31))
        case "boolean":
            return st.booleans()
        case other:
            raise AssertionError(f"{place}: nothing draws a {other}")


def _object(node: schemas.Schema, place: str) -> Strategy:
    if "additionalProperties" in node:
        least = node.get("minProperties", 0)
        return st.dictionaries(_NAMES, _NAMES, min_size=least, max_size=max(least, _ITEMS))
    fields = {name: _of(child, f"{place}.{name}") for name, child in node["properties"].items()}
    required = {name: fields.pop(name) for name in node.get("required", [])}
    return st.fixed_dictionaries(required, optional=fields)


def _array(node: schemas.Schema, place: str) -> Strategy:
    keys = node.get("x-kubernetes-list-map-keys")
    least = node.get("minItems", 0)
    return st.lists(
        _of(node["items"], f"{place}[]"),
        min_size=least,
        max_size=max(least, min(_ITEMS, node["maxItems"])),
        unique_by=(lambda item: tuple(item[key] for key in keys)) if keys else None,
        unique=node.get("x-kubernetes-list-type") == "set",
    )


def _string(node: schemas.Schema) -> Strategy:
    for rule in node.get("x-kubernetes-validations", []):
        if found := re.search(r"a duration from (\w+) to (\w+),", rule["message"]):
            return st.integers(*map(durations.seconds, found.groups())).map(durations.write)
    if "pattern" in node:
        return st.from_regex(node["pattern"].removesuffix("$") + r"\Z").filter(
            lambda text: node.get("minLength", 0) <= len(text) <= node["maxLength"]
        )
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=node.get("minLength", 0), max_size=20)


def _quantities(node: schemas.Schema) -> Strategy:
    if "maximum" in node:
        return st.integers(node["minimum"], node["maximum"]) | st.from_regex(node["pattern"].removesuffix("$") + r"\Z")
    found = re.search(r"a quantity from (\w+) to (\w+)", node["x-kubernetes-validations"][0]["message"])
    assert found, "a quantity says its bounds"
    low, high = map(quantities.parse, found.groups())
    return st.integers(-(-low // 1), high // 1).flatmap(spellings)


def _missed(spec: Spec, seed: int) -> Spec:
    """Change one thing. Seeded by the draw, so that hypothesis can repeat it."""
    dice = random.Random(seed)
    changed = copy.deepcopy(spec)
    parent, key = dice.choice(list(_spots(changed)))
    dice.choice(_MISSES)(parent, key, dice)
    return changed


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    items: Any = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield value, key
        yield from _spots(item)


_STRANGE: Final[tuple[Any, ...]] = (
    None,
    "",
    0,
    -1,
    True,
    [],
    {},
    "\N{SNOWMAN}",
    "x" * 10000,
    2**63,
    0.5,
    "0",
    "null",
    [None],
    "a\n",
)


def _replace(parent: Any, key: Any, dice: random.Random) -> None:
    parent[key] = copy.deepcopy(dice.choice(_STRANGE))


def _remove(parent: Any, key: Any, dice: random.Random) -> None:
    del parent[key]


def _misspell(parent: Any, key: Any, dice: random.Random) -> None:
    if isinstance(parent, dict):
        parent[dice.choice([f"{key}s", key[:-1], key.upper(), f" {key}"])] = parent.pop(key)
    else:
        parent.append(copy.deepcopy(parent[key]))


def _repeat(parent: Any, key: Any, dice: random.Random) -> None:
    if isinstance(parent[key], list | str):
        parent[key] = parent[key] * dice.choice([2, 300])


def _nudge(parent: Any, key: Any, dice: random.Random) -> None:
    value = parent[key]
    if isinstance(value, bool):
        parent[key] = str(value)
    elif isinstance(value, int):
        parent[key] = value * dice.choice([-1, 1000, 2**40])
    elif isinstance(value, str):
        odd = dice.choice(["\n", " ", ".", "ü", "-", "\x00", "*", "/", "//", "/..", "%2f", "@", "?", "#"])
        parent[key] = dice.choice([value + odd, odd + value, value.upper(), value[:-1]])


_MISSES: Final = (_replace, _remove, _misspell, _repeat, _nudge)
