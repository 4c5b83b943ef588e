"""Read and write durations as the API spells them: whole hours, minutes and seconds, `2m`, `1h30m`, `90s`."""

import re
from typing import Final

PATTERN: Final = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$"
LENGTH_MIN: Final = 2
LENGTH_MAX: Final = 18
_FORM: Final = re.compile(r"(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,5})s)?", re.ASCII)


class DurationError(ValueError):
    """A text that is no duration."""


def seconds(text: str) -> int:
    """Give the duration in seconds; raise DurationError for any other spelling."""
    matched = _FORM.fullmatch(text)
    if matched is None or not text:
        raise DurationError(f"{text[:64]!r} is no duration such as 90s, 2m or 1h30m")
    hours, minutes, rest = (int(part or 0) for part in matched.groups())
    return hours * 3600 + minutes * 60 + rest


def write(total: int) -> str:
    """Write seconds in the shortest canonical form: `2m`, `1h30m`, `0s`."""
    hours, rest = divmod(total, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{amount}{unit}" for amount, unit in ((hours, "h"), (minutes, "m"), (left, "s")) if amount]
    return "".join(parts) or "0s"
