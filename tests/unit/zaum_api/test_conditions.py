import re

from zaum_api import conditions


def test_reasons_are_words_that_the_api_takes_as_a_conditions_reason() -> None:
    assert all(re.fullmatch("[A-Z][A-Za-z]+", reason) for reason in conditions.Reason)


def test_types_are_distinct_and_all_but_one_are_true_when_all_is_well() -> None:
    good = ["Ready", "Isolated", "EgressExact", "EnforcementProven", "IdentityBound", "WithinLimits", "Contained"]
    assert [kind.value for kind in conditions.ConditionType] == [*good, "Succeeded", "Degraded"]
