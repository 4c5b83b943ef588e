"""How much is lent at a time."""

import pytest

from zaum_ledger.core import slices


@pytest.mark.parametrize(
    ("asked", "free", "recent", "replicas", "lent"),
    [
        pytest.param(10, 1000, 0, 1, 10, id="what was asked"),
        pytest.param(10, 1000, 500, 1, 100, id="two seconds of recent use where that is more"),
        pytest.param(10, 120, 5000, 3, 20, id="no more than a pod's part of half of what is free"),
        pytest.param(90, 100, 5000, 3, 90, id="what was asked though it is more than that"),
        pytest.param(100, 100, 0, 1, 100, id="the last unit"),
        pytest.param(101, 100, 0, 1, 0, id="nothing beyond what is free"),
        pytest.param(1, 0, 0, 0, 0, id="nothing of nothing"),
        pytest.param(1, -50, 0, 1, 0, id="nothing of what is overdrawn"),
    ],
)
def test_i07_a_slice_is_what_was_asked_or_more_and_never_beyond_what_is_free(
    asked: int, free: int, recent: int, replicas: int, lent: int
) -> None:
    assert slices.size(asked, free=free, recent=recent, replicas=replicas) == lent


def test_recent_use_fades_within_ten_seconds() -> None:
    assert slices.remembered({"a": 100, "b": 8}, {"a": 7}, 5_000) == {"a": 57, "b": 4}
    assert slices.remembered({"a": 100}, {}, 10_000) == {}
