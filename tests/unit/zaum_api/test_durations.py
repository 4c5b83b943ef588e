import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import durations


@pytest.mark.parametrize(("text", "total"), [("90s", 90), ("2m", 120), ("1h30m", 5400), ("0s", 0), ("1h1m1s", 3661)])
def test_a_duration_is_read_in_seconds(text: str, total: int) -> None:
    assert durations.seconds(text) == total


@pytest.mark.parametrize("text", ["", "90", "2 m", "30m1h", "1.5h", "1d", "-1s", "100000s", "1s\n"])
def test_any_other_spelling_is_no_duration(text: str) -> None:
    with pytest.raises(durations.DurationError):
        durations.seconds(text)


@given(st.integers(min_value=0, max_value=86400))
def test_what_is_written_reads_as_the_same_time(total: int) -> None:
    assert durations.seconds(durations.write(total)) == total
