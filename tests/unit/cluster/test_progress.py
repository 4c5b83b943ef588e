"""Durations are easy to read."""

import pytest

from tests.cluster import progress


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (607.9, "10:07")])
def test_a_duration_is_short(seconds: float, text: str) -> None:
    assert progress.clock(seconds) == text
