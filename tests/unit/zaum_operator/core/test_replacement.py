"""Which pods go, come and wait: one line per situation."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.world import START
from zaum_operator.core import pods
from zaum_operator.core.pods import Ending, Phase
from zaum_operator.core.replacement import Decision, Want, decide

BLANK = pods.read({"metadata": {"name": "blank"}})
IMAGES = (("watchdog", "w"), ("agent", "a"))
WANT = Want(replicas=1, run=True, start=True, template="t1", images=IMAGES)


def pod(name: str, ordinal: int | None = 0, **fields: object) -> pods.Pod:
    base = dataclasses.replace(BLANK, name=name, uid=name, ordinal=ordinal, template="t1", images=IMAGES, created=START)
    return dataclasses.replace(base, **fields)  # type: ignore[arg-type]


def ended(name: str, ordinal: int = 0, *, ago: int = 0, failures: int = 0, template: str = "t1") -> pods.Pod:
    finished = START - timedelta(seconds=ago)
    ending = Ending(1, "Error", "", finished, timedelta(seconds=1))
    return pod(name, ordinal, phase=Phase.ENDED, ending=ending, failures=failures, template=template)


def shape(decision: Decision) -> dict[str, list[object]]:
    """Give a decision as names."""
    found: dict[str, list[object]] = {
        "delete": [gone.pod.name for gone in decision.delete],
        "end": [item.name for item in decision.end],
        "start": [(start.ordinal, start.failures) for start in decision.start],
        "wait": [pause.pod.name for pause in decision.pauses],
    }
    return {key: value for key, value in found.items() if value}


@pytest.mark.parametrize(
    ("title", "have", "want", "expected"),
    [
        ("nothing there", [], {}, {"start": [(0, 0)]}),
        ("one lives", [pod("a", ready=True)], {}, {}),
        ("one is leaving", [pod("a", terminating=True)], {}, {}),
        ("one ended just now", [ended("a")], {}, {"wait": ["a"]}),
        ("one ended ten seconds ago", [ended("a", ago=10)], {}, {"start": [(0, 1)]}),
        ("its third end", [ended("a", ago=39, failures=2)], {}, {"wait": ["a"]}),
        ("its third end, forty seconds ago", [ended("a", ago=40, failures=2)], {}, {"start": [(0, 3)]}),
        ("an end of another template", [ended("a", template="t0")], {}, {"start": [(0, 0)]}),
        ("two ends", [ended("a", ago=30), ended("b")], {}, {"delete": ["a"], "wait": ["b"]}),
        ("an end beside a live one", [ended("a", ago=5), pod("b", ready=True)], {}, {}),
        ("two live ones", [pod("a"), pod("b", ready=True)], {}, {"delete": ["a"]}),
        ("an ordinal too many", [pod("a", ready=True), pod("b", 1)], {}, {"delete": ["b"]}),
        ("an ended ordinal too many", [pod("a", ready=True), ended("b", 1)], {}, {"delete": ["b"]}),
        ("no ordinal", [pod("a", ready=True), pod("b", None)], {}, {"delete": ["b"]}),
        ("a leaving one without ordinal", [pod("a", ready=True), pod("b", None, terminating=True)], {}, {}),
        ("nothing may run", [pod("a"), ended("b", ago=1)], {"run": False}, {"delete": ["a"]}),
        ("nothing may start", [], {"start": False}, {}),
        ("nothing may start, one ended", [ended("a", ago=99)], {"start": False}, {}),
        ("outdated", [pod("a", ready=True, template="t0")], {}, {"delete": ["a"]}),
        ("outdated, nothing may start", [pod("a", ready=True, template="t0")], {"start": False}, {}),
        ("another image", [pod("a", ready=True, images=(("agent", "evil"),))], {}, {"delete": ["a"]}),
        ("two outdated", [pod("a", ready=True, template="t0"), pod("b", 1, ready=True, template="t0")],
         {"replicas": 2}, {"delete": ["b"]}),
        ("two outdated, one broken", [pod("a", template="t0"), pod("b", 1, ready=True, template="t0")],
         {"replicas": 2}, {"delete": ["a"]}),
        ("an outdated one beside one that starts", [pod("a"), pod("b", 1, ready=True, template="t0")],
         {"replicas": 2}, {}),
        ("its watchdog restarted", [pod("a", ready=True, watchdog_restarts=1)], {}, {"end": ["a"]}),
        ("restarted and outdated", [pod("a", watchdog_restarts=1, template="t0")], {}, {"delete": ["a"]}),
        ("no replicas", [pod("a"), ended("b")], {"replicas": 0}, {"delete": ["a", "b"]}),
    ],
)  # fmt: skip
def test_a_situation_has_one_answer(
    title: str, have: list[pods.Pod], want: dict[str, object], expected: dict[str, list[object]]
) -> None:
    decision = decide(tuple(have), dataclasses.replace(WANT, **want), now=START)  # type: ignore[arg-type]
    assert shape(decision) == expected, title


PODS = st.builds(
    lambda index, ordinal, phase, terminating, ready, template, restarts, ago: dataclasses.replace(
        ended(f"p{index}", ordinal, ago=ago) if phase is Phase.ENDED else pod(f"p{index}", ordinal),
        terminating=terminating,
        ready=ready and phase is Phase.LIVE,
        template=template,
        watchdog_restarts=restarts,
    ),
    st.integers(0, 10**6), st.integers(0, 4), st.sampled_from(Phase), st.booleans(), st.booleans(),
    st.sampled_from(["t0", "t1"]), st.integers(0, 1), st.integers(0, 400),
)  # fmt: skip


@given(st.lists(PODS, max_size=12, unique_by=lambda item: item.name), st.integers(0, 4), st.booleans(), st.booleans())
def test_i12_never_more_live_pods_than_replicas_and_never_one_acted_on_twice(
    have: list[pods.Pod], replicas: int, run: bool, start: bool
) -> None:
    want = dataclasses.replace(WANT, replicas=replicas, run=run, start=start)
    decision = decide(tuple(have), want, now=START)
    deleted = [gone.pod.name for gone in decision.delete]
    assert len(deleted) == len(set(deleted))
    assert not set(deleted) & {item.name for item in (*decision.keep, *decision.end)}
    occupied = {item.ordinal for item in have if item.terminating or item.phase is Phase.LIVE}
    assert not {item.ordinal for item in decision.start} & occupied, "delete first, wait until it is gone, then create"
    assert len(decision.keep) + len(decision.start) <= replicas
    if not run or not start:
        assert decision.start == ()
    if not run:
        assert decision.keep == ()
