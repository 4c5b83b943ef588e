"""The scalars of the API: each bounded, with a pattern, and where a pattern cannot say it, with rules."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import pydantic

from zaum_api import contract, durations, quantities
from zaum_api.v1alpha1.model import Rule

_Value = TypeVar("_Value")
_INT_OR_STRING: Final = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}

Metadata = Annotated[
    dict[str, Any],
    pydantic.WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
"""The object's metadata: the API server's own, not ours to describe."""


def checked(rules: tuple[Rule, ...]) -> Callable[[_Value], _Value]:
    """Give the validator that holds a value against rules."""

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
        pydantic.AfterValidator(checked(rules)),
        pydantic.Field(json_schema_extra={"x-kubernetes-validations": validations}),
    )


def text(*, most: int, least: int = 1, pattern: str | None = None) -> object:
    """Give the bounds of a string."""
    return pydantic.Field(min_length=least, max_length=most, pattern=pattern)


ASCII_PATTERN: Final = "^[ -~]*$"
PRINTABLE_PATTERN: Final = (
    "^[ -~\u00a1-\u00ac\u00ae-\u061b\u061d-\u180d\u180f-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\ud7ff\uf900-\ufdcf]*$"
)
"""No control character, no line break, nothing invisible or that turns the direction of writing: what it matches can be
printed to a terminal, and says there what it says. Spelt by its ends, because Go and Python name no class alike."""


def quantity(name: str, *, least: str, most: str) -> tuple[object, ...]:
    """Give the annotations of a quantity between two bounds, both included, in every spelling of Kubernetes."""
    low, high = quantities.parse(least), quantities.parse(most)
    rule = Rule(
        cel=(
            f"!isQuantity(string(self)) || (quantity(string(self)).compareTo(quantity('{least}')) >= 0"
            f" && quantity(string(self)).compareTo(quantity('{most}')) <= 0)"
        ),
        message=f"{name} must be a quantity from {least} to {most}",
        # A number has no pattern to miss: a negative one is out of range, to the API server too.
        holds=lambda value: low <= (value if isinstance(value, int) else quantities.parse(value)) <= high,
    )
    schema = {**_INT_OR_STRING, "pattern": quantities.PATTERN, "x-kubernetes-validations": [rule.schema()]}
    return (pydantic.AfterValidator(checked((rule,))), pydantic.WithJsonSchema(schema))


OWN_BYTES_MAX: Final = 2**50
OWN_BYTES_PATTERN: Final = (
    "^([0-9]{1,15}|[0-9]{1,12}(k|Ki)|[0-9]{1,9}([.][0-9]{1,3})?Mi?|[0-9]{1,6}([.][0-9]{1,3})?Gi?"
    "|[0-9]{1,3}([.][0-9]{1,3})?Ti?|1Pi?)$"
)
"""No text that it matches is above the bound."""


def own_bytes() -> tuple[object, ...]:
    """Give the annotations of an amount of bytes up to 1Pi that stands in each item of a long list.

    No rule says so: the API server takes the text of a number or string for as long as a request, and 256 such rules
    for more than it may spend on one object.
    """
    schema = {**_INT_OR_STRING, "minimum": 0, "maximum": OWN_BYTES_MAX, "pattern": OWN_BYTES_PATTERN}

    def check(value: int | str) -> int | str:
        good = 0 <= value <= OWN_BYTES_MAX if isinstance(value, int) else re.fullmatch(OWN_BYTES_PATTERN, value)
        if not good:
            raise ValueError("must be a number of bytes from 0 to 1Pi, such as 1048576, 512Ki, 10Mi or 1.5Gi")
        return value

    return (pydantic.AfterValidator(check), pydantic.WithJsonSchema(schema))


def duration(name: str, *, least: str = "1s", most: str = "24h") -> tuple[object, ...]:
    """Give the annotations of a duration between two bounds, both included; by default from one second to a day."""
    low, high = durations.seconds(least), durations.seconds(most)
    rule = Rule(
        cel=f"self.size() < 2 || (duration(self) >= duration('{least}') && duration(self) <= duration('{most}'))",
        message=f"{name} must be a duration from {least} to {most}, such as 90s, 2m or 1h30m",
        holds=lambda value: low <= durations.seconds(value) <= high,
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


RESERVED_PORTS: Final = (contract.PROXY_PORT, contract.ROUTES_PORT, contract.PROBE_PORT)
Port = Annotated[int, pydantic.Field(ge=1, le=65535)]


_DNS, _FIRST, _LAST = ", ".join(map(str, contract.DNS_PORTS)), *contract.OWN_PORTS
_OUTSIDE_PORT: Final = Rule(
    cel=f"!(self in [{_DNS}]) && !(self >= {_FIRST} && self <= {_LAST})",
    message=f"ports must not hold {_DNS} nor {_FIRST} to {_LAST}: at these the gateway reaches the cluster's own parts",
    holds=lambda port: port not in contract.GATEWAY_ONLY_PORTS,
)
OutsidePort = Annotated[int, pydantic.Field(ge=1, le=65535), *ruled(_OUTSIDE_PORT)]
"""A port of a host outside."""


def agent_port(name: str) -> tuple[object, ...]:
    """Give the annotations of a port at which the agent itself listens: the watchdog's are taken."""
    taken = ", ".join(map(str, RESERVED_PORTS))
    rule = Rule(
        cel=f"!(self in [{taken}])",
        message=f"{name} must not be {taken}: the watchdog listens there; choose another port",
        holds=lambda port: port not in RESERVED_PORTS,
    )
    return (pydantic.Field(ge=1, le=65535), *ruled(rule))


DNS_SUBDOMAIN: Final = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
ObjectName = Annotated[str, text(most=253, pattern=DNS_SUBDOMAIN)]
Label = Annotated[str, text(most=63, pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
"""Name of a namespace or a Service (RFC 1123 label)."""
