"""Where a connection to the routes stands."""

import pytest

from zaum_watchdog.core import exchanges
from zaum_watchdog.core.exchanges import SECOND, Phase


def test_every_phase_has_a_patience_and_a_way_to_its_end() -> None:
    assert set(exchanges.NEXT) == set(exchanges.PATIENCE) == set(Phase)
    assert all(Phase.ENDED in following for following in exchanges.NEXT.values())


def test_no_phase_is_skipped_and_an_ended_connection_stays_ended() -> None:
    assert exchanges.step(Phase.IDLE, Phase.HEAD) is Phase.HEAD
    for now, to in ((Phase.HEAD, Phase.ASKING), (Phase.IDLE, Phase.ANSWERED), (Phase.ENDED, Phase.IDLE)):
        with pytest.raises(exchanges.IllegalMoveError):
            exchanges.step(now, to)


@pytest.mark.parametrize(("said", "kept"), [(None, 60), (5, 4), (1, 0), (0, 0), (600, 60)])
def test_a_connection_is_kept_less_long_than_its_upstream_says(said: int | None, kept: int) -> None:
    assert exchanges.keep_for(said) == kept * SECOND
