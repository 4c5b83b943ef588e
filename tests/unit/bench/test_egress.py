"""Figures of egress become aims that hold or are missed, and the one line at the end."""

import dataclasses
import re
from pathlib import Path

import pytest

from bench import egress

DELAY = egress.Delay(0.31, 1.2, 7000)
BULK = egress.Bulk(1.2, 0.2)
IDLE = egress.Idle(29.0, 36.8, 8.0)
GOOD = egress.Figures(DELAY, DELAY, 0.9, 1.4, 170.0, 300.0, BULK, BULK, IDLE, egress.Idle(29.0, 70.0, 42.0))


def missed(**changes: object) -> list[str]:
    return [aim.what for aim in egress.aims(dataclasses.replace(GOOD, **changes)) if not aim.held]  # type: ignore[arg-type]


def test_good_figures_miss_nothing() -> None:
    assert missed() == []


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("warm", egress.Delay(0.51, 1.2, 7000), "a warm route adds"),
        ("idle", egress.Idle(29.0, 46.0, 17.0), "an idle tunnel, KiB"),
        ("idle_tls", egress.Idle(29.0, 110.0, 81.0), "an idle tunnel with TLS"),
        ("ratio", 1.19, "new tunnels per second"),
        ("cpu_micros", 201.0, "CPU of a new tunnel"),
        ("bulk", egress.Bulk(0.99, 0.2), "one tunnel, GB/s"),
    ],
)
def test_each_aim_can_be_missed_and_is_then_said_to_be(field: str, value: object, what: str) -> None:
    (found,) = missed(**{field: value})
    assert found.startswith(what)


def test_the_last_line_has_its_form() -> None:
    form = r"bench: egress added p50 \d+\.\d\d ms p99 \d+\.\d\d ms tunnel KiB \d+ watchdog/envoy \d+\.\d\d"
    assert re.fullmatch(form, egress.last_line(GOOD))


@pytest.mark.parametrize(("ratio", "status"), [(1.4, 0), (1.1, 1)])
def test_the_status_says_whether_the_aims_hold_and_the_numbers_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], ratio: float, status: int
) -> None:
    found = dataclasses.replace(GOOD, ratio=ratio)
    monkeypatch.setattr(egress, "measure", lambda _: found)
    monkeypatch.setenv("ZAUM_CACHE", str(tmp_path))
    assert egress.main([]) == status
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == egress.last_line(found)
    assert sum(line.startswith("  MISSED") for line in out) == status
    assert len(list(tmp_path.glob("bench/egress/*/raw.json"))) == 1


def test_what_is_added_is_the_median_difference_of_neighbours() -> None:
    past = iter([1.0, 3.0, 2.0])

    def direct(_: object) -> dict[str, float]:
        return {"p50ms": (now := next(past)), "p99ms": 2 * now}

    def through(given: object) -> dict[str, float]:
        return {"p50ms": 2.5, "p99ms": 9.0, "requests": 100.0, "seconds": 0.5}

    assert egress.delay(through, direct, egress.Effort(rounds=3)) == egress.Delay(0.5, 5.0, 200.0)
