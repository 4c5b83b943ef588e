"""A new watchdog image reaches all policies, never more than so many at once, and a bad one stops by itself."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.properties import examples
from zaum_api import contract
from zaum_operator.core import pace
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.pace import Standing

START = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C, D = (Key("agents", name) for name in "abcd")
OLD = Standing(outdated=1, ready=True)
LEAVING = Standing(leaving=1)
STARTING = Standing(fresh=1, unsettled=1)
DONE = Standing(fresh=1, ready=True)
LATER = START + pace.PATIENCE + timedelta(seconds=1)


def primed(most: int, **standings: Standing) -> pace.Pacer:
    pacer = pace.Pacer(most)
    pacer.prime({Key("agents", name): standing for name, standing in standings.items()}, now=START)
    return pacer


def test_a_policy_that_is_up_to_date_needs_no_permit() -> None:
    pacer = primed(1)
    assert not pacer.may_roll(A, DONE, now=START)
    assert pacer.free == 1


def test_the_permits_go_to_whoever_comes_first_and_the_rest_waits_in_order() -> None:
    pacer = primed(2)
    assert [pacer.may_roll(key, OLD, now=START) for key in (A, B, C, D)] == [True, True, False, False]
    assert pacer.next_up() == ()
    assert pacer.rollout(now=START) == pace.Rollout(rolling=(A, B), stuck=(), waiting=2, stopped=False)


@pytest.mark.parametrize("between", [OLD, LEAVING, Standing(), STARTING, Standing(outdated=1, fresh=1)])
def test_a_permit_is_kept_until_the_policy_is_ready_again(between: Standing) -> None:
    pacer = primed(1)
    assert pacer.may_roll(A, OLD, now=START)
    pacer.may_roll(A, between, now=START)
    assert not pacer.may_roll(B, OLD, now=START)
    pacer.may_roll(A, DONE, now=START)
    assert pacer.next_up() == (B,)
    assert pacer.may_roll(B, OLD, now=START)


def test_a_permit_goes_back_with_the_word_that_the_policy_is_ready() -> None:
    pacer = primed(1)
    pacer.may_roll(A, OLD, now=START)
    pacer.may_roll(B, OLD, now=START)
    assert not pacer.settle(A, STARTING, now=START)
    assert pacer.next_up() == ()
    assert pacer.settle(A, DONE, now=START)
    assert pacer.next_up() == (B,)
    assert not pacer.settle(B, DONE, now=START), "who has none gives none back"


def test_who_holds_a_permit_may_go_on_with_its_other_pods() -> None:
    pacer = primed(1)
    assert pacer.may_roll(A, Standing(outdated=3, ready=True), now=START)
    assert pacer.may_roll(A, Standing(outdated=2, fresh=1, ready=True), now=START)
    assert not pacer.may_roll(A, Standing(fresh=3, unsettled=1), now=START)


def test_a_bad_image_keeps_its_permits_and_says_so() -> None:
    pacer = primed(2)
    for key in (A, B, C):
        pacer.may_roll(key, OLD, now=START)
    for key in (A, B):
        pacer.may_roll(key, STARTING, now=START)
        pacer.may_roll(key, Standing(fresh=1), now=LATER)
    assert not pacer.may_roll(C, OLD, now=LATER)
    assert pacer.rollout(now=LATER) == pace.Rollout(rolling=(A, B), stuck=(A, B), waiting=1, stopped=True)


@pytest.mark.parametrize("end", ["deleted", "ready"])
def test_a_rollout_that_stopped_goes_on_when_a_stuck_policy_is_ready_or_gone(end: str) -> None:
    pacer = primed(1)
    pacer.may_roll(A, OLD, now=START)
    pacer.may_roll(A, Standing(fresh=1, unsettled=1), now=START)
    assert not pacer.may_roll(B, OLD, now=LATER)
    assert pacer.rollout(now=LATER).stopped
    if end == "deleted":
        pacer.forget(A)
    else:
        pacer.may_roll(A, DONE, now=LATER)
    assert pacer.next_up() == (B,)


def test_a_policy_that_was_broken_before_gives_its_permit_back_once_its_watchdogs_are_up() -> None:
    pacer = primed(1)
    assert pacer.may_roll(A, Standing(outdated=1, ready=False), now=START)
    pacer.may_roll(A, STARTING, now=START)
    assert pacer.free == 0
    pacer.may_roll(A, Standing(fresh=1, unsettled=0, ready=False), now=LATER)
    assert pacer.free == 1


def test_a_policy_between_two_pods_at_a_restart_keeps_its_permit_for_a_while() -> None:
    between = Standing(missing=True)
    pacer = primed(1, a=between)
    pacer.may_roll(A, between, now=START)
    assert pacer.free == 0
    pacer.may_roll(A, between, now=LATER)
    assert pacer.free == 1, "it cannot have a pod for another reason"


def test_nobody_gets_a_permit_before_it_is_known_who_had_one() -> None:
    pacer = pace.Pacer(2)
    assert not pacer.may_roll(A, OLD, now=START)
    assert pacer.next_up() == ()
    pacer.prime({A: OLD, B: LEAVING, C: STARTING}, now=START)
    assert pacer.rollout(now=START).rolling == (B, C)
    assert not pacer.may_roll(A, OLD, now=START)


def test_more_than_the_permits_may_be_in_the_middle_after_a_restart_with_fewer() -> None:
    pacer = primed(1, a=LEAVING, b=STARTING)
    assert pacer.free == -1
    assert pacer.next_up() == ()
    pacer.may_roll(A, DONE, now=START)
    assert not pacer.may_roll(C, OLD, now=START)
    pacer.may_roll(B, DONE, now=START)
    assert pacer.next_up() == (C,)


def test_who_no_longer_needs_a_permit_does_not_wait_for_one() -> None:
    pacer = primed(1)
    pacer.may_roll(A, OLD, now=START)
    pacer.may_roll(B, OLD, now=START)
    pacer.may_roll(C, OLD, now=START)
    pacer.may_roll(B, DONE, now=START)
    pacer.forget(A)
    assert pacer.next_up() == (C,)


# What is seen of a policy.

SITE = "sha256:new"


def pod(
    *, site: str | None = SITE, ready: bool = True, age: int = 0, terminating: bool = False, phase: str = "Running",
    restarts: int = 0, started: bool = True, unschedulable: bool = False, kind: str = "Service",
) -> Object:  # fmt: skip
    """Give a pod as the API server would, as far as it matters here."""
    created = START - timedelta(seconds=age)
    conditions = [{"type": "Ready", "status": str(ready)}]
    if unschedulable:
        conditions.append({"type": "PodScheduled", "status": "False", "reason": "Unschedulable"})
    metadata: dict[str, Any] = {
        "name": "zaum-a-0-00000",
        "creationTimestamp": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "labels": {contract.LABEL_TYPE: kind},
        "annotations": {} if site is None else {contract.ANNOTATION_SITE: site},
    }
    if terminating:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    watchdog = {"name": contract.CONTAINER_WATCHDOG, "restartCount": restarts, "started": started}
    status = {"phase": phase, "conditions": conditions, "initContainerStatuses": [watchdog]}
    return {"metadata": metadata, "status": status}


def policy(*, ready: bool = True, generation: int = 1, observed: int = 1, replicas: int = 1) -> Object:
    condition = {"type": "Ready", "status": str(ready), "observedGeneration": observed}
    return {
        "metadata": {"namespace": "agents", "name": "a", "generation": generation},
        "spec": {"agent": {"replicas": replicas}},
        "status": {"conditions": [{"type": "Isolated", "status": "True"}, condition]},
    }


OLD_AGE = int(pace.PATIENCE.total_seconds()) + 1


@pytest.mark.parametrize(
    ("found", "standing"),
    [
        ([], Standing(missing=True, ready=True)),
        ([pod()], Standing(fresh=1, ready=True)),
        ([pod(site="sha256:old")], Standing(outdated=1, ready=True)),
        ([pod(site=None)], Standing(outdated=1, ready=True)),
        ([pod(site="sha256:old", terminating=True)], Standing(leaving=1, missing=True)),
        ([pod(terminating=True)], Standing(missing=True, ready=True)),
        ([pod(ready=False)], Standing(fresh=1, unsettled=1)),
        ([pod(ready=False, age=OLD_AGE)], Standing(fresh=1)),
        ([pod(ready=False, age=OLD_AGE, started=False)], Standing(fresh=1, unsettled=1)),
        ([pod(ready=False, age=OLD_AGE, restarts=1)], Standing(fresh=1, unsettled=1)),
        ([pod(ready=False, unschedulable=True, started=False)], Standing(fresh=1)),
        ([pod(phase="Failed", ready=False, restarts=1)], Standing(unsettled=1, missing=True, ready=True)),
        ([pod(phase="Failed", ready=False)], Standing(missing=True, ready=True)),
        ([pod(phase="Failed", site="sha256:old", restarts=1)], Standing(missing=True, ready=True)),
        ([pod(site="sha256:old", kind="Task")], Standing()),
        ([pod(site="sha256:old"), pod()], Standing(outdated=1, fresh=1, ready=True)),
    ],
)
def test_how_a_policy_stands_is_read_off_its_pods(found: list[Object], standing: Standing) -> None:
    assert pace.observe(policy(), found, site=SITE, now=START) == standing


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        ({}, False),
        ({"agent": {"replicas": 1}}, False),
        ({"agent": {"replicas": 2}}, True),
        ({"agent": {"replicas": 2}, "desiredState": "Stopped"}, False),
        ({"agent": {"replicas": "many"}}, False),
        (None, False),
    ],
)
def test_a_policy_that_asks_for_more_pods_than_live_misses_some(spec: Any, missing: bool) -> None:
    assert pace.observe(policy() | {"spec": spec}, [pod()], site=SITE, now=START).missing is missing


@pytest.mark.parametrize(
    ("said", "ready"),
    [
        (policy(), True),
        (policy(ready=False), False),
        (policy(generation=2, observed=1), False),
        ({"metadata": {"generation": 1}}, False),
    ],
)
def test_ready_is_what_the_policy_last_said_of_this_generation(said: Object, ready: bool) -> None:
    assert pace.observe(said, [pod()], site=SITE, now=START).ready is ready


# Any order of events.


@dataclass
class Fleet:
    """Policies whose pods are replaced one by one, as the operator does it, on a cluster that takes its time."""

    sizes: list[int]
    most: int
    good: bool
    now: datetime = START
    pods: dict[Key, list[dict[str, Any]]] = field(default_factory=dict)
    said: dict[Key, bool] = field(default_factory=dict)
    touched: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.keys = [Key("agents", f"p{index}") for index in range(len(self.sizes))]
        for key, size in zip(self.keys, self.sizes, strict=True):
            self.pods[key] = [{"site": "old", "ready": True, "leaving": False, "at": START} for _ in range(size)]
            self.said[key] = True
        self.pacer = pace.Pacer(self.most)
        self.restart()

    def standing(self, key: Key) -> Standing:
        found = [
            pod(
                site=SITE if one["site"] == "new" else "old",
                ready=one["ready"],
                terminating=one["leaving"],
                started=one["ready"],
                age=int((START - one["at"]).total_seconds()),
            )
            for one in self.pods[key]
        ]
        said = policy(ready=self.said[key], replicas=self.sizes[self.keys.index(key)])
        return pace.observe(said, found, site=SITE, now=self.now)

    def restart(self) -> None:
        """Start the operator anew: it has nothing but what the cluster shows."""
        self.pacer = pace.Pacer(self.most)
        self.pacer.prime({key: self.standing(key) for key in self.keys}, now=self.now)

    def reconcile(self, key: Key) -> None:
        """Do what the operator does: ask, replace one outdated pod while all are ready, fill up, say Ready."""
        may = self.pacer.may_roll(key, self.standing(key), now=self.now)
        mine = self.pods[key]
        whole = len(mine) == self.sizes[self.keys.index(key)]
        if whole and may and all(one["ready"] and not one["leaving"] for one in mine):
            old = next(one for one in mine if one["site"] == "old")
            old["leaving"] = True
            self.touched.add(key)
        elif not whole:
            mine.append({"site": "new", "ready": False, "leaving": False, "at": self.now})
        self.said[key] = len(mine) == self.sizes[self.keys.index(key)] and all(
            one["ready"] and not one["leaving"] for one in mine
        )

    def kubelet(self, key: Key) -> None:
        """End a pod that leaves, or make one ready that starts (a bad image never does)."""
        for one in self.pods[key]:
            if one["leaving"]:
                self.pods[key].remove(one)
                return
            if not one["ready"] and self.good:
                one["ready"] = True
                return

    def disturbed(self) -> int:
        """Count the policies that have fewer ready pods than they want."""
        return sum(
            sum(one["ready"] and not one["leaving"] for one in self.pods[key]) < size
            for key, size in zip(self.keys, self.sizes, strict=True)
        )

    def step(self, event: str, index: int) -> None:
        key = self.keys[index % len(self.keys)]
        match event:
            case "reconcile":
                self.reconcile(key)
            case "kubelet":
                self.kubelet(key)
            case "restart":
                self.restart()
            case _:
                self.now += timedelta(seconds=97)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["reconcile"] * 4 + ["kubelet"] * 3 + ["time", "restart"]), st.integers(0, 9)),
    max_size=120,
)

UNSEEN = [("reconcile", 1), ("kubelet", 1), ("restart", 0), *[("time", 0)] * 4, ("reconcile", 1), ("reconcile", 0)]
"""A new operator takes over a policy that is between two pods, and gets to it only after its patience."""
LEFT_LATE = [
    ("reconcile", 1), ("restart", 0), ("reconcile", 1), ("kubelet", 1), *[("time", 0)] * 4, ("reconcile", 1),
    ("reconcile", 0),
]  # fmt: skip
"""It gets to it while the old pod leaves, and that is gone when it looks again."""


@settings(max_examples=examples(500))
@given(st.lists(st.integers(1, 3), min_size=1, max_size=8), st.integers(1, 4), st.booleans(), EVENTS)
@example([1, 1], 1, False, UNSEEN)
@example([1, 1], 1, False, LEFT_LATE)
def test_never_more_than_so_many_policies_at_once_in_any_order_of_events(
    sizes: list[int], most: int, good: bool, events: list[tuple[str, int]]
) -> None:
    fleet = Fleet(sizes, most, good)
    for event, index in events:
        fleet.step(event, index)
        assert fleet.disturbed() <= most
        if not good:
            assert len(fleet.touched) <= most, "a bad image must not reach everybody"


@settings(max_examples=examples(60))
@given(st.lists(st.integers(1, 3), min_size=1, max_size=8), st.integers(1, 4), st.integers(0, 2**32))
def test_a_good_image_reaches_every_pod(sizes: list[int], most: int, seed: int) -> None:
    fleet, dice = Fleet(sizes, most, good=True), random.Random(seed)
    for turn in range(60 * sum(sizes)):
        for key in dict.fromkeys([*fleet.pacer.next_up(), dice.choice(fleet.keys)]):
            fleet.reconcile(key)
        fleet.kubelet(dice.choice(fleet.keys))
        if turn % 50 == 49:
            fleet.restart()
    assert {one["site"] for mine in fleet.pods.values() for one in mine} == {"new"}
    assert fleet.pacer.rollout(now=fleet.now).waiting == 0
