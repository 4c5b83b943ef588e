"""Which pods go, come and wait: one line per situation."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.world import START
from zaum_api import documents
from zaum_operator.core import pods
from zaum_operator.core.pods import Ending, Phase
from zaum_operator.core.replacement import Decision, Want, Why, decide

BLANK = pods.read({"metadata": {"name": "blank"}})
IMAGES = (("watchdog", "w"), ("agent", "a"))
WANT = Want(replicas=1, run=True, start=True, template="t1", images=IMAGES, site="s1")


def pod(name: str, ordinal: int | None = 0, **fields: object) -> pods.Pod:
    like_planned = {"template": "t1", "site": "s1", "images": IMAGES, "config_version": documents.CONFIG_VERSION}
    mine = {"name": name, "uid": name, "ordinal": ordinal, "created": START}
    return dataclasses.replace(BLANK, **mine | like_planned | fields)  # type: ignore[arg-type]


def ended(name: str, ordinal: int = 0, *, ago: int = 0, failures: int = 0, template: str = "t1") -> pods.Pod:
    finished = START - timedelta(seconds=ago)
    ending = Ending(1, "Error", "", finished, timedelta(seconds=1))
    return pod(name, ordinal, phase=Phase.ENDED, ending=ending, failures=failures, template=template)


STUCK = (pods.Waiting("watchdog", "ErrImagePull", ""),)


def outlived(name: str) -> pods.Pod:
    ending = Ending(137, pods.DEADLINE, "", START, timedelta(seconds=60))
    return dataclasses.replace(ended(name), ending=ending, deadline=60)


def rolled(agent: tuple[str, str]) -> pods.Pod:
    return pod("a", ready=True, site="s0", images=(("watchdog", "v"), agent))


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
        ("one says not what it reads", [pod("a", ready=True, config_version="")], {}, {"delete": ["a"]}),
        ("one reads what nobody writes", [pod("a", ready=True, config_version="v1")], {}, {"delete": ["a"]}),
        ("an older one reads what nobody writes", [pod("a", ready=True, config_version="v1", site="s0")],
         {"may_roll": False}, {}),
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
        ("another installation", [pod("a", ready=True, site="s0")], {}, {"delete": ["a"]}),
        ("another installation, not its turn", [pod("a", ready=True, site="s0")], {"may_roll": False}, {}),
        ("another installation, starting, not its turn", [pod("a", site="s0")], {"may_roll": False}, {}),
        ("another installation, stuck, not its turn", [pod("a", site="s0", waiting=STUCK)], {"may_roll": False},
         {"delete": ["a"]}),
        ("older than the digests, not its turn", [pod("a", ready=True, site="")], {"may_roll": False}, {}),
        ("another author's part, not its turn", [pod("a", ready=True, site="s0", template="t0")], {"may_roll": False},
         {"delete": ["a"]}),
        ("two of another installation", [pod("a", ready=True, site="s0"), pod("b", 1, ready=True, site="s0")],
         {"replicas": 2}, {"delete": ["b"]}),
        ("another installation's watchdog", [rolled(("agent", "a"))],
         {"may_roll": False}, {}),
        ("a watchdog's image edited", [pod("a", ready=True, images=(("watchdog", "evil"), ("agent", "a")))],
         {"may_roll": False}, {"delete": ["a"]}),
        ("an agent's image edited meanwhile", [rolled(("agent", "e"))],
         {"may_roll": False}, {"delete": ["a"]}),
        ("a life as asked", [pod("a", ready=True, deadline=60)], {"lifetime": 60}, {}),
        ("a longer life than asked", [pod("a", ready=True, deadline=90)], {"lifetime": 60}, {}),
        ("a shorter life than asked", [pod("a", ready=True, deadline=30)], {"lifetime": 60}, {"delete": ["a"]}),
        ("a life that may be endless now", [pod("a", ready=True, deadline=30)], {}, {"delete": ["a"]}),
        ("an endless life that is bounded now", [pod("a", ready=True)], {"lifetime": 60}, {}),
        ("one that lived its life", [outlived("a")], {"lifetime": 60}, {"start": [(0, 0)]}),
        ("one that the cluster took", [dataclasses.replace(ended("a", failures=2), disrupted=True)], {},
         {"start": [(0, 2)]}),
        ("one on a lost node", [pod("a", terminating=True, deleted=START - timedelta(days=1))], {}, {}),
        ("one that ended on a lost node", [dataclasses.replace(ended("a", ago=99), terminating=True)], {}, {}),
    ],
)  # fmt: skip
def test_a_situation_has_one_answer(
    title: str, have: list[pods.Pod], want: dict[str, object], expected: dict[str, list[object]]
) -> None:
    decision = decide(tuple(have), dataclasses.replace(WANT, **want), now=START)  # type: ignore[arg-type]
    assert shape(decision) == expected, title


PODS = st.builds(
    lambda index, ordinal, phase, terminating, ready, template, site, restarts, ago: dataclasses.replace(
        ended(f"p{index}", ordinal, ago=ago) if phase is Phase.ENDED else pod(f"p{index}", ordinal),
        terminating=terminating,
        ready=ready and phase is Phase.LIVE,
        template=template,
        site=site,
        watchdog_restarts=restarts,
    ),
    st.integers(0, 10**6), st.integers(0, 4), st.sampled_from(Phase), st.booleans(), st.booleans(),
    st.sampled_from(["t0", "t1"]), st.sampled_from(["s0", "s1", ""]), st.integers(0, 1), st.integers(0, 400),
)  # fmt: skip


@given(
    st.lists(PODS, max_size=12, unique_by=lambda item: item.name),
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_i12_never_more_live_pods_than_replicas_and_never_one_acted_on_twice(
    have: list[pods.Pod], replicas: int, run: bool, start: bool, may_roll: bool
) -> None:
    want = dataclasses.replace(WANT, replicas=replicas, run=run, start=start, may_roll=may_roll)
    decision = decide(tuple(have), want, now=START)
    deleted = [gone.pod.name for gone in decision.delete]
    assert len(deleted) == len(set(deleted))
    assert not set(deleted) & {item.name for item in (*decision.keep, *decision.end)}
    living = [item for item in have if item.phase is Phase.LIVE]
    assert not decision.start or len(living) + len(decision.start) <= replicas, "the quota has room for no more"
    occupied = {item.ordinal for item in have if item.terminating or item.phase is Phase.LIVE}
    assert not {item.ordinal for item in decision.start} & occupied, "delete first, wait until it is gone, then create"
    assert len(decision.keep) + len(decision.start) <= replicas
    if not run or not start:
        assert decision.start == ()
    if not run:
        assert decision.keep == ()
    if not may_roll and start and run:
        rolled = {gone.pod.name for gone in decision.delete if gone.why is Why.ROLLED}
        assert not {item.name for item in have if item.ready} & rolled, "a pod that works waits for its turn"
