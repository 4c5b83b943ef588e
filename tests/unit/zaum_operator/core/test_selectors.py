"""Label selectors, as the API server reads them."""

from typing import Any

import pytest

from zaum_operator.core import selectors

LABELS = {"team": "a", "stage": "test", "empty": ""}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator} | ({"values": list(values)} if values else {})]}


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ({}, True),
        ({"matchLabels": {}}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        ({"matchLabels": {"team": "a"}}, True),
        ({"matchLabels": {"team": "b"}}, False),
        ({"matchLabels": {"team": "a", "stage": "prod"}}, False),
        (expression("team", "In", "a", "b"), True),
        (expression("team", "In", "b"), False),
        (expression("other", "In", "b"), False),
        (expression("team", "NotIn", "b"), True),
        (expression("team", "NotIn", "a"), False),
        (expression("other", "NotIn", "a"), True),
        (expression("empty", "Exists"), True),
        (expression("other", "Exists"), False),
        (expression("other", "DoesNotExist"), True),
        (expression("team", "DoesNotExist"), False),
        ({"matchLabels": {"team": "a"}} | expression("stage", "In", "prod"), False),
    ],
)
def test_a_selector_selects_as_kubernetes_does(selector: dict[str, Any], selects: bool) -> None:
    assert selectors.matches(selector, LABELS) is selects


@pytest.mark.parametrize(
    "selector",
    [
        {"matchFields": []},
        expression("team", "Like", "a"),
        expression("team", "In"),
        expression("", "Exists"),
        {"matchExpressions": [{"operator": "Exists"}]},
        {"matchLabels": {"team": "b"}} | expression("team", "Gt", "1"),
    ],
)
def test_what_cannot_be_read_is_said_and_not_guessed(selector: dict[str, Any]) -> None:
    with pytest.raises(selectors.SelectorError):
        selectors.matches(selector, LABELS)
