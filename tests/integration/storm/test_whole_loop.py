"""A few kills of the containment loop's parts, on a control plane of its own: `make chaos-contain` has hundreds."""

import re
from collections.abc import Callable

FAULTS, SEED = 5, 7
"""Of a seed whose kills hit every part, and two at once."""


def test_i09_whoever_is_killed_containment_ends_the_same_and_nothing_is_claimed_too_early(
    stormed: Callable[..., str],
) -> None:
    said = stormed("tests.chaos.loop", "--faults", str(FAULTS), "--seed", str(SEED))
    last = said.strip().splitlines()[-1]
    print(last)
    good = (
        rf"chaos-contain: {FAULTS} kills, seed {SEED}, [1-9][0-9]* incidents, final states identical, "
        r"[1-9][0-9]* claims, 0 false or less contained"
    )
    assert re.fullmatch(good, last), said
