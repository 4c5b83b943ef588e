"""Specs that nobody would write, drawn from the schema by a seed: good ones, and ones that miss by a little."""

from typing import Final

import hypothesis
from hypothesis import strategies as st

import definitions
from tests.chaos.history import Object
from tests.support import fuzz

_PATIENT: Final = hypothesis.settings(
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


def specs(*, seed: int, count: int) -> list[Object]:
    """Draw specs; at least one. The same seed gives the same."""
    drawn: list[Object] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(_PATIENT, max_examples=max(count, 1))
    @hypothesis.given(st.one_of(fuzz.good_policies(), fuzz.near_misses(definitions.POLICY)))
    def collect(spec: Object) -> None:
        drawn.append(spec)

    collect()
    return drawn
