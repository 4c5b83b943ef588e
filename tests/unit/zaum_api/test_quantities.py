import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import quantities


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("500m", 500),
        ("0.5", 500),
        (".5", 500),
        ("5e-1", 500),
        ("2", 2000),
        (2, 2000),
        ("2.", 2000),
        ("+2", 2000),
        ("100u", 1),
        ("1n", 1),
        ("1k", 1_000_000),
        ("1500001u", 1501),
    ],
)
def test_cpu_is_read_in_thousandths_rounded_up(text: str | int, thousandths: int) -> None:
    assert quantities.millis(text) == thousandths


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1Ki", 1024),
        ("1.5Gi", 1610612736),
        ("512M", 512_000_000),
        ("1E", 10**18),
        ("1E3", 1000),
        ("1e3", 1000),
        ("1Ei", 2**60),
        ("1m", 1),
        ("1500m", 2),
        ("0", 0),
    ],
)
def test_bytes_are_read_whole_rounded_up(text: str, amount: int) -> None:
    assert quantities.whole(text) == amount


@pytest.mark.parametrize(
    "text", ["", "-1", "1GB", "Mi", "1 Gi", "1Gi ", "0x10", "1e", "1e1.5", "\u0661", "1ki", "e3", "."]
)
def test_what_kubernetes_does_not_read_is_no_quantity(text: str) -> None:
    with pytest.raises(quantities.QuantityError):
        quantities.parse(text)


def test_true_is_no_quantity() -> None:
    with pytest.raises(quantities.QuantityError):
        quantities.parse(True)


@given(st.integers(min_value=0, max_value=10**15))
def test_what_is_written_reads_as_the_same_amount(amount: int) -> None:
    assert quantities.whole(quantities.write_bytes(amount)) == amount
    assert quantities.millis(quantities.write_millis(amount)) == amount


def test_bytes_are_written_with_the_largest_exact_suffix() -> None:
    assert [quantities.write_bytes(n) for n in (0, 1000, 1024, 3 * 2**29)] == ["0", "1000", "1Ki", "1536Mi"]
