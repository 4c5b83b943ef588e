"""Match labels as Kubernetes does (meta/v1 LabelSelector); what this version cannot read is said, never guessed."""

from collections.abc import Mapping
from typing import Any, Final

OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")


class SelectorError(ValueError):
    """A selector of a shape that this version does not know."""


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether labels satisfy a selector; an empty one selects everything. Raise SelectorError for other shapes."""
    if not isinstance(selector, Mapping):
        raise SelectorError("a label selector is no object")
    if strange := set(selector) - {"matchLabels", "matchExpressions"}:
        raise SelectorError(f"{sorted(strange)[0]!r} is not known in a label selector")
    # Read whole before it is decided: an unknown part must not hide behind one that does not match.
    wanted, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if not isinstance(wanted, Mapping) or not isinstance(expressions, list):
        raise SelectorError("matchLabels is no object, or matchExpressions no list")
    decided = [_expression(item, labels) for item in expressions]
    return all(labels.get(key) == value for key, value in wanted.items()) and all(decided)


def _expression(expression: Any, labels: Mapping[str, str]) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(expression, Mapping):
        raise SelectorError("an expression is no object")
    key, operator, values = expression.get("key"), expression.get("operator"), expression.get("values") or []
    if not isinstance(values, list):
        raise SelectorError("the values of an expression are no list")
    if not isinstance(key, str) or not key:
        raise SelectorError("an expression names no key")
    if operator in {"In", "NotIn"} and not values:
        raise SelectorError(f"{operator} names no values")
    if operator in {"Exists", "DoesNotExist"} and values:
        raise SelectorError(f"{operator} names values")
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            raise SelectorError(f"operator {str(operator)[:64]!r} is none of {', '.join(OPERATORS)}")
