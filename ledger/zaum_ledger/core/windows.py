"""Windows over which charges are added up. Times in milliseconds since 1970 in UTC.

A charge stands in the bucket of its moment: a minute for the sliding hour, the day for the calendar day. A bucket
counts until the last moment in it has left the window: rounding never frees anything early.
"""

from collections.abc import Mapping
from typing import Final, assert_never

from zaum_api.documents import Window

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Charges = Mapping[int, int]
"""Amounts by bucket."""


class NoWindowError(ValueError):
    """A window that has no charges: what is shared by shares is not added up here."""


def bucket(window: Window, at: int) -> int:
    """Give the bucket of a moment."""
    return at // _grain(window)


def ends(window: Window, number: int) -> int:
    """Give the moment from which on a bucket counts no more."""
    over = (number + 1) * _grain(window)
    return over + HOUR if window is Window.HOUR else over


def counting(window: Window, charges: Charges, now: int) -> Charges:
    """Give the charges that still count; the same object where all do."""
    if all(ends(window, number) > now for number in charges):
        return charges
    return {number: amount for number, amount in charges.items() if ends(window, number) > now}


def total(window: Window, charges: Charges, now: int) -> int:
    """Add up what counts."""
    return sum(amount for number, amount in charges.items() if ends(window, number) > now)


def until_free(window: Window, charges: Charges, now: int, needed: int) -> int:
    """Give the milliseconds until the charges count for `needed` less; until all are gone when that is not enough."""
    wait = 0
    for number in sorted(charges):
        if needed <= 0:
            break
        wait = max(wait, ends(window, number) - now)
        needed -= charges[number] if ends(window, number) > now else 0
    return wait


def _grain(window: Window) -> int:
    match window:
        case Window.HOUR:
            return MINUTE
        case Window.DAY:
            return DAY
        case Window.NOW | Window.MINUTE:
            raise NoWindowError(f"{window} is shared by shares")
        case _:
            assert_never(window)
