"""How much is lent at a time: enough that a busy pod asks seldom, little enough that others get some too."""

from collections.abc import Mapping
from typing import Final

from zaum_ledger.core.windows import SECOND

_MEMORY: Final = 10 * SECOND
_AHEAD: Final = 2 * SECOND
"""Of recent use: that much time a slice should last."""


def size(asked: int, *, free: int, recent: int, replicas: int) -> int:
    """Give the amount of a lease: at least what was asked, or 0 when that is not free.

    `recent`: as `remembered` gives it. Beyond what was asked no pod gets more than its part of half of what is free.
    """
    if asked > free:
        return 0
    ahead = recent * _AHEAD // _MEMORY
    return max(asked, min(ahead, free // (2 * max(1, replicas))))


def remembered(recent: Mapping[str, int], spent: Mapping[str, int], passed: int) -> dict[str, int]:
    """Give by meter about what was spent in the last ten seconds: what was known fades with the time that passed."""
    faded = {meter: amount * max(0, _MEMORY - passed) // _MEMORY for meter, amount in recent.items()}
    sums = {meter: faded.get(meter, 0) + spent.get(meter, 0) for meter in faded.keys() | spent.keys()}
    return {meter: amount for meter, amount in sums.items() if amount}
