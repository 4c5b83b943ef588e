"""The phases of a connection."""

import itertools

import pytest

from zaum_watchdog.core import phases
from zaum_watchdog.core.phases import Phase


def test_the_way_of_a_tunnel_is_one_line() -> None:
    for now, to in itertools.pairwise([*Phase]):
        assert phases.step(now, to) is to


def test_every_phase_can_end_and_no_end_is_left() -> None:
    assert all(phases.step(now, Phase.ENDED) is Phase.ENDED for now in Phase)
    assert phases.NEXT[Phase.ENDED] == {Phase.ENDED}


@pytest.mark.parametrize(
    ("now", "to"),
    [
        (now, to)
        for now in Phase
        for to in Phase
        if to is not Phase.ENDED and to.value != now.value + 1 and (now, to) != (Phase.ASKED, Phase.DIALLING)
    ],
)
def test_i06_no_phase_is_skipped(now: Phase, to: Phase) -> None:
    with pytest.raises(phases.IllegalMoveError):
        phases.step(now, to)


def test_every_phase_has_an_end_in_time() -> None:
    assert set(phases.PATIENCE) == set(Phase) - {Phase.SPLICED}
    assert all(0 < patience <= 3600 * phases.SECOND for patience in phases.PATIENCE.values())
