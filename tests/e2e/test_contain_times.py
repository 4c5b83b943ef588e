"""How soon agents are contained, by the records of world, kernel and API server: ten of what `make bench` has sixty."""

from typing import Final

import pytest

from bench.contain import report, run
from tests.support.e2e.api import Api

BREACHES = 8
BY_HAND = 2
# The bench judges by the aims themselves; here one slow sample of ten must not fail what is right.
CUT: Final = 2 * report.CUT
"""The watchdog cuts where it decides, so what is late is a request that is under way, and each hop of it may wait."""
MOST: Final = {"dead": 2 * report.DEAD, "quarantined": 2 * report.QUARANTINED, "proof": report.PROOF}
"""Dead: two periods of the probe, the second of grace, and a kubelet that comes to it late. Quarantined: by hand the
start of the command counts, too. Proof: as it was promised, it has room enough."""


@pytest.mark.node
@pytest.mark.world
@pytest.mark.alone
def test_ten_agents_are_contained_in_time_and_nothing_is_claimed_before_it_is_so(
    api: Api, images: dict[str, str], seasoned: None
) -> None:
    result, _ = run.measure(api, run.plan(BREACHES, BY_HAND), image=images["demo-agent"])
    print(*report.table(result), *report.waits(result), sep="\n")
    assert result.faults == []
    assert len(result.seen) == BREACHES + BY_HAND
    for seen in (result.breaches(), result.by_hand()):
        worst = {name: report.worst(seen, name) for name in MOST}
        assert {name: value for name, value in worst.items() if value is None or value > MOST[name]} == {}
    cut = report.worst(result.breaches(), "cut")
    assert cut is not None
    assert cut <= CUT
    assert result.throttled
