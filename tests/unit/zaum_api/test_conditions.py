import re

from zaum_api import conditions


def test_reasons_are_words_that_the_api_takes_as_a_conditions_reason() -> None:
    assert all(re.fullmatch("[A-Z][A-Za-z]+", reason) for reason in conditions.Reason)


def test_types_are_distinct_and_positive() -> None:
    assert [kind.value for kind in conditions.ConditionType] == ["Ready", "Isolated", "EgressExact"]
