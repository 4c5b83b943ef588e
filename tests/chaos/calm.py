"""Time during which nothing was in the operator's way: deadlines run only then. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[float, float]
"""From and to, in seconds of one clock."""


@dataclass(frozen=True, slots=True)
class Impediment:
    """What kept the operator from acting, from when to when (None: still)."""

    what: str
    since: float
    until: float | None = None


def union(spans: Iterable[Span]) -> list[Span]:
    """Merge spans that touch, in order."""
    merged: list[Span] = []
    for since, until in sorted(spans):
        if merged and since <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], until))
        else:
            merged.append((since, until))
    return merged


def calm_seconds(since: float, until: float, impediments: Iterable[Impediment]) -> float:
    """Give how much of [since, until] was without an impediment, in seconds."""
    busy = union(
        (max(item.since, since), min(until, until if item.until is None else item.until)) for item in impediments
    )
    return until - since - sum(end - start for start, end in busy if end > start)


def longest_calm(since: float, until: float, impediments: Iterable[Impediment]) -> float:
    """Give the longest stretch of [since, until] without an impediment, in seconds.

    A deadline starts anew after each impediment: whoever was away for a moment must look at everything again.
    """
    busy = union((item.since, until if item.until is None else item.until) for item in impediments)
    longest, free_from = 0.0, since
    for start, end in busy:
        if start > free_from:
            longest = max(longest, min(start, until) - free_from)
        free_from = max(free_from, end)
        if free_from >= until:
            return longest
    return max(longest, until - free_from)
