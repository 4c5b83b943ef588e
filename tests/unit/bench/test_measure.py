"""Counters become figures: differences, quantiles, and how cost grows."""

import pytest

from bench.scale import measure


def lag(**counts: float) -> dict[str, float]:
    """Give a histogram's buckets."""
    return {
        f'zaum_operator_loop_lag_seconds_bucket{{le="{bound}"}}': value
        for bound, value in zip(("0.01", "0.05", "0.1", "+Inf"), counts.values(), strict=True)
    }


def test_writes_are_added_up_over_verbs_and_kinds_without_the_lease() -> None:
    metrics = {
        'zaum_operator_writes_total{kind="Pod",verb="create"}': 2.0,
        'zaum_operator_writes_total{kind="Pod",verb="patch"}': 3.0,
        'zaum_operator_writes_total{kind="Lease",verb="patch"}': 50.0,
        'zaum_operator_reconciles_total{result="done"}': 7.0,
    }
    assert measure.counted(metrics) == 5


def test_only_what_grew_is_told() -> None:
    assert measure.since({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 5.0, "c": 4.0}) == {"b": 3, "c": 4}


def test_the_lag_is_that_of_the_time_between() -> None:
    before, after = lag(a=100, b=100, c=100, d=100), lag(a=190, b=198, c=200, d=200)
    assert measure.lag_quantile(before, after, 0.5) == pytest.approx(0.01 * 50 / 90)
    assert measure.lag_quantile(before, after, 0.99) == pytest.approx(0.075)


def test_a_lag_beyond_the_last_bucket_is_its_lower_bound() -> None:
    assert measure.lag_quantile({}, lag(a=0, b=0, c=0, d=10), 0.99) == 0.1


def test_no_histogram_is_no_lag() -> None:
    assert measure.lag_quantile({}, {}, 0.99) is None
    assert measure.lag_quantile(lag(a=1, b=1, c=1, d=1), lag(a=1, b=1, c=1, d=1), 0.99) is None


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([3.0], 0.99, 3.0), ([1.0, 2.0, 3.0], 0.5, 2.0), ([0.0, 10.0], 0.75, 7.5)],
)
def test_quantiles_are_interpolated(values: list[float], share: float, expected: float | None) -> None:
    assert measure.quantile(values, share) == expected


@pytest.mark.parametrize(("power"), [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found(power: float) -> None:
    costs = {size: 3.0 * size**power for size in (100, 300, 1000)}
    assert measure.exponent(costs) == pytest.approx(power)


def test_one_size_has_no_exponent() -> None:
    assert measure.exponent({100: 1.0}) is None
