"""The report judges the largest size, and what was not measured is no success."""

import dataclasses

import pytest

from bench.scale import report
from bench.scale.measure import Outcome

BURST = Outcome(
    name="burst", policies=1000, seconds=20.0, cpu_seconds=20.0, writes=8000, audited=8000, reads=1000, rss_mib=120.0,
    server_cpu_seconds=30.0, lag_p99=0.02, pod_p50=1.25, pod_p99=4.5,
)  # fmt: skip
SMALL = dataclasses.replace(BURST, policies=100, cpu_seconds=2.0, writes=800, audited=800)
RESTART = dataclasses.replace(BURST, name="restart", seconds=4.0, writes=0, audited=0)
LEADER = dataclasses.replace(
    BURST, name="leader", policies=100, notes={"takeover after kill s": 16.0, "standby writes": 0}
)
FLOOR = dataclasses.replace(BURST, name="floor", cpu_seconds=10.0, rss_mib=900.0)
OTHERS = [dataclasses.replace(BURST, name=name) for name in ("wave", "rollout", "drip", "gap", "storm", "cold")]
GOOD = {100: [SMALL], 1000: [BURST, RESTART, LEADER, FLOOR, *OTHERS]}


def missed(**changes: float | None) -> set[str]:
    """Return the aims that are missed when the burst of the largest size is another."""
    changed = dataclasses.replace(BURST, **changes)  # type: ignore[arg-type]
    return {
        aim.name for aim in report.aims({100: [SMALL], 1000: [changed, RESTART, LEADER, FLOOR, *OTHERS]}) if not aim.met
    }


def test_the_last_line_says_it_all() -> None:
    assert report.last_line(GOOD) == (
        "bench: operator 1000 policies cpu 20.0 ms writes 8.00 rss 120 MiB exponent 1.00 pod p50 1.25 s p99 4.50 s"
    )


def test_a_good_run_meets_every_aim() -> None:
    assert [str(aim) for aim in report.aims(GOOD) if not aim.met] == []


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"cpu_seconds": 25.1}, {"CPU per policy, created to Ready"}),
        ({"cpu_seconds": 30.0}, {"CPU per policy, created to Ready", "exponent of CPU over policies"}),
        ({"audited": 9100, "writes": 9100}, {"writes per policy, created to Ready"}),
        ({"writes": 7999}, {"writes on which metrics and audit log disagree"}),
        ({"rss_mib": 150.5}, {"resident memory, peak of all scenarios"}),
        ({"lag_p99": 0.06}, {"loop lag p99, worst scenario"}),
    ],
)
def test_what_is_over_its_bound_is_missed(changes: dict[str, float], names: set[str]) -> None:
    assert missed(**changes) == names


def test_what_did_not_run_is_missed() -> None:
    names = {aim.name for aim in report.aims({1000: [dataclasses.replace(BURST, lag_p99=None)]}) if not aim.met}
    assert names == {
        "scenarios that did not come to their end",
        "exponent of CPU over policies",
        "loop lag p99, worst scenario",
        "writes of an unchanged restart",
        "seconds of an unchanged restart",
        "takeover after the leader was killed",
        "writes of a standby",
    }


def test_the_plain_clients_memory_is_not_the_operators() -> None:
    assert report.peak(GOOD[1000]) == 120.0


def test_the_operator_is_told_in_multiples_of_the_floor() -> None:
    assert "2.0 times the floor, 2.0 per write" in report.beside_floor(GOOD[1000])


def test_every_row_is_as_wide_as_its_head() -> None:
    assert {len(line) for line in report.table(GOOD)} == {len(report.COLUMNS)}
