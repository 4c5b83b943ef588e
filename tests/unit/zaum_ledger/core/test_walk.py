"""Long walks through a world in which everything fails: whatever happens, no limit is passed (I07).

A walk is told by its seed; a failing one prints it: World(seed, replicas=...), and then step until it fails.
"""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.properties import examples
from tests.unit.zaum_ledger.core import world
from tests.unit.zaum_ledger.core.pods import SECOND
from zaum_api.documents import Want
from zaum_ledger.core import shares, slices

STEPS = 2_500
WALKS = [(replicas, seed) for replicas in (1, 2, 3, 5) for seed in range(10)]
"""10^5 steps together."""


def walk(seed: int, replicas: int) -> world.World:
    found = world.World(seed, replicas=replicas)
    for number in range(STEPS):
        try:
            found.step()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {replicas} replicas, step {number}: {error}") from error
    return found


@pytest.mark.parametrize(("replicas", "seed"), WALKS)
def test_i07_no_walk_passes_a_limit(replicas: int, seed: int) -> None:
    assert walk(seed, replicas).counts["spent"] > 20


def test_walks_go_as_far_as_the_limits() -> None:
    found = [walk(seed, replicas=2) for seed in range(100, 108)]

    for meter in (*world.LEASED, world.MINUTELY, world.RATE):
        assert max(one.truth[meter.id].highest for one in found) > meter.limit * 9 // 10, meter.id
    for what in ("borrowed", "lent", "carried"):
        assert sum(one.counts.get(what, 0) for one in found) > 50, what
    for what in ("forgotten", "new"):
        assert sum(one.counts.get(what, 0) for one in found) > 0, what


def passes(replicas: int) -> bool:
    """Say whether one of a few walks passes a limit."""
    for seed in range(12):
        try:
            walk(seed, replicas)
        except AssertionError:
            return True
    return False


def test_the_walk_sees_a_ledger_that_lends_without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "size", lambda asked, **_: asked)
    assert passes(replicas=1)


def test_the_walk_sees_loans_that_end_when_the_promise_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "terms", lambda _: shares.Terms(hold=0, drained=False))
    assert passes(replicas=3)


class Machine(RuleBasedStateMachine):
    """The same world, led by Hypothesis, which looks for the shortest way to a failure."""

    def __init__(self) -> None:
        super().__init__()
        self.world = world.World(0, replicas=2)

    @rule(ordinal=st.integers(0, 1), meter=st.sampled_from(world.LEASED), parts=st.integers(1, 10))
    def spends(self, ordinal: int, meter: Any, parts: int) -> None:
        pod = self.world.pods.get(ordinal)
        if pod and not self.world.spend(pod, meter, meter.limit // parts):
            self.world.talk(pod, (Want(meter.id, meter.limit // parts),))
            self.world.spend(pod, meter, meter.limit // parts)

    @rule(ordinal=st.integers(0, 1))
    def settles(self, ordinal: int) -> None:
        pod = self.world.pods.get(ordinal)
        if pod and pod.calls:
            pod.end_call(self.world.dice)

    @rule(ordinal=st.integers(0, 1), asked=st.booleans(), heard=st.booleans())
    def talks(self, ordinal: int, asked: bool, heard: bool) -> None:
        if pod := self.world.pods.get(ordinal):
            self.world.talk(pod, asked=asked, heard=heard)

    @rule(ordinal=st.integers(0, 1))
    def uses_shares(self, ordinal: int) -> None:
        if pod := self.world.pods.get(ordinal):
            self.world.use_shares(pod)

    @rule(seconds=st.sampled_from((1, 5, 10, 30, 60, 121, 130)))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds * SECOND)

    @rule(hours=st.sampled_from((1, 12, 24)))
    def everybody_goes_and_hours_pass(self, hours: int) -> None:
        self.world.pods.clear()
        self.world.pass_time(hours * world.HOUR)

    @rule(ordinal=st.integers(0, 1))
    def pod_is_replaced(self, ordinal: int) -> None:
        self.world.kill_pod(ordinal)
        self.world.start_pod(ordinal)

    @rule(hours=st.sampled_from((-1, 0, 1)))
    def ledger_restarts(self, hours: int) -> None:
        self.world.kill_ledger()
        self.world.step_wall_clock(hours * world.HOUR)
        self.world.start_ledger()

    @rule()
    def old_message_comes_again(self) -> None:
        self.world.replay()

    @rule(ordinal=st.integers(0, 1))
    def session_is_lost(self, ordinal: int) -> None:
        if pod := self.world.pods.get(ordinal):
            pod.refused()

    @invariant()
    def no_limit_is_passed(self) -> None:
        self.world.check()


@pytest.mark.hypothesis
def test_i07_no_sequence_that_hypothesis_finds_passes_a_limit() -> None:
    run_state_machine_as_test(Machine, settings=settings(max_examples=examples(60), stateful_step_count=50))
