"""Change a few bytes of a body that lies there in pieces, and copy no more than the pieces that change."""

from collections.abc import Sequence
from typing import NamedTuple


class Edit(NamedTuple):
    """Put `text` for the bytes from `start` to `end`, offsets in the whole body; equal ones only put it in."""

    start: int
    end: int
    text: bytes


def growth(edits: Sequence[Edit]) -> int:
    """Give how many bytes longer the body becomes; negative where it gets shorter."""
    return sum(len(edit.text) - (edit.end - edit.start) for edit in edits)


def splice(pieces: Sequence[bytes], edits: Sequence[Edit]) -> list[bytes]:
    """Give the changed body, in pieces. Edits do not overlap; those at one place go in as they are listed."""
    if len(edits) == 1 and len(pieces) == 1:  # As nearly always.
        (start, end, text), piece = edits[0], pieces[0]
        if start < len(piece) and end <= len(piece):
            return [part for part in (piece[:start], text, piece[end:]) if part]
    left = sorted(edits, key=lambda edit: (edit.start, edit.end))
    spliced: list[bytes] = []
    begin = 0
    for piece in pieces:
        at = begin
        while left and left[0].start < begin + len(piece):
            edit = left[0]
            if at <= edit.start:
                spliced += (piece[at - begin : edit.start - begin], edit.text)
            at = max(at, min(edit.end, begin + len(piece)))
            if edit.end > begin + len(piece):
                break
            left.pop(0)
        spliced.append(piece[at - begin :] if at > begin else piece)
        begin += len(piece)
    return [piece for piece in spliced if piece]
