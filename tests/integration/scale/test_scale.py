"""A small crowd, on an API server of its own: what `make bench BENCH=operator` and `make soak` judge at full size."""

import json
from pathlib import Path

import pytest

from bench import operator as bench
from bench import soak
from bench.scale import report
from bench.scale.measure import Outcome

POLICIES = 40
SCENARIOS = ("burst", "restart", "wave", "gap", "storm")
WAVE_WRITES = 3
"""The ConfigMap, the pod's annotation, the status."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Run the scenarios once; that each came to its end is their own condition."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(bench.INSTANCE, "sample")
        found = bench.measured(POLICIES, tmp_path_factory.mktemp("scale"), "--only", *SCENARIOS)
    assert [outcome.name for outcome in found] == list(SCENARIOS)
    return {outcome.name: outcome for outcome in found}


def test_a_policy_costs_at_most_nine_writes_until_it_is_ready(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["burst"].writes_each <= report.WRITES_EACH, outcomes["burst"].notes


def test_an_unchanged_restart_writes_nothing(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["restart"].audited == 0, outcomes["restart"].notes


def test_a_changed_limit_costs_three_writes(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["wave"].writes_each <= WAVE_WRITES, outcomes["wave"].notes


def test_the_operator_counts_the_writes_that_the_audit_log_shows(outcomes: dict[str, Outcome]) -> None:
    counted = {name: outcome.writes for name, outcome in outcomes.items()}
    assert counted == {name: outcome.audited for name, outcome in outcomes.items()}


def test_what_happened_behind_a_watch_gap_is_made_good_once(outcomes: dict[str, Outcome]) -> None:
    # A third each: a changed limit (3 writes), a pod gone (a pod, at most 2 statuses), a policy gone (its pod, its five
    # other objects and the guard, as far as the garbage collector was not faster: the guard is never its).
    assert (3 + 2 + 1) / 3 <= outcomes["gap"].writes_each <= (3 + 3 + 7) / 3, outcomes["gap"].notes


def test_a_minute_of_changes_leaves_no_file_and_no_task_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("POLICIES", "20"), ("RECONCILES", "300"), ("SECONDS", "15")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(bench.INSTANCE, "sample")
    monkeypatch.setattr(bench, "cache", lambda: tmp_path / "operator")
    soak.main()
    (folder,) = (tmp_path / "soak").iterdir()
    result = soak.restored(json.loads((folder / "soak.json").read_text()))
    over = [line for line in result.broken() if not line.startswith("memory")]  # too short for a trend
    assert over == [], capfd.readouterr().out
    assert result.after.rss_mib - result.before.rss_mib < 10
