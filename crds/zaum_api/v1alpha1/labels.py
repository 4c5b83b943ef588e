"""Labels and what selects by them, with the syntax that the API server asks of its own objects (meta/v1)."""

import re
from typing import Annotated, ClassVar, Final, Literal

import pydantic

from zaum_api.v1alpha1 import lists, model, scalars

_PREFIX: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
KEY_PATTERN: Final = f"^({_PREFIX}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
KEY_MAX: Final = 253 + 1 + 63
VALUE_PATTERN: Final = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"

Key = Annotated[str, scalars.text(most=KEY_MAX, pattern=KEY_PATTERN)]
Value = Annotated[str, scalars.text(least=0, most=63, pattern=VALUE_PATTERN)]
Map = dict[str, Annotated[Value, pydantic.Field(json_schema_extra={"nullable": True})]]
"""Labels with their values. Nullable so that the API server keeps a null for `label_map` to refuse: it drops others in
silence, and a selector that has lost a label selects more."""


def _is_key(key: str) -> bool:
    return len(key) <= KEY_MAX and re.search(KEY_PATTERN.removesuffix("$") + r"\Z", key) is not None


def label_map(name: str, *, most: int, least: int | None = None) -> tuple[object, ...]:
    """Give the annotations of a `Map`. The schema bounds the values; what its keys are can only be said by a rule."""
    given = model.Rule(
        cel="self.all(key, type(self[key]) == string)",
        message=f"{name}: a label's value must not be null: give it one, or remove the label",
        holds=lambda labels: not isinstance(labels, dict) or None not in labels.values(),
    )
    keys = model.Rule(
        cel=f"self.all(key, key.size() <= {KEY_MAX} && key.matches('{KEY_PATTERN}'))",
        message=f"{name}: a key must be a label's: a name of at most 63 characters, with a DNS prefix and / at most",
        holds=lambda labels: all(map(_is_key, labels)),
    )
    return (
        pydantic.Field(min_length=least, max_length=most),
        *scalars.ruled(keys, given),
        pydantic.BeforeValidator(scalars.checked((given,))),
    )


class Requirement(model.Model):
    """One requirement on a label."""

    key: Key
    """The label's key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """In and NotIn compare the value with `values`; Exists and DoesNotExist ask for the key alone."""
    values: Annotated[list[Value], *lists.unique("values", most=64)] | None = None
    """The values for In and NotIn."""

    rules: ClassVar = (
        model.Rule(
            cel="(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            message="matchExpressions: In and NotIn need values, Exists and DoesNotExist take none",
            holds=lambda self: (self.operator in {"In", "NotIn"}) == bool(self.values),
        ),
    )


class Selector(model.Model):
    """Selects by labels; all that is said must hold. Empty selects everything."""

    match_labels: Annotated[Map, *label_map("matchLabels", most=16)] | None = None
    """Labels that must be there with these values."""
    match_expressions: Annotated[list[Requirement], lists.bounded(most=16)] | None = None
    """Requirements that must hold."""
