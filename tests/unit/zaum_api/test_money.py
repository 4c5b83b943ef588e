"""Dollars are read exactly and written back; nothing of them passes through a float."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import documents, money
from zaum_api.v1alpha1 import prices


@pytest.mark.parametrize(
    ("text", "micros"),
    [("0", 0), ("10.00", 10_000_000), ("0.000001", 1), ("1.5", 1_500_000), ("999999999.999999", 999_999_999_999_999)],
)
def test_dollars_are_read_to_the_millionth(text: str, micros: int) -> None:
    assert money.micros(text) == micros


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.", ".5", "1e3", "1,5", "$1", " 1", "1\n", "0.0000001", "\u0661"])
def test_another_spelling_is_no_amount(text: str) -> None:
    with pytest.raises(money.MoneyError, match="no amount of dollars"):
        money.micros(text)


@given(st.integers(0, 10**15 - 1))
def test_what_is_written_is_read_back(amount: int) -> None:
    assert money.micros(money.write(amount)) == amount


def test_dollars_are_written_as_people_write_them() -> None:
    assert [money.write(amount) for amount in (0, 1, 10_000_000, 1_230_000, 125)] == [
        "0.00", "0.000001", "10.00", "1.23", "0.000125",
    ]  # fmt: skip


def test_i01_a_price_that_is_not_said_is_never_cheap() -> None:
    bare = prices.Price(model="large-1", input="1.25", output="10")
    assert prices.price(bare) == documents.Price("large-1", 1_250_000, 1_250_000, 2_500_000, 10_000_000)
    whole = prices.Price.model_validate(
        {"model": "a", "input": "1", "cachedInput": "0.1", "cacheWrite": "1.25", "output": "5"}
    )
    assert prices.price(whole) == documents.Price("a", 1_000_000, 100_000, 1_250_000, 5_000_000)
