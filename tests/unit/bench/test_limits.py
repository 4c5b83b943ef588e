"""Figures of metering become aims that hold or are missed, a table of both differences, and the line at the end."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import pytest

from bench.limits import __main__ as limits

PUSHED = {
    "unmetered": limits.Pushed(10_400.0, 100.0),
    "metered": limits.Pushed(7_000.0, 140.0),
    "LiteLLM": limits.Pushed(150.0, 6_600.0),
}
DIRECT = {"unmetered": (0.6, 1.0), "metered": (0.7, 1.5), "LiteLLM": (8.0, 11.0)}
GOOD = limits.Round(PUSHED, DIRECT, 0.1)


def found(*rounds: limits.Round) -> limits.Figures:
    return limits.Figures.of("whole", rounds)


def missed(figures: limits.Figures) -> list[str]:
    return [aim.what for aim in figures.aims() if not aim.held]


def test_good_figures_miss_nothing_though_all_of_it_over_the_direct_way_is_more() -> None:
    assert missed(found(GOOD, GOOD, GOOD)) == []


@pytest.mark.parametrize(
    ("pushed", "over_unmetered", "what"),
    [
        ({"metered": limits.Pushed(1_400.0, 140.0)}, 0.1, "whole: requests per second, metered over LiteLLM"),
        ({"metered": limits.Pushed(7_000.0, 151.0)}, 0.1, "whole: CPU of a request, metered over unmetered"),
        ({}, 0.51, "whole: metering adds to a route, p50 ms"),
    ],
)
def test_each_aim_can_be_missed_and_is_then_said_to_be(
    pushed: Mapping[str, limits.Pushed], over_unmetered: float, what: str
) -> None:
    assert missed(found(dataclasses.replace(GOOD, pushed={**PUSHED, **pushed}, over_unmetered=over_unmetered))) == [
        what
    ]


def test_the_table_has_both_differences_and_the_last_line_the_one_over_the_unmetered_route() -> None:
    figures = found(GOOD, dataclasses.replace(GOOD, over_unmetered=0.3), dataclasses.replace(GOOD, over_unmetered=0.2))
    table = figures.table()
    assert [line for line in table if "metered " in line and "over direct p50 0.70 ms" in line]
    assert table[-1].endswith("metered over unmetered p50 0.20 ms")
    last = limits.last_line(figures)
    assert re.fullmatch(r"bench: limits zaum/litellm req/s 46\.7 metered/unmetered cpu 1\.40 added p50 0\.20 ms", last)


def test_a_round_takes_both_from_the_same_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    way: Any = lambda name: name  # noqa: E731
    took = {"direct": 0.2, "unmetered": 0.8, "metered": 1.0, "LiteLLM": 9.0}
    monkeypatch.setattr(limits, "_pushed", lambda _rig, name, *_: PUSHED[name])
    monkeypatch.setattr(limits, "_low", lambda _rig, name, *_: {"p50ms": took[name], "p99ms": 2 * took[name]})
    rig: Any = type("Rig", (), {"direct": "direct"})
    one = limits.one_round(rig, {name: way(name) for name in limits.NAMES}, "whole", limits.SHORT)
    assert one.over_direct["metered"] == pytest.approx((0.8, 1.6))
    assert one.over_unmetered == pytest.approx(0.2)
