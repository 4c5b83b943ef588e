"""A small storm, on a control plane of its own: what `make chaos` does at full size."""

import re
from collections.abc import Callable

FAULTS, SEED = 12, 1442
"""Of a seed whose storm has a bit of everything: an operator killed, others beside, edits, bad specs, bad answers."""


def test_a_small_storm_leaves_what_a_calm_run_leaves_and_never_weakens_anything(stormed: Callable[..., str]) -> None:
    said = stormed("tests.chaos", "--faults", str(FAULTS), "--seed", str(SEED))
    last = said.strip().splitlines()[-1]
    print(last)
    good = rf"chaos: {FAULTS} faults, seed {SEED}, final state identical, 0 moments weaker, slowest restore [0-9.]+ s"
    assert re.fullmatch(good, last), said
