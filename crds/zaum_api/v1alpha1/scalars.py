"""The strings of the API: each bounded, with a pattern, and where a pattern cannot say it, with rules."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import pydantic

from zaum_api import durations, quantities
from zaum_api.v1alpha1.model import Rule

DAY_SECONDS: Final = 86400
_Value = TypeVar("_Value")
_INT_OR_STRING: Final = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}


def _checked(rules: tuple[Rule, ...]) -> Callable[[_Value], _Value]:
    def check(value: _Value) -> _Value:
        for rule in rules:
            if not rule.holds(value):
                raise ValueError(rule.message)
        return value

    return check


def ruled(*rules: Rule) -> tuple[object, ...]:
    """Give the annotations that put rules on one value: the validator and the schema's entry."""
    validations: list[Any] = [rule.schema() for rule in rules]
    return (
        pydantic.AfterValidator(_checked(rules)),
        pydantic.Field(json_schema_extra={"x-kubernetes-validations": validations}),
    )


def text(*, most: int, least: int = 1, pattern: str | None = None) -> object:
    """Give the bounds of a string."""
    return pydantic.Field(min_length=least, max_length=most, pattern=pattern)


def quantity(name: str, *, least: str, most: str) -> tuple[object, ...]:
    """Give the annotations of a quantity between two bounds, both included, in every spelling of Kubernetes."""
    low, high = quantities.parse(least), quantities.parse(most)
    rule = Rule(
        cel=(
            f"!isQuantity(string(self)) || (quantity(string(self)).compareTo(quantity('{least}')) >= 0"
            f" && quantity(string(self)).compareTo(quantity('{most}')) <= 0)"
        ),
        message=f"{name} must be a quantity from {least} to {most}",
        holds=lambda value: low <= quantities.parse(value) <= high,
    )
    schema = {**_INT_OR_STRING, "pattern": quantities.PATTERN, "x-kubernetes-validations": [rule.schema()]}
    return (pydantic.AfterValidator(_checked((rule,))), pydantic.WithJsonSchema(schema))


def duration(name: str) -> tuple[object, ...]:
    """Give the annotations of a duration from one second to a day."""
    rule = Rule(
        cel="self.size() < 2 || (duration(self) >= duration('1s') && duration(self) <= duration('24h'))",
        message=f"{name} must be a duration from 1s to 24h, such as 90s, 2m or 1h30m",
        holds=lambda value: 1 <= durations.seconds(value) <= DAY_SECONDS,
    )
    bounds = text(least=durations.LENGTH_MIN, most=durations.LENGTH_MAX, pattern=durations.PATTERN)
    return (bounds, *ruled(rule))


_RESERVED_PATHS: Final = "^(/etc/zaum|(/var)?/run/(zaum|secrets)|/proc|/sys|/dev)(/|$)"
PATH_PATTERN: Final = "^(/[A-Za-z0-9._-]+)+$"


def mount_path(name: str) -> tuple[object, ...]:
    """Give the annotations of a path at which something is mounted into the agent's container."""
    dots = Rule(
        cel=r"!self.matches('/[.][.]?(/|$)')",
        message=f"{name} must not contain . or .. as a part: write the path without them",
        holds=lambda value: not re.search(r"/[.][.]?(/|$)", value),
    )
    reserved = Rule(
        cel=f"!self.matches('{_RESERVED_PATHS}') && self != '/tmp'",
        message=f"{name} must not be /tmp nor lie in a path of Zaum's, the runtime's or the kernel's: choose another",
        holds=lambda value: not re.search(_RESERVED_PATHS, value) and value != "/tmp",  # noqa: S108 - refused
    )
    return (text(most=256, pattern=PATH_PATTERN), *ruled(dots, reserved))


DNS_SUBDOMAIN: Final = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
ObjectName = Annotated[str, text(most=253, pattern=DNS_SUBDOMAIN)]
