"""Tables of plain text, and texts that a terminal shows as they are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

ABSENT: Final = "-"
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "m"))


def align(rows: Sequence[Sequence[str]]) -> str:
    """Write rows of equal length below each other; the first is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def plain(text: object, *, most: int = 512) -> str:
    """Give a text of one line that cannot move a terminal's cursor: each character that does not print is a `?`."""
    said = "" if text is None else str(text)
    return "".join(letter if letter.isprintable() else "?" for letter in said[:most])


def age(now: datetime, since: object) -> str:
    """Give how long ago an RFC 3339 time was: 12s, 5m, 3h, 2d."""
    try:
        seconds = max(int((now - datetime.fromisoformat(str(since))).total_seconds()), 0)
    except (ValueError, TypeError):
        return ABSENT
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
