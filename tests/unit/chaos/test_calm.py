"""Deadlines run while nothing is in the way."""

import pytest

from tests.chaos.calm import Impediment, calm_seconds, longest_calm

CASES: list[tuple[str, list[tuple[float, float | None]], float]] = [
    ("nothing in the way", [], 10),
    ("all the time in the way", [(0, 20)], 0),
    ("in the way to this day", [(4, None)], 4),
    ("in the way at first", [(-5, 3)], 7),
    ("in the way once", [(2, 4)], 6),
    ("in the way twice", [(2, 3), (7, 9)], 4),
    ("in the way twice at once", [(2, 5), (4, 7)], 3),
    ("in the way before and after", [(-9, -1), (11, 12)], 10),
]


@pytest.mark.parametrize(("title", "spans", "expected"), CASES, ids=[case[0] for case in CASES])
def test_the_longest_calm_stretch_counts(title: str, spans: list[tuple[float, float | None]], expected: float) -> None:
    assert longest_calm(0, 10, [Impediment(title, *span) for span in spans]) == expected


def test_what_is_calm_adds_up() -> None:
    spans = [Impediment("a", -5, 2), Impediment("b", 1, 3), Impediment("c", 6, 7), Impediment("d", 9, None)]
    assert calm_seconds(0, 10, spans) == 5
    assert calm_seconds(0, 10, []) == 10
