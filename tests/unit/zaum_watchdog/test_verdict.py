"""The latch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract
from zaum_watchdog.core import verdict
from zaum_watchdog.core.verdict import State, Step

BREACHES = st.sampled_from(list(contract.Breach))


@pytest.mark.parametrize("breach", list(contract.Breach))
def test_the_first_breach_latches_refuses_cuts_fails_the_probe_and_says_why(breach: contract.Breach) -> None:
    latched, steps = verdict.on_breach(verdict.Verdict(), breach)
    assert latched == verdict.Verdict(State.LATCHED, breach)
    assert steps == (Step.REFUSE_NEW, Step.CLOSE_TUNNELS, Step.FAIL_PROBE, Step.SAY_WHY)
    assert latched.probe_status == contract.BREACH_STATUS[breach]


def test_while_watching_the_probe_is_content() -> None:
    assert verdict.Verdict().probe_status == 200


@given(st.lists(BREACHES, min_size=1))
def test_i08_nothing_unlatches_and_the_first_reason_stays(breaches: list[contract.Breach]) -> None:
    now = verdict.Verdict()
    for number, breach in enumerate(breaches):
        now, steps = verdict.on_breach(now, breach)
        assert now.breach is breaches[0]
        assert bool(steps) is (number == 0)


def test_the_table_covers_every_state() -> None:
    assert set(verdict.LADDER) == set(State)
