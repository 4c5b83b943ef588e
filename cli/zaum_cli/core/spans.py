"""Read how far back to look."""

import re
from typing import Final

_SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def read(text: str) -> int:
    """Give the seconds of a span like 90s, 30m, 6h or 2d; raise ValueError for anything else."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no span of time: write 90s, 30m, 6h or 2d")
    return int(found[1]) * _SECONDS[found[2]]
