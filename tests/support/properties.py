"""How often a property is tried: a fixed sample with the other tests, and as many new examples as wanted by itself.

The sample is the same for the same code, so that a change is judged by what it changes. `make properties` draws anew
each time, TIMES as many; what it finds becomes an `@example` beside its property.
"""

import os
from typing import Final

import hypothesis

TIMES: Final = int(os.environ.get("ZAUM_EXAMPLES_TIMES") or 0)
"""0: the fixed sample."""
DEFAULT: Final = 100
"""Of a property that says nothing of it."""


def examples(count: int) -> int:
    """Give how many examples a property draws that has `count` in its sample."""
    return count * max(TIMES, 1)


def load() -> None:
    """Make this the default of all properties. None fails on a slow machine: times are measured elsewhere."""
    hypothesis.settings.register_profile(
        "zaum",
        max_examples=examples(DEFAULT),
        deadline=None,
        derandomize=not TIMES,
        database=None,
        print_blob=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("zaum")
