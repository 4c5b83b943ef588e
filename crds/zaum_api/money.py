"""Read and write US dollars: as text with a point, `10.00`, and as whole micro-dollars, millionths of one.

No float stands between: money is never rounded.
"""

import re
from typing import Final

MICRO: Final = 1_000_000
PATTERN: Final = "^[0-9]{1,9}([.][0-9]{1,6})?$"
_FORM: Final = re.compile(r"([0-9]{1,9})(?:[.]([0-9]{1,6}))?", re.ASCII)


class MoneyError(ValueError):
    """A text that is no amount of dollars."""


def micros(text: str) -> int:
    """Give the amount in micro-dollars; raise MoneyError for any other spelling."""
    matched = _FORM.fullmatch(text)
    if matched is None:
        raise MoneyError(f"{text[:64]!r} is no amount of dollars such as 10.00")
    return int(matched[1]) * MICRO + int((matched[2] or "").ljust(6, "0"))


def write(amount: int) -> str:
    """Write micro-dollars as dollars with at least two digits behind the point: `10.00`, `0.000125`."""
    whole, rest = divmod(amount, MICRO)
    digits = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{digits}"
