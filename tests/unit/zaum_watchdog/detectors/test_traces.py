"""Ordinary work trips nothing at default settings, and the same work amplified trips what it should.

The traces are of real work (`tests.traces.record`), recorded without a CPU limit and brought to the default one here.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.support import specs
from tests.traces import traces
from zaum_api import contract, documents
from zaum_api.v1alpha1 import policy
from zaum_operator.core import effective
from zaum_watchdog.core.detectors import engine

DEFAULTS: Final = effective.resolve(policy.Spec.model_validate(specs.agent()))
Breach = contract.Breach
Rows = list[traces.Row]


def at_default(name: str) -> Rows:
    """Give a trace as it were on the default CPU limit."""
    return traces.on(traces.read(name), DEFAULTS.sizes.cpu_millis)


def tripped(rows: Rows, config: documents.Runaway = DEFAULTS.runaway) -> set[contract.Breach]:
    now = engine.Engine()
    found: set[contract.Breach] = set()
    for seen in traces.samples(rows):
        now, breaches = now.feed(config, seen)
        found |= set(breaches)
    return found


def test_all_kinds_of_ordinary_work_are_there() -> None:
    assert traces.names() == ["build", "git", "llm", "pip", "pytest"]
    assert all(sum(row["elapsed"] for row in traces.read(name)) >= 8_000 for name in traces.names())


def test_the_traces_are_of_work_that_was_seen_and_that_took_all_the_cpu_it_could() -> None:
    """Else nothing could trip, whatever the thresholds are."""
    for name in traces.names():
        rows = traces.read(name)
        assert sum(row["cpu"] for row in rows) > 0
        assert sum(bool(row["processes"]) for row in rows[1:]) >= len(rows) // 2, f"{name}: nobody was seen"
    for name in ("build", "pip", "pytest"):
        assert len(at_default(name)) > len(traces.read(name)), f"{name} never reaches the default cpu limit"


@pytest.mark.parametrize("name", ["build", "pytest"])
def test_with_less_patience_than_by_default_a_detector_would_trip(name: str) -> None:
    """The control of all silence below, for what goes by cpu."""
    cpu = DEFAULTS.runaway.cpu
    assert cpu is not None
    hasty = dataclasses.replace(DEFAULTS.runaway, cpu=dataclasses.replace(cpu, for_seconds=20))
    assert tripped(at_default(name), hasty) == {Breach.RUNAWAY_CPU}


@pytest.mark.parametrize("name", traces.names())
def test_ordinary_work_trips_nothing(name: str) -> None:
    assert tripped(at_default(name)) == set()


def test_one_kind_of_work_after_the_other_trips_nothing() -> None:
    """An agent thinks between its tools: a minute of what the trace of the LLM loop shows."""
    day = [row for name in traces.names() for row in (*at_default(name), *at_default("llm"))]
    assert tripped(day) == set()


def amplified(name: str, change: Callable[[traces.Row, int], traces.Row], *, times: int = 1) -> Rows:
    """Give a trace, so often without a pause, with each row changed; its number is given too."""
    looks = [row for row in at_default(name) if row["elapsed"]]
    return [change(row, number) for number, row in enumerate(looks * times)]


def grow(row: traces.Row, number: int) -> traces.Row:
    return row | {"memory": row["memory"] + number * 1024}


def again(row: traces.Row, _: int) -> traces.Row:
    return row | {"asked": ["same"] if row["asked"] else []}


AMPLIFIED: Final[dict[contract.Breach, Callable[[], Rows]]] = {
    Breach.RUNAWAY_CPU: lambda: amplified("build", lambda row, _: row | {"cpu": row["elapsed"] // 2}, times=4),
    Breach.RUNAWAY_PROCESSES: lambda: amplified("build", lambda row, _: row | {"processes": row["processes"] * 50}),
    Breach.RUNAWAY_FORKS: lambda: amplified("build", lambda row, _: row | {"begun": row["begun"] * 100}),
    Breach.RUNAWAY_FILES: lambda: amplified("pytest", lambda row, _: row | {"files": row["files"] * 1000}, times=4),
    Breach.RUNAWAY_MEMORY: lambda: amplified("llm", grow, times=20),
    Breach.RUNAWAY_DENIED: lambda: amplified("llm", lambda row, _: row | {"denied": 1}),
    Breach.RUNAWAY_REPEATED: lambda: amplified("llm", again),
    Breach.RUNAWAY_ERRORS: lambda: amplified("llm", lambda row, _: row | {"wrong": row["answered"]}),
    Breach.RUNAWAY_NO_PROGRESS: lambda: amplified("llm", again, times=20),
    Breach.RUNAWAY_EGRESS: lambda: amplified("llm", lambda row, _: row | {"sent": row["sent"] * 10_000}),
}
"""What an agent that runs wild would have done instead, by what notices it."""


@pytest.mark.parametrize("breach", AMPLIFIED, ids=lambda breach: breach.value)
def test_the_same_work_amplified_trips(breach: contract.Breach) -> None:
    assert breach in tripped(AMPLIFIED[breach]())


def test_idle_is_tripped_by_work_that_asks_for_nothing_where_somebody_wants_that() -> None:
    config = documents.Runaway(None, None, None, idle=documents.IdleDetector(5))
    assert tripped(at_default("build"), config) == {Breach.IDLE}
    assert tripped(at_default("llm"), documents.Runaway(None, None, None, idle=documents.IdleDetector(30))) == set()


def thresholds() -> Iterator[str]:
    """Name each detector that is on by default."""
    return (name for name in documents.Runaway.__dataclass_fields__ if getattr(DEFAULTS.runaway, name) is not None)


def test_every_detector_that_is_on_by_default_is_amplified_or_none_of_the_work() -> None:
    by_name = {one.name: one.breach for one in engine.ALL}
    assert {by_name[name] for name in thresholds()} - set(AMPLIFIED) == {Breach.STARVED}, "no work of the agent's"
